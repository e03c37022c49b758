/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An endpoint costs three requests on the host and four or five in its namespace.
 *
 * Requests name a link wherever the kernel allows it. Addresses, routes and masters want an index,
 * which the kernel chooses when it makes the link; it is asked for when the operation is encoded.
 *
 * Three things can only be set on a link that exists, hence requests that follow its making: the
 * way it gets a link-local address (IFLA_AF_SPEC), which must be settled before the link goes up;
 * the MTU of a bridge, which otherwise follows its ports' (br_mtu_auto_adjust() in
 * net/bridge/br_if.c) and jumps to 1500 with the last of them gone; and whether a port is isolated,
 * which its bridge knows and the kernel takes only of a link that has a bridge already
 * (rtnl_changelink() in net/core/rtnetlink.c).
 */

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>

#include "base/str.h"
#include "kernel/rtnl.h"
#include "kernel/tc.h"

/* Below this MTU (IPV6_MIN_MTU) a link has no IPv6 at all, and nothing to say how its addresses are
 * made. */
#define IPV6_MTU_MIN 1280

/* What to set on a link that exists. */
struct settings {
    int master;            /* index, 0: none, -1: as it is */
    int isolated;          /* -1: as it is */
    int addr_gen_mode;     /* -1: as it is */
    int up;                /* -1: as it is */
    uint32_t mtu;          /* 0: as it is */
    const struct mac *mac; /* NULL: as it is */
};
static const struct settings nothing = {.master = -1,
                                        .isolated = -1,
                                        .addr_gen_mode = -1,
                                        .up = -1};

bool rtnl_handles(const struct op *op)
{
    return op->fact.kind == FACT_LINK || op->fact.kind == FACT_ADDR ||
           op->fact.kind == FACT_ROUTE || tc_handles(op);
}

/* Is it the making or removing of a link? Peers and loopbacks only have settings changed. */
static bool makes_or_removes_link(const struct op *op)
{
    const struct fact *f = &op->fact;

    return f->kind == FACT_LINK && op->verb != OP_CHANGE &&
           (f->link.kind == LINK_BRIDGE || f->link.kind == LINK_VETH);
}

bool rtnl_must_wait(const struct op *later, const struct op *earlier)
{
    const struct fact *f = &later->fact;
    const char *name = earlier->fact.link.name;

    if (!makes_or_removes_link(earlier))
        return false;
    switch (f->kind) {
    case FACT_LINK:
        return str_equal(f->link.name, name) || str_equal(f->link.master, name);
    case FACT_SHAPE:
        return str_equal(f->shape.link, name);
    case FACT_REDIRECT:
        return str_equal(f->redirect.link, name) || str_equal(f->redirect.to, name);
    case FACT_ADDR:
        return str_equal(f->addr.link, name);
    case FACT_ROUTE:
        return str_equal(f->route.link, name);
    default:
        return false;
    }
}

/* The index of a link, or -errno with a sentence. */
static int find_link(const struct rtnl_target *target, const char *name, struct weft_error *err)
{
    int index = netlink_link_index(target->nl, name);

    return index > 0 ? index : weft_fail_errno(err, index, "link %s", name);
}

static void put_mac(struct nlmsghdr *nlh, const struct mac *mac)
{
    if (mac_is_set(mac))
        mnl_attr_put(nlh, IFLA_ADDRESS, sizeof mac->bytes, mac->bytes);
}

static void put_mtu(struct nlmsghdr *nlh, uint32_t mtu)
{
    if (mtu)
        mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
}

static void put_addr_gen_mode(struct nlmsghdr *nlh, int mode)
{
    struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

    mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, (uint8_t)mode);
    mnl_attr_nest_end(nlh, inet6);
    mnl_attr_nest_end(nlh, spec);
}

static void put_isolated(struct nlmsghdr *nlh, bool isolated)
{
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

    mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
    data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
    mnl_attr_put_u8(nlh, IFLA_BRPORT_ISOLATED, isolated);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
}

/* Begins a request about a link; up is as in struct settings. */
static struct nlmsghdr *begin_link(struct netlink_batch *b, uint16_t type, uint16_t flags,
                                   const char *name, int up)
{
    struct nlmsghdr *nlh = netlink_batch_begin_request(b, type, flags);
    struct ifinfomsg *info;

    if (!nlh)
        return NULL;
    info = mnl_nlmsg_put_extra_header(nlh, sizeof *info);
    if (up >= 0)
        info->ifi_change = IFF_UP;
    if (up > 0)
        info->ifi_flags = IFF_UP;
    mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    return nlh;
}

/* The other end of a veth: a message in the message (struct ifinfomsg and attributes). */
static void put_veth_peer(struct nlmsghdr *nlh, const struct fact_link *link, int peer_ns)
{
    struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);

    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(nlh, IFLA_IFNAME, link->peer_name);
    mnl_attr_put_u32(nlh, IFLA_GROUP, FACT_LINK_GROUP);
    mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)peer_ns);
    put_mac(nlh, &link->peer_mac);
    put_mtu(nlh, link->mtu);
    mnl_attr_nest_end(nlh, peer);
    mnl_attr_nest_end(nlh, data);
}

