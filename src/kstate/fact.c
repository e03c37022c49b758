/* SPDX-License-Identifier: Apache-2.0 */
#include "kstate/fact.h"

#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* What the kernel makes of an IPv6 route without metric (IP6_RT_PRIO_USER in linux/ipv6_route.h).
 */
#define IPV6_DEFAULT_METRIC 1024

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int kstate_ns_compare(const struct kstate_ns *a, const struct kstate_ns *b)
{
    if (!a || !b)
        return compare_numbers(a != NULL, b != NULL);
    return a == b ? 0 : strcmp(a->id, b->id);
}

bool kstate_ns_equal(const struct kstate_ns *a, const struct kstate_ns *b)
{
    return kstate_ns_compare(a, b) == 0;
}

static int compare_prefixes(const struct prefix *a, const struct prefix *b)
{
    int c = addr_compare(&a->addr, &b->addr);

    return c ? c : compare_numbers(a->len, b->len);
}

static uint32_t effective_metric(const struct fact_route *route)
{
    if (route->metric == 0 && route->destination.addr.family == AF_INET6)
        return IPV6_DEFAULT_METRIC;
    return route->metric;
}

static int compare_routes(const struct fact_route *a, const struct fact_route *b)
{
    int c = compare_prefixes(&a->destination, &b->destination);

    return c ? c : compare_numbers(effective_metric(a), effective_metric(b));
}

static int compare_addresses(const struct fact_addr *a, const struct fact_addr *b)
{
    int c = strcmp(a->link, b->link);

    return c ? c : compare_prefixes(&a->prefix, &b->prefix);
}

static int compare_fields(const struct nft_field *a, const struct nft_field *b)
{
    if (a->type != b->type)
        return compare_numbers(a->type, b->type);
    switch (a->type) {
    case NFT_FIELD_NONE:
        return 0;
    case NFT_FIELD_IFNAME:
        return strcmp(a->ifname, b->ifname);
    case NFT_FIELD_ADDR:
        return addr_compare(&a->addr, &b->addr);
    case NFT_FIELD_MAC:
        return memcmp(a->mac.bytes, b->mac.bytes, sizeof a->mac.bytes);
    case NFT_FIELD_PORT:
    case NFT_FIELD_PROTO:
    case NFT_FIELD_FAMILY:
        return compare_numbers(a->number, b->number);
    }
    return 0;
}

static int compare_tuples(const struct nft_field *a, const struct nft_field *b)
{
    int c = 0;

    for (size_t i = 0; i < FACT_NFT_FIELDS && c == 0; i++)
        c = compare_fields(&a[i], &b[i]);
    return c;
}

static int compare_elements(const struct fact_nft_elem *a, const struct fact_nft_elem *b)
{
    int c = compare_numbers(a->table, b->table);

    if (c == 0)
        c = strcmp(a->set, b->set);
    return c ? c : compare_tuples(a->key, b->key);
}

static int compare_accepts(const struct fact_nft_accept *a, const struct fact_nft_accept *b)
{
    int c = compare_numbers(a->chain.family, b->chain.family);

    if (c == 0)
        c = strcmp(a->chain.table, b->chain.table);
    if (c == 0)
        c = strcmp(a->chain.name, b->chain.name);
    return c ? c : compare_numbers(a->outgoing, b->outgoing);
}

bool nft_chain_is_iptables(const struct nft_chain *chain)
{
    return (chain->family == NFPROTO_IPV4 || chain->family == NFPROTO_IPV6) &&
           str_equal(chain->name, "FORWARD") &&
           (str_equal(chain->table, "filter") || str_equal(chain->table, "mangle") ||
            str_equal(chain->table, "security"));
}

int fact_compare_key(const struct fact *a, const struct fact *b)
{
    int c = compare_numbers(a->kind, b->kind);

    if (c == 0)
        c = kstate_ns_compare(a->ns, b->ns);
    if (c)
        return c;
    switch (a->kind) {
    case FACT_LINK:
        return strcmp(a->link.name, b->link.name);
    case FACT_SHAPE:
        return strcmp(a->shape.link, b->shape.link);
    case FACT_REDIRECT:
        return strcmp(a->redirect.link, b->redirect.link);
    case FACT_SYSCTL:
        return strcmp(a->sysctl.path, b->sysctl.path);
    case FACT_ADDR:
        return compare_addresses(&a->addr, &b->addr);
    case FACT_ROUTE:
        return compare_routes(&a->route, &b->route);
    case FACT_NFT_ELEM:
        return compare_elements(&a->elem, &b->elem);
    case FACT_NFT_ACCEPT:
        return compare_accepts(&a->accept, &b->accept);
    case FACT_NETNS:
    case FACT_RESOLVER:
    case FACT_NFT_BASE:
    case FACT_KIND_COUNT:
        break;
    }
    return 0;
}

