/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/row.h"
#include "cli/table.h"

static struct {
    const char *format;
    bool no_trunc;
    bool quiet;
} args;

static const struct cli_option options[] = {
    OPT_STRING(0, "format", &args.format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_FLAG(0, "no-trunc", &args.no_trunc, "Print whole ids"),
    OPT_FLAG('q', "quiet", &args.quiet, "Print names only"),
    OPT_END,
};

static const struct column columns[] = {
    {"Name", "NAME", true},         {"ID", "ID", true},
    {"Kind", "KIND", true},         {"Netns", "NETNS", true},
    {"Networks", "NETWORKS", true}, {"Active", "ACTIVE", false},
    {"Origin", "ORIGIN", false},    {NULL, NULL, false},
};

static json_t *make_row(const json_t *sandbox)
{
    json_t *row = json_object();

    body_string(&row, "Name", row_text(sandbox, "Name"));
    row_id(&row, "ID", row_text(sandbox, "Id"), args.no_trunc);
    body_string(&row, "Kind", row_text(sandbox, "Kind"));
    body_string(&row, "Netns", row_text(sandbox, "Netns"));
    row_keys(&row, "Networks", json_object_get(sandbox, "Networks"));
    row_bool(&row, "Active", json_object_get(sandbox, "Active"));
    body_string(&row, "Origin", row_text(sandbox, "Origin"));
    return row;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *sandboxes = NULL;
    int r;

    (void)operands;
    r = client_call(daemon, "GET", "/weft/sandboxes", NULL, &sandboxes, err);
    if (r < 0)
        return r;
    return rows_print(sandboxes, make_row, columns, args.format, args.quiet ? "Name" : NULL, err);
}

const struct command cmd_netns_ls = {
    .name = "netns ls",
    .alias = "netns",
    .summary = "List the network namespaces that weft serves.",
    .example = "weft netns",
    .options = {options},
    .run = run,
};
