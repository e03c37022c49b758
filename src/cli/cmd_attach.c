/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/endpoint.h"
#include "cli/row.h"
#include "client/url.h"

static struct {
    bool dry_run;
    const char *name;
    const char *netns;
    const char *network;
    struct option_number pid;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_STRING(0, "name", &args.name, "NAME", "What to call the namespace in weft and in DNS"),
    OPT_STRING(0, "netns", &args.netns, "PATH", "The namespace, e.g. /run/netns/lab"),
    OPT_STRING(0, "network", &args.network, "NETWORK", "The network to attach it to"),
    OPT_NUMBER(0, "pid", &args.pid, "PID", "The namespace of this process, until it ends"),
    OPT_END,
};

/* The path as the daemon, whose working directory is another, can use it. Not realpath(3): the
 * links in /proc/PID/ns lead nowhere by name. */
static int add_netns(json_t **body, struct weft_error *err)
{
    char cwd[PATH_MAX];

    if (!args.netns)
        return 0;
    if (*args.netns == '/') {
        body_string(body, "Netns", args.netns);
        return 0;
    }
    if (!getcwd(cwd, sizeof cwd))
        return weft_fail_errno(err, errno, "cannot tell the working directory");
    body_add(body, "Netns", json_sprintf("%s/%s", cwd, args.netns));
    return 0;
}

static int make_body(json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object(), *settings = NULL;
    int r;

    r = endpoint_settings(&endpoint_args, &settings, err);
    if (r == 0)
        r = add_netns(&body, err);
    if (r < 0)
        return r;
    body_number(&body, "Pid", &args.pid);
    body_string(&body, "Name", args.name);
    body_string(&body, "Network", args.network);
    body_add(&body, "EndpointConfig", TAKE_PTR(settings));
    if (!body)
        return weft_oom(err);
    *ret = TAKE_PTR(body);
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = NULL, *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    (void)operands;
    if (!args.network)
        return weft_fail(err, WEFT_INVALID, "attach needs a --network");
    if (!args.netns == !args.pid.is_set)
        return weft_fail(err, WEFT_INVALID, "attach needs either --netns or --pid");
    r = make_body(&body, err);
    if (r < 0)
        return r;
    url_path(&url, "weft", "attach");
    r = send_change(daemon, "POST", &url, body, args.dry_run, &reply, err);
    if (r == 0 && !args.dry_run)
        puts(row_text(reply, "Name"));
    return r;
}

const struct command cmd_attach = {
    .name = "attach",
    .summary = "Attach a network namespace that somebody else made to a network.",
    .example = "weft attach --netns /run/netns/lab --name lab --network web --ip 10.5.0.9",
    .options = {options, endpoint_options},
    .run = run,
};
