/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/port_spec.h"
#include "cli/ports.h"
#include "client/url.h"

/* The bindings of one port, which must be there. */
static int print_one(const json_t *map, const char *container, const char *text,
                     struct weft_error *err)
{
    struct port_spec spec;
    const json_t *bindings;
    char key[16];
    int r = port_spec_parse_inner(text, &spec, err);

    if (r == 0 && spec.first != spec.last)
        r = weft_fail(err, WEFT_INVALID, "\"%s\" is more than one port", text);
    if (r < 0)
        return r;
    snprintf(key, sizeof key, "%u/%s", spec.first, spec.proto);
    bindings = json_object_get(map, key);
    if (json_array_size(bindings) == 0)
        return weft_fail(err, WEFT_NOT_FOUND, "port %s of %s is not published", key, container);
    return ports_print_bindings(bindings, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *map = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    url_path(&url, "weft", "ports", operands[0]);
    r = client_call(daemon, "GET", strbuf_text(&url), NULL, &map, err);
    if (r < 0)
        return r;
    return operands[1] ? print_one(map, operands[0], operands[1], err) : ports_print(map, err);
}

const struct command cmd_port = {
    .name = "port",
    .summary = "Show where on the host the published ports of a container are.",
    .operands = "CONTAINER [PORT[/PROTOCOL]]",
    .example = "weft port web 80/tcp",
    .run = run,
};
