/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Small string things: lists of strings, sorted string maps, names and ids. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

static inline bool str_is_empty(const char *s)
{
    return !s || !*s;
}
/* strcmp() == 0 where NULL equals only NULL. */
bool str_equal(const char *a, const char *b);
bool str_starts_with(const char *s, const char *prefix);
/* Copies src into a field of size bytes if it fits whole: 0, or -ENAMETOOLONG with dst untouched.
 */
int str_copy(char *dst, size_t size, const char *src);
/* asprintf that returns the string, NULL when memory ran out. */
char *str_printf(const char *fmt, ...) _printf_(1, 2);
/* Decimal text → *ret, the whole of it, within [min, max]. 0 or -EINVAL. */
int str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/* "true"/"1"/"t"/"false"/"0"/"f" in the spellings of Go's strconv.ParseBool. 0 or -EINVAL. */
int str_to_bool(const char *s, bool *ret);

/* A list of strings: NULL or a NULL-terminated array. All strings belong to it. */
typedef char **strv;
size_t strv_length(char *const *v);
/* Appends a copy. 0 or -ENOMEM. */
int strv_add(strv *v, const char *s);
bool strv_contains(char *const *v, const char *s);
/* A deep copy into *ret (NULL for NULL). 0 or -ENOMEM. */
int strv_copy(char *const *v, strv *ret);
void strv_free(strv v);
static inline void strv_free_p(strv *v)
{
    strv_free(*v);
}
#define _cleanup_strv_ _cleanup_(strv_free_p)

/* A small map of strings, sorted by key, keys unique. Zero-initialise. */
struct strmap {
    struct strmap_entry {
        char *key;
        char *value;
    } * entries;
    size_t count;
};
/* Adds or replaces (copies both). 0 or -ENOMEM. */
int strmap_set(struct strmap *m, const char *key, const char *value);
/* The value, or NULL. Still m's. */
const char *strmap_get(const struct strmap *m, const char *key);
int strmap_copy(const struct strmap *m, struct strmap *ret);
void strmap_clear(struct strmap *m);

#define ID_TEXT_MAX 65 /* 64 hexadecimal digits and the NUL */
#define ID_SHORT 12    /* how many digits people are shown */

/* Fills buf with 64 random hexadecimal digits (getrandom(2)); the first twelve are never all
 * decimal digits, so that a short id is never taken for a number. */
void id_generate(char buf[static ID_TEXT_MAX]);
/* 64 lower-case hexadecimal digits? */
bool id_is_valid(const char *s);

/* Docker's rule for names of networks and containers: [a-zA-Z0-9][a-zA-Z0-9_.-]*. what is the noun
 * for the sentence ("network", "container"). 0 or -EINVAL. */
int name_check(const char *what, const char *name, struct weft_error *err);
/* A network interface's name as the kernel takes it: 1 to 15 bytes, no '/', ':', white space, not
 * "." or "..", no control characters (dev_valid_name() in net/core/dev.c), no '%', which asks for a
 * generated name. 0 or -EINVAL. */
int ifname_check(const char *name, struct weft_error *err);
