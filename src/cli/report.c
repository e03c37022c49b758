/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

void report_error(const struct weft_error *err)
{
    (void)fflush(stdout);
    fprintf(stderr, "weft: %s\n", err->text);
}

void report_warnings(const json_t *reply, const char *key)
{
    json_t *warnings = json_object_get(reply, key), *warning;
    size_t i;

    json_array_foreach (warnings, i, warning)
        fprintf(stderr, "WARNING: %s\n", json_string_value(warning));
}

bool ask(const char *question)
{
    char answer[16] = "";

    fprintf(stderr, "%s [y/N] ", question);
    if (!fgets(answer, sizeof answer, stdin))
        return false;
    answer[strcspn(answer, "\r\n")] = '\0';
    return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

int each_operand(struct client *daemon, strv operands,
                 int (*act)(struct client *daemon, const char *operand, struct weft_error *err),
                 struct weft_error *err)
{
    int status = EXIT_SUCCESS;
    int r;

    r = client_connect(daemon, err);
    if (r < 0)
        return r;
    for (; *operands; operands++) {
        struct weft_error failure = {0};

        if (**operands)
            r = act(daemon, *operands, &failure);
        else
            r = weft_fail(&failure, WEFT_INVALID, "a name must not be empty");
        if (r < 0) {
            report_error(&failure);
            status = EXIT_FAILURE;
        }
    }
    return status;
}
