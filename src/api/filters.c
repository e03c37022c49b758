/* SPDX-License-Identifier: Apache-2.0 */
#include "api/filters.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"

#define EXPRESSION_MAX 255 /* bytes */

static int fail_shape(const char *key, struct weft_error *err)
{
    return weft_fail(err, WEFT_INVALID,
                     "invalid filters: the values of '%s' must be an array of strings or an object "
                     "of booleans",
                     key);
}

static int read_values(const char *key, const json_t *doc, strv *ret, struct weft_error *err)
{
    const char *name;
    json_t *item;
    size_t i;
    int r = 0;

    if (!json_is_array(doc) && !json_is_object(doc))
        return fail_shape(key, err);
    json_array_foreach (doc, i, item) {
        if (!json_is_string(item))
            return fail_shape(key, err);
        if (r == 0)
            r = strv_add(ret, json_string_value(item));
    }
    json_object_foreach ((json_t *)doc, name, item) {
        if (!json_is_boolean(item))
            return fail_shape(key, err);
        if (r == 0 && json_is_true(item))
            r = strv_add(ret, name);
    }
    return r < 0 ? weft_oom(err) : 0;
}

static int check_known(const char *key, const char *const *known, struct weft_error *err)
{
    for (; *known; known++)
        if (strcmp(*known, key) == 0)
            return 0;
    return weft_fail(err, WEFT_INVALID, "invalid filter '%s'", key);
}

static int read_filters(const json_t *doc, const char *const *known, struct filters *f,
                        struct weft_error *err)
{
    const char *key;
    json_t *values;

    f->keys = calloc(json_object_size(doc) + 1, sizeof *f->keys);
    if (!f->keys)
        return weft_oom(err);
    json_object_foreach ((json_t *)doc, key, values) {
        struct filter *filter = &f->keys[f->count];
        int r = check_known(key, known, err);

        if (r < 0)
            return r;
        filter->key = strdup(key);
        if (!filter->key)
            return weft_oom(err);
        f->count++;
        r = read_values(key, values, &filter->values, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int filters_parse(const char *text, const char *const *known, struct filters *ret,
                  struct weft_error *err)
{
    _cleanup_filters_ struct filters f = {0};
    _cleanup_json_ json_t *doc = NULL;
    int r;

    if (str_is_empty(text)) {
        *ret = f;
        return 0;
    }
    r = json_parse(text, strlen(text), &doc, err);
    if (r < 0) {
        weft_error_prefix(err, "invalid filters");
        return r;
    }
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "invalid filters: they must be a JSON object");
    r = read_filters(doc, known, &f, err);
    if (r < 0)
        return r;
    *ret = f;
    f = (struct filters){0};
    return 0;
}

void filters_clear(struct filters *f)
{
    for (size_t i = 0; i < f->count; i++) {
        free(f->keys[i].key);
        strv_free(f->keys[i].values);
    }
    free(f->keys);
    *f = (struct filters){0};
}

char *const *filters_values(const struct filters *f, const char *key)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->keys[i].key, key) == 0)
            return f->keys[i].values;
    return NULL;
}

bool filters_equal(const struct filters *f, const char *key, const char *text)
{
    char *const *values = filters_values(f, key);

    return !values || strv_contains(values, text);
}

/* Long expressions and repetition counts could keep regcomp() busy for ever; no name needs them. */
static bool is_found(const char *expression, const char *text)
{
    regex_t compiled;
    bool found;

    if (strcmp(expression, text) == 0)
        return true;
    if (strlen(expression) > EXPRESSION_MAX || strchr(expression, '{'))
        return false;
    if (regcomp(&compiled, expression, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    found = regexec(&compiled, text, 0, NULL, 0) == 0;
    regfree(&compiled);
    return found;
}

bool filters_search(const struct filters *f, const char *key, const char *text)
{
    char *const *values = filters_values(f, key);

    if (!values)
        return true;
    for (; *values; values++)
        if (is_found(*values, text))
            return true;
    return false;
}

bool filters_ref(const struct filters *f, const char *key, const char *id, const char *name)
{
    char *const *values = filters_values(f, key);

    if (!values)
        return true;
    for (; *values; values++)
        if (strcmp(*values, name) == 0 || (**values && str_starts_with(id, *values)))
            return true;
    return false;
}

static bool has_label(const struct strmap *labels, const char *wanted)
{
    const char *equals = strchr(wanted, '=');
    size_t length = equals ? (size_t)(equals - wanted) : strlen(wanted);

    for (size_t i = 0; i < labels->count; i++) {
        const struct strmap_entry *label = &labels->entries[i];

        if (strlen(label->key) == length && strncmp(label->key, wanted, length) == 0)
            return !equals || strcmp(label->value, equals + 1) == 0;
    }
    return false;
}

bool filters_labels(const struct filters *f, const char *key, const struct strmap *labels)
{
    for (char *const *v = filters_values(f, key); v && *v; v++)
        if (!has_label(labels, *v))
            return false;
    return true;
}

static int fail_value(const char *key, const char *value, struct weft_error *err)
{
    return weft_fail(err, WEFT_INVALID, "invalid filter '%s=%s'", key, value);
}

int filters_bool(const struct filters *f, const char *key, bool *ret, struct weft_error *err)
{
    char *const *values = filters_values(f, key);

    if (!values)
        return 0;
    if (values[1] || str_to_bool(values[0], ret) < 0)
        return fail_value(key, values[values[1] ? 1 : 0], err);
    return 0;
}

int filters_check(const struct filters *f, const char *key, const char *const *allowed,
                  struct weft_error *err)
{
    for (char *const *v = filters_values(f, key); v && *v; v++) {
        const char *const *a = allowed;

        while (*a && strcmp(*a, *v) != 0)
            a++;
        if (!*a)
            return fail_value(key, *v, err);
    }
    return 0;
}

/* Go's duration ("10m", "1h30m", "1.5h") in ns. 0 or -EINVAL. */
static int parse_duration(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double total = 0;

    if (!*text)
        return -EINVAL;
    while (*text) {
        size_t digits = strspn(text, "0123456789."),
               letters = strcspn(text + digits, "0123456789.");
        double number = digits && *text != '.' ? strtod(text, NULL) : -1;
        size_t u = 0;

        while (u < ARRAY_SIZE(units) && (strlen(units[u].name) != letters ||
                                         strncmp(text + digits, units[u].name, letters) != 0))
            u++;
        if (number < 0 || u == ARRAY_SIZE(units))
            return -EINVAL;
        total += number * units[u].ns;
        text += digits + letters;
    }
    if (total > 9e18)
        return -EINVAL;
    *ret = (int64_t)total;
    return 0;
}

int filters_time(const struct filters *f, const char *key, int64_t *ret, struct weft_error *err)
{
    char *const *values = filters_values(f, key);
    int64_t ago;

    if (!values)
        return 0;
    if (values[1])
        return fail_value(key, values[1], err);
    if (time_parse(values[0], ret) == 0)
        return 0;
    if (parse_duration(values[0], &ago) < 0)
        return fail_value(key, values[0], err);
    *ret = time_now() - ago;
    return 0;
}
