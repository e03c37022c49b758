/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Bridges that are there already and not weft's, and links that become ports of bridges.
 *
 * On such a bridge the host may have addresses, and a router beside it. Without a word of the user
 * the first of the host's addresses says what the subnet is, and is the gateway. If the user names
 * the subnet, and the host has an address in it, weft adds none, whoever the gateway is; and no
 * endpoint gets the host's.
 *
 * A link that is a port has no use for addresses of its own: the host would not be reached at them
 * any more. So a link with addresses is refused rather than cut off.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/parents.h"

#define ETHERNET_MTU 1500

static bool has_aux(const struct pool *pool, const char *name)
{
    for (size_t i = 0; i < pool->aux_count; i++)
        if (str_equal(pool->aux[i].name, name))
            return true;
    return false;
}

int aux_add(struct network *net, const char *name, const struct addr *addr, struct weft_error *err)
{
    struct pool *pool = (struct pool *)network_pool_of(net, addr);
    struct aux_address *grown;
    char text[32];

    if (!pool || !pool_is_usable(pool, addr) || pool_aux(pool, addr) ||
        addr_equal(addr, &pool->gateway))
        return 0;
    (void)snprintf(text, sizeof text, "%s", name);
    for (unsigned i = 2; has_aux(pool, text); i++)
        (void)snprintf(text, sizeof text, "%s-%u", name, i);
    grown = reallocarray(pool->aux, pool->aux_count + 1, sizeof *grown);
    if (!grown)
        return weft_oom(err);
    pool->aux = grown;
    grown[pool->aux_count] = (struct aux_address){.name = strdup(text), .addr = *addr};
    if (!grown[pool->aux_count].name)
        return weft_oom(err);
    pool->aux_count++;
    return 0;
}

/* ---- the addresses of a bridge that is there ---- */

/* own: an address of the host's on the bridge, with its length. */
static int take_address(struct network *net, const struct prefix *own, struct weft_error *err)
{
    int family = own->addr.family;
    struct pool *pool = (struct pool *)network_pool_of(net, &own->addr);

    if (!(family == AF_INET ? net->enable_ipv4 : net->enable_ipv6))
        return 0;
    if (!pool && !network_pool(net, family) && own->len < addr_bits(&own->addr)) {
        struct prefix subnet = prefix_network(own);

        pool = network_add_pool(net, &subnet);
        if (!pool)
            return weft_oom(err);
    }
    if (!pool)
        return 0;
    pool->gateway_found = true;
    if (!addr_is_set(&pool->gateway))
        pool->gateway = own->addr;
    return aux_add(net, HOST_AUX_NAME, &own->addr, err);
}

static int take_addresses(struct network *net, const char *bridge, const struct fact_set *links,
                          struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < links->count; i++) {
        const struct fact *fact = &links->facts[i];

        if (fact->kind == FACT_ADDR && !fact->ns && str_equal(fact->addr.link, bridge) &&
            !addr_is_link_local(&fact->addr.prefix.addr))
            r = take_address(net, &fact->addr.prefix, err);
    }
    return r;
}

/* Then the bridge's addresses say nothing, and the network is refused anyway. */
static bool is_in_use(const struct engine *e, const char *bridge)
{
    for (size_t i = 0; i < e->network_count; i++)
        if (str_equal(e->networks[i]->link, bridge))
            return true;
    return false;
}

int adopt_bridge(struct engine *e, struct network *net, struct weft_error *err)
{
    const char *name = network_option(net, OPTION_BRIDGE_NAME);
    _cleanup_fact_set_ struct fact_set links = {0};
    const struct fact *fact;
    int r;

    if (!str_equal(net->driver, "bridge") || !name || net->adopted || is_in_use(e, name))
        return 0;
    r = kernel_links(e->kernel, &links, err);
    fact = r < 0 ? NULL : host_link_find(&links, name);
    if (!fact || fact->owned)
        return r;
    if (fact->link.kind != LINK_BRIDGE) {
        /* weftd starts without its default bridge, and says so, when somebody has taken its name.
         */
        if (net->predefined)
            return 0;
        return weft_fail(err, WEFT_CONFLICT,
                         "network %s cannot have the bridge %s: there is a link of this name that "
                         "is no bridge",
                         net->name, name);
    }
    net->adopted = true;
    return network_has_own_pools(net) ? take_addresses(net, name, &links, err) : 0;
}

/* ---- the bridge's settings ---- */

