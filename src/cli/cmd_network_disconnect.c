/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "client/url.h"

static struct {
    bool force;
    bool dry_run;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_FLAG('f', "force", &args.force, "Disconnect even what is in a bad state"),
    OPT_END,
};

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object();
    _cleanup_strbuf_ struct strbuf url = {0};

    body_string(&body, "Container", operands[1]);
    body_flag(&body, "Force", args.force);
    if (!body)
        return weft_oom(err);
    url_path(&url, "networks", operands[0], "disconnect");
    return send_change(daemon, "POST", &url, body, args.dry_run, NULL, err);
}

const struct command cmd_network_disconnect = {
    .name = "network disconnect",
    .summary = "Disconnect a container from a network.",
    .operands = "NETWORK CONTAINER",
    .example = "weft network disconnect web postgres",
    .options = {options},
    .run = run,
};
