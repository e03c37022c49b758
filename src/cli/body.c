/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/body.h"

#include <stdio.h>

#include "base/json.h"
#include "client/url.h"

void body_add(json_t **object, const char *key, json_t *value)
{
    if (!*object)
        json_decref(value);
    else if (json_object_set_new(*object, key, value) < 0)
        json_decref(TAKE_PTR(*object));
}

void body_filled(json_t **object, const char *key, json_t *value)
{
    if (value && json_object_size(value) == 0 && json_array_size(value) == 0)
        json_decref(value);
    else
        body_add(object, key, value);
}

void body_string(json_t **object, const char *key, const char *text)
{
    if (text)
        body_add(object, key, json_string(text));
}

void body_flag(json_t **object, const char *key, bool on)
{
    if (on)
        body_add(object, key, json_true());
}

void body_switch(json_t **object, const char *key, enum option_switch value)
{
    if (value != SWITCH_UNSET)
        body_add(object, key, json_boolean(value == SWITCH_ON));
}

void body_number(json_t **object, const char *key, const struct option_number *number)
{
    if (number->is_set)
        body_add(object, key, json_integer(number->value));
}

void body_list(json_t **object, const char *key, strv list)
{
    if (list)
        body_add(object, key, json_from_strv(list));
}

int body_pairs(json_t **object, const char *key, const char *option, strv pairs, bool needs_value,
               struct weft_error *err)
{
    _cleanup_json_ json_t *map = json_object();

    for (; pairs && *pairs; pairs++) {
        _cleanup_free_ char *name = NULL;
        const char *value;
        int r = pair_split(option, *pairs, needs_value, &name, &value, err);

        if (r < 0)
            return r;
        body_add(&map, name, json_string(value));
    }
    body_filled(object, key, TAKE_PTR(map));
    return 0;
}

int url_filters(struct strbuf *url, strv filters, struct weft_error *err)
{
    _cleanup_json_ json_t *all = json_object();
    _cleanup_free_ char *text = NULL;

    if (!filters)
        return 0;
    for (; *filters; filters++) {
        _cleanup_free_ char *key = NULL;
        const char *value;
        json_t *values;
        int r = pair_split("filter", *filters, true, &key, &value, err);

        if (r < 0)
            return r;
        if (!json_object_get(all, key))
            body_add(&all, key, json_object());
        values = json_object_get(all, key);
        if (json_object_set_new(values, value, json_true()) < 0)
            return weft_oom(err);
    }
    text = json_text(all);
    if (!text)
        return weft_oom(err);
    url_query(url, "filters", text);
    return 0;
}

int send_change(struct client *daemon, const char *method, struct strbuf *url, const json_t *body,
                bool dry_run, json_t **ret, struct weft_error *err)
{
    _cleanup_free_ char *script = NULL;
    int r;

    if (dry_run)
        url_query(url, "dry-run", "1");
    if (url->failed)
        return weft_oom(err);
    if (!dry_run)
        return client_call(daemon, method, strbuf_text(url), body, ret, err);
    r = client_text(daemon, method, strbuf_text(url), body, &script, err);
    if (r == 0)
        fputs(script, stdout);
    return r;
}
