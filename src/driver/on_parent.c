/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 * An endpoint's interface lies on a link of the host's, the network's parent, and speaks directly
 * to the network that the parent is on. So there is nothing of the host's in between: no address of
 * the host's, no firewall, no port to publish. The router is the network's own.
 *
 * The parent is the user's, or made by weft: a VLAN interface called as its link with the id behind
 * a dot, or, for a network without parent, an ifb. What its endpoints send to the ifb goes nowhere;
 * what they send to each other never gets there.
 *
 * What the host itself sends by the parent does not reach the endpoints: the kernel never hands it
 * back. Where the host is to reach them it gets a link of its own beside theirs, with an address of
 * its own. The network's subnet usually is that of the host's parent, too, so each endpoint's
 * address gets a route that is narrower than any other.
 */

#include "driver/on_parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/wire.h"
#include "model/option.h"

const char *parent_split(const char *name, char lower[static IFNAMSIZ])
{
    const char *dot = strrchr(name, '.');

    if (!dot || dot == name || !dot[1] || strlen(name) >= IFNAMSIZ)
        return NULL;
    (void)snprintf(lower, IFNAMSIZ, "%.*s", (int)(dot - name), name);
    return dot + 1;
}

uint16_t parent_vlan(const char *name)
{
    char lower[IFNAMSIZ];
    const char *text = parent_split(name, lower);
    int64_t id;

    return text && str_to_i64(text, VLAN_MIN, VLAN_MAX, &id) == 0 ? (uint16_t)id : 0;
}

int on_parent_prepare(struct network *net, struct weft_error *err)
{
    const char *parent = network_option(net, OPTION_PARENT), *mtu = network_option(net, OPTION_MTU);
    int64_t bytes = 0;

    if (mtu && str_to_i64(mtu, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &bytes) < 0)
        return weft_fail(err, WEFT_INVALID, "MTU %s of network %s is not a number from %d to %d",
                         mtu, net->name, NETWORK_MTU_MIN, NETWORK_MTU_MAX);
    net->mtu = (unsigned)bytes;
    if (!str_is_empty(parent))
        return str_copy(net->parent, sizeof net->parent, parent);
    (void)snprintf(net->parent, sizeof net->parent, "dm-%.*s", ID_SHORT, net->id);
    net->internal = true;
    return 0;
}

int on_parent_check_endpoint(const struct network *net, const struct endpoint_want *want,
                             struct weft_error *err)
{
    _cleanup_free_ char *owner = str_printf("the endpoint on network %s", net->name);

    if (!owner)
        return weft_oom(err);
    if (options_check(OPTION_SCOPE_ENDPOINT, net->driver, owner, &want->driver_opts, err) < 0)
        return -EINVAL;
    return wire_check_endpoint(net, want, err);
}

/* ---- rendering ---- */

static int add_made_parent(struct fact_set *out, const struct network *net)
{
    struct fact fact = {.kind = FACT_LINK, .link = {.up = true, .no_autoconf = true}};

    (void)str_copy(fact.link.name, sizeof fact.link.name, net->parent);
    if (str_is_empty(network_option(net, OPTION_PARENT))) {
        fact.link.kind = LINK_IFB;
        fact.link.mtu = net->mtu;
    } else {
        fact.link.kind = LINK_VLAN;
        fact.link.vlan = parent_vlan(net->parent);
        (void)parent_split(net->parent, fact.link.parent);
    }
    return fact_set_add(out, &fact);
}

static int add_child(struct fact_set *out, const struct network *net, const struct fact_link *like,
                     const struct kstate_ns *ns, const char *name, const struct mac *mac)
{
    struct fact fact = {.kind = FACT_LINK, .ns = ns, .link = *like};

    fact.link.up = true;
    fact.link.mac = *mac;
    (void)str_copy(fact.link.name, sizeof fact.link.name, name);
    (void)str_copy(fact.link.parent, sizeof fact.link.parent, net->parent);
    return fact_set_add(out, &fact);
}

/* The host's own link. Only macvlan links have a MAC of their own. */
static int add_access(struct fact_set *out, const struct network *net, const struct fact_link *like)
{
    struct addr addrs[] = {network_access_addr(net, AF_INET), network_access_addr(net, AF_INET6)};
    const struct addr *first = addr_is_set(&addrs[0]) ? &addrs[0] : &addrs[1];
    struct mac mac = like->kind == LINK_MACVLAN ? mac_from_addr(first) : (struct mac){0};
    struct fact_link link = *like;
    char name[IFNAMSIZ];
    int r;

    network_access_link(net, name);
    link.mtu = net->mtu;
    link.no_autoconf = !addr_is_set(&addrs[1]);
    r = add_child(out, net, &link, NULL, name, &mac);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(addrs); i++)
        if (addr_is_set(&addrs[i]))
            r = wire_add_addr(out, NULL, name, &addrs[i], (uint8_t)addr_bits(&addrs[i]));
    return r;
}

int on_parent_render_network(const struct network *net, const struct fact_link *like,
                             struct fact_set *out)
{
    int r = net->made_parent ? add_made_parent(out, net) : 0;

    return r == 0 && network_has_access(net) ? add_access(out, net, like) : r;
}

/* The host's way to an address of the endpoint. */
static int add_way(struct fact_set *out, const struct network *net, const struct addr *addr)
{
    struct fact fact = {.kind = FACT_ROUTE};
    struct addr own = network_access_addr(net, addr->family);

    if (!addr_is_set(addr) || !addr_is_set(&own))
        return 0;
    fact.route.destination = (struct prefix){*addr, (uint8_t)addr_bits(addr)};
    network_access_link(net, fact.route.link);
    return fact_set_add(out, &fact);
}

int on_parent_render_endpoint(const struct endpoint *ep, const struct fact_link *like,
                              const struct kstate_ns *ns, struct fact_set *out)
{
    const struct network *net = ep->network;
    struct fact_link link = *like;
    int r;

    link.mtu = ep->given.mtu ? ep->given.mtu : net->mtu;
    link.no_autoconf = !net->enable_ipv6;
    r = add_child(out, net, &link, ns, ep->ifname, &ep->mac);
    if (r == 0)
        r = wire_render_interface(ep, ns, out);
    if (r == 0)
        r = add_way(out, net, &ep->ipv4);
    return r < 0 ? r : add_way(out, net, &ep->ipv6);
}
