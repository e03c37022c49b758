/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint.h"

#include "model/network.h"
#include "model/sandbox.h"

#include <stdio.h>
#include <string.h>

void endpoint_host_link(const struct endpoint *ep, char ret[static IFNAMSIZ])
{
    (void)snprintf(ret, IFNAMSIZ, "veth%.*s", ENDPOINT_HOST_LINK_DIGITS, ep->id);
}

void endpoint_egress_link(const struct endpoint *ep, char ret[static IFNAMSIZ])
{
    (void)snprintf(ret, IFNAMSIZ, "ifb%.*s", ENDPOINT_HOST_LINK_DIGITS, ep->id);
}

void endpoint_want_clear(struct endpoint_want *want)
{
    free(want->link_local);
    strv_free(want->aliases);
    strv_free(want->links);
    strmap_clear(&want->driver_opts);
    memset(want, 0, sizeof *want);
}

void endpoint_free(struct endpoint *ep)
{
    if (!ep)
        return;
    endpoint_want_clear(&ep->want);
    endpoint_given_clear(&ep->given);
    free(ep);
}

void endpoint_given_clear(struct endpoint_given *given)
{
    free(given->routes);
    json_decref(given->state);
    memset(given, 0, sizeof *given);
}

bool endpoint_is_wired(const struct endpoint *ep)
{
    return ep->sandbox->active && ep->stage == ENDPOINT_SETTLED;
}

static const struct addr *address_of(const struct endpoint *ep, int family)
{
    return family == AF_INET6 ? &ep->ipv6 : &ep->ipv4;
}

uint8_t endpoint_prefix_len(const struct endpoint *ep, int family)
{
    const struct addr *addr = address_of(ep, family);
    uint8_t given = family == AF_INET6 ? ep->given.ipv6_len : ep->given.ipv4_len;
    const struct pool *pool;

    if (!addr_is_set(addr) || given)
        return addr_is_set(addr) ? given : 0;
    pool = network_pool_of(ep->network, addr);
    return pool ? pool->subnet.len : 0;
}

struct addr endpoint_gateway(const struct endpoint *ep, int family)
{
    const struct addr *addr = address_of(ep, family);
    const struct addr *given = family == AF_INET6 ? &ep->given.gateway6 : &ep->given.gateway4;
    const struct pool *pool = addr_is_set(addr) ? network_pool_of(ep->network, addr) : NULL;

    if (!addr_is_set(addr) || ep->network->internal || ep->given.no_gateway ||
        network_routes_by_parent(ep->network))
        return (struct addr){0};
    if (addr_is_set(given))
        return *given;
    return pool ? pool->gateway : (struct addr){0};
}

bool endpoint_has_way_out(const struct endpoint *ep, int family)
{
    struct addr gateway = endpoint_gateway(ep, family);

    if (addr_is_set(&gateway))
        return true;
    return network_routes_by_parent(ep->network) && addr_is_set(address_of(ep, family)) &&
           !ep->network->internal && !ep->given.no_gateway;
}
