/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errors: what went wrong (a code), and a sentence that names the thing and the reason.
 *
 * A function that can fail returns 0 or -errno and takes a `struct weft_error *err` as its last
 * argument. The caller owns it; NULL means that nobody wants the sentence. It is written only on
 * failure. A typical use:
 *
 *     if (!net)
 *         return weft_fail(err, WEFT_NOT_FOUND, "network %s not found", name);
 */

#include <stdbool.h>

#include "base/cleanup.h"

enum weft_code {
    WEFT_OK = 0,
    WEFT_INVALID,     /* the request makes no sense: -EINVAL, HTTP 400 */
    WEFT_FORBIDDEN,   /* it does, but is never allowed: -EPERM, 403 */
    WEFT_NOT_FOUND,   /* -ENOENT, 404 */
    WEFT_CONFLICT,    /* it clashes with what is there: -EEXIST, 409 */
    WEFT_UNCHANGED,   /* it is so already: -EALREADY, 304 */
    WEFT_TOO_LARGE,   /* -E2BIG, 413 */
    WEFT_UNSUPPORTED, /* weft does not do this: -EOPNOTSUPP, 501 */
    WEFT_EXHAUSTED,   /* a pool has no free member: -ENOSPC, 503 */
    WEFT_KERNEL,      /* the kernel refused: its own errno, 500 */
    WEFT_INTERNAL,    /* anything else: -EIO or the errno at hand, 500 */
};

struct weft_error {
    enum weft_code code;
    int errnum; /* positive errno */
    char text[512];
};

/* Fills *err (if not NULL) with the sentence and returns the negative errno that goes with code. */
int weft_fail(struct weft_error *err, enum weft_code code, const char *fmt, ...) _printf_(3, 4);

/* The same for a failed system call: appends ": " and errnum's meaning. Returns -|errnum|.
 * The code is WEFT_KERNEL. */
int weft_fail_errno(struct weft_error *err, int errnum, const char *fmt, ...) _printf_(3, 4);

/* Out of memory: returns -ENOMEM. */
int weft_oom(struct weft_error *err);

/* Puts "prefix: " before the sentence that is already in *err (may be NULL). Keeps the code. */
void weft_error_prefix(struct weft_error *err, const char *fmt, ...) _printf_(2, 3);

/* The HTTP status that answers a code (200 for WEFT_OK). */
int weft_code_http_status(enum weft_code code);

#if defined(__clang_analyzer__) && !defined(ERROR_IMPLEMENTATION)
/* The analyzer sees one file at a time and cannot know that these return nothing but negative
 * numbers. */
#define weft_fail(...) ((void)weft_fail(__VA_ARGS__), -1)
#define weft_fail_errno(...) ((void)weft_fail_errno(__VA_ARGS__), -1)
#define weft_oom(err) ((void)weft_oom(err), -1)
#endif
