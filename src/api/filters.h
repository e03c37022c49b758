/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Docker's `filters` query parameter: {"name":{"web":true}} or {"name":["web"]}. A thing passes
 * when it matches one of the values of each key that is given (labels: all of the values).
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

struct filters {
    struct filter {
        char *key;
        strv values;
    } * keys;
    size_t count;
};

/* text NULL or empty: no filters. known is NULL-terminated; another key is -EINVAL ("invalid filter
 * 'x'"). *ret is for filters_clear. */
int filters_parse(const char *text, const char *const *known, struct filters *ret,
                  struct weft_error *err);
void filters_clear(struct filters *f);
#define _cleanup_filters_ _cleanup_(filters_clear)

/* The values given for a key, NULL when it was not given. */
char *const *filters_values(const struct filters *f, const char *key);

/* All of these are true when the key was not given. */

/* The text is one of the values. */
bool filters_equal(const struct filters *f, const char *key, const char *text);
/* One of the values, as an extended regular expression, is found in the text. */
bool filters_search(const struct filters *f, const char *key, const char *text);
/* One of the values is the id or a beginning of it, or the name. */
bool filters_ref(const struct filters *f, const char *key, const char *id, const char *name);
/* Each of the values ("key" or "key=value") is among the labels. */
bool filters_labels(const struct filters *f, const char *key, const struct strmap *labels);

/* A key whose value is a boolean or a time: leaves *ret as it is when the key was not given. */
int filters_bool(const struct filters *f, const char *key, bool *ret, struct weft_error *err);
int filters_time(const struct filters *f, const char *key, int64_t *ret, struct weft_error *err);
/* Refuses values that are not in the NULL-terminated list. */
int filters_check(const struct filters *f, const char *key, const char *const *allowed,
                  struct weft_error *err);
