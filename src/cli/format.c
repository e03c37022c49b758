/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The template is interpreted as it is read: every function below takes its part off reader.p and
 * evaluates it at once. What must not be evaluated, the body of a range over nothing, is read with
 * reader.skipping set, when values are NULL and nothing is printed; so an error in the grammar is
 * found even there.
 */

#include "cli/format.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

#define ARGUMENTS_MAX 8

/* $name, and those declared around it. */
struct variable {
    const char *name;
    size_t len;
    json_t *value;
    const struct variable *outer;
};

struct scope {
    json_t *dot;
    const struct variable *variables;
};

struct reader {
    const char *p;
    struct strbuf *out;
    bool skipping;
    struct weft_error *err;
};

static int read_expression(struct reader *r, const struct scope *scope, json_t **ret);

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static size_t name_length(const char *p)
{
    size_t len = 0;

    while (is_name_byte(p[len]))
        len++;
    return len;
}

static void skip_space(struct reader *r)
{
    r->p += strspn(r->p, " \t\r\n");
}

/* Takes text if it comes next. */
static bool take(struct reader *r, const char *text)
{
    skip_space(r);
    if (!str_starts_with(r->p, text))
        return false;
    r->p += strlen(text);
    return true;
}

/* Takes the word if it comes next, whole. */
static bool take_word(struct reader *r, const char *word)
{
    skip_space(r);
    if (name_length(r->p) != strlen(word) || !str_starts_with(r->p, word))
        return false;
    r->p += strlen(word);
    return true;
}

static int fail_unsupported(struct reader *r)
{
    size_t len = name_length(r->p);

    if (!*r->p)
        return weft_fail(r->err, WEFT_INVALID, "format: \"}}\" is missing");
    return weft_fail(r->err, WEFT_INVALID, "format: \"%.*s\" is not supported", len ? (int)len : 1,
                     r->p);
}

static void append_sorted(struct strbuf *out, const json_t *object);

/* As Go's fmt prints a value: maps sorted by key. */
static void append_value(struct strbuf *out, const json_t *value)
{
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_STRING:
        strbuf_puts(out, json_string_value(value));
        break;
    case JSON_INTEGER:
        strbuf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        strbuf_printf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        strbuf_puts(out, json_is_true(value) ? "true" : "false");
        break;
    case JSON_NULL:
        strbuf_puts(out, "<no value>");
        break;
    case JSON_ARRAY:
        json_array_foreach ((json_t *)value, i, item) {
            strbuf_puts(out, i ? " " : "[");
            append_value(out, item);
        }
        strbuf_puts(out, json_array_size(value) ? "]" : "[]");
        break;
    case JSON_OBJECT:
        append_sorted(out, value);
        break;
    }
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of an object in order, for the caller to free (the array, not the keys). */
static const char **sorted_keys(const json_t *object)
{
    const char **keys = calloc(json_object_size(object) + 1, sizeof *keys);
    const char *key;
    json_t *value;
    size_t n = 0;

    if (!keys)
        return NULL;
    json_object_foreach ((json_t *)object, key, value)
        keys[n++] = key;
    qsort(keys, n, sizeof *keys, compare_keys);
    return keys;
}

static void append_sorted(struct strbuf *out, const json_t *object)
{
    _cleanup_free_ const char **keys = sorted_keys(object);

    out->failed = out->failed || !keys;
    strbuf_puts(out, "map[");
    for (size_t i = 0; keys && keys[i]; i++) {
        strbuf_printf(out, "%s%s:", i ? " " : "", keys[i]);
        append_value(out, json_object_get(object, keys[i]));
    }
    strbuf_puts(out, "]");
}

/* The member called name, else one that differs in case only. */
static json_t *get_field(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    const char *key;

    if (value)
        return value;
    json_object_foreach ((json_t *)object, key, value)
        if (strcasecmp(key, name) == 0)
            return value;
    return NULL;
}