void link_unborn_name(const char *name, char ret[static IFNAMSIZ])
{
    (void)snprintf(ret, IFNAMSIZ, FACT_UNBORN_PREFIX "%.*s",
                   (int)(IFNAMSIZ - sizeof FACT_UNBORN_PREFIX), name);
}

static bool text_satisfies(const char *seen, const char *desired)
{
    return !*desired || str_equal(seen, desired);
}

static bool number_satisfies(uint32_t seen, uint32_t desired)
{
    return !desired || seen == desired;
}

/* The VLAN of a VLAN interface is its own, not one that it is in as a port. */
static uint16_t port_vlan(const struct fact_link *link)
{
    return link->kind == LINK_VLAN ? 0 : link->vlan;
}

/* Who becomes a port comes without the VLANs that it had at another bridge. Joining a trunk, or
 * leaving it, touches the VLAN that the port is in if that is one of the trunk's. */
struct link_vlan_change link_vlan_change(const struct fact_link *to, const struct fact_link *from)
{
    struct link_vlan_change change = {0};
    bool is_new = !str_equal(to->master, from->master);
    uint16_t vlan = port_vlan(to);

    if (!*to->master)
        return change;
    if (vlan && (is_new || vlan != port_vlan(from)))
        change.leave = LINK_VLAN_DEFAULT;
    else if (!is_new && from->trunk && !to->trunk)
        change.leave = LINK_TRUNK_FIRST;
    change.becomes_trunk = to->trunk && (is_new || !from->trunk || change.leave);
    if (change.leave == LINK_VLAN_DEFAULT ||
        ((change.leave || change.becomes_trunk) && vlan >= LINK_TRUNK_FIRST))
        change.join = vlan;
    return change;
}

static bool link_satisfies(const struct fact_link *seen, const struct fact_link *desired)
{
    return seen->up >= desired->up && seen->no_autoconf >= desired->no_autoconf &&
           seen->isolated >= desired->isolated && seen->hairpin >= desired->hairpin &&
           seen->stp >= desired->stp && seen->vlan_aware >= desired->vlan_aware &&
           seen->trunk >= desired->trunk && text_satisfies(seen->master, desired->master) &&
           text_satisfies(seen->parent, desired->parent) &&
           number_satisfies(seen->mode, desired->mode) &&
           number_satisfies(seen->port_mode, desired->port_mode) &&
           number_satisfies(seen->vlan, desired->vlan) &&
           number_satisfies(seen->mtu, desired->mtu) &&
           (!mac_is_set(&desired->mac) || mac_equal(&seen->mac, &desired->mac));
}

/* The kernel keeps a burst as the time that it takes at its rate, in steps of 64 ns: what is read
 * may be less by what passes in one. */
static bool shape_satisfies(const struct fact_shape *seen, const struct fact_shape *desired)
{
    uint64_t step = desired->rate / 8 * 64 / 1000000000 + 2; /* bytes */

    return seen->rate == desired->rate && seen->burst + step >= desired->burst &&
           desired->burst + step >= seen->burst;
}

bool fact_satisfies(const struct fact *seen, const struct fact *desired)
{
    switch (desired->kind) {
    case FACT_NFT_BASE:
        return str_equal(seen->base.version, desired->base.version) && !seen->base.tampered;
    case FACT_LINK:
        return link_satisfies(&seen->link, &desired->link);
    case FACT_SHAPE:
        return shape_satisfies(&seen->shape, &desired->shape);
    case FACT_REDIRECT:
        return str_equal(seen->redirect.to, desired->redirect.to);
    case FACT_SYSCTL:
        return str_equal(seen->sysctl.value, desired->sysctl.value);
    case FACT_ROUTE:
        return addr_equal(&seen->route.via, &desired->route.via) &&
               str_equal(seen->route.link, desired->route.link);
    case FACT_NFT_ELEM:
        return compare_tuples(seen->elem.data, desired->elem.data) == 0;
    case FACT_NETNS:
    case FACT_RESOLVER:
    case FACT_ADDR:
    case FACT_NFT_ACCEPT:
    case FACT_KIND_COUNT:
        break;
    }
    return true; /* all key */
}
