/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/endpoint.h"
#include "client/url.h"

static bool dry_run;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &dry_run, "Print the commands this comes down to, do nothing"),
    OPT_LIST(0, "link", &endpoint_args.links, "CONTAINER[:NAME]",
             "Another name for a container of the network, for this one alone"),
    OPT_END,
};

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object(), *settings = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    r = endpoint_settings(&endpoint_args, &settings, err);
    if (r < 0)
        return r;
    body_string(&body, "Container", operands[1]);
    body_add(&body, "EndpointConfig", TAKE_PTR(settings));
    if (!body)
        return weft_oom(err);
    url_path(&url, "networks", operands[0], "connect");
    return send_change(daemon, "POST", &url, body, dry_run, NULL, err);
}

const struct command cmd_network_connect = {
    .name = "network connect",
    .summary = "Connect a container to a network; it may be running.",
    .operands = "NETWORK CONTAINER",
    .example = "weft network connect --ip 10.5.0.8 --alias db web postgres",
    .options = {options, endpoint_options},
    .run = run,
};
