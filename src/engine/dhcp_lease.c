/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/dhcp_lease.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

#define ETHERNET_MTU 1500
#define DNS_KEY "Dns" /* within DHCP_STATE_KEY */

/* ---- routes ---- */

/* Whether the address can be reached without a router, as things stand. */
static bool is_on_link(const struct dhcp_lease *lease, const struct endpoint_given *given,
                       const struct addr *addr)
{
    struct prefix own = {lease->addr, lease->len};

    for (size_t i = 0; i < given->route_count; i++)
        if (!addr_is_set(&given->routes[i].via) &&
            prefix_contains(&given->routes[i].destination, addr))
            return true;
    return prefix_contains(&own, addr);
}

static void add_route(struct endpoint_given *given, const struct prefix *destination,
                      const struct addr *via)
{
    given->routes[given->route_count++] = (struct endpoint_route){*destination, *via};
}

/* A router outside of the subnet lies on the link nevertheless. */
static void add_way_to(struct endpoint_given *given, const struct dhcp_lease *lease,
                       const struct addr *router)
{
    struct prefix alone = {*router, 32};
    struct addr none = {0};

    if (addr_is_set(router) && !is_on_link(lease, given, router))
        add_route(given, &alone, &none);
}

/* First what is on the link, then what lies behind routers. */
static int give_routes(const struct dhcp_lease *lease, struct endpoint_given *given)
{
    given->routes = calloc(2 * lease->route_count + 1, sizeof *given->routes);
    if (!given->routes)
        return -ENOMEM;
    for (size_t i = 0; i < lease->route_count; i++)
        if (!addr_is_set(&lease->routes[i].via))
            add_route(given, &lease->routes[i].destination, &lease->routes[i].via);
    add_way_to(given, lease, &given->gateway4);
    for (size_t i = 0; i < lease->route_count; i++)
        add_way_to(given, lease, &lease->routes[i].via);
    for (size_t i = 0; i < lease->route_count; i++)
        if (addr_is_set(&lease->routes[i].via))
            add_route(given, &lease->routes[i].destination, &lease->routes[i].via);
    return 0;
}

/* ---- the lease as a document ---- */

static json_t *dns_to_json(const struct dhcp_lease *lease)
{
    _cleanup_json_ json_t *servers = json_array(), *search = json_array();

    for (size_t i = 0; i < lease->dns_count; i++)
        if (json_array_append_new(servers, json_from_addr(&lease->dns[i])) < 0)
            return NULL;
    if (*lease->domain && json_array_append_new(search, json_string(lease->domain)) < 0)
        return NULL;
    return json_pack("{s:O, s:O}", "nameservers", servers, "search", search);
}

static json_t *lease_to_json(const struct dhcp_lease *lease, int64_t since)
{
    struct prefix own = {lease->addr, lease->len};

    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:o}", "Address", prefix_text(&own),
                     "Server", addr_text(&lease->server), "ServerMac", mac_text(&lease->server_mac),
                     "Since", (json_int_t)since, "Seconds", (json_int_t)lease->seconds, "Renew",
                     (json_int_t)lease->renew, "Rebind", (json_int_t)lease->rebind, DNS_KEY,
                     dns_to_json(lease));
}

static const json_t *state_dns(const struct endpoint_given *given)
{
    return json_object_get(json_object_get(given->state, DHCP_STATE_KEY), DNS_KEY);
}

int dhcp_endpoint_dns(const struct endpoint *ep, const char *key, strv *list)
{
    return json_collect_texts(json_object_get(state_dns(&ep->given), key), list);
}

/* T1 < T2 < the end, as codec.h promises. */
static bool has_sense(const struct dhcp_lease *lease)
{
    return lease->renew > 0 && lease->renew < lease->rebind && lease->rebind < lease->seconds;
}

bool dhcp_lease_recall(const json_t *state, struct dhcp_lease *ret, int64_t *ret_since)
{
    const char *address, *server, *mac;
    json_int_t since, seconds, renew, rebind;
    struct dhcp_lease lease = {0};
    struct prefix own;

    if (json_unpack(json_object_get(state, DHCP_STATE_KEY), "{s:s, s:s, s:s, s:I, s:I, s:I, s:I}",
                    "Address", &address, "Server", &server, "ServerMac", &mac, "Since", &since,
                    "Seconds", &seconds, "Renew", &renew, "Rebind", &rebind) < 0 ||
        prefix_parse(address, &own, NULL) < 0 || addr_parse(server, &lease.server, NULL) < 0)
        return false;
    (void)mac_parse(mac, &lease.server_mac, NULL);
    lease.addr = own.addr;
    lease.len = own.len;
    lease.seconds = (uint32_t)seconds;
    lease.renew = (uint32_t)renew;
    lease.rebind = (uint32_t)rebind;
    if (!has_sense(&lease))
        return false;
    *ret = lease;
    *ret_since = since;
    return true;
}

/* ---- */

/* A server may ask for less than the link can carry, but not for less than IPv6 needs. */
static uint32_t lease_mtu(const struct dhcp_lease *lease, const struct network *net)
{
    unsigned most = net->mtu ? net->mtu : ETHERNET_MTU;

    if (lease->mtu == 0 || lease->mtu >= most ||
        (net->enable_ipv6 && lease->mtu < NETWORK_MTU_MIN_IPV6))
        return 0;
    return lease->mtu;
}

static bool has_own_gateway(const struct network *net, const struct addr *addr)
{
    const struct pool *pool = network_pool_of(net, addr);

    return pool && addr_is_set(&pool->gateway);
}

int dhcp_lease_give(const struct dhcp_lease *lease, int64_t since, const struct network *net,
                    struct endpoint_given *given)
{
    int r = 0;

    free(given->routes);
    given->routes = NULL;
    given->route_count = 0;
    given->ipv4_len = lease->len;
    given->gateway4 = (struct addr){0};
    given->mtu = lease_mtu(lease, net);
    if (!net->internal) {
        if (!has_own_gateway(net, &lease->addr))
            given->gateway4 = lease->gateway;
        r = give_routes(lease, given);
    }
    if (!given->state)
        given->state = json_object();
    if (r < 0 || json_object_set_new(given->state, DHCP_STATE_KEY, lease_to_json(lease, since)) < 0)
        return -ENOMEM;
    return 0;
}

bool dhcp_given_equal(const struct endpoint_given *a, const struct endpoint_given *b)
{
    if (a->ipv4_len != b->ipv4_len || a->mtu != b->mtu || a->route_count != b->route_count ||
        !addr_equal(&a->gateway4, &b->gateway4) || !json_equal(state_dns(a), state_dns(b)))
        return false;
    for (size_t i = 0; i < a->route_count; i++)
        if (!prefix_equal(&a->routes[i].destination, &b->routes[i].destination) ||
            !addr_equal(&a->routes[i].via, &b->routes[i].via))
            return false;
    return true;
}
