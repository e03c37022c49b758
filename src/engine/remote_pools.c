/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A network's pools from an IPAM driver, with gateways and auxiliary addresses.
 *
 * Where the plugin chooses a pool it may not know what other networks and the host's routes take.
 * One that overlaps them is kept while the plugin is asked for another, and released at the end.
 */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "driver/driver.h"
#include "engine/change_step.h"
#include "engine/remote_ipam.h"

#define HELD_MAX 32 /* pools of no use that the plugin may offer */

#define ADDRESS_TYPE_KEY "RequestAddressType"
#define GATEWAY_KEY "com.docker.network.gateway"

/* ---- what is remembered ---- */

json_t *remote_ipam_notes(const struct network *net)
{
    return json_object_get(net->outside, REMOTE_IPAM_KEY);
}

static json_t *pool_note(const struct network *net, size_t i)
{
    return json_array_get(json_object_get(remote_ipam_notes(net), "Pools"), i);
}

const char *remote_pool_id(const struct network *net, size_t i)
{
    const char *id = json_string_value(json_object_get(pool_note(net, i), "Id"));

    return id ? id : "";
}

static int remember(struct engine *e, struct network *net, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = change_write_network(e, net, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

/* ---- address spaces ---- */

static bool has_remote_driver(const struct network *net)
{
    return driver_find(net->driver) == &driver_remote;
}

static int ask_driver(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    return has_remote_driver(run->er->net) ? remote_ask_driver_capabilities(run, ret, err) : 0;
}

static int ask_gateway_check(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    const struct network *net = run->er->net;
    const struct remote_plugin *p =
        has_remote_driver(net) ? remote_plugin(run->er->engine, net->driver) : NULL;

    if (!p || !p->checks_gateways)
        return 0;
    *ret = json_pack("{s:o}", "Options", remote_network_options(net));
    return *ret ? 1 : weft_oom(err);
}

static int heed_gateway_check(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    int r = json_get_bool(answer, "SkipIPv4", &run->skip4, err);

    return r < 0 ? r : json_get_bool(answer, "SkipIPv6", &run->skip6, err);
}

static int ask_spaces(struct remote_run *run _unused_, json_t **ret _unused_,
                      struct weft_error *err _unused_)
{
    return 1;
}

static int heed_spaces(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    struct network *net = run->er->net;
    const struct remote_plugin *p =
        has_remote_driver(net) ? remote_plugin(run->er->engine, net->driver) : NULL;
    const char *space = "";
    int r =
        json_get_string(answer,
                        p && p->global ? "GlobalDefaultAddressSpace" : "LocalDefaultAddressSpace",
                        &space, err);

    if (r < 0)
        return r;
    return json_object_set_new(remote_state(&net->outside, REMOTE_IPAM_KEY), "Space",
                               json_string(space)) < 0
               ? weft_oom(err)
               : 0;
}

/* ---- pools ---- */

static size_t pools_got(const struct network *net)
{
    return json_array_size(json_object_get(remote_ipam_notes(net), "Pools"));
}

/* First those that the user named, then one for each family that is without. */
static int ask_pool(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    const struct network *net = run->er->net;
    size_t got = pools_got(net);
    const struct pool *pool = got < net->pool_count ? &net->pools[got] : NULL;
    bool ipv6 = pool ? pool->subnet.addr.family == AF_INET6
                     : !net->enable_ipv4 || network_pool(net, AF_INET);

    if (!pool && (ipv6 ? !net->enable_ipv6 || network_pool(net, AF_INET6) : !net->enable_ipv4))
        return 0;
    *ret = remote_pool_request(net, pool, ipv6);
    return *ret ? 1 : weft_oom(err);
}

/* Who has addresses of it already: a network's name, or that it is a route of the host; NULL: free.
 */
static const char *find_overlap(struct engine *e, const struct network *net,
                                const struct prefix *subnet)
{
    _cleanup_free_ struct prefix *routes = NULL;
    size_t count = 0;

    if (subnet->len == 0)
        return NULL; /* "any": it is the driver's to know */
    for (size_t i = 0; i < e->network_count; i++)
        for (size_t j = 0; e->networks[i] != net && j < e->networks[i]->pool_count; j++)
            if (prefix_overlaps(&e->networks[i]->pools[j].subnet, subnet))
                return e->networks[i]->name;
    if (kernel_routes(e->kernel, &routes, &count, NULL) < 0)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (prefix_overlaps(&routes[i], subnet))
            return "a route of the host";
    return NULL;
}

static int note_pool(struct network *net, const char *id, const json_t *data)
{
    json_t *state = remote_state(&net->outside, REMOTE_IPAM_KEY),
           *pools = json_object_get(state, "Pools");

    if (!pools && json_object_set_new(state, "Pools", json_array()) == 0)
        pools = json_object_get(state, "Pools");
    return json_array_append_new(pools,
                                 json_pack("{s:s, s:O*, s:[]}", "Id", id, "Data", data, "Asked"));
}

static int hold_pool(struct network *net, const char *id, const struct prefix *subnet,
                     const char *by, struct weft_error *err)
{
    json_t *state = remote_state(&net->outside, REMOTE_IPAM_KEY),
           *held = json_object_get(state, "Held");

    if (!held && json_object_set_new(state, "Held", json_array()) == 0)
        held = json_object_get(state, "Held");
    if (json_array_append_new(held, json_string(id)) < 0)
        return weft_oom(err);
    if (json_array_size(held) >= HELD_MAX)
        return weft_fail(err, WEFT_EXHAUSTED,
                         "%d pools in a row were offered that are taken, the last of them %s by %s",
                         HELD_MAX, prefix_text(subnet), by);
    return 0;
}

static int add_pool(struct network *net, const struct prefix *subnet, struct weft_error *err)
{
    struct pool *grown = reallocarray(net->pools, net->pool_count + 1, sizeof *grown);

    if (!grown)
        return weft_oom(err);
    net->pools = grown;
    net->pools[net->pool_count++] = (struct pool){.subnet = *subnet};
    return 0;
}

/* The pool is got, and has to be given back whatever it is. */
static int take_pool(struct remote_run *run, const char *id, const json_t *data,
                     const struct prefix *subnet, struct weft_error *err)
{
    struct network *net = run->er->net;
    size_t got = pools_got(net);
    const char *taken;

    if (got == net->pool_count) {
        taken = find_overlap(run->er->engine, net, subnet);
        if (taken)
            return hold_pool(net, id, subnet, taken, err);
    }
    if (note_pool(net, id, data) < 0)
        return weft_oom(err);
    if (got == net->pool_count)
        return add_pool(net, subnet, err);
    if (prefix_equal(&net->pools[got].subnet, subnet))
        return 0;
    return weft_fail(err, WEFT_INTERNAL, "pool %s was asked for, but the answer says %s",
                     prefix_text(&net->pools[got].subnet), prefix_text(subnet));
}

/* The family that ask_pool has asked for. */
static int family_asked(const struct network *net)
{
    size_t got = pools_got(net);

    if (got < net->pool_count)
        return net->pools[got].subnet.addr.family;
    return net->enable_ipv4 && !network_pool(net, AF_INET) ? AF_INET : AF_INET6;
}

static int heed_pool(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    struct network *net = run->er->net;
    struct prefix subnet = {0};
    const char *id = "";
    json_t *data = NULL;
    int r = json_get_string(answer, "PoolID", &id, err), kept;

    if (r == 0)
        r = json_get_object(answer, "Data", &data, err);
    if (r == 0)
        r = remote_parse_cidr(answer, "Pool", family_asked(net), &subnet, err);
    if (r < 0)
        return r;
    if (!*id || !prefix_is_set(&subnet))
        return weft_fail(err, WEFT_INTERNAL, "the answer has no %s", *id ? "Pool" : "PoolID");
    subnet = prefix_network(&subnet);
    r = take_pool(run, id, data, &subnet, err);
    kept = remember(run->er->engine, net, r < 0 ? NULL : err);
    return r < 0 ? r : kept;
}

/* ---- gateways ---- */

/* The gateway that came with a pool. */
static int take_offered(const struct network *net, size_t i, struct addr *ret,
                        struct weft_error *err)
{
    const json_t *data = json_object_get(pool_note(net, i), "Data");
    struct prefix found = {0};
    int r = remote_parse_cidr(data, GATEWAY_KEY, net->pools[i].subnet.addr.family, &found, err);

    if (r < 0 || !prefix_is_set(&found))
        return r;
    if (!prefix_contains(&net->pools[i].subnet, &found.addr))
        return weft_fail(err, WEFT_INTERNAL, "plugin %s: gateway %s lies outside its pool %s",
                         net->ipam_driver, addr_text(&found.addr),
                         prefix_text(&net->pools[i].subnet));
    *ret = found.addr;
    return 0;
}

static int note_asked(struct network *net, size_t i, const struct addr *addr)
{
    return json_array_append_new(json_object_get(pool_note(net, i), "Asked"),
                                 json_string(addr_text(addr)));
}

/* 1: its gateway is to be asked for; 0: it has one, or needs none. */
static int needs_gateway(struct remote_run *run, size_t i, struct weft_error *err)
{
    struct pool *pool = &run->er->net->pools[i];
    int r;

    if (addr_is_set(&pool->gateway))
        return 1; /* the user's */
    r = take_offered(run->er->net, i, &pool->gateway, err);
    if (r < 0 || addr_is_set(&pool->gateway))
        return r;
    return !(pool->subnet.addr.family == AF_INET6 ? run->skip6 : run->skip4);
}

static int ask_gateway(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    const struct network *net = run->er->net;
    int r = 0;

    for (; r == 0 && run->round < net->pool_count; run->round++) {
        r = needs_gateway(run, run->round, err);
        if (r > 0)
            break;
    }
    if (r <= 0)
        return r;
    *ret = remote_address_request(remote_pool_id(net, run->round), &net->pools[run->round].gateway,
                                  json_pack("{s:s}", ADDRESS_TYPE_KEY, GATEWAY_KEY));
    return *ret ? 1 : weft_oom(err);
}

/* An address that must not be used has been given all the same: it is released with the rest. */
static void note_refused(struct network *net, size_t i, const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "Address"));
    struct prefix found;

    if (text && prefix_parse(text, &found, NULL) == 0)
        (void)note_asked(net, i, &found.addr);
}