/* ".A.B" behind a value: replaces *value by what it leads to. */
static int read_path(struct reader *r, json_t **value)
{
    while (*r->p == '.' && is_name_byte(r->p[1])) {
        size_t len = name_length(r->p + 1);
        _cleanup_free_ char *name = strndup(r->p + 1, len);
        json_t *field;

        if (!name)
            return weft_oom(r->err);
        r->p += 1 + len;
        if (r->skipping)
            continue;
        field = get_field(*value, name);
        if (!field)
            return weft_fail(r->err, WEFT_INVALID, "format: there is no field .%s", name);
        json_incref(field);
        json_decref(*value);
        *value = field;
    }
    return 0;
}

/* "$" or "$name". */
static int read_variable(struct reader *r, const struct scope *scope, json_t **ret)
{
    const struct variable *v = scope->variables;
    size_t len = name_length(++r->p);

    while (v && (v->len != len || memcmp(v->name, r->p, len) != 0))
        v = v->outer;
    if (!v)
        return weft_fail(r->err, WEFT_INVALID, "format: variable $%.*s is not defined", (int)len,
                         r->p);
    r->p += len;
    *ret = json_incref(v->value);
    return 0;
}

static int read_string(struct reader *r, json_t **ret)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    for (r->p++; *r->p != '"'; r->p++) {
        static const char escapes[] = "n\nt\tr\r\\\\\"\"";
        const char *escape = NULL;

        if (*r->p == '\\' && r->p[1])
            for (escape = escapes; *escape && *escape != r->p[1];)
                escape += 2;
        if (!*r->p || (escape && !*escape))
            return weft_fail(r->err, WEFT_INVALID, "format: bad string literal");
        strbuf_add(&text, escape ? escape + 1 : r->p, 1);
        r->p += escape ? 1 : 0;
    }
    r->p++;
    *ret = json_string(strbuf_text(&text));
    return *ret && !text.failed ? 0 : weft_oom(r->err);
}

static int read_number(struct reader *r, json_t **ret)
{
    char *end;

    errno = 0;
    *ret = json_integer(strtoll(r->p, &end, 10));
    if (errno || end == r->p || is_name_byte(*end) || *end == '.')
        return fail_unsupported(r);
    r->p = end;
    return *ret ? 0 : weft_oom(r->err);
}

/* A value and the path behind it. On failure *ret may be set too. */
static int read_operand(struct reader *r, const struct scope *scope, json_t **ret)
{
    int result = 0;

    skip_space(r);
    if (*r->p == '.') {
        *ret = json_incref(scope->dot);
        r->p += is_name_byte(r->p[1]) ? 0 : 1;
    } else if (*r->p == '$') {
        result = read_variable(r, scope, ret);
    } else if (*r->p == '"') {
        result = read_string(r, ret);
    } else if (isdigit((unsigned char)*r->p) || *r->p == '-') {
        result = read_number(r, ret);
    } else if (take(r, "(")) {
        result = read_expression(r, scope, ret);
        if (result == 0 && !take(r, ")"))
            return fail_unsupported(r);
    } else {
        return fail_unsupported(r);
    }
    return result < 0 ? result : read_path(r, ret);
}

/* Functions: n arguments, at least min, → a new value. */
static int call_json(struct reader *r, json_t **arguments, size_t n, json_t **ret)
{
    _cleanup_free_ char *text = json_text(arguments[0]);

    (void)n;
    *ret = text ? json_string(text) : NULL;
    return *ret ? 0 : weft_oom(r->err);
}

static int call_index(struct reader *r, json_t **arguments, size_t n, json_t **ret)
{
    json_t *value = arguments[0];

    for (size_t i = 1; i < n; i++) {
        json_t *key = arguments[i];

        if (json_is_object(value) && json_is_string(key))
            value = json_object_get(value, json_string_value(key));
        else if (json_is_array(value) && json_is_integer(key))
            value = json_array_get(value, (size_t)json_integer_value(key));
        else
            return weft_fail(r->err, WEFT_INVALID, "format: index of what has none");
        if (!value && json_is_integer(key))
            return weft_fail(r->err, WEFT_INVALID,
                             "format: index %" JSON_INTEGER_FORMAT " is out of range",
                             json_integer_value(key));
    }
    *ret = value ? json_incref(value) : json_string("");
    return 0;
}

