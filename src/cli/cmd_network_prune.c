/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static struct {
    strv filters;
    bool force;
} args;

static const struct cli_option options[] = {
    OPT_LIST(0, "filter", &args.filters, "KEY=VALUE",
             "Remove only networks with this label, or created until a time"),
    OPT_FLAG('f', "force", &args.force, "Do not ask"),
    OPT_END,
};

static void print_deleted(const json_t *reply)
{
    json_t *names = json_object_get(reply, "NetworksDeleted"), *name;
    size_t i;

    if (json_array_size(names) == 0)
        return;
    puts("Deleted Networks:");
    json_array_foreach (names, i, name)
        puts(json_string_value(name));
    puts("");
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    (void)operands;
    url_path(&url, "networks", "prune");
    r = url_filters(&url, args.filters, err);
    if (r < 0)
        return r;
    if (!args.force && !ask("This removes every network that no container uses. Continue?"))
        return 0;
    r = client_call(daemon, "POST", strbuf_text(&url), NULL, &reply, err);
    if (r == 0)
        print_deleted(reply);
    return r;
}

const struct command cmd_network_prune = {
    .name = "network prune",
    .summary = "Remove all networks that no container uses.",
    .example = "weft network prune --filter until=24h",
    .options = {options},
    .run = run,
};
