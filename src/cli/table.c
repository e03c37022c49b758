/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/table.h"

#include <errno.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "cli/format.h"

DEFINE_CLEANUP(struct libscols_table *, scols_unref_table)

/* The headings as a row: what the first line of a table shows. */
static json_t *heading_row(const struct column *columns)
{
    _cleanup_json_ json_t *row = json_object();

    for (; columns->key; columns++)
        if (json_object_set_new(row, columns->key, json_string(columns->heading)) < 0)
            return NULL;
    return TAKE_PTR(row);
}

/* "{{.ID}}\t{{.Name}}" of the columns that are shown. */
static char *default_template(const struct column *columns)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    for (; columns->key; columns++)
        if (columns->shown)
            strbuf_printf(&text, "%s{{.%s}}", text.len ? "\t" : "", columns->key);
    return strbuf_take(&text);
}

/* A template's cells stand between tabs. */
static int add_columns(struct libscols_table *table, const char *template)
{
    for (; template; template = strchr(template, '\t')) {
        template += *template == '\t';
        if (!scols_table_new_column(table, NULL, 0, 0))
            return -ENOMEM;
    }
    return 0;
}

/* Adds a line whose cells are text's parts between tabs; what is beyond the last column is dropped.
 */
static int add_line(struct libscols_table *table, char *text)
{
    struct libscols_line *line = scols_table_new_line(table, NULL);

    if (!line)
        return -ENOMEM;
    for (size_t i = 0; text && i < scols_table_get_ncols(table); i++)
        if (scols_line_set_data(line, i, strsep(&text, "\t")) < 0)
            return -ENOMEM;
    return 0;
}

static int add_row(struct libscols_table *table, const char *template, const json_t *row,
                   struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf cells = {0};
    _cleanup_free_ char *text = NULL;
    int r;

    r = format_render(template, row, &cells, err);
    if (r < 0)
        return r;
    text = strbuf_take(&cells);
    if (!text || add_line(table, text) < 0)
        return weft_oom(err);
    return 0;
}

/* The headings are a line like the others: libsmartcols prints none over an empty table. */
static int print_table(const struct column *columns, const json_t *rows, const char *template,
                       struct weft_error *err)
{
    _cleanup_(scols_unref_table_p) struct libscols_table *table = NULL;
    _cleanup_json_ json_t *headings = heading_row(columns);
    json_t *row;
    size_t i;
    int r;

    setlocale(LC_CTYPE, ""); /* for the width of what is not ASCII */
    table = scols_new_table();
    if (!table || !headings || add_columns(table, template) < 0)
        return weft_oom(err);
    scols_table_enable_noheadings(table, 1);
    scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER); /* long lines stay whole */
    scols_table_set_column_separator(table, "   ");
    r = add_row(table, template, headings, err);
    json_array_foreach ((json_t *)rows, i, row) {
        if (r < 0)
            return r;
        r = add_row(table, template, row, err);
    }
    if (r == 0 && scols_print_table(table) < 0)
        return weft_oom(err);
    return r;
}

static int print_each(const json_t *rows, const char *format, struct weft_error *err)
{
    json_t *row;
    size_t i;
    int r = 0;

    json_array_foreach ((json_t *)rows, i, row) {
        r = format_print(format, row, err);
        if (r < 0)
            break;
    }
    return r;
}

int table_print(const struct column *columns, const json_t *rows, const char *format,
                struct weft_error *err)
{
    _cleanup_free_ char *template = NULL;
    bool is_table = !format || !*format || strcmp(format, "table") == 0;

    template = is_table ? default_template(columns) : format_unescape(format);
    if (!template)
        return weft_oom(err);
    if (is_table)
        return print_table(columns, rows, template, err);
    if (str_starts_with(template, "table "))
        return print_table(columns, rows, template + strlen("table "), err);
    return print_each(rows, template, err);
}

void table_print_key(const json_t *rows, const char *key)
{
    json_t *row;
    size_t i;

    json_array_foreach ((json_t *)rows, i, row)
        puts(json_string_value(json_object_get(row, key)));
}

int format_print(const char *format, const json_t *value, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    int r;

    r = format_render(strcmp(format, "json") == 0 ? "{{json .}}" : format, value, &out, err);
    if (r == 0)
        puts(strbuf_text(&out));
    return r;
}
