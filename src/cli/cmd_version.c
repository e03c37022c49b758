/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/row.h"
#include "cli/table.h"

#define API_VERSION "1.48" /* what weft speaks */

static const char *format;

static const struct cli_option options[] = {
    OPT_STRING('f', "format", &format, "FORMAT", "json, or a template"),
    OPT_END,
};

static void print_server(const json_t *server)
{
    static const struct {
        const char *label;
        const char *key;
    } lines[] = {
        {"Version:", "Version"}, {"API version:", "ApiVersion"}, {"Minimum API:", "MinAPIVersion"},
        {"OS:", "Os"},           {"Architecture:", "Arch"},      {"Kernel:", "KernelVersion"},
    };

    printf("Server:\n");
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        if (*row_text(server, lines[i].key))
            printf(" %-14s %s\n", lines[i].label, row_text(server, lines[i].key));
}

/* What can be told without a daemon is told in any case, as docker does. */
static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *server = NULL, *both = NULL;
    int r;

    (void)operands;
    r = client_call(daemon, "GET", "/version", NULL, &server, err);
    if (!format) {
        printf("Client:\n %-14s %s\n %-14s %s\n\n", "Version:", WEFT_VERSION,
               "API version:", API_VERSION);
        if (r == 0)
            print_server(server);
        return r;
    }
    if (r < 0)
        return r;
    both = json_pack("{s:{s:s, s:s}, s:O}", "Client", "Version", WEFT_VERSION, "ApiVersion",
                     API_VERSION, "Server", server);
    return both ? format_print(format, both, err) : weft_oom(err);
}

const struct command cmd_version = {
    .name = "version",
    .summary = "Show the versions of weft and weftd.",
    .example = "weft version --format '{{.Server.Version}}'",
    .options = {options},
    .run = run,
};
