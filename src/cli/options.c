/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static bool takes_value(const struct cli_option *o)
{
    return o->kind != OPTION_FLAG && o->kind != OPTION_SWITCH;
}

static const struct cli_option *find_name(const struct cli_option *const tables[], const char *name,
                                          size_t len)
{
    for (; *tables; tables++)
        for (const struct cli_option *o = *tables; o->kind != OPTION_NONE; o++)
            if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
                return o;
    return NULL;
}

static const struct cli_option *find_letter(const struct cli_option *const tables[], char letter)
{
    for (; *tables; tables++)
        for (const struct cli_option *o = *tables; o->kind != OPTION_NONE; o++)
            if (o->letter == letter)
                return o;
    return NULL;
}

static int set_flag(const struct cli_option *o, const char *value, struct weft_error *err)
{
    bool on;

    if (str_to_bool(value, &on) < 0)
        return weft_fail(err, WEFT_INVALID, "--%s is true or false, not \"%s\"", o->name, value);
    if (o->kind == OPTION_FLAG)
        *o->target.flag = on;
    else
        *o->target.toggle = on ? SWITCH_ON : SWITCH_OFF;
    return 0;
}

static int set_number(const struct cli_option *o, const char *value, struct weft_error *err)
{
    struct option_number *number = o->target.number;

    if (str_to_i64(value, INT32_MIN, INT32_MAX, &number->value) < 0)
        return weft_fail(err, WEFT_INVALID, "--%s takes a whole number, not \"%s\"", o->name,
                         value);
    number->is_set = true;
    return 0;
}

static int set_commas(const struct cli_option *o, const char *value, struct weft_error *err)
{
    int r = csv_split(value, o->target.list, err);

    if (r < 0)
        weft_error_prefix(err, "--%s", o->name);
    return r;
}

int option_set(const struct cli_option *o, const char *value, struct weft_error *err)
{
    switch (o->kind) {
    case OPTION_FLAG:
    case OPTION_SWITCH:
        return set_flag(o, value, err);
    case OPTION_NUMBER:
        return set_number(o, value, err);
    case OPTION_STRING:
        *o->target.string = value;
        return 0;
    case OPTION_LIST:
        return strv_add(o->target.list, value) < 0 ? weft_oom(err) : 0;
    case OPTION_COMMAS:
        return set_commas(o, value, err);
    case OPTION_NONE:
        break;
    }
    return -EINVAL;
}

/* "--name", "--name=value" or "--name value": the last takes the next argument too. */
static int parse_long(const struct cli_option *const tables[], char *const **argv,
                      struct weft_error *err)
{
    const char *name = **argv + 2, *equals = strchrnul(name, '=');
    const struct cli_option *o = find_name(tables, name, (size_t)(equals - name));

    if (!o)
        return weft_fail(err, WEFT_INVALID, "unknown option --%.*s", (int)(equals - name), name);
    if (*equals)
        return option_set(o, equals + 1, err);
    if (!takes_value(o))
        return option_set(o, "true", err);
    if (!(*argv)[1])
        return weft_fail(err, WEFT_INVALID, "option --%s needs a value", o->name);
    return option_set(o, *++*argv, err);
}

/* A cluster of letters, whose last may have a value: "-dt", "-n5", "-n=5", "-n 5". */
static int parse_letters(const struct cli_option *const tables[], char *const **argv,
                         struct weft_error *err)
{
    for (const char *letter = **argv + 1; *letter; letter++) {
        const struct cli_option *o = find_letter(tables, *letter);
        int r;

        if (!o)
            return weft_fail(err, WEFT_INVALID, "unknown option -%c", *letter);
        if (letter[1] == '=')
            return option_set(o, letter + 2, err);
        if (takes_value(o)) {
            if (!letter[1] && !(*argv)[1])
                return weft_fail(err, WEFT_INVALID, "option -%c needs a value", *letter);
            return option_set(o, letter[1] ? letter + 1 : *++*argv, err);
        }
        r = option_set(o, "true", err);
        if (r < 0)
            return r;
    }
    return 0;
}

int options_parse(const struct cli_option *const tables[], bool stop_at_operand, char *const *argv,
                  strv *operands, bool *ret_help, struct weft_error *err)
{
    bool ended = false;

    for (; *argv; argv++) {
        int r = 0;

        if (ended || (*argv)[0] != '-' || !(*argv)[1]) {
            r = strv_add(operands, *argv) < 0 ? weft_oom(err) : 0;
            ended = ended || stop_at_operand;
        } else if (strcmp(*argv, "--") == 0) {
            ended = true;
        } else if (strcmp(*argv, "--help") == 0) {
            *ret_help = true;
            return 0;
        } else if ((*argv)[1] == '-') {
            r = parse_long(tables, &argv, err);
        } else {
            r = parse_letters(tables, &argv, err);
        }
        if (r < 0)
            return r;
    }
    return 0;
}

/* Takes the field at *text, up to its comma or the end. */
static int csv_field(const char **text, struct strbuf *field, struct weft_error *err)
{
    const char *p = *text;

    if (*p != '"') {
        size_t len = strcspn(p, ",");

        strbuf_add(field, p, len);
        *text = p + len;
        return 0;
    }
    for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
        p += *p == '"';
        strbuf_add(field, p, 1);
    }
    if (*p != '"' || (p[1] && p[1] != ','))
        return weft_fail(err, WEFT_INVALID, "unbalanced quotes in %s", *text);
    *text = p + 1;
    return 0;
}

int csv_split(const char *text, strv *fields, struct weft_error *err)
{
    for (;; text++) {
        _cleanup_strbuf_ struct strbuf field = {0};
        int r = csv_field(&text, &field, err);

        if (r < 0)
            return r;
        if (field.failed || strv_add(fields, strbuf_text(&field)) < 0)
            return weft_oom(err);
        if (!*text)
            return 0;
    }
}

int pair_split(const char *option, const char *text, bool needs_value, char **ret_key,
               const char **ret_value, struct weft_error *err)
{
    const char *equals = strchrnul(text, '=');
    char *key;

    if (equals == text || (needs_value && !*equals))
        return weft_fail(err, WEFT_INVALID, "--%s takes KEY=VALUE, not \"%s\"", option, text);
    key = strndup(text, (size_t)(equals - text));
    if (!key)
        return weft_oom(err);
    *ret_key = key;
    *ret_value = *equals ? equals + 1 : equals;
    return 0;
}
