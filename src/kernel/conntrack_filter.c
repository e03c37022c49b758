/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Removal by filter: what a filter names must all fit. So a match of an address takes two filters,
 * and one of a port of the host takes one for each of the host's addresses.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include "kernel/conntrack_work.h"

/* More walks than this cost more than a dump. */
#define FILTERS_MAX 8

/* Which parts of a tuple a filter speaks of (CTA_FILTER_F_… in the kernel's nf_internals.h). */
#define FILTER_IP_SRC (1u << 0)
#define FILTER_IP_DST (1u << 1)
#define FILTER_PROTO_NUM (1u << 3)
#define FILTER_PROTO_DST_PORT (1u << 5)
#define FILTER_SERVICE (FILTER_IP_DST | FILTER_PROTO_NUM | FILTER_PROTO_DST_PORT)

/* Of the kernel's filters (ctnetlink_filter_match_tuple), those with IPv6 addresses fit everything
 * but that address, and ports are only looked at in TCP and UDP. */
static bool is_filterable(const struct conntrack_match *m)
{
    return m->addr.family == AF_INET &&
           (m->kind == CONNTRACK_ADDRESS || m->proto == IPPROTO_TCP || m->proto == IPPROTO_UDP);
}

static int put_filter(struct conntrack_work *w, enum ctattr_type tuple, const struct addr *addr,
                      const struct conntrack_match *service)
{
    uint32_t flags = service ? FILTER_SERVICE : FILTER_IP_SRC;
    struct nlmsghdr *nlh = conntrack_begin_delete(w);
    struct nlattr *outer, *inner;

    if (!nlh)
        return -ENOMEM;
    outer = mnl_attr_nest_start(nlh, tuple);
    inner = mnl_attr_nest_start(nlh, CTA_TUPLE_IP);
    mnl_attr_put(nlh, service ? CTA_IP_V4_DST : CTA_IP_V4_SRC, addr_size(addr), addr->bytes);
    mnl_attr_nest_end(nlh, inner);
    if (service) {
        inner = mnl_attr_nest_start(nlh, CTA_TUPLE_PROTO);
        mnl_attr_put_u8(nlh, CTA_PROTO_NUM, service->proto);
        mnl_attr_put_u16(nlh, CTA_PROTO_DST_PORT, htons(service->port));
        mnl_attr_nest_end(nlh, inner);
    }
    mnl_attr_nest_end(nlh, outer);
    outer = mnl_attr_nest_start(nlh, CTA_FILTER);
    mnl_attr_put_u32(nlh, CTA_FILTER_ORIG_FLAGS, tuple == CTA_TUPLE_ORIG ? flags : 0);
    mnl_attr_put_u32(nlh, CTA_FILTER_REPLY_FLAGS, tuple == CTA_TUPLE_REPLY ? flags : 0);
    mnl_attr_nest_end(nlh, outer);
    netlink_batch_end(&w->batch, nlh);
    return 0;
}

static int put_filters(struct conntrack_work *w, const struct conntrack_match *m)
{
    int r = 0;

    if (m->kind == CONNTRACK_ADDRESS) {
        r = put_filter(w, CTA_TUPLE_ORIG, &m->addr, NULL);
        return r < 0 ? r : put_filter(w, CTA_TUPLE_REPLY, &m->addr, NULL);
    }
    if (!conntrack_match_is_any(m))
        return put_filter(w, CTA_TUPLE_ORIG, &m->addr, m);
    for (size_t i = 0; i < w->local->count && r >= 0; i++)
        if (w->local->addrs[i].family == w->family)
            r = put_filter(w, CTA_TUPLE_ORIG, &w->local->addrs[i], m);
    return r;
}

int conntrack_forget_by_filter(struct conntrack_work *w, struct weft_error *err)
{
    int r;

    netlink_batch_reset(&w->batch, w->nl);
    for (size_t i = 0; i < w->count; i++) {
        if (!is_filterable(&w->matches[i]) || w->batch.count > FILTERS_MAX)
            return -EOPNOTSUPP;
        if (put_filters(w, &w->matches[i]) < 0)
            return weft_oom(err);
    }
    if (w->batch.count > FILTERS_MAX)
        return -EOPNOTSUPP;
    if (!w->batch.count)
        return 0;
    w->errnum = 0;
    r = netlink_batch_run(w->nl, &w->batch, conntrack_note_refusal, w, err);
    return r >= 0 && w->errnum ? -EOPNOTSUPP : r;
}
