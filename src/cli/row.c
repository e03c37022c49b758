/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/row.h"

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "cli/body.h"

const char *row_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

void row_id(json_t **row, const char *key, const char *id, bool whole)
{
    body_add(row, key, json_stringn(id, strnlen(id, whole ? ID_TEXT_MAX : ID_SHORT)));
}

void row_bool(json_t **row, const char *key, const json_t *value)
{
    body_string(row, key, json_is_true(value) ? "true" : "false");
}

static void join(json_t **row, const char *key, const json_t *object, bool values)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        strbuf_printf(&text, "%s%s", text.len ? "," : "", name);
        if (values)
            strbuf_printf(&text, "=%s", json_string_value(value) ? json_string_value(value) : "");
    }
    body_string(row, key, strbuf_text(&text));
}

void row_pairs(json_t **row, const char *key, const json_t *pairs)
{
    join(row, key, pairs, true);
}

void row_keys(json_t **row, const char *key, const json_t *object)
{
    join(row, key, object, false);
}

void row_rfc3339(json_t **row, const char *key, const char *time)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    size_t date = strcspn(time, "T"), len = strlen(time);

    if (len > 0 && time[date] && time[len - 1] == 'Z')
        strbuf_printf(&text, "%.*s %.*s +0000 UTC", (int)date, time, (int)(len - date - 2),
                      time + date + 1);
    else
        strbuf_puts(&text, time);
    body_string(row, key, strbuf_text(&text));
}

int rows_print(const json_t *list, json_t *(*make)(const json_t *object),
               const struct column *columns, const char *format, const char *only,
               struct weft_error *err)
{
    _cleanup_json_ json_t *rows = json_array();
    json_t *object;
    size_t i;

    json_array_foreach ((json_t *)list, i, object)
        if (json_array_append_new(rows, make(object)) < 0)
            return weft_oom(err);
    if (!only)
        return table_print(columns, rows, format, err);
    table_print_key(rows, only);
    return 0;
}
