/* SPDX-License-Identifier: Apache-2.0 */
#include "model/network.h"

#include <stdio.h>

static void pool_clear(struct pool *pool)
{
    for (size_t i = 0; i < pool->aux_count; i++)
        free(pool->aux[i].name);
    free(pool->aux);
}

void network_clear_pools(struct network *net)
{
    for (size_t i = 0; i < net->pool_count; i++)
        pool_clear(&net->pools[i]);
    free(net->pools);
    net->pools = NULL;
    net->pool_count = 0;
}

void network_free(struct network *net)
{
    if (!net)
        return;
    network_clear_pools(net);
    strmap_clear(&net->options);
    strmap_clear(&net->ipam_options);
    strmap_clear(&net->labels);
    free(net->driver);
    free(net->ipam_driver);
    json_decref(net->outside);
    free(net->name);
    free(net);
}

const struct pool *network_pool(const struct network *net, int family)
{
    for (size_t i = 0; i < net->pool_count; i++)
        if (net->pools[i].subnet.addr.family == family)
            return &net->pools[i];
    return NULL;
}

const struct pool *network_pool_of(const struct network *net, const struct addr *addr)
{
    for (size_t i = 0; i < net->pool_count; i++)
        if (prefix_contains(&net->pools[i].subnet, addr))
            return &net->pools[i];
    return NULL;
}

bool pool_is_usable(const struct pool *pool, const struct addr *addr)
{
    struct addr first = prefix_first(&pool->subnet), last = prefix_last(&pool->subnet);

    if (!prefix_contains(&pool->subnet, addr))
        return false;
    if (pool->subnet.len + 1U >= addr_bits(addr))
        return true;
    return !addr_equal(addr, &first) && (addr->family != AF_INET || !addr_equal(addr, &last));
}

const struct prefix *pool_area(const struct pool *pool)
{
    return prefix_is_set(&pool->range) ? &pool->range : &pool->subnet;
}

const struct aux_address *pool_aux(const struct pool *pool, const struct addr *addr)
{
    for (size_t i = 0; i < pool->aux_count; i++)
        if (addr_equal(&pool->aux[i].addr, addr))
            return &pool->aux[i];
    return NULL;
}

const char *network_option(const struct network *net, const char *key)
{
    return strmap_get(&net->options, key);
}

bool network_option_bool(const struct network *net, const char *key, bool fallback)
{
    const char *text = network_option(net, key);
    bool value = fallback;

    if (text && str_to_bool(text, &value) < 0)
        return fallback;
    return value;
}

enum gateway_mode network_gateway_mode(const struct network *net, int family)
{
    static const char *const names[] = {
        [GATEWAY_NAT] = "nat",
        [GATEWAY_NAT_UNPROTECTED] = "nat-unprotected",
        [GATEWAY_ROUTED] = "routed",
        [GATEWAY_ISOLATED] = "isolated",
    };
    const char *option = network_option(net, family == AF_INET6 ? OPTION_BRIDGE_GATEWAY_MODE_IPV6
                                                                : OPTION_BRIDGE_GATEWAY_MODE_IPV4);
    enum gateway_mode mode = GATEWAY_NAT;

    for (size_t i = 0; option && i < ARRAY_SIZE(names); i++)
        if (str_equal(option, names[i]))
            mode = (enum gateway_mode)i;
    return mode;
}

bool network_has_gateway(const struct network *net, const struct pool *pool)
{
    int family = pool->gateway.family;

    /* What a LAN's server gives addresses of is the LAN: its router is not the host. */
    if (!addr_is_set(&pool->gateway) || pool->gateway_found || network_uses_dhcp(net) ||
        network_lies_on_parent(net) || network_gateway_mode(net, family) == GATEWAY_ISOLATED)
        return false;
    return family != AF_INET || !network_option_bool(net, OPTION_BRIDGE_INHIBIT_IPV4, false);
}

struct addr network_host_addr(const struct network *net, int family)
{
    for (size_t i = 0; *net->link && i < net->pool_count; i++)
        if (net->pools[i].gateway.family == family && network_has_gateway(net, &net->pools[i]))
            return net->pools[i].gateway;
    return (struct addr){0};
}

bool network_has_names(const struct network *net)
{
    return !net->predefined;
}

bool network_has_own_pools(const struct network *net)
{
    return !net->ipam_driver;
}

bool network_uses_dhcp(const struct network *net)
{
    return str_equal(net->ipam_driver, "dhcp");
}

bool network_publishes(const struct network *net)
{
    return *net->link && !net->internal;
}

bool network_lies_on_parent(const struct network *net)
{
    return str_equal(net->driver, "macvlan") || str_equal(net->driver, "ipvlan");
}

bool network_is_passthru(const struct network *net)
{
    return str_equal(net->driver, "macvlan") &&
           str_equal(network_option(net, OPTION_MACVLAN_MODE), "passthru");
}

bool network_routes_by_parent(const struct network *net)
{
    const char *mode = network_option(net, OPTION_IPVLAN_MODE);

    return str_equal(net->driver, "ipvlan") && (str_equal(mode, "l3") || str_equal(mode, "l3s"));
}

struct addr network_access_addr(const struct network *net, int family)
{
    if (!network_lies_on_parent(net) || !network_option_bool(net, OPTION_HOST_ACCESS, true))
        return (struct addr){0};
    for (size_t i = 0; i < net->pool_count; i++)
        for (size_t j = 0; j < net->pools[i].aux_count; j++) {
            const struct aux_address *aux = &net->pools[i].aux[j];

            if (aux->addr.family == family && str_equal(aux->name, HOST_AUX_NAME))
                return aux->addr;
        }
    return (struct addr){0};
}

bool network_has_access(const struct network *net)
{
    struct addr ipv4 = network_access_addr(net, AF_INET);
    struct addr ipv6 = network_access_addr(net, AF_INET6);

    return addr_is_set(&ipv4) || addr_is_set(&ipv6);
}

void network_access_link(const struct network *net, char ret[static IFNAMSIZ])
{
    (void)snprintf(ret, IFNAMSIZ, "%cv-%.*s", net->driver[0], ID_SHORT, net->id);
}