static int encode_make(struct netlink_batch *b, const struct rtnl_target *target,
                       const struct fact_link *link, int up, struct weft_error *err)
{
    struct nlattr *info;
    struct nlmsghdr *nlh;
    int master = 0;

    if (*link->master)
        master = find_link(target, link->master, err);
    if (master < 0)
        return master;
    nlh = begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link->name, up);
    if (!nlh)
        return weft_oom(err);
    mnl_attr_put_u32(nlh, IFLA_GROUP, FACT_LINK_GROUP);
    put_mac(nlh, &link->mac);
    if (master)
        mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)master);
    if (link->kind == LINK_VETH)
        put_mtu(nlh, link->mtu);
    info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, link->kind == LINK_VETH ? "veth" : "bridge");
    if (link->kind == LINK_VETH)
        put_veth_peer(nlh, link, target->peer_ns);
    mnl_attr_nest_end(nlh, info);
    netlink_batch_end(b, nlh);
    return 0;
}

static int encode_settings(struct netlink_batch *b, const char *name, const struct settings *s,
                           struct weft_error *err)
{
    struct nlmsghdr *nlh;

    if (s->master >= 0 || s->addr_gen_mode >= 0 || s->mtu || s->mac) {
        nlh = begin_link(b, RTM_SETLINK, 0, name, -1);
        if (!nlh)
            return weft_oom(err);
        if (s->master >= 0)
            mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)s->master);
        put_mtu(nlh, s->mtu);
        if (s->mac)
            put_mac(nlh, s->mac);
        if (s->addr_gen_mode >= 0)
            put_addr_gen_mode(nlh, s->addr_gen_mode);
        netlink_batch_end(b, nlh);
    }
    if (s->isolated >= 0) {
        nlh = begin_link(b, RTM_NEWLINK, 0, name, -1);
        if (!nlh)
            return weft_oom(err);
        put_isolated(nlh, s->isolated);
        netlink_batch_end(b, nlh);
    }
    if (s->up >= 0) {
        nlh = begin_link(b, RTM_SETLINK, 0, name, s->up);
        if (!nlh)
            return weft_oom(err);
        netlink_batch_end(b, nlh);
    }
    return 0;
}

static int addr_gen_mode(const struct rtnl_target *target, const struct fact_link *link)
{
    if (!target->has_ipv6 || (link->mtu && link->mtu < IPV6_MTU_MIN))
        return -1;
    return link->no_autoconf ? IN6_ADDR_GEN_MODE_NONE : IN6_ADDR_GEN_MODE_EUI64;
}

static int encode_link_add(struct netlink_batch *b, const struct rtnl_target *target,
                           const struct fact_link *link, struct weft_error *err)
{
    bool make = link->kind == LINK_BRIDGE || link->kind == LINK_VETH;
    struct settings follow = nothing;
    int r;

    if (link->kind == LINK_OTHER)
        return weft_fail(err, WEFT_UNSUPPORTED, "links of this kind cannot be made");
    if (link->no_autoconf)
        follow.addr_gen_mode = addr_gen_mode(target, link);
    if (link->kind != LINK_VETH)
        follow.mtu = link->mtu;
    if (link->isolated)
        follow.isolated = true;
    /* Where nothing must be set before it goes up, it is born so. */
    if (link->up && !(make && follow.addr_gen_mode < 0 && follow.isolated < 0 && !follow.mtu))
        follow.up = true;
    if (!make)
        return encode_settings(b, link->name, &follow, err);
    /* The requests that follow go by name. They must not hit a stranger's link whose name kept ours
     * from being made. */
    if (netlink_link_index(target->nl, link->name) > 0)
        return weft_fail_errno(err, EEXIST, "link %s", link->name);
    r = encode_make(b, target, link, link->up && follow.up < 0 ? 1 : -1, err);
    return r < 0 ? r : encode_settings(b, link->name, &follow, err);
}

static int encode_link_change(struct netlink_batch *b, const struct rtnl_target *target,
                              const struct fact_link *link, const struct fact_link *old,
                              struct weft_error *err)
{
    struct settings s = nothing;

    if (!str_equal(link->master, old->master))
        s.master = *link->master ? find_link(target, link->master, err) : 0;
    if (s.master < -1)
        return s.master;
    /* A new port is not isolated. */
    if (*link->master && link->isolated != (old->isolated && s.master < 0))
        s.isolated = link->isolated;
    if (link->no_autoconf != old->no_autoconf)
        s.addr_gen_mode = addr_gen_mode(target, link);
    if (link->mtu != old->mtu)
        s.mtu = link->mtu;
    if (memcmp(&link->mac, &old->mac, sizeof link->mac) != 0)
        s.mac = &link->mac;
    if (link->up != old->up)
        s.up = link->up;
    return encode_settings(b, link->name, &s, err);
}

