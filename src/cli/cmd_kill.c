/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static const char *signal_name;

static const struct cli_option options[] = {
    OPT_STRING('s', "signal", &signal_name, "SIGNAL", "The signal to send (default: KILL)"),
    OPT_END,
};

static int kill_one(struct client *daemon, const char *container, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    url_path(&url, "containers", container, "kill");
    if (signal_name)
        url_query(&url, "signal", signal_name);
    r = client_call(daemon, "POST", strbuf_text(&url), NULL, NULL, err);
    if (r == 0)
        puts(container);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, kill_one, err);
}

const struct command cmd_kill = {
    .name = "kill",
    .summary = "Send a signal to running containers.",
    .operands = "CONTAINER [CONTAINER...]",
    .example = "weft kill --signal HUP web",
    .options = {options},
    .run = run,
};
