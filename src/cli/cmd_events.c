/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/time.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/human.h"
#include "cli/lines.h"
#include "cli/row.h"
#include "cli/table.h"
#include "client/url.h"

static struct {
    strv filters;
    const char *format;
    const char *since;
    const char *until;
} args;

static const struct cli_option options[] = {
    OPT_LIST('f', "filter", &args.filters, "KEY=VALUE",
             "Show only events of this type, event, container or network"),
    OPT_STRING(0, "format", &args.format, "FORMAT", "json, or a template"),
    OPT_STRING(0, "since", &args.since, "TIME",
               "Begin with what happened after this, e.g. 2026-01-02T15:04:05Z or 10m (ago)"),
    OPT_STRING(0, "until", &args.until, "TIME", "End with what happens before this"),
    OPT_END,
};

/* docker's line: "TIME TYPE ACTION ID (key=value, key=value)". */
static void print_event(const json_t *event)
{
    const json_t *actor = json_object_get(event, "Actor");
    const char *separator = " (", *key;
    json_t *attribute;

    printf("%s %s %s %s",
           time_text((int64_t)json_integer_value(json_object_get(event, "timeNano"))),
           row_text(event, "Type"), row_text(event, "Action"), row_text(actor, "ID"));
    json_object_foreach (json_object_get(actor, "Attributes"), key, attribute) {
        printf("%s%s=%s", separator, key, json_string_value(attribute));
        separator = ", ";
    }
    puts(*separator == ',' ? ")" : "");
}

static int show(const json_t *event, struct weft_error *err)
{
    if (args.format)
        return format_print(args.format, event, err);
    print_event(event);
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    (void)operands;
    url_path(&url, "events");
    r = url_filters(&url, args.filters, err);
    if (r == 0)
        r = url_time(&url, "since", args.since, err);
    if (r == 0)
        r = url_time(&url, "until", args.until, err);
    return r < 0 ? r : lines_each(daemon, strbuf_text(&url), show, err);
}

const struct command cmd_events = {
    .name = "events",
    .summary = "Show what happens, as it happens.",
    .example = "weft events --filter type=network --since 10m",
    .options = {options},
    .run = run,
};