static int heed_gateway(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    struct network *net = run->er->net;
    size_t i = run->round++;
    struct pool *pool = &net->pools[i];
    struct prefix found = {0};
    int r = remote_heed_address(answer, pool, &pool->gateway, &found, err);

    if (r < 0) {
        note_refused(net, i, answer);
        return r;
    }
    pool->gateway = found.addr;
    if (note_asked(net, i, &found.addr) < 0)
        return weft_oom(err);
    return remember(run->er->engine, net, err);
}

/* ---- auxiliary addresses ---- */

/* The nth of the network that could otherwise be given away; *ret_pool is the number of its pool.
 * NULL: there are no more. */
static const struct aux_address *nth_aux(const struct network *net, size_t n, size_t *ret_pool)
{
    for (size_t i = 0; i < net->pool_count; i++) {
        const struct pool *pool = &net->pools[i];

        for (size_t j = 0; j < pool->aux_count; j++)
            if (prefix_contains(pool_area(pool), &pool->aux[j].addr) && n-- == 0) {
                *ret_pool = i;
                return &pool->aux[j];
            }
    }
    return NULL;
}

static int ask_aux(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    size_t i = 0;
    const struct aux_address *aux = nth_aux(run->er->net, run->round, &i);

    if (!aux)
        return 0;
    *ret = remote_address_request(remote_pool_id(run->er->net, i), &aux->addr, json_object());
    return *ret ? 1 : weft_oom(err);
}

