/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/inspect.h"

static struct {
    const char *format;
    bool verbose;
} args;

static const struct cli_option options[] = {
    OPT_STRING('f', "format", &args.format, "FORMAT", "json, or a template"),
    OPT_FLAG('v', "verbose", &args.verbose, "Accepted for docker's sake: nothing is left out"),
    OPT_END,
};

static int fetch(struct client *daemon, const char *ref, json_t **ret, struct weft_error *err)
{
    return inspect_get(daemon, "networks", ref, NULL, ret, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return inspect_all(daemon, operands, fetch, args.format, err);
}

const struct command cmd_network_inspect = {
    .name = "network inspect",
    .summary = "Show all there is to know about networks, as JSON.",
    .operands = "NETWORK [NETWORK...]",
    .example = "weft network inspect --format '{{range .IPAM.Config}}{{.Subnet}} {{end}}' web",
    .options = {options},
    .run = run,
};
