/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "api/container_json.h"
#include "api/filters.h"
#include "api/handlers.h"
#include "api/port_filter.h"
#include "api/reply.h"
#include "base/json.h"

int handle_container_inspect(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct container *c = engine_container(e, rq->ref, err);

    return c ? reply_json(rq, MHD_HTTP_OK, container_inspect_json(e, c), err) : -err->errnum;
}

struct query {
    struct filters filters;
    bool all;
    int64_t limit; /* 0: none */
};

static int parse_query(const struct request *rq, struct query *q, struct weft_error *err)
{
    static const char *const known[] = {"id",       "name",   "status",  "label",  "network",
                                        "ancestor", "exited", "publish", "expose", NULL};
    static const char *const states[] = {"created",  "running", "paused", "restarting",
                                         "removing", "exited",  "dead",   NULL};
    int64_t code;
    int r = filters_parse(request_query(rq, "filters"), known, &q->filters, err);

    if (r == 0)
        r = filters_check(&q->filters, "status", states, err);
    if (r == 0)
        r = port_filters_check(&q->filters, err);
    if (r == 0)
        r = request_query_i64(rq, "limit", INT_MIN, INT_MAX, &q->limit, err);
    for (char *const *v = filters_values(&q->filters, "exited"); r == 0 && v && *v; v++)
        if (str_to_i64(*v, INT_MIN, INT_MAX, &code) < 0)
            r = weft_fail(err, WEFT_INVALID, "invalid filter 'exited=%s'", *v);
    q->all = request_query_bool(rq, "all") || q->limit > 0 ||
             filters_values(&q->filters, "status") || filters_values(&q->filters, "exited");
    return r;
}

static bool is_on_network(struct engine *e, const struct container *c, const struct filters *f)
{
    const struct sandbox *sb = engine_container_sandbox(e, c);

    if (!filters_values(f, "network"))
        return true;
    for (size_t i = 0; sb && i < sb->endpoint_count; i++)
        if (filters_ref(f, "network", sb->endpoints[i]->network->id,
                        sb->endpoints[i]->network->name))
            return true;
    return false;
}

/* With and without the slash that Docker puts before names. */
static bool has_name(const struct container *c, const struct filters *f)
{
    char slashed[512];

    snprintf(slashed, sizeof slashed, "/%s", c->name);
    return filters_search(f, "name", c->name) || filters_search(f, "name", slashed);
}

static bool has_port(struct engine *e, const struct container *c, const struct filters *f)
{
    _cleanup_json_ json_t *ports = port_filters_given(f) ? container_ports_json(e, c) : NULL;

    return !port_filters_given(f) || port_filters_match(f, ports);
}

static bool passes(struct engine *e, const struct container *c, const struct query *q)
{
    const struct filters *f = &q->filters;
    char code[16];

    snprintf(code, sizeof code, "%d", c->exit_code);
    if (!q->all && c->status != CONTAINER_RUNNING)
        return false;
    if (filters_values(f, "exited") && c->status != CONTAINER_EXITED)
        return false;
    return filters_equal(f, "exited", code) && filters_search(f, "id", c->id) && has_name(c, f) &&
           filters_equal(f, "status", container_status_text(c->status)) &&
           filters_labels(f, "label", &c->config.labels) &&
           filters_equal(f, "ancestor", c->config.image ? c->config.image : "") &&
           is_on_network(e, c, f) && has_port(e, c, f);
}

/* The newest first. */
static json_t *list_json(struct engine *e, const struct query *q)
{
    _cleanup_json_ json_t *list = json_array();
    size_t count;
    struct container *const *containers = engine_containers(e, &count);

    while (count-- > 0) {
        if (q->limit > 0 && (int64_t)json_array_size(list) == q->limit)
            break;
        if (passes(e, containers[count], q) &&
            json_array_append_new(list, container_summary_json(e, containers[count])) < 0)
            return NULL;
    }
    return TAKE_PTR(list);
}

int handle_container_list(struct request *rq, struct weft_error *err)
{
    struct query q = {0};
    int r = parse_query(rq, &q, err);

    if (r == 0)
        r = reply_json(rq, MHD_HTTP_OK, list_json(rq->api->engine, &q), err);
    filters_clear(&q.filters);
    return r;
}
