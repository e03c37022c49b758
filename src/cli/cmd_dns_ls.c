/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/row.h"
#include "cli/table.h"
#include "client/url.h"

static struct {
    const char *format;
    const char *network;
    bool no_trunc;
    bool quiet;
} args;

static const struct cli_option options[] = {
    OPT_STRING(0, "format", &args.format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_STRING(0, "network", &args.network, "NETWORK", "Only names on this network"),
    OPT_FLAG(0, "no-trunc", &args.no_trunc, "Print whole ids"),
    OPT_FLAG('q', "quiet", &args.quiet, "Print names only"),
    OPT_END,
};

static const struct column columns[] = {
    {"Network", "NETWORK", true},
    {"Name", "NAME", true},
    {"Addresses", "ADDRESSES", true},
    {"Container", "CONTAINER", true},
    {"ID", "CONTAINER ID", false},
    {"Alias", "ALIAS", false},
    {"IPv4", "IPV4", false},
    {"IPv6", "IPV6", false},
    {NULL, NULL, false},
};

static json_t *make_row(const json_t *name)
{
    const char *ipv4 = row_text(name, "IPv4"), *ipv6 = row_text(name, "IPv6");
    json_t *row = json_object();

    body_string(&row, "Network", row_text(name, "Network"));
    body_string(&row, "Name", row_text(name, "Name"));
    body_add(&row, "Addresses", json_sprintf("%s%s%s", ipv4, *ipv4 && *ipv6 ? ", " : "", ipv6));
    body_string(&row, "Container", row_text(name, "Container"));
    row_id(&row, "ID", row_text(name, "Id"), args.no_trunc);
    row_bool(&row, "Alias", json_object_get(name, "Alias"));
    body_string(&row, "IPv4", ipv4);
    body_string(&row, "IPv6", ipv6);
    return row;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *names = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    (void)operands;
    url_path(&url, "weft", "dns", "names");
    if (args.network)
        url_query(&url, "network", args.network);
    r = client_call(daemon, "GET", strbuf_text(&url), NULL, &names, err);
    if (r < 0)
        return r;
    return rows_print(names, make_row, columns, args.format, args.quiet ? "Name" : NULL, err);
}

const struct command cmd_dns_ls = {
    .name = "dns ls",
    .alias = "dns list",
    .summary = "List the names that containers find each other by.",
    .example = "weft dns ls --network web",
    .options = {options},
    .run = run,
};
