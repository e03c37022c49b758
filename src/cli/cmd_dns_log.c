/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/lines.h"
#include "cli/row.h"
#include "cli/table.h"
#include "client/url.h"

static struct {
    bool follow;
    const char *format;
} args;

static const struct cli_option options[] = {
    OPT_FLAG('f', "follow", &args.follow, "Go on with what is asked from now on"),
    OPT_STRING(0, "format", &args.format, "FORMAT", "json, or a template, for each query"),
    OPT_END,
};

/* Columns of a stream cannot know what is to come: those before the last are wide enough mostly. */
#define WIDTHS "%-30s  %-16s  %-5s  %-5s  %-40s  %-8s  %-7s  %-24s  %s\n"

/* Before the first entry: whoever asks for nothing that is there is not shown a table. */
static void print_headings(void)
{
    static bool printed;

    if (printed)
        return;
    printed = true;
    printf(WIDTHS, "TIME", "CONTAINER", "PROTO", "TYPE", "NAME", "RCODE", "ANSWERS", "SOURCE",
           "TIME-TAKEN");
}

static int64_t number(const json_t *entry, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(entry, key));
}

/* The host has no name. */
static int print_entry(const json_t *entry, struct weft_error *err)
{
    const char *container = row_text(entry, "Container"), *server = row_text(entry, "Server");
    _cleanup_free_ char *source =
        str_printf("%s%s%s", row_text(entry, "Source"), *server ? "@" : "", server);
    char answers[24], taken[32];
    int64_t micros = number(entry, "Micros");

    if (args.format)
        return format_print(args.format, entry, err);
    if (!source)
        return weft_oom(err);
    print_headings();
    (void)snprintf(answers, sizeof answers, "%" PRId64, number(entry, "Answers"));
    (void)snprintf(taken, sizeof taken, "%" PRId64 ".%03dms", micros / 1000, (int)(micros % 1000));
    printf(WIDTHS, row_text(entry, "Time"), *container ? container : "-",
           row_text(entry, "Protocol"), row_text(entry, "Type"), row_text(entry, "Name"),
           row_text(entry, "Status"), answers, source, taken);
    return 0;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};

    url_path(&url, "weft", "dns", "log");
    if (operands)
        url_query(&url, "container", operands[0]);
    if (args.follow)
        url_query(&url, "follow", "1");
    return lines_each(daemon, strbuf_text(&url), print_entry, err);
}

const struct command cmd_dns_log = {
    .name = "dns log",
    .summary = "Show what has been asked, and what the answer was.",
    .operands = "[CONTAINER]",
    .example = "weft dns log -f shop",
    .options = {options},
    .run = run,
};
