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

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/driver.h"

#define ETHERNET_MTU 1500      /* what the kernel gives bridges and veths */
#define IFNAME_WORD "/IFNAME/" /* in sysctls, once their dots are slashes */

static int prepare_mtu(struct network *net, uint32_t default_mtu, struct weft_error *err)
{
    const char *option = network_option(net, OPTION_MTU);
    int64_t mtu = default_mtu < NETWORK_MTU_MAX ? default_mtu : NETWORK_MTU_MAX;

    if (option && str_to_i64(option, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &mtu) < 0)
        return weft_fail(err, WEFT_INVALID, "MTU %s of network %s is not a number from %d to %d",
                         option, net->name, NETWORK_MTU_MIN, NETWORK_MTU_MAX);
    net->mtu = mtu == ETHERNET_MTU ? 0 : (unsigned)mtu;
    return 0;
}

static int bridge_prepare_network(struct network *net, uint32_t default_mtu, struct weft_error *err)
{
    const char *name = network_option(net, OPTION_BRIDGE_NAME);
    int r = name ? ifname_check(name, err) : 0;

    if (r == 0)
        r = prepare_mtu(net, default_mtu, err);
    if (r < 0)
        return r;
    if (name)
        (void)str_copy(net->link, sizeof net->link, name);
    else
        (void)snprintf(net->link, sizeof net->link, "br-%.*s", ID_SHORT, net->id);
    return 0;
}

/* "net.ipv4.conf.IFNAME.log_martians=1" → a sysctl of the link. Writes into text. The name goes in
 * after dots have become slashes: it may have dots of its own. 0 or -EINVAL. */
static int parse_sysctl(char *text, const char *ifname, struct fact_sysctl *ret)
{
    char *value = strchr(text, '=');
    char *word;
    int len;

    if (!value)
        return -EINVAL;
    *value++ = '\0';
    for (char *dot = text; (dot = strchr(dot, '.'));)
        *dot = '/';
    word = strstr(text, IFNAME_WORD);
    if (!word || str_copy(ret->value, sizeof ret->value, value) < 0)
        return -EINVAL;
    *word = '\0';
    len =
        snprintf(ret->path, sizeof ret->path, "%s/%s/%s", text, ifname, word + strlen(IFNAME_WORD));
    return len < (int)sizeof ret->path ? 0 : -EINVAL;
}

/* Adds the sysctls of a comma-separated list. 0, -EINVAL or -ENOMEM. */
static int render_sysctls(const char *list, const char *ifname, const struct kstate_ns *ns,
                          struct fact_set *out)
{
    _cleanup_free_ char *copy = strdup(list);
    char *next = copy, *item;

