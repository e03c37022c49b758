/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "base/time.h"
#include "model/network.h"
#include "model/network_check.h"

/* Reading. Each function fills one aspect of a zeroed network; network_check() judges the whole. */

static int read_identity(const json_t *doc, struct network *net, struct weft_error *err)
{
    const char *id = NULL, *created = NULL;
    int r = json_get_strdup(doc, "Name", &net->name, err);

    if (r == 0)
        r = json_get_strdup(doc, "Driver", &net->driver, err);
    if (r == 0)
        r = json_get_string(doc, "Id", &id, err);
    if (r == 0)
        r = json_get_string(doc, "Created", &created, err);
    if (r < 0)
        return r;
    if (!net->name)
        return weft_fail(err, WEFT_INVALID, "a network needs a name");
    if (!net->driver && !(net->driver = strdup("bridge")))
        return weft_oom(err);
    if (!str_is_empty(id) && (!id_is_valid(id) || str_copy(net->id, sizeof net->id, id) < 0))
        return weft_fail(err, WEFT_INVALID, "Id \"%s\" of network %s is not an id", id, net->name);
    if (!str_is_empty(created) && time_parse(created, &net->created) < 0)
        return weft_fail(err, WEFT_INVALID, "Created \"%s\" of network %s is not a time", created,
                         net->name);
    return 0;
}

/* What Docker has and weft has not. Clients send these keys with their empty values. */
static int read_kind(const json_t *doc, struct network *net, struct weft_error *err)
{
    bool ingress = false, config_only = false;
    const char *scope = NULL, *config = NULL;
    json_t *config_from = NULL;
    int r = json_get_bool(doc, "Ingress", &ingress, err);

    if (r == 0)
        r = json_get_bool(doc, "ConfigOnly", &config_only, err);
    if (r == 0)
        r = json_get_object(doc, "ConfigFrom", &config_from, err);
    if (r == 0 && config_from)
        r = json_get_string(config_from, "Network", &config, err);
    if (r == 0)
        r = json_get_string(doc, "Scope", &scope, err);
    if (r < 0)
        return r;
    if (ingress)
        return weft_fail(err, WEFT_INVALID,
                         "network %s cannot be an ingress network: there is no swarm", net->name);
    if (config_only || !str_is_empty(config))
        return weft_fail(err, WEFT_UNSUPPORTED,
                         "network %s uses config-only networks, which weft does not have",
                         net->name);
    if (str_equal(scope, "swarm"))
        return weft_fail(err, WEFT_FORBIDDEN,
                         "network %s cannot have scope swarm: this host is in no swarm", net->name);
    if (!str_is_empty(scope) && !str_equal(scope, "local"))
        return weft_fail(err, WEFT_INVALID, "scope \"%s\" of network %s is unknown", scope,
                         net->name);
    return 0;
}

static int read_settings(const json_t *doc, struct network *net, struct weft_error *err)
{
    int r = json_get_bool(doc, "Internal", &net->internal, err);

    if (r == 0)
        r = json_get_bool(doc, "Attachable", &net->attachable, err);
    if (r == 0)
        r = json_get_strmap(doc, "Labels", &net->labels, err);
    if (r == 0)
        r = json_get_strmap(doc, "Options", &net->options, err);
    if (r < 0)
        return r;
    /* The options say it for clients whose requests lack the keys, which go first. */
    net->enable_ipv4 = network_option_bool(net, OPTION_ENABLE_IPV4, true);
    net->enable_ipv6 = network_option_bool(net, OPTION_ENABLE_IPV6, false);
    r = json_get_bool(doc, "EnableIPv4", &net->enable_ipv4, err);
    return r < 0 ? r : json_get_bool(doc, "EnableIPv6", &net->enable_ipv6, err);
}

static int read_aux(const json_t *doc, struct pool *pool, struct weft_error *err)
{
    _cleanup_(strmap_clear) struct strmap map = {0};
    int r = json_get_strmap(doc, "AuxiliaryAddresses", &map, err);

    if (r < 0 || map.count == 0)
        return r;
    pool->aux = calloc(map.count, sizeof *pool->aux);
    if (!pool->aux)
        return weft_oom(err);
    for (size_t i = 0; i < map.count; i++) {
        struct aux_address *aux = &pool->aux[i];

        r = addr_parse(map.entries[i].value, &aux->addr, err);
        if (r < 0) {
            weft_error_prefix(err, "auxiliary address %s", map.entries[i].key);
            return r;
        }
        aux->name = TAKE_PTR(map.entries[i].key);
        pool->aux_count++;
    }
    return 0;
}

static int read_prefix(const json_t *doc, const char *key, struct prefix *ret,
                       struct weft_error *err)
{
    const char *text = NULL;
    int r = json_get_string(doc, key, &text, err);

