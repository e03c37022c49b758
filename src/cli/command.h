/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a subcommand of weft is, and how one is found, helped with and run. */

#include "base/error.h"
#include "base/str.h"
#include "cli/options.h"
#include "client/client.h"

struct command {
    const char *name;    /* "network create" */
    const char *alias;   /* another name, or NULL */
    const char *summary; /* one sentence */
    /* As the usage line shows them, which also says how many there must be: "NETWORK CONTAINER",
     * "COMMAND [ARG...]", "CONTAINER [CONTAINER...]". NULL: none. */
    const char *operands;
    const char *example;
    const struct cli_option *options[3]; /* tables, NULL-terminated */
    bool stop_at_operand;                /* the operands are a command line of their own */
    int failure;                         /* the exit status of a failure; 0: 1 */
    /* Returns the exit status, or -errno with *err for a failure. Options are in their targets. */
    int (*run)(struct client *daemon, strv operands, struct weft_error *err);
};

/* All of weft: parses argv, runs the command of the NULL-terminated table, returns the exit status.
 */
int command_main(const struct command *const commands[], char **argv);

/* help.c */
void help_overview(const struct command *const commands[], const struct cli_option *options);
/* The commands whose name begins with "group ". */
void help_group(const struct command *const commands[], const char *group);
void help_command(const struct command *command);
