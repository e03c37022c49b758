/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Options as data: a command declares a table of them, each with the variable it sets; parsing, the
 * help text and the usage errors all come from that table.
 *
 * The grammar is docker's: "--name value", "--name=value", "-n value", "-nvalue", "-n=value",
 * clusters "-dt"; flags take "=true" or "=false"; "--" ends the options. Options and operands may
 * mix, except for commands whose operands are somebody else's command line.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

enum option_kind {
    OPTION_NONE, /* ends a table */
    OPTION_FLAG,
    OPTION_SWITCH, /* a flag whose absence means something third */
    OPTION_STRING, /* the last one counts */
    OPTION_NUMBER,
    OPTION_LIST,   /* repeatable */
    OPTION_COMMAS, /* repeatable, and each may hold several, split as CSV */
};

enum option_switch { SWITCH_UNSET, SWITCH_OFF, SWITCH_ON };

struct option_number {
    bool is_set;
    int64_t value;
};

struct cli_option {
    enum option_kind kind;
    char letter; /* or 0 */
    const char *name;
    union {
        bool *flag;
        enum option_switch *toggle;
        const char **string; /* borrowed from argv; NULL: not given */
        struct option_number *number;
        strv *list;
    } target;
    const char *value; /* what the help calls the value, e.g. "ADDRESS" */
    const char *help;  /* NULL: another spelling, which the help leaves out */
};

#define OPT_FLAG(l, n, to, h)                                                                      \
    {                                                                                              \
        .kind = OPTION_FLAG, .letter = (l), .name = (n), .target.flag = (to), .help = (h)          \
    }
#define OPT_SWITCH(l, n, to, h)                                                                    \
    {                                                                                              \
        .kind = OPTION_SWITCH, .letter = (l), .name = (n), .target.toggle = (to), .help = (h)      \
    }
#define OPT_STRING(l, n, to, v, h)                                                                 \
    {                                                                                              \
        .kind = OPTION_STRING, .letter = (l), .name = (n), .target.string = (to), .value = (v),    \
        .help = (h)                                                                                \
    }
#define OPT_NUMBER(l, n, to, v, h)                                                                 \
    {                                                                                              \
        .kind = OPTION_NUMBER, .letter = (l), .name = (n), .target.number = (to), .value = (v),    \
        .help = (h)                                                                                \
    }
#define OPT_LIST(l, n, to, v, h)                                                                   \
    {                                                                                              \
        .kind = OPTION_LIST, .letter = (l), .name = (n), .target.list = (to), .value = (v),        \
        .help = (h)                                                                                \
    }
#define OPT_COMMAS(l, n, to, v, h)                                                                 \
    {                                                                                              \
        .kind = OPTION_COMMAS, .letter = (l), .name = (n), .target.list = (to), .value = (v),      \
        .help = (h)                                                                                \
    }
#define OPT_END                                                                                    \
    {                                                                                              \
        .kind = OPTION_NONE                                                                        \
    }

/*
 * Parses argv (NULL-terminated, without the command's name), setting the tables' targets and
 * appending what is no option to *operands. tables is NULL-terminated. With stop_at_operand the
 * first operand ends the options. *ret_help is set when --help was met, where parsing stops.
 * 0, -EINVAL with a sentence about the option, -ENOMEM.
 */
int options_parse(const struct cli_option *const tables[], bool stop_at_operand, char *const *argv,
                  strv *operands, bool *ret_help, struct weft_error *err);

/* Sets o's target as if value had been given. 0, -EINVAL, -ENOMEM. */
int option_set(const struct cli_option *o, const char *value, struct weft_error *err);

/* Splits one record of CSV (RFC 4180: a field may be quoted, a doubled quote is one) and appends
 * its fields to *fields. 0, -EINVAL, -ENOMEM. */
int csv_split(const char *text, strv *fields, struct weft_error *err);

/* The "key=value" of --option: *ret_key gets a copy of the key, *ret_value points into text, or is
 * "" when there is no '='. With needs_value that, and an empty key always, is an error. */
int pair_split(const char *option, const char *text, bool needs_value, char **ret_key,
               const char **ret_value, struct weft_error *err);
