/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Spelt out: isdigit() and its like depend on the locale. */
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool str_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool str_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

int str_copy(char *dst, size_t size, const char *src)
{
    size_t len = strlen(src);

    if (len >= size)
        return -ENAMETOOLONG;
    memcpy(dst, src, len + 1);
    return 0;
}

char *str_printf(const char *fmt, ...)
{
    va_list args;
    char *text;
    int r;

    va_start(args, fmt);
    r = vasprintf(&text, fmt, args);
    va_end(args);
    return r < 0 ? NULL : text;
}

int str_to_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    const char *digits = *s == '-' ? s + 1 : s;
    int64_t value;

    if (!*digits || digits[strspn(digits, DIGITS)])
        return -EINVAL;
    errno = 0;
    value = strtoll(s, NULL, 10);
    if (errno || value < min || value > max)
        return -EINVAL;
    *ret = value;
    return 0;
}

int str_to_bool(const char *s, bool *ret)
{
    static const char *const spellings[2][6] = {
        {"0", "f", "F", "false", "False", "FALSE"},
        {"1", "t", "T", "true", "True", "TRUE"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(spellings[0]); i++) {
        for (int value = 0; value < 2; value++) {
            if (strcmp(s, spellings[value][i]) == 0) {
                *ret = value;
                return 0;
            }
        }
    }
    return -EINVAL;
}

size_t strv_length(char *const *v)
{
    size_t n = 0;

    while (v && v[n])
        n++;
    return n;
}

int strv_add(strv *v, const char *s)
{
    size_t n = strv_length(*v);
    _cleanup_free_ char *copy = strdup(s);
    strv grown;

    if (!copy)
        return -ENOMEM;
    grown = reallocarray(*v, n + 2, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    grown[n] = TAKE_PTR(copy);
    grown[n + 1] = NULL;
    *v = grown;
    return 0;
}

bool strv_contains(char *const *v, const char *s)
{
    for (; v && *v; v++)
        if (strcmp(*v, s) == 0)
            return true;
    return false;
}

int strv_copy(char *const *v, strv *ret)
{
    _cleanup_strv_ strv copy = NULL;

    for (; v && *v; v++)
        if (strv_add(&copy, *v) < 0)
            return -ENOMEM;
    *ret = TAKE_PTR(copy);
    return 0;
}

void strv_free(strv v)
{
    for (size_t i = 0; v && v[i]; i++)
        free(v[i]);
    free(v);
}

/* Where key is (and true), or where it would have to be inserted (and false). */
static bool strmap_find(const struct strmap *m, const char *key, size_t *ret)
{
    size_t low = 0, high = m->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(m->entries[middle].key, key);

        if (order == 0) {
            *ret = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low;
    return false;
}

int strmap_set(struct strmap *m, const char *key, const char *value)
{
    _cleanup_free_ char *key_copy = NULL, *value_copy = strdup(value);
    struct strmap_entry *entries;
    size_t at;

    if (!value_copy)
        return -ENOMEM;
    if (strmap_find(m, key, &at)) {
        free(m->entries[at].value);
        m->entries[at].value = TAKE_PTR(value_copy);
        return 0;
    }
    key_copy = strdup(key);
    entries = key_copy ? reallocarray(m->entries, m->count + 1, sizeof *entries) : NULL;
    if (!entries)
        return -ENOMEM;
    memmove(entries + at + 1, entries + at, (m->count - at) * sizeof *entries);
    entries[at] = (struct strmap_entry){TAKE_PTR(key_copy), TAKE_PTR(value_copy)};
    m->entries = entries;
    m->count++;
    return 0;
}

const char *strmap_get(const struct strmap *m, const char *key)
{
    size_t at;

    return strmap_find(m, key, &at) ? m->entries[at].value : NULL;
}

int strmap_copy(const struct strmap *m, struct strmap *ret)
{
    _cleanup_(strmap_clear) struct strmap copy = {0};

    for (size_t i = 0; i < m->count; i++)
        if (strmap_set(&copy, m->entries[i].key, m->entries[i].value) < 0)
            return -ENOMEM;
    *ret = copy;
    copy = (struct strmap){0};
    return 0;
}

void strmap_clear(struct strmap *m)
{
    for (size_t i = 0; i < m->count; i++) {
        free(m->entries[i].key);
        free(m->entries[i].value);
    }
    free(m->entries);
    *m = (struct strmap){0};
}

void id_generate(char buf[static ID_TEXT_MAX])
{
    uint8_t bytes[(ID_TEXT_MAX - 1) / 2];

    do {
        /* getentropy() is getrandom(2) that neither falls short nor is interrupted. */
        if (getentropy(bytes, sizeof bytes) < 0)
            abort();
        for (size_t i = 0; i < sizeof bytes; i++)
            snprintf(buf + 2 * i, 3, "%02x", bytes[i]);
    } while (strspn(buf, DIGITS) >= ID_SHORT);
}

bool id_is_valid(const char *s)
{
    return strspn(s, DIGITS "abcdef") == ID_TEXT_MAX - 1 && !s[ID_TEXT_MAX - 1];
}

int name_check(const char *what, const char *name, struct weft_error *err)
{
    if (strspn(name, LETTERS DIGITS) == 0 || name[strspn(name, LETTERS DIGITS "_.-")])
        return weft_fail(err, WEFT_INVALID,
                         "invalid %s name \"%s\": only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed", what,
                         name);
    return 0;
}

/* What dev_valid_name() refuses (its isspace() counts 0xa0, the no-break space of Latin-1), and
 * '%', which asks for a generated name. */
static bool is_ifname_byte(unsigned char c)
{
    return c > ' ' && c != 0x7f && c != 0xa0 && c != '/' && c != ':' && c != '%';
}

int ifname_check(const char *name, struct weft_error *err)
{
    size_t len = strlen(name);
    bool valid = len > 0 && len < IFNAMSIZ && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;

    for (size_t i = 0; valid && i < len; i++)
        valid = is_ifname_byte((unsigned char)name[i]);
    if (!valid)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a valid interface name", name);
    return 0;
}
