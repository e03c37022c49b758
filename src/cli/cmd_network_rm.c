/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/body.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static struct {
    bool force;
    bool dry_run;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_FLAG('f', "force", &args.force, "Do not complain about networks that do not exist"),
    OPT_END,
};

static int remove_one(struct client *daemon, const char *network, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    struct weft_error failure;
    int r;

    url_path(&url, "networks", network);
    r = send_change(daemon, "DELETE", &url, NULL, args.dry_run, NULL, &failure);
    if (r < 0 && args.force && failure.code == WEFT_NOT_FOUND)
        return 0;
    if (r < 0)
        *err = failure;
    else if (!args.dry_run)
        puts(network);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, remove_one, err);
}

const struct command cmd_network_rm = {
    .name = "network rm",
    .alias = "network remove",
    .summary = "Remove networks that no container is connected to.",
    .operands = "NETWORK [NETWORK...]",
    .example = "weft network rm web db",
    .options = {options},
    .run = run,
};