    if (!copy)
        return -ENOMEM;
    while ((item = strsep(&next, ","))) {
        struct fact fact = {.kind = FACT_SYSCTL, .ns = ns};
        int r = parse_sysctl(item, ifname, &fact.sysctl);

        if (r == 0)
            r = fact_set_add(out, &fact);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_sysctls(const char *list, const char *network, struct weft_error *err)
{
    /* A name as long as can be, so that it fits whatever the interface will be called. */
    static const char ifname[] = "eth456789012345";
    static_assert(sizeof ifname == IFNAMSIZ, "the longest name");
    _cleanup_fact_set_ struct fact_set scratch = {0};
    int r = render_sysctls(list, ifname, NULL, &scratch);

    if (r == -ENOMEM)
        return weft_oom(err);
    if (r < 0)
        return weft_fail(err, WEFT_INVALID,
                         "sysctls \"%s\" of an endpoint of network %s are malformed or too long",
                         list, network);
    return 0;
}

static const char *wanted_sysctls(const struct network *net, const struct endpoint_want *want)
{
    const char *own = strmap_get(&want->driver_opts, OPTION_ENDPOINT_SYSCTLS);

    return own ? own : network_option(net, OPTION_ENDPOINT_SYSCTLS);
}

static int bridge_check_endpoint(const struct network *net, const struct endpoint_want *want,
                                 struct weft_error *err)
{
    const char *sysctls = wanted_sysctls(net, want);

    if (addr_is_set(&want->ipv4) && !net->enable_ipv4)
        return weft_fail(err, WEFT_INVALID, "address %s asked for, but network %s has no IPv4",
                         addr_text(&want->ipv4), net->name);
    if (addr_is_set(&want->ipv6) && !net->enable_ipv6)
        return weft_fail(err, WEFT_INVALID, "address %s asked for, but network %s has no IPv6",
                         addr_text(&want->ipv6), net->name);
    return sysctls ? check_sysctls(sysctls, net->name, err) : 0;
}

static int add_sysctl(struct fact_set *out, const char *path, const char *value)
{
    struct fact fact = {.kind = FACT_SYSCTL};

    (void)str_copy(fact.sysctl.path, sizeof fact.sysctl.path, path);
    (void)str_copy(fact.sysctl.value, sizeof fact.sysctl.value, value);
    return fact_set_add(out, &fact);
}

static int add_addr(struct fact_set *out, const struct kstate_ns *ns, const char *link,
                    const struct addr *addr, uint8_t len)
{
    struct fact fact = {.kind = FACT_ADDR, .ns = ns, .addr.prefix = {*addr, len}};

    (void)str_copy(fact.addr.link, sizeof fact.addr.link, link);
    return fact_set_add(out, &fact);
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
            r = add_addr(out, NULL, net->link, &pool->gateway, pool->subnet.len);
    }
    return r;
}

/* Lets the host's packets to a published port of 127.0.0.1 out of the bridge. What could come in
 * the same way is dropped by the firewall. */
static int add_route_localnet(struct fact_set *out, const struct network *net)
{
    char path[sizeof((struct fact_sysctl *)0)->path];

    (void)snprintf(path, sizeof path, "net/ipv4/conf/%s/route_localnet", net->link);
    return add_sysctl(out, path, "1");
}

static int bridge_render_network(const struct network *net, struct fact_set *out)
{
    int r = add_bridge(out, net);

    if (r == 0 && net->enable_ipv4)
        r = add_sysctl(out, "net/ipv4/ip_forward", "1");
    if (r == 0 && net->enable_ipv4 && !net->internal)
        r = add_route_localnet(out, net);
    if (r == 0 && net->enable_ipv6)
        r = add_sysctl(out, "net/ipv6/conf/all/forwarding", "1");
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

/* An address from a pool, or none. */
static int add_pool_addr(struct fact_set *out, const struct endpoint *ep,
                         const struct kstate_ns *ns, const struct addr *addr)
{
    const struct pool *pool = addr_is_set(addr) ? network_pool_of(ep->network, addr) : NULL;

    return pool ? add_addr(out, ns, ep->ifname, addr, pool->subnet.len) : 0;
}

static int add_link_local_addrs(struct fact_set *out, const struct endpoint *ep,
                                const struct kstate_ns *ns)
{
    int r = 0;

    for (size_t i = 0; i < ep->want.link_local_count && r == 0; i++) {
        const struct addr *addr = &ep->want.link_local[i];

        r = add_addr(out, ns, ep->ifname, addr, addr->family == AF_INET6 ? 64 : 16);
    }
    return r;
}

static int bridge_render_endpoint(const struct endpoint *ep, const struct kstate_ns *ns,
                                  struct fact_set *out)
{
    const char *sysctls = wanted_sysctls(ep->network, &ep->want);
    int r = add_veth(out, ep, ns);

    if (r == 0 && sysctls)
        r = render_sysctls(sysctls, ep->ifname, ns, out);
    if (r == 0)
        r = add_pool_addr(out, ep, ns, &ep->ipv4);
    if (r == 0)
        r = add_pool_addr(out, ep, ns, &ep->ipv6);
    return r < 0 ? r : add_link_local_addrs(out, ep, ns);
}

static int bridge_render_gateway(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                                 struct fact_set *out)
{
    const struct addr *addr = family == AF_INET6 ? &ep->ipv6 : &ep->ipv4;
    const struct pool *pool = addr_is_set(addr) ? network_pool_of(ep->network, addr) : NULL;
    struct fact fact = {.kind = FACT_ROUTE, .ns = ns};

    if (ep->network->internal || !pool || !addr_is_set(&pool->gateway))
        return 0;
    fact.route.destination.addr.family = (uint8_t)family;
    fact.route.via = pool->gateway;
    (void)str_copy(fact.route.link, sizeof fact.route.link, ep->ifname);
    return fact_set_add(out, &fact);
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
