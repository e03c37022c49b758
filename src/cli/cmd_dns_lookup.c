/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/addr.h"
#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/row.h"
#include "cli/table.h"
#include "client/url.h"

static struct {
    const char *format;
    const char *from;
    bool quiet;
    const char *type;
} args;

static const struct cli_option options[] = {
    OPT_STRING(0, "format", &args.format, "FORMAT", "table, json, a template, or 'table TEMPLATE'"),
    OPT_STRING(0, "from", &args.from, "CONTAINER",
               "Ask as this container would (default: as the host, which sees all networks)"),
    OPT_FLAG('q', "quiet", &args.quiet, "Print the answers' data only"),
    OPT_STRING('t', "type", &args.type, "TYPE",
               "A, AAAA, PTR, SRV, TXT, MX, NS, CNAME, SOA, ANY, or another type's name or number "
               "(default: A and AAAA, of an address PTR)"),
    OPT_END,
};

static const struct column columns[] = {
    {"Name", "NAME", true}, {"Type", "TYPE", true}, {"TTL", "TTL", true},
    {"Data", "DATA", true}, {NULL, NULL, false},
};

/* What was heard so far. */
struct findings {
    json_t *answers;
    char status[32]; /* NXDOMAIN if there was one, else the worst */
};

static bool is_there(const json_t *answers, const json_t *answer)
{
    const json_t *other;
    size_t i;

    json_array_foreach ((json_t *)answers, i, other)
        if (json_equal((json_t *)other, (json_t *)answer))
            return true;
    return false;
}

/* Of two types an alias is told twice. */
static int take_reply(const json_t *reply, struct findings *f, struct weft_error *err)
{
    const char *status = row_text(reply, "Status");
    json_t *answer;
    size_t i;

    json_array_foreach (json_object_get(reply, "Answers"), i, answer)
        if (!is_there(f->answers, answer) && json_array_append(f->answers, answer) < 0)
            return weft_oom(err);
    if (json_is_true(json_object_get(reply, "Truncated")))
        fprintf(stderr, "WARNING: the answer was too long and has been cut off\n");
    if (!*f->status || str_equal(f->status, "NOERROR"))
        (void)str_copy(f->status, sizeof f->status, status);
    return 0;
}

static int ask(struct client *daemon, const char *name, const char *type, struct findings *f,
               struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    _cleanup_json_ json_t *reply = NULL;
    int r;

    url_path(&url, "weft", "dns", "lookup");
    url_query(&url, "name", name);
    if (type)
        url_query(&url, "type", type);
    if (args.from)
        url_query(&url, "from", args.from);
    r = client_call(daemon, "GET", strbuf_text(&url), NULL, &reply, err);
    return r < 0 ? r : take_reply(reply, f, err);
}

static int ask_for_all(struct client *daemon, const char *name, struct findings *f,
                       struct weft_error *err)
{
    struct addr addr;
    int r;

    if (args.type || addr_parse(name, &addr, NULL) == 0)
        return ask(daemon, name, args.type, f, err);
    r = ask(daemon, name, "A", f, err);
    return r < 0 ? r : ask(daemon, name, "AAAA", f, err);
}

/* Why there is no answer. */
static int fail_empty(const char *name, const char *status, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf asker = {0};

    if (args.from)
        strbuf_printf(&asker, " (asked as container %s)", args.from);
    if (str_equal(status, "NXDOMAIN"))
        return weft_fail(err, WEFT_NOT_FOUND, "no such name: %s%s", name, strbuf_text(&asker));
    if (!str_equal(status, "NOERROR"))
        return weft_fail(err, WEFT_INTERNAL, "cannot look up %s: %s%s", name, status,
                         strbuf_text(&asker));
    if (args.type)
        return weft_fail(err, WEFT_NOT_FOUND, "%s has no record of type %s%s", name, args.type,
                         strbuf_text(&asker));
    return weft_fail(err, WEFT_NOT_FOUND, "%s has no address%s", name, strbuf_text(&asker));
}

static json_t *make_row(const json_t *answer)
{
    json_t *row = json_object();

    body_string(&row, "Name", row_text(answer, "Name"));
    body_string(&row, "Type", row_text(answer, "Type"));
    body_add(&row, "TTL",
             json_sprintf("%" PRId64, (int64_t)json_integer_value(json_object_get(answer, "TTL"))));
    body_string(&row, "Data", row_text(answer, "Data"));
    return row;
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_json_ json_t *answers = json_array();
    struct findings f = {.answers = answers};
    int r;

    r = ask_for_all(daemon, operands[0], &f, err);
    if (r == 0 && json_array_size(answers) == 0)
        r = fail_empty(operands[0], f.status, err);
    if (r < 0)
        return r;
    return rows_print(answers, make_row, columns, args.format, args.quiet ? "Data" : NULL, err);
}

const struct command cmd_dns_lookup = {
    .name = "dns lookup",
    .summary = "Look up a name, or an address, as a container would.",
    .operands = "NAME",
    .example = "weft dns lookup --from shop db",
    .options = {options},
    .run = run,
};
