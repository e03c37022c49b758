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
 *
 * A bridge that exists and is not weft's is taken as it is: endpoints become its ports, and weft
 * adds an address of the host's only where there is none. A physical port is borrowed: it is
 * somebody else's link, which becomes a port for as long as the network is there. Of a bridge that
 * is aware of VLANs it is a trunk: what is in VLAN 1 leaves it without a tag, all else with one.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/shape.h"
#include "driver/wire.h"
#include "model/option.h"

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
                .stp = network_option_bool(net, OPTION_STP, false),
                .vlan_aware = network_option_bool(net, OPTION_VLAN_AWARE, false),
            },
    };

    (void)str_copy(fact.link.name, sizeof fact.link.name, net->link);
    return fact_set_add(out, &fact);
}

static int add_uplink(struct fact_set *out, const struct network *net, const char *uplink)
{
    struct fact fact = {
        .kind = FACT_LINK,
        .link =
            {
                .kind = LINK_BORROWED,
                .up = true,
                .trunk = network_option_bool(net, OPTION_VLAN_AWARE, false),
            },
    };

    (void)str_copy(fact.link.name, sizeof fact.link.name, uplink);
    (void)str_copy(fact.link.master, sizeof fact.link.master, net->link);
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
 * the same way is dropped by the firewall, as long as the network is there: a bridge that outlives
 * it does not keep this. */
static int add_route_localnet(struct fact_set *out, const struct network *net)
{
    struct fact fact = {.kind = FACT_SYSCTL, .sysctl = {.value = "1", .idle = "0"}};

    (void)snprintf(fact.sysctl.path, sizeof fact.sysctl.path, "net/ipv4/conf/%s/route_localnet",
                   net->link);
    return fact_set_add(out, &fact);
}

static int bridge_render_network(const struct network *net, struct fact_set *out)
{
    const char *uplink = network_option(net, OPTION_UPLINK);
    int r = net->adopted ? 0 : add_bridge(out, net);

    if (r == 0 && uplink)
        r = add_uplink(out, net, uplink);
    if (r == 0 && net->enable_ipv4)
        r = wire_add_sysctl(out, "net/ipv4/ip_forward", "1");
    if (r == 0 && net->enable_ipv4 && !net->internal)
        r = add_route_localnet(out, net);
    if (r == 0 && net->enable_ipv6)
        r = wire_add_sysctl(out, "net/ipv6/conf/all/forwarding", "1");
    return r < 0 ? r : add_gateways(out, net);
}

static int check_vlan(const struct network *net, const struct endpoint_want *want,
                      struct weft_error *err)
{
    const char *vlan = strmap_get(&want->driver_opts, OPTION_ENDPOINT_VLAN);

    if (!vlan)
        return 0;
    if (!network_option_bool(net, OPTION_VLAN_AWARE, false))
        return weft_fail(
            err, WEFT_INVALID,
            "VLAN %s asked for, but network %s does not know VLANs: it needs option " OPTION_VLAN_AWARE,
            vlan, net->name);
    if (network_uses_dhcp(net))
        return weft_fail(err, WEFT_INVALID,
                         "VLAN %s asked for, but the DHCP server of network %s is asked in the "
                         "bridge's own VLAN",
                         vlan, net->name);
    return 0;
}

static int bridge_check_endpoint(const struct network *net, const struct endpoint_want *want,
                                 struct weft_error *err)
{
    _cleanup_free_ char *owner = str_printf("the endpoint on network %s", net->name);
    int r;

    if (!owner)
        return weft_oom(err);
    r = options_check(OPTION_SCOPE_ENDPOINT, "bridge", owner, &want->driver_opts, err);
    if (r == 0)
        r = check_vlan(net, want, err);
    return r < 0 ? r : wire_check_endpoint(net, want, err);
}

/* Its VLAN, 0 for that of the bridge itself. */
static uint16_t endpoint_vlan(const struct endpoint *ep)
{
    const char *text = strmap_get(&ep->want.driver_opts, OPTION_ENDPOINT_VLAN);
    int64_t id = 0;

    if (text && network_option_bool(ep->network, OPTION_VLAN_AWARE, false))
        (void)str_to_i64(text, VLAN_MIN, VLAN_MAX, &id);
    return (uint16_t)id;
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
                .hairpin = network_option_bool(net, OPTION_HAIRPIN, false),
                .vlan = endpoint_vlan(ep),
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
                .mtu = ep->given.mtu ? ep->given.mtu : net->mtu,
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
    .check_endpoint = bridge_check_endpoint,
    .render_network = bridge_render_network,
    .render_endpoint = bridge_render_endpoint,
    .render_gateway = bridge_render_gateway,
};
