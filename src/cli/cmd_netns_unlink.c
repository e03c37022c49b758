/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static int unlink_one(struct client *daemon, const char *name, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    url_path(&url, "weft", "links", name);
    r = client_call(daemon, "DELETE", strbuf_text(&url), NULL, NULL, err);
    if (r == 0)
        puts(name);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, unlink_one, err);
}

const struct command cmd_netns_unlink = {
    .name = "netns unlink",
    .summary = "Take away names that netns link gave.",
    .operands = "NAME [NAME...]",
    .example = "weft netns unlink web",
    .run = run,
};