    if (r < 0 || str_is_empty(text))
        return r;
    r = prefix_parse(text, ret, err);
    if (r < 0)
        weft_error_prefix(err, "%s", key);
    return r;
}

/* Fills *pool; its subnet is unset when the entry is empty, as some clients send it. */
static int read_pool(const json_t *doc, struct pool *pool, struct weft_error *err)
{
    const char *orphan = NULL;

    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "IPAM.Config must be an array of objects");
    int r = read_prefix(doc, "Subnet", &pool->subnet, err);
    if (r == 0)
        r = read_prefix(doc, "IPRange", &pool->range, err);
    if (r == 0)
        r = json_get_addr(doc, "Gateway", &pool->gateway, err);
    if (r == 0)
        r = read_aux(doc, pool, err);
    if (r < 0 || prefix_is_set(&pool->subnet))
        return r;
    if (prefix_is_set(&pool->range))
        orphan = "range";
    else if (addr_is_set(&pool->gateway))
        orphan = "gateway";
    else if (pool->aux_count)
        orphan = "auxiliary address";
    return orphan ? weft_fail(err, WEFT_INVALID, "its %s needs a subnet", orphan) : 0;
}

static int read_pools(const json_t *config, struct network *net, struct weft_error *err)
{
    size_t count = json_array_size(config);

    if (count == 0)
        return 0;
    net->pools = calloc(count, sizeof *net->pools);
    if (!net->pools)
        return weft_oom(err);
    for (size_t i = 0; i < count; i++) {
        struct pool *pool = &net->pools[net->pool_count++];
        int r = read_pool(json_array_get(config, i), pool, err);

        if (r < 0) {
            weft_error_prefix(err, "network %s", net->name);
            return r;
        }
        if (!prefix_is_set(&pool->subnet))
            net->pool_count--;
    }
    return 0;
}

static int read_ipam(const json_t *doc, struct network *net, struct weft_error *err)
{
    json_t *ipam = NULL, *config = NULL;
    const char *driver = NULL;
    int r = json_get_object(doc, "IPAM", &ipam, err);

    if (r < 0 || !ipam)
        return r;
    r = json_get_string(ipam, "Driver", &driver, err);
    if (r == 0)
        r = json_get_strmap(ipam, "Options", &net->ipam_options, err);
    if (r == 0)
        r = json_get_array(ipam, "Config", &config, err);
    if (r < 0)
        return r;
    if (!str_is_empty(driver) && !str_equal(driver, "default") &&
        !(net->ipam_driver = strdup(driver)))
        return weft_oom(err);
    return read_pools(config, net, err);
}

static int read_ifname(const json_t *doc, const char *key, char ret[static IFNAMSIZ],
                       struct weft_error *err)
{
    const char *name = NULL;
    int r = json_get_string(doc, key, &name, err);

    if (r < 0 || str_is_empty(name))
        return r;
    r = ifname_check(name, err);
    return r < 0 ? r : str_copy(ret, IFNAMSIZ, name);
}

/* The gateways that were found on an adopted bridge. */
static int read_found_gateways(const json_t *weft, struct network *net, struct weft_error *err)
{
    _cleanup_strv_ strv found = NULL;
    int r = json_get_strv(weft, "FoundGateways", &found, err);

    for (size_t i = 0; r == 0 && i < net->pool_count; i++)
        net->pools[i].gateway_found = strv_contains(found, prefix_text(&net->pools[i].subnet));
    return r;
}

static int read_stage(const json_t *weft, struct network *net, struct weft_error *err)
{
    int64_t stage = NETWORK_SETTLED;
    json_t *outside = json_object_get(weft, "Outside");
    int r = json_get_i64(weft, "Stage", &stage, err);

    if (r < 0)
        return r;
    if (stage < NETWORK_SETTLED || stage > NETWORK_LEAVING)
        return weft_fail(err, WEFT_INVALID, "Stage of network %s is unknown", net->name);
    net->stage = (enum network_stage)stage;
    net->outside = outside && !json_is_null(outside) ? json_incref(outside) : NULL;
    return 0;
}

/* What Docker's form has no word for. */
static int read_weft(const json_t *doc, struct network *net, struct weft_error *err)
{
    json_t *weft = NULL;
    int64_t mtu = 0;
    int r = json_get_object(doc, "Weft", &weft, err);

    if (r < 0 || !weft)
        return r;
    r = read_ifname(weft, "Link", net->link, err);
    if (r == 0)
        r = read_ifname(weft, "Parent", net->parent, err);
    if (r == 0)
        r = json_get_i64(weft, "Mtu", &mtu, err);
    if (r == 0)
        r = json_get_bool(weft, "Predefined", &net->predefined, err);
    if (r == 0)
        r = json_get_bool(weft, "Adopted", &net->adopted, err);
    if (r == 0)
        r = json_get_bool(weft, "MadeParent", &net->made_parent, err);
    if (r == 0)
        r = read_found_gateways(weft, net, err);
    if (r == 0)
        r = read_stage(weft, net, err);
    if (r < 0)
        return r;
    if (mtu < 0 || mtu > NETWORK_MTU_MAX)
        return weft_fail(err, WEFT_INVALID, "Mtu of network %s must be from 0 to %d", net->name,
                         NETWORK_MTU_MAX);
    net->mtu = (unsigned)mtu;
    return 0;
}

