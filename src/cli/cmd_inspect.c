/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/commands.h"
#include "cli/inspect.h"

static struct {
    const char *format;
    const char *type;
} args;

static const struct cli_option options[] = {
    OPT_STRING('f', "format", &args.format, "FORMAT", "json, or a template"),
    OPT_STRING(0, "type", &args.type, "TYPE", "Look only among this: container or network"),
    OPT_END,
};

static bool wants(const char *type)
{
    return !args.type || strcmp(args.type, type) == 0;
}

/* Containers first, then networks, as docker does. */
static int fetch(struct client *daemon, const char *ref, json_t **ret, struct weft_error *err)
{
    int r;

    if (wants("container")) {
        r = inspect_get(daemon, "containers", ref, "json", ret, err);
        if (r == 0 || err->code != WEFT_NOT_FOUND || args.type)
            return r;
    }
    r = inspect_get(daemon, "networks", ref, NULL, ret, err);
    if (r < 0 && err->code == WEFT_NOT_FOUND && !args.type)
        return weft_fail(err, WEFT_NOT_FOUND, "no container or network is called %s", ref);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    if (!wants("container") && !wants("network"))
        return weft_fail(err, WEFT_INVALID, "--type is container or network, not \"%s\"",
                         args.type);
    return inspect_all(daemon, operands, fetch, args.format, err);
}

const struct command cmd_inspect = {
    .name = "inspect",
    .summary = "Show all there is to know about containers and networks, as JSON.",
    .operands = "NAME [NAME...]",
    .example = "weft inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "
               "web",
    .options = {options},
    .run = run,
};
