/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Links refer to each other by index: the master of a port, the other end of a veth, the parent of
 * a macvlan. Indices become names when all links of a namespace have been read, and veth ends find
 * each other when all namespaces have: the host's end tells the index of the other one, and in
 * which namespace it is by the number (nsid) that the host has for it. Parents are links of the
 * host, whose links are read first; a link in another namespace tells so by the number which that
 * one has for the host.
 */

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/local_addrs.h"
#include "kernel/rtnl_link.h"
#include "kernel/tc.h"

#define REQUEST_SIZE 64

/* What the kernel makes of an IPv6 route without a metric (IP6_RT_PRIO_USER). */
#define IPV6_METRIC_DEFAULT 1024

struct observation {
    const struct kstate_ns *ns;
    unsigned ns_number;
    const struct fact_set *desired;
    struct rtnl_links *links;
    size_t first_link;
    struct fact_set *facts;
    size_t fact_count; /* before the dump that is running */
    bool has_vlans;    /* some bridge is aware of them */
};

/* An interrupted dump starts over: forget what it gave. */
static void forget_facts(void *ctx)
{
    struct observation *o = ctx;

    o->facts->count = o->fact_count;
}

static void forget_links(void *ctx)
{
    struct observation *o = ctx;

    o->links->count = o->first_link;
    forget_facts(ctx);
}

static int add_link(struct rtnl_links *links, const struct rtnl_link *link)
{
    if (links->count == links->capacity) {
        size_t capacity = links->capacity ? 2 * links->capacity : 16;
        struct rtnl_link *grown = reallocarray(links->links, capacity, sizeof *grown);

        if (!grown)
            return -ENOMEM;
        links->links = grown;
        links->capacity = capacity;
    }
    links->links[links->count++] = *link;
    return 0;
}

static int compare_links(const void *left, const void *right)
{
    const struct rtnl_link *a = left, *b = right;

    if (a->ns != b->ns)
        return a->ns < b->ns ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

static const struct rtnl_link *find_link(const struct rtnl_links *links, unsigned ns, int index)
{
    struct rtnl_link key = {.ns = ns, .index = index};

    if (!links->count)
        return NULL;
    return bsearch(&key, links->links, links->count, sizeof key, compare_links);
}

static int take_link(void *ctx, const struct nlmsghdr *nlh)
{
    struct observation *o = ctx;
    struct fact fact = {.kind = FACT_LINK, .ns = o->ns};
    struct rtnl_link ends = {.ns = o->ns_number, .fact = o->facts->count};
    int r;

    if (rtnl_link_read(nlh, &fact, &ends) < 0)
        return 0;
    o->has_vlans |= fact.link.vlan_aware;
    r = add_link(o->links, &ends);
    return r < 0 ? r : fact_set_add(o->facts, &fact);
}

static int observe_links(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    int r;

    nlh->nlmsg_type = RTM_GETLINK;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    r = netlink_dump(nl, nlh, take_link, forget_links, o, err);
    if (r < 0)
        return r;
    qsort(o->links->links + o->first_link, o->links->count - o->first_link, sizeof *o->links->links,
          compare_links);
    for (size_t i = o->first_link; i < o->links->count; i++) {
        const struct rtnl_link *port = &o->links->links[i];
        const struct rtnl_link *master = find_link(o->links, o->ns_number, port->master);

        if (master)
            memcpy(o->facts->facts[port->fact].link.master, o->facts->facts[master->fact].link.name,
                   IFNAMSIZ);
    }
    return 0;
}

static int take_port_vlans(void *ctx, const struct nlmsghdr *nlh)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
    struct observation *o = ctx;
    const struct rtnl_link *port;
    const struct nlattr *attr;

    if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof *info)
        return 0;
    port = find_link(o->links, o->ns_number, info->ifi_index);
    if (!port || !port->master)
        return 0;
    mnl_attr_for_each(attr, nlh, sizeof *info)
    {
        if (mnl_attr_get_type(attr) == IFLA_AF_SPEC)
            rtnl_read_port_vlans(attr, &o->facts->facts[port->fact].link);
    }
    return 0;
}

static void forget_nothing(void *ctx _unused_)
{
}

static int observe_port_vlans(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    struct ifinfomsg *info;

    nlh->nlmsg_type = RTM_GETLINK;
    info = mnl_nlmsg_put_extra_header(nlh, sizeof *info);
    info->ifi_family = AF_BRIDGE;
    mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
    return netlink_dump(nl, nlh, take_port_vlans, forget_nothing, o, err);
}

/* The name of the link with this index; NULL when it came after the links were read. */
static const char *link_name(const struct observation *o, int index)
{
    const struct rtnl_link *link = find_link(o->links, o->ns_number, index);

    return link ? o->facts->facts[link->fact].link.name : NULL;
}

static bool is_desired(const struct observation *o, const struct fact *fact)
{
    for (size_t i = 0; i < o->desired->count; i++)
        if (fact_compare_key(fact, &o->desired->facts[i]) == 0)
            return true;
    return false;
}

