/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "cli/commands.h"
#include "cli/port_spec.h"
#include "cli/ports.h"
#include "cli/report.h"

static struct {
    bool dry_run;
} args;

static const struct cli_option options[] = {
    OPT_FLAG(0, "dry-run", &args.dry_run, "Print the commands this comes down to, do nothing"),
    OPT_END,
};

/* Where the ports that were named now are; others are not news. */
static int print_published(const json_t *reply, const json_t *bindings, struct weft_error *err)
{
    _cleanup_json_ json_t *published = json_object();
    const json_t *ports = json_object_get(reply, "Ports"), *wanted;
    const char *port;

    json_object_foreach ((json_t *)bindings, port, wanted)
        if (json_object_get(ports, port) &&
            json_object_set(published, port, json_object_get(ports, port)) < 0)
            return weft_oom(err);
    return ports_print(published, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *bindings = NULL, *reply = NULL;
    int r = port_specs_bindings(operands + 1, &bindings, err);

    if (r == 0)
        r = ports_send(daemon, "publish", operands[0], bindings, args.dry_run, &reply, err);
    if (r < 0 || args.dry_run)
        return r;
    report_warnings(reply, "Warnings");
    return print_published(reply, bindings, err);
}

const struct command cmd_publish = {
    .name = "publish",
    .summary = "Publish ports of a container, running or not, or of an attached namespace.",
    .operands = "CONTAINER SPEC [SPEC...]",
    .example = "weft publish web 8080:80 127.0.0.1::443/tcp",
    .options = {options},
    .run = run,
};
