/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/row.h"
#include "client/url.h"

/* Puts brackets around IPv6, as Go's net.JoinHostPort() does. */
static void add_address(struct strbuf *text, const char *ip)
{
    strbuf_printf(text, strchr(ip, ':') ? "[%s]:" : "%s:", ip);
}

/* ---- a line each ---- */

struct lines {
    char **list;
    size_t count;
};

static void lines_free(struct lines *lines)
{
    while (lines->count > 0)
        free(lines->list[--lines->count]);
    free(lines->list);
}

static int compare_lines(const void *a, const void *b)
{
    return strverscmp(*(char *const *)a, *(char *const *)b);
}

static int add_lines(struct lines *lines, const char *before, const json_t *bindings,
                     struct weft_error *err)
{
    size_t count = lines->count + json_array_size(bindings);
    char **list = reallocarray(lines->list, count + 1, sizeof *list);
    const json_t *binding;
    size_t i;

    if (!list)
        return weft_oom(err);
    lines->list = list;
    json_array_foreach (bindings, i, binding) {
        _cleanup_strbuf_ struct strbuf line = {0};

        strbuf_puts(&line, before);
        add_address(&line, row_text(binding, "HostIp"));
        strbuf_puts(&line, row_text(binding, "HostPort"));
        list[lines->count] = strbuf_take(&line);
        if (!list[lines->count])
            return weft_oom(err);
        lines->count++;
    }
    return 0;
}

static void print_lines(const struct lines *lines)
{
    if (lines->count > 0)
        qsort(lines->list, lines->count, sizeof *lines->list, compare_lines);
    for (size_t i = 0; i < lines->count; i++)
        puts(lines->list[i]);
}

int ports_print(const json_t *map, struct weft_error *err)
{
    _cleanup_(lines_free) struct lines lines = {0};
    const json_t *bindings;
    const char *port;

    json_object_foreach ((json_t *)map, port, bindings) {
        char before[32];
        int r;

        snprintf(before, sizeof before, "%s -> ", port);
        r = add_lines(&lines, before, bindings, err);
        if (r < 0)
            return r;
    }
    print_lines(&lines);
    return 0;
}

int ports_print_bindings(const json_t *bindings, struct weft_error *err)
{
    _cleanup_(lines_free) struct lines lines = {0};
    int r = add_lines(&lines, "", bindings, err);

    if (r == 0)
        print_lines(&lines);
    return r;
}

/* ---- one line ---- */

/* Ports of the same address and protocol, each one more than the one before. */
struct run {
    const char *ip, *type; /* ip "": not published at a host port */
    json_int_t first, last, host_first;
};

static struct run run_of(const json_t *port)
{
    json_int_t private = json_integer_value(json_object_get(port, "PrivatePort"));
    json_int_t public = json_integer_value(json_object_get(port, "PublicPort"));

    return (struct run){.ip = public ? row_text(port, "IP") : "",
                        .type = row_text(port, "Type"),
                        .first = private,
                        .last = private,
                        .host_first = public};
}

static int compare_numbers(json_int_t a, json_int_t b)
{
    return (a > b) - (a < b);
}

/* So that what can be joined comes one after the other. */
static int compare_places(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    int order = strcmp(x->type, y->type);

    if (order == 0)
        order = strcmp(x->ip, y->ip);
    if (order == 0)
        order = compare_numbers(x->first, y->first);
    return order ? order : compare_numbers(x->host_first, y->host_first);
}

/* docker's order. */
static int compare_ports(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    int order = compare_numbers(x->first, y->first);

    if (order == 0)
        order = strcmp(x->ip, y->ip);
    if (order == 0)
        order = compare_numbers(x->host_first, y->host_first);
    return order ? order : strcmp(x->type, y->type);
}

/* A port that is reached at the container's own address in both families is there twice. */
static bool join(struct run *run, const struct run *next)
{
    bool published = run->host_first != 0;

    if (strcmp(run->ip, next->ip) != 0 || strcmp(run->type, next->type) != 0)
        return false;
    if (!published && next->first == run->last)
        return true;
    if (next->first != run->last + 1 ||
        (published && next->host_first - run->host_first != next->first - run->first))
        return false;
    run->last = next->last;
    return true;
}

static void add_run(struct strbuf *text, const struct run *run)
{
    json_int_t more = run->last - run->first;

    if (run->host_first) {
        add_address(text, run->ip);
        strbuf_printf(text, "%lld", (long long)run->host_first);
        if (more)
            strbuf_printf(text, "-%lld", (long long)(run->host_first + more));
        strbuf_puts(text, "->");
    }
    strbuf_printf(text, "%lld", (long long)run->first);
    if (more)
        strbuf_printf(text, "-%lld", (long long)run->last);
    strbuf_printf(text, "/%s", run->type);
}

void ports_summary(const json_t *list, struct strbuf *ret)
{
    _cleanup_free_ struct run *runs = calloc(json_array_size(list) + 1, sizeof *runs);
    size_t count = json_array_size(list), joined = 0;

    if (!runs) {
        ret->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        runs[i] = run_of(json_array_get(list, i));
    qsort(runs, count, sizeof *runs, compare_places);
    for (size_t i = 0; i < count; i++)
        if (joined == 0 || !join(&runs[joined - 1], &runs[i]))
            runs[joined++] = runs[i];
    qsort(runs, joined, sizeof *runs, compare_ports);
    for (size_t i = 0; i < joined; i++) {
        strbuf_puts(ret, i ? ", " : "");
        add_run(ret, &runs[i]);
    }
}

/* ---- changing them ---- */

int ports_send(struct client *daemon, const char *verb, const char *container, json_t *bindings,
               bool dry_run, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *body =
        json_pack("{s:s, s:O}", "Container", container, "PortBindings", bindings);
    _cleanup_strbuf_ struct strbuf url = {0};

    if (!body)
        return weft_oom(err);
    url_path(&url, "weft", verb);
    return send_change(daemon, "POST", &url, body, dry_run, ret, err);
}
