/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "client/url.h"

static struct {
    bool dry_run;
    const char *network;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_STRING(0, "network", &args.network, "NETWORK",
               "Detach it from this network only (default: from all, and forget it)"),
    OPT_END,
};

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object();
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    body_string(&body, "Sandbox", operands[0]);
    body_string(&body, "Network", args.network ? args.network : "");
    if (!body)
        return weft_oom(err);
    url_path(&url, "weft", "detach");
    r = send_change(daemon, "POST", &url, body, args.dry_run, NULL, err);
    if (r == 0 && !args.dry_run)
        puts(operands[0]);
    return r;
}

const struct command cmd_detach = {
    .name = "detach",
    .summary = "Undo attach: take a namespace off its networks.",
    .operands = "NAME",
    .example = "weft detach lab",
    .options = {options},
    .run = run,
};
