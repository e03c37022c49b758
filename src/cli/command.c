/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

static struct {
    const char *host;
    bool version;
} args;

static const struct cli_option global_options[] = {
    OPT_STRING('H', "host", &args.host, "SOCKET",
               "Where weftd listens, as unix:///path (default: $WEFT_HOST, or " CLIENT_DEFAULT_HOST
               ")"),
    OPT_FLAG('v', "version", &args.version, "Print weft's version and exit"),
    OPT_END,
};

/* "network create" is two arguments, "run" one: how many argv begins with, 0 when it is another
 * command. */
static unsigned match_name(const char *name, char *const *argv)
{
    const char *space = strchr(name, ' ');

    if (!space)
        return str_equal(argv[0], name) ? 1 : 0;
    return argv[0] && argv[1] && strlen(argv[0]) == (size_t)(space - name) &&
                   str_starts_with(name, argv[0]) && strcmp(argv[1], space + 1) == 0
               ? 2
               : 0;
}

/* The command with the longest name that argv begins with; *argv is moved behind it. */
static const struct command *find_command(const struct command *const commands[],
                                          char *const **argv)
{
    const struct command *found = NULL;
    unsigned longest = 0;

    for (; *commands; commands++) {
        unsigned name = match_name((*commands)->name, *argv);
        unsigned alias = (*commands)->alias ? match_name((*commands)->alias, *argv) : 0;

        if (name > longest || alias > longest) {
            longest = name > alias ? name : alias;
            found = *commands;
        }
    }
    *argv += longest;
    return found;
}

static bool is_group(const struct command *const commands[], const char *name)
{
    size_t len = strlen(name);

    for (; *commands; commands++)
        if (str_starts_with((*commands)->name, name) && (*commands)->name[len] == ' ')
            return true;
    return false;
}

/* Prints the sentence and where to read on. */
static int usage_failure(const char *command, int status, const struct weft_error *err)
{
    fprintf(stderr, "weft: %s. See 'weft %s%s--help'.\n", err->text, command, *command ? " " : "");
    return status;
}

/* Holds the operands against the usage line: at least the names without brackets, at most the
 * names, unless one ends in "...". An operand that must be there must not be empty either. */
static int check_operands(const struct command *command, strv operands, struct weft_error *err)
{
    const char *name = command->operands ? command->operands : "";
    size_t count = strv_length(operands), max = 0;

    while (*name) {
        size_t len = strcspn(name, " ");
        bool required = name[0] != '[';

        if (required && (max >= count || !*operands[max]))
            return weft_fail(err, WEFT_INVALID, "%s %.*s", max >= count ? "missing" : "empty",
                             (int)len, name);
        max = memmem(name, len, "...", 3) ? SIZE_MAX : max + 1;
        name += len + (name[len] == ' ');
    }
    if (count > max)
        return weft_fail(err, WEFT_INVALID, "unexpected operand \"%s\"", operands[max]);
    return 0;
}

static const char *host(void)
{
    const char *env = getenv("WEFT_HOST");

    if (args.host)
        return args.host;
    return str_is_empty(env) ? CLIENT_DEFAULT_HOST : env;
}

static int run_command(const struct command *command, char *const *argv)
{
    _cleanup_strv_ strv operands = NULL;
    _cleanup_client_ struct client *daemon = NULL;
    struct weft_error err = {0};
    int failure = command->failure ? command->failure : EXIT_FAILURE;
    bool help = false;
    int r;

    r = options_parse(command->options, command->stop_at_operand, argv, &operands, &help, &err);
    if (r == 0 && help) {
        help_command(command);
        return EXIT_SUCCESS;
    }
    if (r == 0)
        r = check_operands(command, operands, &err);
    if (r < 0)
        return usage_failure(command->name, failure, &err);
    r = client_new(host(), &daemon, &err);
    if (r == 0)
        r = command->run(daemon, operands, &err);
    if (r >= 0 && fflush(stdout) == EOF)
        r = weft_fail_errno(&err, errno, "cannot write to standard output");
    if (r >= 0)
        return r;
    report_error(&err);
    return failure;
}

/* A group without a command shows what there is, as docker does. */
static int run_group(const struct command *const commands[], const char *group,
                     const char *subcommand)
{
    struct weft_error err;

    if (!subcommand || strcmp(subcommand, "--help") == 0) {
        help_group(commands, group);
        return EXIT_SUCCESS;
    }
    (void)weft_fail(&err, WEFT_INVALID, "unknown command \"%s %s\"", group, subcommand);
    return usage_failure(group, EXIT_FAILURE, &err);
}

int command_main(const struct command *const commands[], char **argv)
{
    const struct cli_option *const globals[] = {global_options, NULL};
    _cleanup_strv_ strv words = NULL;
    const struct command *command;
    char *const *rest;
    struct weft_error err = {0};
    bool help = false;

    if (options_parse(globals, true, argv + 1, &words, &help, &err) < 0)
        return usage_failure("", EXIT_FAILURE, &err);
    if (args.version) {
        printf("weft version %s\n", WEFT_VERSION);
        return EXIT_SUCCESS;
    }
    if (help || !words) {
        help_overview(commands, global_options);
        return EXIT_SUCCESS;
    }
    rest = words;
    command = find_command(commands, &rest);
    if (command)
        return run_command(command, rest);
    if (is_group(commands, words[0]))
        return run_group(commands, words[0], words[1]);
    (void)weft_fail(&err, WEFT_INVALID, "unknown command \"%s\"", words[0]);
    return usage_failure("", EXIT_FAILURE, &err);
}