static int check_adopted(struct network *net, const struct fact *bridge, struct weft_error *err)
{
    bool vlan_aware = network_option_bool(net, OPTION_VLAN_AWARE, false);

    if (!bridge)
        return weft_fail(err, WEFT_INVALID, "bridge %s of network %s has just gone", net->link,
                         net->name);
    if (!bridge->link.up)
        return weft_fail(err, WEFT_INVALID, "bridge %s of network %s is down: set it up first",
                         net->link, net->name);
    if (network_option(net, OPTION_STP))
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_STP " of network %s: bridge %s is not weft's and keeps "
                         "its settings",
                         net->name, net->link);
    if (vlan_aware && !bridge->link.vlan_aware)
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_VLAN_AWARE " of network %s: bridge %s is not weft's, and "
                         "it does not know VLANs",
                         net->name, net->link);
    if (network_option(net, OPTION_MTU) && (net->mtu ? net->mtu : ETHERNET_MTU) != bridge->link.mtu)
        return weft_fail(err, WEFT_INVALID,
                         "MTU %s of network %s: bridge %s is not weft's, and its MTU is %u",
                         network_option(net, OPTION_MTU), net->name, net->link, bridge->link.mtu);
    net->mtu = bridge->link.mtu == ETHERNET_MTU ? 0 : bridge->link.mtu;
    return 0;
}

/* ---- uplinks ---- */

static const char *link_address(const struct fact_set *links, const char *name,
                                char buf[static PREFIX_TEXT_MAX])
{
    for (size_t i = 0; i < links->count; i++) {
        const struct fact *fact = &links->facts[i];

        if (fact->kind == FACT_ADDR && str_equal(fact->addr.link, name) &&
            !(fact->addr.prefix.addr.family == AF_INET6 &&
              addr_is_link_local(&fact->addr.prefix.addr)))
            return prefix_format(&fact->addr.prefix, buf);
    }
    return NULL;
}

static int check_uplink_users(struct engine *e, const struct network *net, const char *uplink,
                              struct weft_error *err)
{
    for (size_t i = 0; i < e->network_count; i++) {
        const struct network *other = e->networks[i];
        bool is_parent = network_lies_on_parent(other) && str_equal(other->parent, uplink);

        if (is_parent || str_equal(network_option(other, OPTION_UPLINK), uplink))
            return weft_fail(err, WEFT_CONFLICT, "uplink %s of network %s is the %s of network %s",
                             uplink, net->name, is_parent ? "parent" : "uplink", other->name);
    }
    return 0;
}

static int check_uplink(struct engine *e, const struct network *net, const struct fact_set *links,
                        const char *uplink, struct weft_error *err)
{
    const struct fact *fact = host_link_find(links, uplink);
    char buf[PREFIX_TEXT_MAX];
    const char *addr;
    int r;

    if (!fact)
        return weft_fail(err, WEFT_INVALID,
                         "uplink %s of network %s is missing: the host has no such link", uplink,
                         net->name);
    r = check_uplink_users(e, net, uplink, err);
    if (r < 0)
        return r;
    if (fact->owned || fact->link.kind == LINK_BRIDGE || fact->link.kind == LINK_LOOPBACK)
        return weft_fail(err, WEFT_INVALID, "uplink %s of network %s is %s", uplink, net->name,
                         fact->owned                        ? "a link of weft's own"
                         : fact->link.kind == LINK_LOOPBACK ? "the loopback link"
                                                            : "a bridge itself");
    if (*fact->link.master)
        return weft_fail(err, WEFT_CONFLICT, "uplink %s of network %s is a port of %s", uplink,
                         net->name, fact->link.master);
    addr = link_address(links, uplink, buf);
    if (addr)
        return weft_fail(err, WEFT_CONFLICT,
                         "uplink %s of network %s has address %s, at which the host would not be "
                         "reached any more: take it away first",
                         uplink, net->name, addr);
    return 0;
}

int adopt_complete(struct engine *e, struct network *net, const struct fact_set *links,
                   struct weft_error *err)
{
    const char *uplink = network_option(net, OPTION_UPLINK);
    const struct fact *fact;
    int r = adopt_bridge(e, net, err);

    if (r == 0 && net->adopted && !net->predefined)
        r = check_adopted(net, host_link_find(links, net->link), err);
    if (r == 0 && uplink)
        r = check_uplink(e, net, links, uplink, err);
    fact = uplink ? host_link_find(links, uplink) : NULL;
    if (r == 0 && fact && !net->adopted && !network_option(net, OPTION_MTU))
        net->mtu = fact->link.mtu == ETHERNET_MTU ? 0 : fact->link.mtu;
    return r;
}