static int call_len(struct reader *r, json_t **arguments, size_t n, json_t **ret)
{
    json_t *value = arguments[0];
    size_t len = json_is_string(value)   ? json_string_length(value)
                 : json_is_object(value) ? json_object_size(value)
                                         : json_array_size(value);

    (void)n;
    if (!json_is_string(value) && !json_is_object(value) && !json_is_array(value))
        return weft_fail(r->err, WEFT_INVALID, "format: len of what has none");
    *ret = json_integer((json_int_t)len);
    return *ret ? 0 : weft_oom(r->err);
}

static int call_println(struct reader *r, json_t **arguments, size_t n, json_t **ret)
{
    _cleanup_strbuf_ struct strbuf line = {0};

    for (size_t i = 0; i < n; i++) {
        strbuf_puts(&line, i ? " " : "");
        append_value(&line, arguments[i]);
    }
    strbuf_puts(&line, "\n");
    *ret = json_string(strbuf_text(&line));
    return *ret && !line.failed ? 0 : weft_oom(r->err);
}

static const struct function {
    const char *name;
    size_t min, max;
    int (*call)(struct reader *r, json_t **arguments, size_t n, json_t **ret);
} functions[] = {
    {"json", 1, 1, call_json},
    {"index", 1, ARGUMENTS_MAX, call_index},
    {"len", 1, 1, call_len},
    {"println", 0, ARGUMENTS_MAX, call_println},
};

static bool at_end_of_expression(struct reader *r)
{
    skip_space(r);
    return *r->p == ')' || str_starts_with(r->p, "}}");
}

static int read_call(struct reader *r, const struct scope *scope, const struct function *f,
                     json_t **ret)
{
    json_t *arguments[ARGUMENTS_MAX] = {0};
    size_t n = 0;
    int result = 0;

    while (result == 0 && n < f->max && !at_end_of_expression(r))
        result = read_operand(r, scope, &arguments[n++]);
    if (result == 0 && n < f->min)
        result = weft_fail(r->err, WEFT_INVALID, "format: %s needs an argument", f->name);
    if (result == 0 && !r->skipping)
        result = f->call(r, arguments, n, ret);
    for (size_t i = 0; i < n; i++)
        json_decref(arguments[i]);
    return result;
}

/* A function with its arguments, or one operand. On failure *ret may be set too. */
static int read_expression(struct reader *r, const struct scope *scope, json_t **ret)
{
    int result = 1;

    for (size_t i = 0; i < ARRAY_SIZE(functions) && result > 0; i++)
        if (take_word(r, functions[i].name))
            result = read_call(r, scope, &functions[i], ret);
    if (result > 0)
        result = read_operand(r, scope, ret);
    if (result == 0 && !at_end_of_expression(r))
        return fail_unsupported(r);
    return result;
}

static int read_block(struct reader *r, const struct scope *scope, bool in_range);

/* One round of a range's body: key and value get the names that were declared. */
static int read_round(struct reader *r, const struct scope *scope, const struct variable names[2],
                      json_t *key, json_t *value)
{
    struct variable k = names[0], v = names[1];
    struct scope inner = {.dot = value, .variables = &v};

    k.value = key;
    k.outer = scope->variables;
    v.value = value;
    v.outer = &k;
    return read_block(r, &inner, true);
}

/* "$v :=" or "$k, $v :=". What is not declared keeps a name that nothing matches. */
static int read_declaration(struct reader *r, struct variable names[2])
{
    int n = 0;

    names[0] = names[1] = (struct variable){.name = "", .len = SIZE_MAX};
    skip_space(r);
    /* "range $x" goes over a variable, and declares none. */
    if (*r->p != '$' || !memmem(r->p, strcspn(r->p, "}"), ":=", 2))
        return 0;
    do {
        if (n == 2 || !take(r, "$"))
            return fail_unsupported(r);
        names[n].name = r->p;
        names[n].len = name_length(r->p);
        r->p += names[n++].len;
    } while (take(r, ","));
    if (!take(r, ":="))
        return fail_unsupported(r);
    if (n == 1) { /* the only one is the value */
        names[1] = names[0];
        names[0].len = SIZE_MAX;
    }
    return 0;
}

