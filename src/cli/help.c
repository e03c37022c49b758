/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cli/command.h"

#define OPTIONS_MAX 64
#define WIDTH_DEFAULT 80
#define WIDTH_MAX 100

/* How wide text may be: the terminal's width, within reason. */
static int text_width(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return WIDTH_DEFAULT;
    return size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
}

/* Prints text from column indent on, broken at spaces, and ends the line. */
static void print_wrapped(const char *text, int indent)
{
    int width = text_width() - indent;

    while (*text) {
        int len = (int)strlen(text);

        if (len > width && width > 20) {
            for (len = width; len > 0 && text[len] != ' ';)
                len--;
            if (len == 0)
                len = (int)strcspn(text, " ");
        }
        printf("%.*s\n", len, text);
        text += len + (text[len] == ' ');
        if (*text)
            printf("%*s", indent, "");
    }
}

/* "  -o, --opt KEY=VALUE": returns its length, and writes it unless buf is NULL. */
static int option_label(const struct cli_option *o, char *buf, size_t size)
{
    char letter[] = "    ";

    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    return snprintf(buf, size, "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
                    o->value ? o->value : "");
}

static void insert_by_name(const struct cli_option **sorted, size_t count,
                           const struct cli_option *o)
{
    for (; count > 0 && strcmp(sorted[count - 1]->name, o->name) > 0; count--)
        sorted[count] = sorted[count - 1];
    sorted[count] = o;
}

static void print_options(const struct cli_option *const tables[])
{
    const struct cli_option *sorted[OPTIONS_MAX];
    size_t count = 0;
    int width = 0;

    for (; *tables; tables++)
        for (const struct cli_option *o = *tables; o->kind != OPTION_NONE; o++)
            if (o->help && count < OPTIONS_MAX)
                insert_by_name(sorted, count++, o);
    for (size_t i = 0; i < count; i++) {
        int len = option_label(sorted[i], NULL, 0);

        width = len > width ? len : width;
    }
    if (count > 0)
        printf("\nOptions:\n");
    for (size_t i = 0; i < count; i++) {
        char label[100];

        option_label(sorted[i], label, sizeof label);
        printf("%-*s   ", width, label);
        print_wrapped(sorted[i]->help, width + 3);
    }
}

static void print_commands(const struct command *const commands[], const char *group)
{
    int width = 0;

    for (size_t i = 0; commands[i]; i++) {
        int len = (int)strlen(commands[i]->name);

        width = len > width ? len : width;
    }
    printf("\nCommands:\n");
    for (; *commands; commands++) {
        if (group &&
            (!str_starts_with((*commands)->name, group) || (*commands)->name[strlen(group)] != ' '))
            continue;
        printf("  %-*s   ", width, (*commands)->name);
        print_wrapped((*commands)->summary, width + 5);
    }
}

void help_overview(const struct command *const commands[], const struct cli_option *options)
{
    const struct cli_option *const tables[] = {options, NULL};

    printf("Usage: weft [OPTIONS] COMMAND\n\n"
           "Networks for containers, programs and namespaces.\n");
    print_commands(commands, NULL);
    print_options(tables);
    printf("\nSee 'weft COMMAND --help' for the options of a command.\n");
}

void help_group(const struct command *const commands[], const char *group)
{
    printf("Usage: weft %s COMMAND\n", group);
    print_commands(commands, group);
    printf("\nSee 'weft %s COMMAND --help' for the options of a command.\n", group);
}

void help_command(const struct command *command)
{
    bool has_options = command->options[0];

    printf("Usage: weft %s%s%s%s\n\n", command->name, has_options ? " [OPTIONS]" : "",
           command->operands ? " " : "", command->operands ? command->operands : "");
    print_wrapped(command->summary, 0);
    if (command->alias)
        printf("\nAlso: weft %s\n", command->alias);
    print_options(command->options);
    if (command->example)
        printf("\nExample:\n  %s\n", command->example);
}
