/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static int wait_one(struct client *daemon, const char *container, struct weft_error *err)
{
    _cleanup_json_ json_t *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int64_t status = 0;
    int r;

    (void)fflush(stdout); /* what is known already, before a pause */
    url_path(&url, "containers", container, "wait");
    r = client_call(daemon, "POST", strbuf_text(&url), NULL, &reply, err);
    if (r == 0)
        r = json_get_i64(reply, "StatusCode", &status, err);
    if (r == 0)
        printf("%" PRId64 "\n", status);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, wait_one, err);
}

const struct command cmd_wait = {
    .name = "wait",
    .summary = "Wait until containers have ended and print their exit codes.",
    .operands = "CONTAINER [CONTAINER...]",
    .example = "weft wait web",
    .run = run,
};