int network_from_json(const json_t *doc, struct network **ret, struct weft_error *err)
{
    static int (*const readers[])(const json_t *, struct network *,
                                  struct weft_error *) = {read_identity, read_kind, read_settings,
                                                          read_ipam, read_weft};
    _cleanup_network_ struct network *net = NULL;
    int r;

    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "a network must be a JSON object");
    net = calloc(1, sizeof *net);
    if (!net)
        return weft_oom(err);
    for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
        r = readers[i](doc, net, err);
        if (r < 0)
            return r;
    }
    r = network_check(net, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(net);
    return 0;
}

/* Writing. json_pack() consumes its references and returns NULL when any of them is NULL. */

static json_t *aux_to_json(const struct pool *pool)
{
    _cleanup_json_ json_t *doc = json_object();

    for (size_t i = 0; i < pool->aux_count; i++)
        if (json_object_set_new(doc, pool->aux[i].name, json_from_addr(&pool->aux[i].addr)) < 0)
            return NULL;
    return TAKE_PTR(doc);
}

/* As Docker does, only what is set. */
static json_t *pool_to_json(const struct pool *pool)
{
    _cleanup_json_ json_t *doc = json_pack("{s:s}", "Subnet", prefix_text(&pool->subnet));

    if (prefix_is_set(&pool->range) &&
        json_object_set_new(doc, "IPRange", json_string(prefix_text(&pool->range))) < 0)
        return NULL;
    if (addr_is_set(&pool->gateway) &&
        json_object_set_new(doc, "Gateway", json_from_addr(&pool->gateway)) < 0)
        return NULL;
    if (pool->aux_count && json_object_set_new(doc, "AuxiliaryAddresses", aux_to_json(pool)) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

static json_t *pools_to_json(const struct network *net)
{
    _cleanup_json_ json_t *config = json_array();

    for (size_t i = 0; i < net->pool_count; i++)
        if (json_array_append_new(config, pool_to_json(&net->pools[i])) < 0)
            return NULL;
    return TAKE_PTR(config);
}

/* By the subnets that they are gateways of. NULL when memory ran out. */
static json_t *found_gateways(const struct network *net)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < net->pool_count; i++)
        if (net->pools[i].gateway_found &&
            json_array_append_new(list, json_string(prefix_text(&net->pools[i].subnet))) < 0)
            return NULL;
    return TAKE_PTR(list);
}

static int set_true(json_t *doc, const char *key, bool value)
{
    return value ? json_object_set_new(doc, key, json_true()) : 0;
}

/* Most networks have none of what is said only if it is so. */
static json_t *weft_to_json(const struct network *net)
{
    _cleanup_json_ json_t *doc = json_pack("{s:s, s:i, s:b}", "Link", net->link, "Mtu",
                                           (int)net->mtu, "Predefined", net->predefined);

    if (!doc || set_true(doc, "Adopted", net->adopted) < 0 ||
        set_true(doc, "MadeParent", net->made_parent) < 0)
        return NULL;
    if (net->adopted && json_object_set_new(doc, "FoundGateways", found_gateways(net)) < 0)
        return NULL;
    if (*net->parent && json_object_set_new(doc, "Parent", json_string(net->parent)) < 0)
        return NULL;
    if (net->stage != NETWORK_SETTLED &&
        json_object_set_new(doc, "Stage", json_integer(net->stage)) < 0)
        return NULL;
    if (net->outside && json_object_set(doc, "Outside", net->outside) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

json_t *network_to_json(const struct network *net)
{
    json_t *ipam =
        json_pack("{s:s, s:o, s:o}", "Driver", net->ipam_driver ? net->ipam_driver : "default",
                  "Options", json_from_strmap(&net->ipam_options), "Config", pools_to_json(net));
    json_t *weft = weft_to_json(net);

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:o, s:b, s:b, s:b, s:{s:s}, s:b, s:o,"
                     " s:o, s:o}",
                     "Name", net->name, "Id", net->id, "Created", time_text(net->created), "Scope",
                     "local", "Driver", net->driver, "EnableIPv4", net->enable_ipv4, "EnableIPv6",
                     net->enable_ipv6, "IPAM", ipam, "Internal", net->internal, "Attachable",
                     net->attachable, "Ingress", false, "ConfigFrom", "Network", "", "ConfigOnly",
                     false, "Options", json_from_strmap(&net->options), "Labels",
                     json_from_strmap(&net->labels), "Weft", weft);
}