static int take_addr(void *ctx, const struct nlmsghdr *nlh)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    struct observation *o = ctx;
    struct fact fact = {.kind = FACT_ADDR, .ns = o->ns};
    const char *name;

    if (nlh->nlmsg_type != RTM_NEWADDR || local_addrs_parse(nlh, &fact.addr.prefix) < 0)
        return 0;
    name = link_name(o, (int)ifa->ifa_index);
    if (!name)
        return 0;
    (void)str_copy(fact.addr.link, sizeof fact.addr.link, name);
    /* The kernel's own link-local addresses come and go as it likes. */
    if (addr_is_link_local(&fact.addr.prefix.addr) && !is_desired(o, &fact))
        return 0;
    return fact_set_add(o->facts, &fact);
}

static int observe_addrs(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);

    nlh->nlmsg_type = RTM_GETADDR;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
    o->fact_count = o->facts->count;
    return netlink_dump(nl, nlh, take_addr, forget_facts, o, err);
}

static int take_route(void *ctx, const struct nlmsghdr *nlh)
{
    struct observation *o = ctx;
    struct fact fact = {.kind = FACT_ROUTE, .ns = o->ns};
    struct rtnl_route route;
    const char *name;

    if (rtnl_parse_route(nlh, &route) < 0 || route.type != RTN_UNICAST)
        return 0;
    name = link_name(o, route.oif);
    if (!name)
        return 0;
    fact.owned = route.protocol == FACT_ROUTE_PROTOCOL;
    fact.route.destination = route.destination;
    fact.route.via = route.via;
    fact.route.metric = route.metric;
    if (route.destination.addr.family == AF_INET6 && route.metric == IPV6_METRIC_DEFAULT)
        fact.route.metric = 0;
    (void)str_copy(fact.route.link, sizeof fact.route.link, name);
    return fact_set_add(o->facts, &fact);
}

int rtnl_observe(struct netlink *nl, const struct kstate_ns *ns, unsigned ns_number,
                 const struct fact_set *desired, struct rtnl_links *links, struct fact_set *ret,
                 struct weft_error *err)
{
    struct observation o = {.ns = ns,
                            .ns_number = ns_number,
                            .desired = desired,
                            .links = links,
                            .first_link = links->count,
                            .facts = ret,
                            .fact_count = ret->count};
    int r = observe_links(nl, &o, err);

    if (r >= 0 && o.has_vlans)
        r = observe_port_vlans(nl, &o, err);
    if (r >= 0)
        r = tc_observe(nl, ns, ns_number, links, ret, err);
    if (r >= 0)
        r = observe_addrs(nl, &o, err);
    if (r < 0)
        return r;
    o.fact_count = ret->count;
    return rtnl_dump_routes(nl, RT_TABLE_MAIN, take_route, forget_facts, &o, err);
}

/* The number of the namespace that the host knows as nsid; 0 (the host) for none of them. */
static unsigned find_ns(const int *nsids, size_t count, int nsid)
{
    for (size_t i = 0; i < count; i++)
        if (nsids[i] == nsid)
            return (unsigned)i + 1;
    return 0;
}

static bool lies_on_parent(const struct fact_link *link)
{
    return link->kind == LINK_VLAN || link->kind == LINK_MACVLAN || link->kind == LINK_IPVLAN;
}

/* Only for those that need it is the kernel asked by which number their namespace knows the host.
 */
int rtnl_name_parents(struct netlink *nl, int host_ns, unsigned ns_number,
                      const struct rtnl_links *links, struct fact_set *facts,
                      struct weft_error *err)
{
    int host_nsid = ns_number ? -2 : -1;

    for (size_t i = links->count; i-- > 0 && links->links[i].ns == ns_number;) {
        const struct rtnl_link *link = &links->links[i], *parent;
        struct fact_link *to = &facts->facts[link->fact].link;
        int r = 0;

        if (!lies_on_parent(to))
            continue;
        if (host_nsid == -2)
            r = rtnl_nsid(nl, host_ns, &host_nsid, err);
        if (r < 0)
            return r;
        parent = link->peer_nsid == host_nsid ? find_link(links, 0, link->peer_index) : NULL;
        if (parent && (link->peer_nsid >= 0 || !ns_number))
            memcpy(to->parent, facts->facts[parent->fact].link.name, IFNAMSIZ);
    }
    return 0;
}

static void set_peer(struct fact_link *link, const struct fact *peer)
{
    link->peer_ns = peer->ns;
    memcpy(link->peer_name, peer->link.name, IFNAMSIZ);
}

void rtnl_pair_links(const struct rtnl_links *links, const int *nsids, size_t count,
                     struct fact_set *facts)
{
    for (size_t i = 0; i < links->count && links->links[i].ns == 0; i++) {
        const struct rtnl_link *end = &links->links[i], *peer;
        struct fact *fact = &facts->facts[end->fact], *peer_fact;
        unsigned ns = end->peer_nsid < 0 ? 0 : find_ns(nsids, count, end->peer_nsid);

        if (fact->link.kind != LINK_VETH || (end->peer_nsid >= 0 && !ns))
            continue;
        peer = find_link(links, ns, end->peer_index);
        if (!peer)
            continue;
        peer_fact = &facts->facts[peer->fact];
        set_peer(&fact->link, peer_fact);
        fact->link.peer_mac = peer_fact->link.mac;
        if (ns)
            set_peer(&peer_fact->link, fact);
    }
}
