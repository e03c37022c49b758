/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/row.h"
#include "client/url.h"

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object(), *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    body_string(&body, "Name", operands[1] ? operands[1] : operands[0]);
    if (!body)
        return weft_oom(err);
    url_path(&url, "weft", "sandboxes", operands[0], "link");
    r = client_call(daemon, "POST", strbuf_text(&url), body, &reply, err);
    if (r == 0)
        puts(row_text(reply, "Path"));
    return r;
}

const struct command cmd_netns_link = {
    .name = "netns link",
    .summary = "Give a namespace a name that ip netns knows, its own or another.",
    .operands = "NAME [AS]",
    .example = "weft netns link web && ip netns exec web ip address",
    .run = run,
};
