/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/row.h"
#include "cli/table.h"
#include "client/url.h"

static struct {
    strv filters;
    const char *format;
    bool no_trunc;
    bool quiet;
} args;

static const struct cli_option options[] = {
    OPT_LIST('f', "filter", &args.filters, "KEY=VALUE",
             "Show only networks with this id, name, driver, type, scope, label or dangling"),
    OPT_STRING(0, "format", &args.format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_FLAG(0, "no-trunc", &args.no_trunc, "Print whole ids"),
    OPT_FLAG('q', "quiet", &args.quiet, "Print ids only"),
    OPT_END,
};

static const struct column columns[] = {
    {"ID", "NETWORK ID", true},
    {"Name", "NAME", true},
    {"Driver", "DRIVER", true},
    {"Scope", "SCOPE", true},
    {"IPv4", "IPV4", false},
    {"IPv6", "IPV6", false},
    {"Internal", "INTERNAL", false},
    {"Labels", "LABELS", false},
    {"CreatedAt", "CREATED AT", false},
    {NULL, NULL, false},
};

/* docker's row of a network as the API lists it. */
static json_t *make_row(const json_t *network)
{
    json_t *row = json_object();

    row_id(&row, "ID", row_text(network, "Id"), args.no_trunc);
    body_string(&row, "Name", row_text(network, "Name"));
    body_string(&row, "Driver", row_text(network, "Driver"));
    body_string(&row, "Scope", row_text(network, "Scope"));
    row_bool(&row, "IPv4", json_object_get(network, "EnableIPv4"));
    row_bool(&row, "IPv6", json_object_get(network, "EnableIPv6"));
    row_bool(&row, "Internal", json_object_get(network, "Internal"));
    row_pairs(&row, "Labels", json_object_get(network, "Labels"));
    row_rfc3339(&row, "CreatedAt", row_text(network, "Created"));
    return row;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *networks = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    (void)operands;
    url_path(&url, "networks");
    r = url_filters(&url, args.filters, err);
    if (r == 0)
        r = client_call(daemon, "GET", strbuf_text(&url), NULL, &networks, err);
    if (r < 0)
        return r;
    return rows_print(networks, make_row, columns, args.format, args.quiet ? "ID" : NULL, err);
}

const struct command cmd_network_ls = {
    .name = "network ls",
    .alias = "network list",
    .summary = "List networks.",
    .example = "weft network ls --filter driver=bridge --format '{{.Name}}'",
    .options = {options},
    .run = run,
};
