/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How lists are shown: docker's tables, its --format, its --quiet. */

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

/* What rows have, for people. Tables end with a NULL key. */
struct column {
    const char *key; /* in the row's object, and in templates */
    const char *heading;
    bool shown; /* in the default table */
};

/*
 * Prints an array of objects with string values. format is what --format said: NULL or "table" for
 * the default table, "json" for an object a line, "table TEMPLATE" with tabs between columns, or a
 * template for each row. 0, -EINVAL, -ENOMEM.
 */
int table_print(const struct column *columns, const json_t *rows, const char *format,
                struct weft_error *err);
/* Prints one member of each row, a line each (--quiet). */
void table_print_key(const json_t *rows, const char *key);

/* Prints value as --format says, and a newline: a template, or "json" for one line of JSON. */
int format_print(const char *format, const json_t *value, struct weft_error *err);
