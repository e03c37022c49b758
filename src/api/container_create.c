/* SPDX-License-Identifier: Apache-2.0 */

/* POST /containers/create: a container, and its settings on the networks that it shall join. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "base/json.h"

struct joins {
    struct engine_join *list;
    size_t count;
};

static void joins_clear(struct joins *joins)
{
    for (size_t i = 0; i < joins->count; i++)
        endpoint_want_clear(&joins->list[i].want);
    free(joins->list);
}

/* The networks' names stay the document's. */
static int read_joins(const json_t *doc, struct joins *joins, struct weft_error *err)
{
    json_t *networking = NULL, *endpoints = NULL, *settings;
    const char *network;
    int r = json_get_object(doc, "NetworkingConfig", &networking, err);

    if (r == 0 && networking)
        r = json_get_object(networking, "EndpointsConfig", &endpoints, err);
    if (r < 0)
        return r;
    /* One more, for read_legacy_mac(). */
    joins->list = calloc(json_object_size(endpoints) + 1, sizeof *joins->list);
    if (!joins->list)
        return weft_oom(err);
    json_object_foreach (endpoints, network, settings) {
        struct engine_join *join = &joins->list[joins->count];

        r = endpoint_want_from_json(settings, &join->want, err);
        if (r < 0) {
            weft_error_prefix(err, "network %s", network);
            return r;
        }
        join->network = network;
        joins->count++;
    }
    return 0;
}

static struct engine_join *main_join(struct joins *joins, const char *mode)
{
    for (size_t i = 0; i < joins->count; i++)
        if (strcmp(joins->list[i].network, mode) == 0)
            return &joins->list[i];
    joins->list[joins->count].network = mode;
    return &joins->list[joins->count++];
}

/* Config.MacAddress: before API version 1.44, that of the endpoint on the network of NetworkMode;
 * clients still send it. */
static int read_legacy_mac(const json_t *doc, const char *mode, struct joins *joins,
                           struct weft_error *err)
{
    const char *text = NULL;
    struct engine_join *join;
    struct mac mac;
    int r = json_get_string(doc, "MacAddress", &text, err);

    if (r < 0 || str_is_empty(text))
        return r;
    r = mac_parse(text, &mac, err);
    if (r < 0)
        return r;
    join = main_join(joins, str_is_empty(mode) || strcmp(mode, "default") == 0 ? "bridge" : mode);
    if (mac_is_set(&join->want.mac) && !mac_equal(&join->want.mac, &mac))
        return weft_fail(err, WEFT_INVALID,
                         "MacAddress %s of the container is not that of its endpoint on network %s",
                         text, join->network);
    join->want.mac = mac;
    return 0;
}

static int read_container(const struct request *rq, json_t *doc, struct container **ret,
                          struct weft_error *err)
{
    static const char *const stored[] = {"Id", "Name", "Created", "State", "Weft"};
    _cleanup_container_ struct container *c = NULL;
    const char *name = request_query(rq, "name");
    int r;

    /* These are the store's to say, not the client's. */
    for (size_t i = 0; i < ARRAY_SIZE(stored); i++)
        (void)json_object_del(doc, stored[i]);
    r = container_from_json(doc, &c, err);
    if (r < 0)
        return r;
    if (!str_is_empty(name)) {
        name += *name == '/';
        r = name_check("container", name, err);
        if (r < 0)
            return r;
        free(c->name);
        c->name = strdup(name);
        if (!c->name)
            return weft_oom(err);
    }
    *ret = TAKE_PTR(c);
    return 0;
}

/* Docker's clients take a 404 for a missing image, which they then try to pull. Something else is
 * missing: a network, or the container whose network is to be shared. */
static int fail_create(const json_t *doc, int r, struct weft_error *err)
{
    if (err->code == WEFT_NOT_FOUND && json_string_length(json_object_get(doc, "Image")) > 0)
        err->code = WEFT_INVALID;
    return r;
}

static int reply_created(struct request *rq, const struct container *made, strv warnings,
                         struct weft_error *err)
{
    return reply_json(rq, MHD_HTTP_CREATED,
                      json_pack("{s:s, s:o}", "Id", made->id, "Warnings", json_from_strv(warnings)),
                      err);
}

int handle_container_create(struct request *rq, struct weft_error *err)
{
    _cleanup_(joins_clear) struct joins joins = {0};
    _cleanup_container_ struct container *c = NULL;
    _cleanup_json_ json_t *doc = NULL;
    _cleanup_strv_ strv warnings = NULL;
    _cleanup_strbuf_ struct strbuf plan = {0};
    struct strbuf *dry = request_dry(rq, &plan);
    const struct container *made = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = read_container(rq, doc, &c, err);
    if (r == 0)
        r = read_joins(doc, &joins, err);
    if (r == 0)
        r = read_legacy_mac(doc, c->config.network_mode, &joins, err);
    if (r < 0)
        return r;
    r = engine_container_create(rq->api->engine, TAKE_PTR(c), joins.list, joins.count, dry,
                                &warnings, &made, err);
    if (r < 0)
        return fail_create(doc, r, err);
    return dry ? reply_text(rq, dry, err) : reply_created(rq, made, warnings, err);
}
