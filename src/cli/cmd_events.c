/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/human.h"
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

static int show(const char *line, size_t len, struct weft_error *err)
{
    _cleanup_json_ json_t *event = NULL;
    int r = json_parse(line, len, &event, err);

    if (r == 0 && args.format)
        r = format_print(args.format, event, err);
    else if (r == 0)
        print_event(event);
    (void)fflush(stdout);
    return r;
}

/* Shows the whole lines in text and leaves the rest. */
static int show_lines(struct strbuf *text, struct weft_error *err)
{
    size_t done = 0;
    char *end;

    while ((end = memchr(text->data + done, '\n', text->len - done))) {
        size_t len = (size_t)(end - text->data) - done;
        int r = len ? show(text->data + done, len, err) : 0;

        if (r < 0)
            return r;
        done += len + 1;
    }
    memmove(text->data, text->data + done, text->len - done + 1);
    text->len -= done;
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0}, text = {0};
    int r;

    (void)operands;
    url_path(&url, "events");
    r = url_filters(&url, args.filters, err);
    if (r == 0)
        r = url_time(&url, "since", args.since, err);
    if (r == 0)
        r = url_time(&url, "until", args.until, err);
    if (r == 0)
        r = client_begin(daemon, "GET", strbuf_text(&url), NULL, err);
    while (r == 0) {
        char data[4096];
        ssize_t n = client_read(daemon, data, sizeof data, err);

        if (n <= 0)
            return (int)n;
        strbuf_add(&text, data, (size_t)n);
        r = text.failed ? weft_oom(err) : show_lines(&text, err);
    }
    return r;
}

const struct command cmd_events = {
    .name = "events",
    .summary = "Show what happens, as it happens.",
    .example = "weft events --filter type=network --since 10m",
    .options = {options},
    .run = run,
};