static int encode_link_remove(struct netlink_batch *b, const struct fact_link *link,
                              struct weft_error *err)
{
    struct settings down = nothing;
    struct nlmsghdr *nlh;

    if (link->kind == LINK_LOOPBACK || link->kind == LINK_VETH_PEER) {
        down.up = false;
        return encode_settings(b, link->name, &down, err);
    }
    nlh = begin_link(b, RTM_DELLINK, 0, link->name, -1);
    if (!nlh)
        return weft_oom(err);
    netlink_batch_end(b, nlh);
    return 0;
}

static int encode_addr(struct netlink_batch *b, const struct rtnl_target *target, bool add,
                       const struct fact_addr *addr, struct weft_error *err)
{
    const struct addr *a = &addr->prefix.addr;
    int index = find_link(target, addr->link, err);
    struct ifaddrmsg *ifa;
    struct nlmsghdr *nlh;

    if (index < 0)
        return index;
    nlh = netlink_batch_begin_request(b, add ? RTM_NEWADDR : RTM_DELADDR,
                                      add ? NLM_F_CREATE | NLM_F_EXCL : 0);
    if (!nlh)
        return weft_oom(err);
    ifa = mnl_nlmsg_put_extra_header(nlh, sizeof *ifa);
    ifa->ifa_family = a->family;
    ifa->ifa_prefixlen = addr->prefix.len;
    ifa->ifa_index = (unsigned)index;
    if (addr_is_loopback(a))
        ifa->ifa_scope = RT_SCOPE_HOST;
    /* Addresses are allocated, not guessed: looking for a duplicate would only delay their use by a
     * second. */
    if (a->family == AF_INET6)
        ifa->ifa_flags = IFA_F_NODAD;
    mnl_attr_put(nlh, IFA_LOCAL, addr_size(a), a->bytes);
    mnl_attr_put(nlh, IFA_ADDRESS, addr_size(a), a->bytes);
    netlink_batch_end(b, nlh);
    return 0;
}

/* As ip-route(8) chooses it: IPv4 routes without a gateway reach only the link; removing asks for
 * any scope. */
static uint8_t route_scope(const struct fact_route *route, enum op_verb verb)
{
    if (route->destination.addr.family == AF_INET6)
        return RT_SCOPE_UNIVERSE;
    if (verb == OP_REMOVE)
        return RT_SCOPE_NOWHERE;
    return addr_is_set(&route->via) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

static int encode_route(struct netlink_batch *b, const struct rtnl_target *target,
                        enum op_verb verb, const struct fact_route *route, struct weft_error *err)
{
    /* A changed route has its predecessor's destination and metric, hence replaces it without a
     * gap. */
    static const uint16_t flags[] = {
        [OP_ADD] = NLM_F_CREATE | NLM_F_EXCL, [OP_CHANGE] = NLM_F_REPLACE, [OP_REMOVE] = 0};
    const struct prefix *dst = &route->destination;
    int index = find_link(target, route->link, err);
    struct nlmsghdr *nlh;
    struct rtmsg *rtm;

    if (index < 0)
        return index;
    nlh = netlink_batch_begin_request(b, verb == OP_REMOVE ? RTM_DELROUTE : RTM_NEWROUTE,
                                      flags[verb]);
    if (!nlh)
        return weft_oom(err);
    rtm = mnl_nlmsg_put_extra_header(nlh, sizeof *rtm);
    rtm->rtm_family = dst->addr.family;
    rtm->rtm_dst_len = dst->len;
    rtm->rtm_table = RT_TABLE_MAIN;
    rtm->rtm_protocol = FACT_ROUTE_PROTOCOL;
    rtm->rtm_scope = route_scope(route, verb);
    rtm->rtm_type = RTN_UNICAST;
    if (dst->len)
        mnl_attr_put(nlh, RTA_DST, addr_size(&dst->addr), dst->addr.bytes);
    if (addr_is_set(&route->via))
        mnl_attr_put(nlh, RTA_GATEWAY, addr_size(&route->via), route->via.bytes);
    mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)index);
    if (route->metric)
        mnl_attr_put_u32(nlh, RTA_PRIORITY, route->metric);
    netlink_batch_end(b, nlh);
    return 0;
}

int rtnl_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
                struct weft_error *err)
{
    const struct fact *f = &op->fact;

    switch (f->kind) {
    case FACT_LINK:
        if (op->verb == OP_ADD)
            return encode_link_add(b, target, &f->link, err);
        if (op->verb == OP_CHANGE)
            return encode_link_change(b, target, &f->link, &op->old.link, err);
        return encode_link_remove(b, &f->link, err);
    case FACT_ADDR:
        return encode_addr(b, target, op->verb != OP_REMOVE, &f->addr, err);
    case FACT_ROUTE:
        return encode_route(b, target, op->verb, &f->route, err);
    case FACT_SHAPE:
    case FACT_REDIRECT:
        return tc_encode(b, target, op, err);
    default:
        return weft_fail(err, WEFT_INTERNAL, "not an operation of rtnetlink");
    }
}
