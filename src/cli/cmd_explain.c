/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/commands.h"
#include "client/url.h"

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_free_ char *script = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    url_path(&url, "weft", "explain", operands[0]);
    r = client_text(daemon, "GET", strbuf_text(&url), NULL, &script, err);
    if (r == 0)
        fputs(script, stdout);
    return r;
}

const struct command cmd_explain = {
    .name = "explain",
    .summary = "Print what weft did for a container or network as ip, bridge, nft and sysctl "
               "commands.",
    .operands = "NAME",
    .example = "weft explain web",
    .run = run,
};
