/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/stop.h"

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    return each_operand(daemon, operands, restart_container, err);
}

const struct command cmd_restart = {
    .name = "restart",
    .summary = "Stop containers and start them again.",
    .operands = "CONTAINER [CONTAINER...]",
    .example = "weft restart web db",
    .options = {stop_options},
    .run = run,
};
