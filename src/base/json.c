/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define FILE_MAX (16 * 1024 * 1024)

int json_parse(const char *text, size_t len, json_t **ret, struct weft_error *err)
{
    json_error_t reason;
    json_t *value = json_loadb(text, len, 0, &reason);

    if (!value && json_error_code(&reason) == json_error_out_of_memory)
        return weft_oom(err);
    if (!value)
        return weft_fail(err, WEFT_INVALID, "invalid JSON at line %d, column %d: %s", reason.line,
                         reason.column, reason.text);
    *ret = value;
    return 0;
}

int json_parse_file(const char *path, json_t **ret, struct weft_error *err)
{
    _cleanup_free_ char *text = NULL;
    size_t len;
    int r;

    r = file_read(path, FILE_MAX, &text, &len, err);
    if (r < 0)
        return r;
    r = json_parse(text, len, ret, err);
    if (r < 0)
        weft_error_prefix(err, "%s", path);
    return r;
}

char *json_text(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
}

/* The value of key in *ret if it is there and not null. Booleans go as JSON_TRUE. */
static int get(const json_t *object, const char *key, json_type type, json_t **ret,
               struct weft_error *err)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object",   [JSON_ARRAY] = "an array", [JSON_STRING] = "a string",
        [JSON_INTEGER] = "an integer", [JSON_TRUE] = "a boolean",
    };
    json_t *value = json_object_get(object, key);
    json_type found;

    if (!value || json_is_null(value))
        return 0;
    found = json_is_false(value) ? JSON_TRUE : json_typeof(value);
    if (found != type)
        return weft_fail(err, WEFT_INVALID, "%s must be %s", key, names[type]);
    *ret = value;
    return 0;
}

int json_get_string(const json_t *object, const char *key, const char **ret, struct weft_error *err)
{
    json_t *value = NULL;
    int r = get(object, key, JSON_STRING, &value, err);

    if (value)
        *ret = json_string_value(value);
    return r;
}

int json_get_strdup(const json_t *object, const char *key, char **ret, struct weft_error *err)
{
    const char *text = NULL;
    char *copy;
    int r = json_get_string(object, key, &text, err);

    if (r < 0 || str_is_empty(text))
        return r;
    copy = strdup(text);
    if (!copy)
        return weft_oom(err);
    free(*ret);
    *ret = copy;
    return 0;
}

int json_get_bool(const json_t *object, const char *key, bool *ret, struct weft_error *err)
{
    json_t *value = NULL;
    int r = get(object, key, JSON_TRUE, &value, err);

    if (value)
        *ret = json_is_true(value);
    return r;
}

int json_get_i64(const json_t *object, const char *key, int64_t *ret, struct weft_error *err)
{
    json_t *value = NULL;
    int r = get(object, key, JSON_INTEGER, &value, err);

    if (value)
        *ret = json_integer_value(value);
    return r;
}

int json_get_object(const json_t *object, const char *key, json_t **ret, struct weft_error *err)
{
    return get(object, key, JSON_OBJECT, ret, err);
}

int json_get_array(const json_t *object, const char *key, json_t **ret, struct weft_error *err)
{
    return get(object, key, JSON_ARRAY, ret, err);
}

int json_get_strv(const json_t *object, const char *key, strv *ret, struct weft_error *err)
{
    _cleanup_strv_ strv list = NULL;
    json_t *array = NULL, *item;
    size_t i;
    int r = get(object, key, JSON_ARRAY, &array, err);

    if (!array)
        return r;
    json_array_foreach (array, i, item) {
        if (!json_is_string(item))
            return weft_fail(err, WEFT_INVALID, "%s must be an array of strings", key);
        if (strv_add(&list, json_string_value(item)) < 0)
            return weft_oom(err);
    }
    strv_free(*ret);
    *ret = TAKE_PTR(list);
    return 0;
}

int json_get_strmap(const json_t *object, const char *key, struct strmap *ret,
                    struct weft_error *err)
{
    _cleanup_(strmap_clear) struct strmap map = {0};
    json_t *entries = NULL, *item;
    const char *name;
    int r = get(object, key, JSON_OBJECT, &entries, err);

    if (!entries)
        return r;
    json_object_foreach (entries, name, item) {
        if (!json_is_string(item))
            return weft_fail(err, WEFT_INVALID, "%s must map strings to strings: \"%s\" does not",
                             key, name);
        if (strmap_set(&map, name, json_string_value(item)) < 0)
            return weft_oom(err);
    }
    strmap_clear(ret);
    *ret = map;
    map = (struct strmap){0};
    return 0;
}

int json_get_addr(const json_t *object, const char *key, struct addr *ret, struct weft_error *err)
{
    const char *text = NULL;
    int r = json_get_string(object, key, &text, err);

    if (r < 0 || str_is_empty(text))
        return r;
    r = addr_parse(text, ret, err);
    if (r < 0)
        weft_error_prefix(err, "%s", key);
    return r;
}

int json_check_keys(const json_t *object, const char *const *known, struct weft_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        const char *const *k = known;

        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k)
            return weft_fail(err, WEFT_INVALID, "unknown key \"%s\"", key);
    }
    return 0;
}

json_t *json_from_strv(char *const *v)
{
    _cleanup_json_ json_t *array = json_array();

    for (; v && *v; v++)
        if (json_array_append_new(array, json_string(*v)) < 0)
            return NULL;
    return TAKE_PTR(array);
}

json_t *json_from_strmap(const struct strmap *m)
{
    _cleanup_json_ json_t *object = json_object();

    for (size_t i = 0; i < m->count; i++)
        if (json_object_set_new(object, m->entries[i].key, json_string(m->entries[i].value)) < 0)
            return NULL;
    return TAKE_PTR(object);
}

json_t *json_from_addr(const struct addr *a)
{
    return json_string(addr_text(a));
}

int json_collect_texts(const json_t *array, strv *list)
{
    const json_t *item;
    size_t i;

    json_array_foreach ((json_t *)array, i, item) {
        const char *text = json_string_value(item);

        if (!str_is_empty(text) && !strv_contains(*list, text) && strv_add(list, text) < 0)
            return -ENOMEM;
    }
    return 0;
}
