/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 * A network is a Linux bridge on the host that has the pools' gateway addresses. An endpoint is a
 * veth pair: one end is a port of the bridge, the other lies in the sandbox's namespace and has the
 * endpoint's addresses. The host routes between its bridges and the world; which of that is allowed
 * and what is masqueraded is the firewall's.
 *
 * A bridge without a MAC of its own takes the lowest of its ports', and changes it as they come and
 * go, to the grief of everybody's neighbour tables: so it gets one that follows from the gateway's
 * address. IPv6 link-local addresses are made only on networks with IPv6, and never on ports.
 *
 * Endpoints that may not talk to each other (enable_icc=false) are isolated ports: the bridge
 * itself keeps their frames apart, so that no packet filter has to see them. Gateway mode isolated
 * leaves the host without an address of the family: then the bridge joins the endpoints and nothing
 * else.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/shape.h"
#include "driver/wire.h"

static int bridge_prepare_network(struct network *net, uint32_t default_mtu, struct weft_error *err)
{
    const char *name = network_option(net, OPTION_BRIDGE_NAME);
    int r = name ? ifname_check(name, err) : 0;

    if (r == 0)
        r = wire_prepare_mtu(net, default_mtu, err);
    if (r < 0)
        return r;
    if (name)
        (void)str_copy(net->link, sizeof net->link, name);
    else
        (void)snprintf(net->link, sizeof net->link, "br-%.*s", ID_SHORT, net->id);
    return 0;
}

static struct mac bridge_mac(const struct network *net)
{
    const struct pool *pool = network_pool(net, AF_INET);

    if (!pool)
        pool = network_pool(net, AF_INET6);
    return pool && addr_is_set(&pool->gateway) ? mac_from_addr(&pool->gateway) : (struct mac){0};
}

static int add_bridge(struct fact_set *out, const struct network *net)
{
    bool has_ipv6 = net->enable_ipv6 && network_gateway_mode(net, AF_INET6) != GATEWAY_ISOLATED;
    struct fact fact = {
        .kind = FACT_LINK,
        .link =
            {
                .kind = LINK_BRIDGE,
                .up = true,
                .no_autoconf = !has_ipv6,
                .mac = bridge_mac(net),
                .mtu = net->mtu,
            },
    };

    (void)str_copy(fact.link.name, sizeof fact.link.name, net->link);
    return fact_set_add(out, &fact);
}

static int add_gateways(struct fact_set *out, const struct network *net)
{
    int r = 0;

    for (size_t i = 0; i < net->pool_count && r == 0; i++) {
        const struct pool *pool = &net->pools[i];

        if (network_has_gateway(net, pool))
            r = wire_add_addr(out, NULL, net->link, &pool->gateway, pool->subnet.len);
    }
    return r;
}

/* Lets the host's packets to a published port of 127.0.0.1 out of the bridge. What could come in
 * the same way is dropped by the firewall. */
static int add_route_localnet(struct fact_set *out, const struct network *net)
{
    char path[sizeof((struct fact_sysctl *)0)->path];

    (void)snprintf(path, sizeof path, "net/ipv4/conf/%s/route_localnet", net->link);
    return wire_add_sysctl(out, path, "1");
}

static int bridge_render_network(const struct network *net, struct fact_set *out)
{
    int r = add_bridge(out, net);

    if (r == 0 && net->enable_ipv4)
        r = wire_add_sysctl(out, "net/ipv4/ip_forward", "1");
    if (r == 0 && net->enable_ipv4 && !net->internal)
        r = add_route_localnet(out, net);
    if (r == 0 && net->enable_ipv6)
        r = wire_add_sysctl(out, "net/ipv6/conf/all/forwarding", "1");
    return r < 0 ? r : add_gateways(out, net);
}

static int add_veth(struct fact_set *out, const struct endpoint *ep, const struct kstate_ns *ns)
{
    const struct network *net = ep->network;
    struct fact host = {
        .kind = FACT_LINK,
        .link =
            {
                .kind = LINK_VETH,
                .up = true,
                .no_autoconf = true,
                .isolated = !network_option_bool(net, OPTION_BRIDGE_ICC, true),
                .mtu = net->mtu,
                .peer_ns = ns,
                .peer_mac = ep->mac,
            },
    };
    struct fact inside = {
        .kind = FACT_LINK,
        .ns = ns,
        .link =
            {
                .kind = LINK_VETH_PEER,
                .up = true,
                .no_autoconf = !net->enable_ipv6,
                .mac = ep->mac,
                .mtu = net->mtu,
            },
    };
    int r;

    endpoint_host_link(ep, host.link.name);
    (void)str_copy(host.link.master, sizeof host.link.master, net->link);
    (void)str_copy(host.link.peer_name, sizeof host.link.peer_name, ep->ifname);
    (void)str_copy(inside.link.name, sizeof inside.link.name, ep->ifname);
    (void)str_copy(inside.link.peer_name, sizeof inside.link.peer_name, host.link.name);
    r = fact_set_add(out, &host);
    return r < 0 ? r : fact_set_add(out, &inside);
}

static int bridge_render_endpoint(const struct endpoint *ep, const struct kstate_ns *ns,
                                  struct fact_set *out)
{
    int r = add_veth(out, ep, ns);

    if (r == 0)
        r = shape_render(ep, out);
    return r < 0 ? r : wire_render_interface(ep, ns, out);
}

static int bridge_render_gateway(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                                 struct fact_set *out)
{
    struct addr gateway = endpoint_gateway(ep, family);

    return addr_is_set(&gateway) ? wire_render_gateway(ep, family, &gateway, ns, out) : 0;
}

const struct driver_ops driver_bridge = {
    .name = "bridge",
    .has_pools = true,
    .prepare_network = bridge_prepare_network,
    .check_endpoint = wire_check_endpoint,
    .render_network = bridge_render_network,
    .render_endpoint = bridge_render_endpoint,
    .render_gateway = bridge_render_gateway,
};