static int heed_aux(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    struct network *net = run->er->net;
    size_t i = 0;
    const struct aux_address *aux = nth_aux(net, run->round++, &i);
    struct prefix found = {0};
    int r = remote_heed_address(answer, &net->pools[i], &aux->addr, &found, err);

    if (r < 0) {
        note_refused(net, i, answer);
        return r;
    }
    if (note_asked(net, i, &found.addr) < 0)
        return weft_oom(err);
    return remember(run->er->engine, net, err);
}

/* ---- pools of no use ---- */

/* A plugin may have given a pool that it had given already: it stays that other network's. */
static bool is_others(const struct engine *e, const struct network *net, const char *id)
{
    for (size_t i = 0; i < e->network_count; i++) {
        const struct network *other = e->networks[i];

        if (other == net || !str_equal(other->ipam_driver, net->ipam_driver))
            continue;
        for (size_t j = 0; j < pools_got(other); j++)
            if (str_equal(remote_pool_id(other, j), id))
                return true;
    }
    return false;
}

static int ask_release_held(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    const struct network *net = run->er->net;
    json_t *held = json_object_get(remote_ipam_notes(net), "Held");

    for (size_t left = json_array_size(held); left > 0; left--) {
        json_t *id = json_array_get(held, left - 1);

        if (!is_others(run->er->engine, net, json_string_value(id))) {
            *ret = json_pack("{s:O}", "PoolID", id);
            return *ret ? 1 : weft_oom(err);
        }
        (void)json_array_remove(held, left - 1);
    }
    return 0;
}

