/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An endpoint costs three requests on the host and four or five in its namespace.
 *
 * Requests name a link wherever the kernel allows it. Addresses, routes and masters want an index,
 * which the kernel chooses when it makes the link; it is asked for when the operation is encoded.
 */

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "kernel/rtnl_link.h"
#include "kernel/tc.h"

bool rtnl_handles(const struct op *op)
{
    return op->fact.kind == FACT_LINK || op->fact.kind == FACT_ADDR ||
           op->fact.kind == FACT_ROUTE || tc_handles(op);
}

/* Both are made abroad under one name, until they get their own. */
static bool share_unborn_name(const struct op *a, const struct op *b)
{
    char name[IFNAMSIZ], other[IFNAMSIZ];

    if (!rtnl_begins_abroad(a) || !rtnl_begins_abroad(b))
        return false;
    link_unborn_name(a->fact.link.name, name);
    link_unborn_name(b->fact.link.name, other);
    return str_equal(name, other);
}

bool rtnl_must_wait(const struct op *later, const struct op *earlier)
{
    const struct fact *f = &later->fact;
    const char *name = earlier->fact.link.name;

    if (!rtnl_link_comes_or_goes(earlier))
        return false;
    switch (f->kind) {
    case FACT_LINK:
        return str_equal(f->link.name, name) || str_equal(f->link.master, name) ||
               str_equal(f->link.parent, name) || share_unborn_name(later, earlier);
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

int rtnl_find_link(const struct netlink *nl, const char *name, struct weft_error *err)
{
    int index = netlink_link_index(nl, name);

    return index > 0 ? index : weft_fail_errno(err, index, "link %s", name);
}

static int encode_addr(struct netlink_batch *b, const struct rtnl_target *target, bool add,
                       const struct fact_addr *addr, struct weft_error *err)
{
    const struct addr *a = &addr->prefix.addr;
    int index = rtnl_find_link(target->nl, addr->link, err);
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
    int index = rtnl_find_link(target->nl, route->link, err);
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
                enum rtnl_phase phase, struct weft_error *err)
{
    const struct fact *f = &op->fact;

    if (f->kind == FACT_LINK)
        return rtnl_link_encode(b, target, op, phase, err);
    if (phase != RTNL_HOME)
        return 0;
    switch (f->kind) {
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
