/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/stop.h"

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, stop_container, err);
}

const struct command cmd_stop = {
    .name = "stop",
    .summary = "Stop containers: ask them to end, and kill them when they do not in time.",
    .operands = "CONTAINER [CONTAINER...]",
    .example = "weft stop --timeout 2 web",
    .options = {stop_options},
    .run = run,
};
