/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static int start_one(struct client *daemon, const char *container, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    url_path(&url, "containers", container, "start");
    r = client_call(daemon, "POST", strbuf_text(&url), NULL, NULL, err);
    if (r == 0)
        puts(container);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, start_one, err);
}

const struct command cmd_start = {
    .name = "start",
    .summary = "Start containers that are stopped.",
    .operands = "CONTAINER [CONTAINER...]",
    .example = "weft start web",
    .run = run,
};