static int heed_release_held(struct remote_run *run, const json_t *answer _unused_,
                             struct weft_error *err _unused_)
{
    json_t *held = json_object_get(remote_ipam_notes(run->er->net), "Held");

    (void)json_array_remove(held, json_array_size(held) - 1);
    return 0;
}

/* ---- networks ---- */

void remote_ipam_create(struct errand *er)
{
    static const struct remote_step steps[] = {
        REMOTE_IPAM_GREETING,
        {.subsystem = NETWORK_DRIVER,
         .method = "GetCapabilities",
         .ask = ask_driver,
         .heed = remote_heed_driver_capabilities},
        {.subsystem = NETWORK_DRIVER,
         .method = "GwAllocCheck",
         .ask = ask_gateway_check,
         .heed = heed_gateway_check},
        {.method = "GetDefaultAddressSpaces", .ask = ask_spaces, .heed = heed_spaces},
        {.method = "RequestPool", .ask = ask_pool, .heed = heed_pool, .again = true},
        {.method = "RequestAddress", .ask = ask_gateway, .heed = heed_gateway, .again = true},
        {.method = "RequestAddress", .ask = ask_aux, .heed = heed_aux, .again = true},
        {.method = "ReleasePool",
         .lenient = true,
         .ask = ask_release_held,
         .heed = heed_release_held,
         .again = true},
    };
    static const struct remote_script script = {IPAM_DRIVER, steps, ARRAY_SIZE(steps)};

    if (remote_state(&er->net->outside, REMOTE_IPAM_KEY))
        remote_ask(er, &script);
    else
        errand_done(er, -ENOMEM, NULL);
}

static int write_release(json_t *letters, const char *pool, const char *address)
{
    return remote_write(letters, "ReleaseAddress",
                        json_pack("{s:s, s:s}", "PoolID", pool ? pool : "", "Address", address),
                        false);
}

static int write_pool_release(json_t *letters, const struct errand *er, const char *id)
{
    if (is_others(er->engine, er->net, id))
        return 0;
    return remote_write(letters, "ReleasePool", json_pack("{s:s}", "PoolID", id ? id : ""), false);
}

static int write_removal(json_t *letters, const struct errand *er)
{
    const struct network *net = er->net;
    const json_t *held = json_object_get(remote_ipam_notes(net), "Held"), *item;
    size_t i;

    for (i = 0; i < pools_got(net); i++) {
        const json_t *asked = json_object_get(pool_note(net, i), "Asked");
        size_t j;

        json_array_foreach (asked, j, item)
            if (write_release(letters, remote_pool_id(net, i), json_string_value(item)) < 0)
                return -ENOMEM;
        if (write_pool_release(letters, er, remote_pool_id(net, i)) < 0)
            return -ENOMEM;
    }
    json_array_foreach (held, i, item)
        if (write_pool_release(letters, er, json_string_value(item)) < 0)
            return -ENOMEM;
    return 0;
}

void remote_ipam_remove(struct errand *er)
{
    _cleanup_json_ json_t *letters = json_array();

    if (write_removal(letters, er) < 0)
        json_decref(TAKE_PTR(letters));
    remote_tell(er, IPAM_DRIVER, TAKE_PTR(letters));
}
