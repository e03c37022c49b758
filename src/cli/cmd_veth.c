/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/format.h"
#include "cli/row.h"
#include "cli/table.h"

static const char *format;

static const struct cli_option options[] = {
    OPT_STRING(0, "format", &format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_END,
};

static const struct column columns[] = {
    {"Link", "LINK", true},
    {"Index", "INDEX", true},
    {"Sandbox", "NAME", true},
    {"Interface", "INTERFACE", true},
    {"InterfaceIndex", "INTERFACE INDEX", false},
    {"Network", "NETWORK", true},
    {"IPv4", "IPV4", true},
    {"IPv6", "IPV6", true},
    {"MacAddress", "MAC ADDRESS", false},
    {"SandboxId", "ID", false},
    {NULL, NULL, false},
};

/* Those that are called so, or lead to a container of this name. */
static json_t *find(const json_t *veths, const char *name)
{
    json_t *found = json_array();
    json_t *veth;
    size_t i;

    json_array_foreach ((json_t *)veths, i, veth)
        if (strcmp(row_text(veth, "Link"), name) == 0 ||
            strcmp(row_text(veth, "Sandbox"), name) == 0)
            json_array_append(found, veth);
    return found;
}

/* The sentence for one: whose other end this is. */
static const char sentence[] =
    "{{.Link}} (index {{.Index}}) is {{.Sandbox}}'s {{.Interface}} (index {{.InterfaceIndex}}) on "
    "network {{.Network}}";

static int print_one(const json_t *veth, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    const char *addresses[] = {row_text(veth, "IPv4"), row_text(veth, "IPv6")};
    int r;

    r = format_render(sentence, veth, &text, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
        if (*addresses[i])
            strbuf_printf(&text, ", %s", addresses[i]);
    puts(strbuf_text(&text));
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *veths = NULL, *found = NULL;
    json_t *veth;
    size_t i;
    int r;

    r = client_call(daemon, "GET", "/weft/veths", NULL, &veths, err);
    if (r < 0)
        return r;
    if (!operands)
        return table_print(columns, veths, format, err);
    found = find(veths, operands[0]);
    if (json_array_size(found) == 0)
        return weft_fail(err, WEFT_NOT_FOUND, "%s is neither a link of weft's nor has any",
                         operands[0]);
    json_array_foreach (found, i, veth)
        if (r == 0)
            r = format ? format_print(format, veth, err) : print_one(veth, err);
    return r;
}

const struct command cmd_veth = {
    .name = "veth",
    .summary = "Tell which host link leads to which container's interface.",
    .operands = "[LINK|CONTAINER]",
    .example = "weft veth veth3f2a91c",
    .options = {options},
    .run = run,
};
