/* SPDX-License-Identifier: Apache-2.0 */
#define ERROR_IMPLEMENTATION
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    int errnum;
    int http_status;
} codes[] = {
    [WEFT_OK] = {0, 200},
    [WEFT_INVALID] = {EINVAL, 400},
    [WEFT_FORBIDDEN] = {EPERM, 403},
    [WEFT_NOT_FOUND] = {ENOENT, 404},
    [WEFT_CONFLICT] = {EEXIST, 409},
    [WEFT_UNCHANGED] = {EALREADY, 304},
    [WEFT_TOO_LARGE] = {E2BIG, 413},
    [WEFT_UNSUPPORTED] = {EOPNOTSUPP, 501},
    [WEFT_EXHAUSTED] = {ENOSPC, 503},
    [WEFT_KERNEL] = {EIO, 500},
    [WEFT_INTERNAL] = {EIO, 500},
};

/* Writes the sentence and suffix. The arguments may point into err->text: hence the detour. */
_printf_(4, 0) static void fill(struct weft_error *err, enum weft_code code, int errnum,
                                const char *fmt, va_list args, const char *suffix)
{
    char text[sizeof err->text];
    size_t len;

    vsnprintf(text, sizeof text, fmt, args);
    len = strlen(text);
    strncat(text, suffix, sizeof text - len - 1);
    err->code = code;
    err->errnum = errnum;
    memcpy(err->text, text, sizeof text);
}

int weft_fail(struct weft_error *err, enum weft_code code, const char *fmt, ...)
{
    int errnum = codes[code].errnum;

    if (err) {
        va_list args;

        va_start(args, fmt);
        fill(err, code, errnum, fmt, args, "");
        va_end(args);
    }
    return -errnum;
}

int weft_fail_errno(struct weft_error *err, int errnum, const char *fmt, ...)
{
    if (errnum < 0)
        errnum = -errnum;
    if (err) {
        char reason[128];
        va_list args;

        snprintf(reason, sizeof reason, ": %s", strerror(errnum));
        va_start(args, fmt);
        fill(err, WEFT_KERNEL, errnum, fmt, args, reason);
        va_end(args);
    }
    return -errnum;
}

int weft_oom(struct weft_error *err)
{
    if (err)
        *err = (struct weft_error){WEFT_INTERNAL, ENOMEM, "out of memory"};
    return -ENOMEM;
}

void weft_error_prefix(struct weft_error *err, const char *fmt, ...)
{
    char suffix[sizeof err->text + 2];
    va_list args;

    if (!err)
        return;
    snprintf(suffix, sizeof suffix, ": %s", err->text);
    va_start(args, fmt);
    fill(err, err->code, err->errnum, fmt, args, suffix);
    va_end(args);
}

int weft_code_http_status(enum weft_code code)
{
    return codes[code].http_status;
}
