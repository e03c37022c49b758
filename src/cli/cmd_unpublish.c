/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/port_spec.h"
#include "cli/ports.h"

static struct {
    bool dry_run;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_END,
};

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *bindings = NULL;
    int r = port_specs_bindings(operands + 1, &bindings, err);

    if (r < 0)
        return r;
    return ports_send(daemon, "unpublish", operands[0], bindings, args.dry_run, NULL, err);
}

const struct command cmd_unpublish = {
    .name = "unpublish",
    .summary = "Undo publish: close ports again, all bindings of them or those that are named.",
    .operands = "CONTAINER SPEC [SPEC...]",
    .example = "weft unpublish web 80/tcp",
    .options = {options},
    .run = run,
};
