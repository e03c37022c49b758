/* SPDX-License-Identifier: Apache-2.0 */
#include "container/failure.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"

/* The message of one line of output, for the caller to free. */
static char *line_message(const char *line, size_t len)
{
    _cleanup_json_ json_t *entry = json_loadb(line, len, JSON_DISABLE_EOF_CHECK, NULL);
    const char *message = json_string_value(json_object_get(entry, "msg"));

    return message ? strdup(message) : strndup(line, len);
}

/* The last line that says something: runtimes end with what made them fail. */
static char *last_message(const char *output)
{
    size_t end = strlen(output), start;

    while (end > 0 && strchr(" \n\r\t", output[end - 1]))
        end--;
    for (start = end; start > 0 && output[start - 1] != '\n';)
        start--;
    return line_message(output + start, end - start);
}

static const char *without_layers(const char *message)
{
    static const char *const layers[] = {
        "runc create failed: ",
        "runc start failed: ",
        "runc exec failed: ",
        "runc delete failed: ",
        "exec failed: ",
        "OCI runtime create failed: ",
        "unable to start container process: ",
    };

    for (size_t i = 0; i < ARRAY_SIZE(layers);) {
        if (str_starts_with(message, layers[i])) {
            message += strlen(layers[i]);
            i = 0;
        } else {
            i++;
        }
    }
    return message;
}

static bool is_not_found(const char *message)
{
    return strstr(message, "executable file not found") ||
           (str_starts_with(message, "exec: ") && strstr(message, "no such file or directory"));
}

static bool is_not_executable(const char *message)
{
    return str_starts_with(message, "exec: ") &&
           (strstr(message, "permission denied") || strstr(message, "is a directory"));
}

int runtime_failure(const char *output, const char *what, struct weft_error *err)
{
    _cleanup_free_ char *message = last_message(output);
    const char *reason;
    bool users;

    if (!message)
        return weft_oom(err);
    reason = *message ? without_layers(message) : "it gave no reason";
    users = is_not_found(reason) || is_not_executable(reason);
    return weft_fail(err, users ? WEFT_INVALID : WEFT_INTERNAL, "%s: %s", what, reason);
}

int runtime_failure_code(const char *output)
{
    _cleanup_free_ char *message = last_message(output);

    return message && is_not_found(without_layers(message)) ? 127 : 126;
}

int conmon_result(const char *output, const char *what, struct weft_error *err)
{
    /* Warnings of conmon's own may stand before the line. */
    const char *start = strstr(output, "{\"data\":");
    _cleanup_json_ json_t *line = start ? json_loads(start, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    const char *message = json_string_value(json_object_get(line, "message"));

    if (json_integer_value(json_object_get(line, "data")) > 0)
        return 0;
    if (line)
        return runtime_failure(message ? message : "", what, err);
    return runtime_failure(output, what, err);
}
