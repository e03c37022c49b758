/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Ownership by declaration: a variable marked _cleanup_free_, _cleanup_close_ … releases what it
 * holds when its scope ends, unless TAKE_PTR or TAKE_FD handed it on before.
 */

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _unused_ __attribute__((unused))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _must_check_ __attribute__((warn_unused_result))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Defines `static inline void f_p(type *p)`, which calls f on *p: the shape _cleanup_ wants. */
#define DEFINE_CLEANUP(type, f)                                                                    \
    static inline void f##_p(type *p)                                                              \
    {                                                                                              \
        if (*p)                                                                                    \
            f(*p);                                                                                 \
    }

#define TAKE_GENERIC(var, null)                                                                    \
    ({                                                                                             \
        __typeof__(var) *taken_from_ = &(var);                                                     \
        __typeof__(var) taken_ = *taken_from_;                                                     \
        *taken_from_ = (null);                                                                     \
        taken_;                                                                                    \
    })
#define TAKE_PTR(p) TAKE_GENERIC(p, NULL)
#define TAKE_FD(fd) TAKE_GENERIC(fd, -1)

static inline void free_p(void *p)
{
    free(*(void **)p);
}

static inline void close_p(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

static inline void fclose_p(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}

#define _cleanup_free_ _cleanup_(free_p)
#define _cleanup_close_ _cleanup_(close_p)
#define _cleanup_fclose_ _cleanup_(fclose_p)
