/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "client/url.h"

static struct {
    bool force;
    bool volumes;
} args;

static const struct cli_option options[] = {
    OPT_FLAG('f', "force", &args.force,
             "Kill what runs, and do not complain about what does not exist"),
    OPT_FLAG('v', "volumes", &args.volumes, "Remove the containers' anonymous volumes as well"),
    OPT_END,
};

static int remove_one(struct client *daemon, const char *container, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    struct weft_error failure;
    int r;

    url_path(&url, "containers", container);
    if (args.force)
        url_query(&url, "force", "1");
    if (args.volumes)
        url_query(&url, "v", "1");
    r = client_call(daemon, "DELETE", strbuf_text(&url), NULL, NULL, &failure);
    if (r < 0 && args.force && failure.code == WEFT_NOT_FOUND)
        return 0;
    if (r < 0)
        *err = failure;
    else
        puts(container);
    return r;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, remove_one, err);
}

const struct command cmd_rm = {
    .name = "rm",
    .summary = "Remove containers.",
    .operands = "CONTAINER [CONTAINER...]",
    .example = "weft rm --force web",
    .options = {options},
    .run = run,
};
