/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/endpoint_json.h"
#include "api/filters.h"
#include "api/handlers.h"
#include "api/later.h"
#include "api/reply.h"
#include "base/json.h"

/* ---- looking ---- */

/* Docker's shape: what weft knows beside is the store's. */
static json_t *summary_json(const struct network *net)
{
    _cleanup_json_ json_t *doc = network_to_json(net);

    (void)json_object_del(doc, "Weft");
    if (json_object_set_new(doc, "Containers", json_object()) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

static json_t *inspect_json(struct engine *e, const struct network *net)
{
    _cleanup_json_ json_t *doc = summary_json(net);
    json_t *containers = json_object_get(doc, "Containers");
    size_t count;
    struct endpoint *const *endpoints = engine_network_endpoints(e, net, &count);

    if (!doc)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (endpoint_is_wired(endpoints[i]) &&
            json_object_set_new(containers, endpoints[i]->sandbox->id,
                                endpoint_resource_json(endpoints[i])) < 0)
            return NULL;
    return TAKE_PTR(doc);
}

int handle_network_inspect(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct network *net = engine_network(e, rq->ref, err);

    return net ? reply_json(rq, MHD_HTTP_OK, inspect_json(e, net), err) : -err->errnum;
}

static int parse_list_filters(const struct request *rq, struct filters *ret, struct weft_error *err)
{
    static const char *const known[] = {"name",  "id",    "driver",   "type",
                                        "scope", "label", "dangling", NULL};
    static const char *const types[] = {"custom", "builtin", NULL};
    int r = filters_parse(request_query(rq, "filters"), known, ret, err);

    return r < 0 ? r : filters_check(ret, "type", types, err);
}

static bool passes(struct engine *e, const struct network *net, const struct filters *f,
                   const bool *dangling)
{
    size_t users;

    (void)engine_network_endpoints(e, net, &users);
    if (net->stage == NETWORK_ASKING) /* it may never come to be */
        return false;
    if (dangling && *dangling != (users == 0 && !net->predefined))
        return false;
    return filters_search(f, "name", net->name) && filters_search(f, "id", net->id) &&
           filters_equal(f, "driver", net->driver) && filters_equal(f, "scope", "local") &&
           filters_equal(f, "type", net->predefined ? "builtin" : "custom") &&
           filters_labels(f, "label", &net->labels);
}

int handle_network_list(struct request *rq, struct weft_error *err)
{
    _cleanup_filters_ struct filters f = {0};
    _cleanup_json_ json_t *list = json_array();
    bool dangling = false;
    size_t count;
    struct network *const *networks = engine_networks(rq->api->engine, &count);
    int r = parse_list_filters(rq, &f, err);

    if (r == 0)
        r = filters_bool(&f, "dangling", &dangling, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (passes(rq->api->engine, networks[i], &f,
                   filters_values(&f, "dangling") ? &dangling : NULL) &&
            json_array_append_new(list, summary_json(networks[i])) < 0)
            return weft_oom(err);
    return reply_json(rq, MHD_HTTP_OK, TAKE_PTR(list), err);
}

/* ---- making and removing ---- */

static json_t *created_json(const struct network *made)
{
    return json_pack("{s:s, s:s}", "Id", made->id, "Warning", "");
}

static int create(struct request *rq, struct network *net, struct strbuf *dry,
                  struct weft_error *err)
{
    _cleanup_later_ struct later *later = NULL;
    const struct network *made = NULL;
    int r = later_new(rq, &later, err);

    if (r < 0) {
        network_free(net);
        return r;
    }
    r = engine_network_create(rq->api->engine, net, dry, later_done, later, &made, err);
    if (r > 0)
        later_prepare(TAKE_PTR(later), MHD_HTTP_CREATED, created_json(made));
    if (r != 0)
        return r < 0 ? r : 0;
    return dry ? reply_text(rq, dry, err)
               : reply_json(rq, MHD_HTTP_CREATED, created_json(made), err);
}

int handle_network_create(struct request *rq, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_json_ json_t *doc = NULL;
    struct network *net = NULL;
    int r = request_json(rq, &doc, err);

    if (r < 0)
        return r;
    /* These are the store's to say, not the client's. */
    (void)json_object_del(doc, "Id");
    (void)json_object_del(doc, "Created");
    (void)json_object_del(doc, "Weft");
    r = network_from_json(doc, &net, err);
    return r < 0 ? r : create(rq, net, request_dry(rq, &plan), err);
}

int handle_network_remove(struct request *rq, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_later_ struct later *later = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    int r = later_new(rq, &later, err);

    if (r == 0)
        r = engine_network_remove(rq->api->engine, rq->ref, dry, later_done, later, err);
    if (r > 0)
        TAKE_PTR(later);
    if (r != 0)
        return r < 0 ? r : 0;
    return dry ? reply_text(rq, dry, err) : reply_empty(rq, MHD_HTTP_NO_CONTENT, err);
}

struct prune {
    struct filters filters;
    int64_t until; /* ns; INT64_MAX: no bound */
};

static bool is_kept(void *arg, const struct network *net)
{
    const struct prune *prune = arg;

    if (net->created >= prune->until || !filters_labels(&prune->filters, "label", &net->labels))
        return true;
    return filters_values(&prune->filters, "label!") &&
           filters_labels(&prune->filters, "label!", &net->labels);
}

int handle_network_prune(struct request *rq, struct weft_error *err)
{
    static const char *const known[] = {"label", "label!", "until", NULL};
    _cleanup_strv_ strv removed = NULL;
    struct prune prune = {.until = INT64_MAX};
    int r = filters_parse(request_query(rq, "filters"), known, &prune.filters, err);

    if (r == 0)
        r = filters_time(&prune.filters, "until", &prune.until, err);
    if (r == 0)
        r = engine_network_prune(rq->api->engine, is_kept, &prune, &removed, err);
    filters_clear(&prune.filters);
    if (r < 0)
        return r;
    return reply_json(rq, MHD_HTTP_OK,
                      json_pack("{s:o}", "NetworksDeleted", json_from_strv(removed)), err);
}

/* ---- membership ---- */

static int read_container(const json_t *doc, const char **ret, struct weft_error *err)
{
    int r = json_get_string(doc, "Container", ret, err);

    if (r == 0 && str_is_empty(*ret))
        return weft_fail(err, WEFT_INVALID, "Container must name a container");
    return r;
}

/* r is what the verb returned, with *later as its argument. */
static int reply_membership(struct request *rq, int r, struct later **later, struct strbuf *dry,
                            struct weft_error *err)
{
    if (r > 0)
        later_prepare(TAKE_PTR(*later), MHD_HTTP_OK, NULL);
    if (r != 0)
        return r < 0 ? r : 0;
    return dry ? reply_text(rq, dry, err) : reply_empty(rq, MHD_HTTP_OK, err);
}

int handle_network_connect(struct request *rq, struct weft_error *err)
{
    _cleanup_(endpoint_want_clear) struct endpoint_want want = {0};
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_later_ struct later *later = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    const char *container = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = read_container(doc, &container, err);
    if (r == 0)
        r = endpoint_want_from_json(json_object_get(doc, "EndpointConfig"), &want, err);
    if (r == 0)
        r = later_new(rq, &later, err);
    if (r == 0)
        r = engine_connect(rq->api->engine, rq->ref, container, &want, dry, later_done, later, err);
    return reply_membership(rq, r, &later, dry, err);
}

int handle_network_disconnect(struct request *rq, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf plan = {0};
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_later_ struct later *later = NULL;
    struct strbuf *dry = request_dry(rq, &plan);
    const char *container = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = read_container(doc, &container, err);
    if (r == 0)
        r = later_new(rq, &later, err);
    if (r == 0)
        r = engine_disconnect(rq->api->engine, rq->ref, container, dry, later_done, later, err);
    return reply_membership(rq, r, &later, dry, err);
}
