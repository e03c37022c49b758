/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/ports.h"
#include "cli/row.h"
#include "cli/table.h"
#include "client/url.h"

#define COMMAND_WIDTH 20

static struct {
    bool all;
    strv filters;
    const char *format;
    struct option_number last;
    bool latest;
    bool no_trunc;
    bool quiet;
} args;

static const struct cli_option options[] = {
    OPT_FLAG('a', "all", &args.all, "Show also containers that do not run"),
    OPT_LIST('f', "filter", &args.filters, "KEY=VALUE",
             "Show only containers with this id, name, status, label, network, ancestor, exited, "
             "publish or expose"),
    OPT_STRING(0, "format", &args.format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_NUMBER('n', "last", &args.last, "NUMBER",
               "Show so many of those created last, in whatever state"),
    OPT_FLAG('l', "latest", &args.latest, "Show the one created last, in whatever state"),
    OPT_FLAG(0, "no-trunc", &args.no_trunc, "Print whole ids and commands"),
    OPT_FLAG('q', "quiet", &args.quiet, "Print ids only"),
    OPT_END,
};

static const struct column columns[] = {
    {"ID", "CONTAINER ID", true}, {"Image", "IMAGE", true},
    {"Command", "COMMAND", true}, {"RunningFor", "CREATED", true},
    {"Status", "STATUS", true},   {"Ports", "PORTS", true},
    {"Names", "NAMES", true},     {"CreatedAt", "CREATED AT", false},
    {"State", "STATE", false},    {"Networks", "NETWORKS", false},
    {"Labels", "LABELS", false},  {"Mounts", "MOUNTS", false},
    {"Size", "SIZE", false},      {"LocalVolumes", "LOCAL VOLUMES", false},
    {NULL, NULL, false},
};

/* How many bytes of text show at most width characters of UTF-8. */
static size_t utf8_prefix(const char *text, size_t width)
{
    size_t len = 0;

    for (; text[len]; len++)
        if (((unsigned char)text[len] & 0xc0) != 0x80 && width-- == 0)
            break;
    return len;
}

/* The command in quotes, cut short. */
static void add_command(json_t **row, const char *command)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    size_t len = args.no_trunc ? strlen(command) : utf8_prefix(command, COMMAND_WIDTH);

    if (command[len])
        strbuf_printf(&text, "\"%.*s…\"", (int)utf8_prefix(command, COMMAND_WIDTH - 1), command);
    else
        strbuf_printf(&text, "\"%s\"", command);
    body_string(row, "Command", strbuf_text(&text));
}

static void add_times(json_t **row, const json_t *container)
{
    int64_t created = json_integer_value(json_object_get(container, "Created"));
    int64_t age = time_now() / 1000000000 - created;
    char text[HUMAN_TEXT_MAX], ago[HUMAN_TEXT_MAX + 8];

    body_string(row, "CreatedAt", human_time(created, text));
    snprintf(ago, sizeof ago, "%s ago", human_duration(age, text));
    body_string(row, "RunningFor", ago);
}

/* "/web" → "web"; a name with another '/' is a link's. */
static void add_names(json_t **row, const json_t *names)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    json_t *name;
    size_t i;

    json_array_foreach ((json_t *)names, i, name) {
        const char *plain = json_string_value(name);

        plain += *plain == '/';
        if (!strchr(plain, '/'))
            strbuf_printf(&text, "%s%s", text.len ? "," : "", plain);
    }
    body_string(row, "Names", strbuf_text(&text));
}

static void add_ports(json_t **row, const json_t *ports)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    ports_summary(ports, &text);
    body_add(row, "Ports", text.failed ? NULL : json_string(strbuf_text(&text)));
}

static void add_mounts(json_t **row, const json_t *mounts)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    json_t *mount;
    size_t i;

    json_array_foreach ((json_t *)mounts, i, mount)
        strbuf_printf(&text, "%s%s", i ? "," : "", row_text(mount, "Source"));
    body_string(row, "Mounts", strbuf_text(&text));
}

/* docker's row of a container as the API lists it. */
static json_t *make_row(const json_t *container)
{
    const json_t *settings = json_object_get(container, "NetworkSettings");
    json_t *row = json_object();

    row_id(&row, "ID", row_text(container, "Id"), args.no_trunc);
    body_string(&row, "Image", row_text(container, "Image"));
    add_command(&row, row_text(container, "Command"));
    add_times(&row, container);
    body_string(&row, "State", row_text(container, "State"));
    body_string(&row, "Status", row_text(container, "Status"));
    add_ports(&row, json_object_get(container, "Ports"));
    add_names(&row, json_object_get(container, "Names"));
    row_keys(&row, "Networks", json_object_get(settings, "Networks"));
    row_pairs(&row, "Labels", json_object_get(container, "Labels"));
    add_mounts(&row, json_object_get(container, "Mounts"));
    body_string(&row, "Size", "0B");
    body_string(&row, "LocalVolumes", "0");
    return row;
}

static int make_url(struct strbuf *url, struct weft_error *err)
{
    char limit[24];

    url_path(url, "containers", "json");
    if (args.all)
        url_query(url, "all", "1");
    if (args.latest)
        args.last = (struct option_number){.is_set = true, .value = 1};
    if (args.last.is_set) {
        snprintf(limit, sizeof limit, "%" PRId64, args.last.value);
        url_query(url, "limit", limit);
    }
    return url_filters(url, args.filters, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *containers = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    (void)operands;
    r = make_url(&url, err);
    if (r == 0)
        r = client_call(daemon, "GET", strbuf_text(&url), NULL, &containers, err);
    if (r < 0)
        return r;
    return rows_print(containers, make_row, columns, args.format, args.quiet ? "ID" : NULL, err);
}

const struct command cmd_ps = {
    .name = "ps",
    .summary = "List containers.",
    .example = "weft ps --all --format 'table {{.Names}}\\t{{.Status}}'",
    .options = {options},
    .run = run,
};
