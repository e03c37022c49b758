/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Helpers over jansson. Reading: each getter takes an object, a key and where to put the value; a
 * missing key or null leaves *ret as it is and returns 0; a value of the wrong type is an error
 * that names the key ("Internal must be a boolean"). Returned strings and objects are borrowed.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

DEFINE_CLEANUP(json_t *, json_decref)
#define _cleanup_json_ _cleanup_(json_decref_p)

/* Parses len bytes. err gets line, column and reason. 0 or -EINVAL. */
int json_parse(const char *text, size_t len, json_t **ret, struct weft_error *err);
/* Parses the file's contents; the error names path, line and reason. 0, -ENOENT, -EINVAL. */
int json_parse_file(const char *path, json_t **ret, struct weft_error *err);
/* Compact text of value, for the caller to free; NULL when memory ran out. */
char *json_text(const json_t *value);

int json_get_string(const json_t *object, const char *key, const char **ret,
                    struct weft_error *err);
/* A copy: replaces and frees the old *ret. The empty string counts as missing. */
int json_get_strdup(const json_t *object, const char *key, char **ret, struct weft_error *err);
int json_get_bool(const json_t *object, const char *key, bool *ret, struct weft_error *err);
int json_get_i64(const json_t *object, const char *key, int64_t *ret, struct weft_error *err);
int json_get_object(const json_t *object, const char *key, json_t **ret, struct weft_error *err);
int json_get_array(const json_t *object, const char *key, json_t **ret, struct weft_error *err);
/* An array of strings → strv; a map of strings → strmap (replacing what they held). */
int json_get_strv(const json_t *object, const char *key, strv *ret, struct weft_error *err);
int json_get_strmap(const json_t *object, const char *key, struct strmap *ret,
                    struct weft_error *err);
/* A literal; "" counts as missing. */
int json_get_addr(const json_t *object, const char *key, struct addr *ret, struct weft_error *err);

/* Refuses keys that are not in the NULL-terminated list: "unknown key "foo"". 0 or -EINVAL. */
int json_check_keys(const json_t *object, const char *const *known, struct weft_error *err);

/* Building. New references; NULL when memory ran out. */
json_t *json_from_strv(char *const *v);           /* NULL list: [] */
json_t *json_from_strmap(const struct strmap *m); /* empty map: {} */
json_t *json_from_addr(const struct addr *a);     /* none: "" */

/* Appends the texts of an array that are not empty and not in *list yet; what is no array has none,
 * what is no text is passed over. 0 or -ENOMEM. */
int json_collect_texts(const json_t *array, strv *list);
