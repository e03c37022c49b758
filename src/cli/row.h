/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Turning the API's objects into rows for table_print: docker's keys, values as text. The row_…
 * functions work as the body_… ones do: they take a NULL row and leave one when memory runs out. */

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "cli/table.h"

/* The member's text, "" when it is missing. */
const char *row_text(const json_t *object, const char *key);
/* An id, cut to twelve digits unless whole. */
void row_id(json_t **row, const char *key, const char *id, bool whole);
void row_bool(json_t **row, const char *key, const json_t *value);
/* "a=1,b=2" of an object of strings. */
void row_pairs(json_t **row, const char *key, const json_t *pairs);
/* "bridge,web": the keys of an object. */
void row_keys(json_t **row, const char *key, const json_t *object);
/* "2026-01-02 03:04:05.6 +0000 UTC" of "2026-01-02T03:04:05.6Z", as Go prints a time. */
void row_rfc3339(json_t **row, const char *key, const char *time);

/* Prints a list, make giving the row of each object: as table_print does, or with `only` (--quiet)
 * this member of each row alone. 0, -EINVAL, or -ENOMEM, also when make returned NULL. */
int rows_print(const json_t *list, json_t *(*make)(const json_t *object),
               const struct column *columns, const char *format, const char *only,
               struct weft_error *err);