static int range_array(struct reader *r, const struct scope *scope, const struct variable names[2],
                       const json_t *array)
{
    const char *body = r->p;
    int result = 0;

    for (size_t i = 0; i < json_array_size(array) && result == 0; i++) {
        _cleanup_json_ json_t *key = json_integer((json_int_t)i);

        r->p = body;
        result = read_round(r, scope, names, key, json_array_get(array, i));
    }
    return result;
}

static int range_object(struct reader *r, const struct scope *scope, const struct variable names[2],
                        const json_t *object)
{
    _cleanup_free_ const char **keys = sorted_keys(object);
    const char *body = r->p;
    int result = 0;

    if (!keys)
        return weft_oom(r->err);
    for (size_t i = 0; keys[i] && result == 0; i++) {
        _cleanup_json_ json_t *key = json_string(keys[i]);

        r->p = body;
        result = read_round(r, scope, names, key, json_object_get(object, keys[i]));
    }
    return result;
}

/* Reads the body only to find its end. */
static int range_nothing(struct reader *r, const struct scope *scope,
                         const struct variable names[2])
{
    bool outer = r->skipping;
    int result;

    r->skipping = true;
    result = read_round(r, scope, names, NULL, NULL);
    r->skipping = outer;
    return result;
}

static int read_range(struct reader *r, const struct scope *scope)
{
    _cleanup_json_ json_t *over = NULL;
    struct variable names[2];
    int result;

    result = read_declaration(r, names);
    if (result == 0)
        result = read_expression(r, scope, &over);
    if (result < 0)
        return result;
    if (!take(r, "}}"))
        return fail_unsupported(r);
    if (json_object_size(over) > 0)
        return range_object(r, scope, names, over);
    if (json_array_size(over) > 0)
        return range_array(r, scope, names, over);
    if (over && !json_is_object(over) && !json_is_array(over) && !json_is_null(over))
        return weft_fail(r->err, WEFT_INVALID, "format: range over what is no list or map");
    return range_nothing(r, scope, names);
}

/* Behind "{{". Sets *ret_end at {{end}}. */
static int read_action(struct reader *r, const struct scope *scope, bool *ret_end)
{
    _cleanup_json_ json_t *value = NULL;
    int result;

    if (take_word(r, "range"))
        return read_range(r, scope);
    if (take_word(r, "end")) {
        *ret_end = true;
        return take(r, "}}") ? 0 : fail_unsupported(r);
    }
    result = read_expression(r, scope, &value);
    if (result < 0)
        return result;
    if (!take(r, "}}"))
        return fail_unsupported(r);
    if (value && !r->skipping)
        append_value(r->out, value);
    return 0;
}

/* Text and actions up to the end of the template, or of the range. */
static int read_block(struct reader *r, const struct scope *scope, bool in_range)
{
    for (;;) {
        const char *action = strstr(r->p, "{{");
        size_t len = action ? (size_t)(action - r->p) : strlen(r->p);
        bool end = false;
        int result;

        if (!r->skipping)
            strbuf_add(r->out, r->p, len);
        r->p += len;
        if (!action)
            return in_range ? weft_fail(r->err, WEFT_INVALID, "format: range without {{end}}") : 0;
        r->p += strlen("{{");
        result = read_action(r, scope, &end);
        if (result < 0)
            return result;
        if (end)
            return in_range ? 0
                            : weft_fail(r->err, WEFT_INVALID, "format: {{end}} without a range");
    }
}

int format_render(const char *template, const json_t *value, struct strbuf *out,
                  struct weft_error *err)
{
    const struct variable root = {.name = "", .len = 0, .value = (json_t *)value};
    const struct scope scope = {.dot = (json_t *)value, .variables = &root};
    struct reader r = {.p = template, .out = out, .err = err};
    int result;

    result = read_block(&r, &scope, false);
    if (result == 0 && out->failed)
        return weft_oom(err);
    return result;
}

char *format_unescape(const char *template)
{
    char *text = strdup(template), *to = text;

    if (!text)
        return NULL;
    for (const char *from = text; *from; from++) {
        bool escape = *from == '\\' && (from[1] == 't' || from[1] == 'n');

        from += escape;
        *to++ = (char)(!escape ? *from : *from == 't' ? '\t' : '\n');
    }
    *to = '\0';
    return text;
}
