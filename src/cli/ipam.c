/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ipam.h"

#include "base/json.h"
#include "cli/body.h"

/* The entry of pools whose Subnet contains addr, NULL when there is none. */
static json_t *find_pool(const json_t *pools, const struct addr *addr)
{
    json_t *pool;
    size_t i;

    json_array_foreach ((json_t *)pools, i, pool) {
        struct prefix subnet;
        const char *text = json_string_value(json_object_get(pool, "Subnet"));

        if (prefix_parse(text, &subnet, NULL) == 0 && prefix_contains(&subnet, addr))
            return pool;
    }
    return NULL;
}

static int add_pool(json_t *pools, const char *text, struct weft_error *err)
{
    struct prefix subnet;
    int r;

    r = prefix_parse(text, &subnet, err);
    if (r < 0) {
        weft_error_prefix(err, "--subnet");
        return r;
    }
    for (size_t i = 0; i < json_array_size(pools); i++) {
        json_t *pool = json_array_get(pools, i);
        const char *other_text = json_string_value(json_object_get(pool, "Subnet"));
        struct prefix other;

        if (prefix_parse(other_text, &other, NULL) == 0 && prefix_overlaps(&subnet, &other))
            return weft_fail(err, WEFT_INVALID, "subnets %s and %s overlap", other_text, text);
    }
    if (json_array_append_new(pools, json_pack("{s:s}", "Subnet", text)) < 0)
        return weft_oom(err);
    return 0;
}

/* Gives what to the pool it lies in; a pool has one member of each kind. */
static int place(json_t *pools, const char *key, const char *option, const char *text,
                 const struct addr *addr, struct weft_error *err)
{
    json_t *pool = find_pool(pools, addr);
    const char *other;

    if (!pool)
        return weft_fail(err, WEFT_INVALID, "no --subnet contains --%s %s", option, text);
    other = json_string_value(json_object_get(pool, key));
    if (other)
        return weft_fail(err, WEFT_INVALID, "--%s %s and %s are of the same subnet", option, other,
                         text);
    return json_object_set_new(pool, key, json_string(text)) < 0 ? weft_oom(err) : 0;
}

static int place_range(json_t *pools, const char *text, struct weft_error *err)
{
    struct prefix range;
    int r;

    r = prefix_parse(text, &range, err);
    if (r < 0) {
        weft_error_prefix(err, "--ip-range");
        return r;
    }
    return place(pools, "IPRange", "ip-range", text, &range.addr, err);
}

static int place_gateway(json_t *pools, const char *text, struct weft_error *err)
{
    struct addr gateway;
    int r;

    r = addr_parse(text, &gateway, err);
    if (r < 0) {
        weft_error_prefix(err, "--gateway");
        return r;
    }
    return place(pools, "Gateway", "gateway", text, &gateway, err);
}

static int place_aux(json_t *pools, const char *text, struct weft_error *err)
{
    _cleanup_free_ char *name = NULL;
    const char *value;
    struct addr addr;
    json_t *pool, *map;
    int r;

    r = pair_split("aux-address", text, true, &name, &value, err);
    if (r < 0)
        return r;
    r = addr_parse(value, &addr, err);
    if (r < 0) {
        weft_error_prefix(err, "--aux-address %s", name);
        return r;
    }
    pool = find_pool(pools, &addr);
    if (!pool)
        return weft_fail(err, WEFT_INVALID, "no --subnet contains --aux-address %s", text);
    map = json_object_get(pool, "AuxiliaryAddresses");
    if (!map) {
        map = json_object();
        if (json_object_set_new(pool, "AuxiliaryAddresses", map) < 0)
            return weft_oom(err);
    }
    return json_object_set_new(map, name, json_string(value)) < 0 ? weft_oom(err) : 0;
}

static int for_each_of(strv list, json_t *pools,
                       int (*add)(json_t *pools, const char *text, struct weft_error *err),
                       struct weft_error *err)
{
    int r = 0;

    for (; list && *list && r == 0; list++)
        r = add(pools, *list, err);
    return r;
}

int ipam_settings(const struct ipam_args *args, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *ipam = json_object(), *pools = json_array();
    int r;

    r = for_each_of(args->subnets, pools, add_pool, err);
    if (r == 0)
        r = for_each_of(args->ranges, pools, place_range, err);
    if (r == 0)
        r = for_each_of(args->gateways, pools, place_gateway, err);
    if (r == 0)
        r = for_each_of(args->aux_addresses, pools, place_aux, err);
    if (r == 0)
        r = body_pairs(&ipam, "Options", "ipam-opt", args->options, false, err);
    if (r < 0)
        return r;
    body_string(&ipam, "Driver", args->driver ? args->driver : "default");
    body_filled(&ipam, "Config", TAKE_PTR(pools));
    if (!ipam)
        return weft_oom(err);
    *ret = TAKE_PTR(ipam);
    return 0;
}
