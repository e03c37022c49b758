/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 * What leaves by a link waits in a token bucket at its root. What comes in by it cannot wait there:
 * an ingress qdisc has no queue. So a filter hands each packet to an ifb, in whose queue it waits
 * before it goes on as if it had just come in.
 *
 * Weft's qdiscs and filters have numbers of their own. Others' on the same link are not taken for
 * weft's: a qdisc at the root has to give way to the bucket that is desired, since there is one
 * root, but filters beside weft's are left alone.
 *
 * The kernel keeps a bucket's depth as the time in which it fills, in steps of 64 ns. What is read
 * is therefore up to one step less than what was written; fact_satisfies() knows.
 */

#include "kernel/tc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define REQUEST_SIZE 64
#define TICK_NS 64 /* PSCHED_SHIFT in include/net/pkt_sched.h */
#define NS_PER_SECOND UINT64_C(1000000000)
#define SHAPE_HANDLE 0x77660000u   /* "wf" */
#define FILTER_PRIORITY 0x7766u    /* likewise */
#define FILTER_HANDLE 0x80000800u  /* of u32: table 800, bucket 0, element 800 */
#define INGRESS_HANDLE 0xffff0000u /* there is no other */

bool tc_handles(const struct op *op)
{
    return op->fact.kind == FACT_SHAPE || op->fact.kind == FACT_REDIRECT;
}

/* ---- encoding ---- */

/* The index of a link, or -errno with a sentence. */
static int find_link(const struct rtnl_target *target, const char *name, struct weft_error *err)
{
    int index = netlink_link_index(target->nl, name);

    return index > 0 ? index : weft_fail_errno(err, index, "link %s", name);
}

static struct nlmsghdr *begin(struct netlink_batch *b, uint16_t type, uint16_t flags, int index,
                              uint32_t parent, uint32_t handle)
{
    struct nlmsghdr *nlh = netlink_batch_begin_request(b, type, flags);
    struct tcmsg *tcm;

    if (!nlh)
        return NULL;
    tcm = mnl_nlmsg_put_extra_header(nlh, sizeof *tcm);
    tcm->tcm_ifindex = index;
    tcm->tcm_parent = parent;
    tcm->tcm_handle = handle;
    return nlh;
}

static uint32_t at_most_32_bits(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void put_tbf(struct nlmsghdr *nlh, const struct fact_shape *shape)
{
    uint64_t rate = shape->rate / 8; /* bytes per second */
    struct tc_tbf_qopt options = {
        .rate = {.linklayer = TC_LINKLAYER_ETHERNET, .rate = at_most_32_bits(rate)},
        .limit = at_most_32_bits(rate * FACT_SHAPE_LATENCY_MS / 1000 + shape->burst),
        .buffer = at_most_32_bits(shape->burst * NS_PER_SECOND / rate / TICK_NS),
    };
    struct nlattr *nest = mnl_attr_nest_start(nlh, TCA_OPTIONS);

    mnl_attr_put(nlh, TCA_TBF_PARMS, sizeof options, &options);
    mnl_attr_put_u32(nlh, TCA_TBF_BURST, shape->burst);
    if (rate > UINT32_MAX)
        mnl_attr_put_u64(nlh, TCA_TBF_RATE64, rate);
    mnl_attr_nest_end(nlh, nest);
}

/* To change a bucket, and to put one where there is another qdisc, is the same request: the former
 * happens in place, and what is in the queue stays there. */
static int encode_shape(struct netlink_batch *b, const struct rtnl_target *target,
                        const struct op *op, struct weft_error *err)
{
    bool remove = op->verb == OP_REMOVE;
    int index = find_link(target, op->fact.shape.link, err);
    struct nlmsghdr *nlh;

    if (index < 0)
        return index;
    nlh = begin(b, remove ? RTM_DELQDISC : RTM_NEWQDISC, remove ? 0 : NLM_F_CREATE | NLM_F_REPLACE,
                index, TC_H_ROOT, remove ? 0 : SHAPE_HANDLE);
    if (!nlh)
        return weft_oom(err);
    if (!remove) {
        mnl_attr_put_strz(nlh, TCA_KIND, "tbf");
        put_tbf(nlh, &op->fact.shape);
    }
    netlink_batch_end(b, nlh);
    return 0;
}

static int encode_ingress(struct netlink_batch *b, bool remove, int index, struct weft_error *err)
{
    struct nlmsghdr *nlh =
        begin(b, remove ? RTM_DELQDISC : RTM_NEWQDISC, remove ? 0 : NLM_F_CREATE | NLM_F_REPLACE,
              index, TC_H_INGRESS, INGRESS_HANDLE);

    if (!nlh)
        return weft_oom(err);
    mnl_attr_put_strz(nlh, TCA_KIND, "ingress");
    netlink_batch_end(b, nlh);
    return 0;
}

/* As the only action of a filter. */
static void put_mirred(struct nlmsghdr *nlh, int to)
{
    struct tc_mirred parms = {.action = TC_ACT_STOLEN,
                              .eaction = TCA_EGRESS_REDIR,
                              .ifindex = (uint32_t)to};
    struct nlattr *actions = mnl_attr_nest_start(nlh, TCA_U32_ACT);
    struct nlattr *first = mnl_attr_nest_start(nlh, 1), *options;

    mnl_attr_put_strz(nlh, TCA_ACT_KIND, "mirred");
    options = mnl_attr_nest_start(nlh, TCA_ACT_OPTIONS);
    mnl_attr_put(nlh, TCA_MIRRED_PARMS, sizeof parms, &parms);
    mnl_attr_nest_end(nlh, options);
    mnl_attr_nest_end(nlh, first);
    mnl_attr_nest_end(nlh, actions);
}

/* All packets: one key, without a bit that matters. */
#define MATCH_SIZE (sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key))
static const union {
    struct tc_u32_sel sel;
    char bytes[MATCH_SIZE];
} match_all = {.sel = {.flags = TC_U32_TERMINAL, .nkeys = 1}};

static int encode_filter(struct netlink_batch *b, int index, int to, struct weft_error *err)
{
    struct nlmsghdr *nlh = begin(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, index,
                                 INGRESS_HANDLE, FILTER_HANDLE);
    struct tcmsg *tcm;
    struct nlattr *options;

    if (!nlh)
        return weft_oom(err);
    tcm = mnl_nlmsg_get_payload(nlh);
    tcm->tcm_info = TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL));
    mnl_attr_put_strz(nlh, TCA_KIND, "u32");
    options = mnl_attr_nest_start(nlh, TCA_OPTIONS);
    mnl_attr_put(nlh, TCA_U32_SEL, MATCH_SIZE, &match_all);
    put_mirred(nlh, to);
    mnl_attr_nest_end(nlh, options);
    netlink_batch_end(b, nlh);
    return 0;
}

static int encode_redirect(struct netlink_batch *b, const struct rtnl_target *target,
                           const struct op *op, struct weft_error *err)
{
    bool remove = op->verb == OP_REMOVE;
    int index = find_link(target, op->fact.redirect.link, err), to = 0;
    int r;

    if (index > 0 && !remove)
        to = find_link(target, op->fact.redirect.to, err);
    if (index < 0 || to < 0)
        return index < 0 ? index : to;
    r = encode_ingress(b, remove, index, err);
    return r < 0 || remove ? r : encode_filter(b, index, to, err);
}

int tc_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
              struct weft_error *err)
{
    return op->fact.kind == FACT_SHAPE ? encode_shape(b, target, op, err)
                                       : encode_redirect(b, target, op, err);
}

/* ---- observing ---- */

struct observation {
    const struct rtnl_links *links;
    struct fact_set *facts;
    size_t fact_count; /* before the dump that is running */
    int *redirecting;  /* indices of links with an ingress qdisc */
    size_t redirecting_count, redirecting_capacity;
};

/* The fact of a link of the host's, NULL when it came after the links were read. They are sorted
 * by namespace, the host's first, and index. */
static const struct fact *link_fact(const struct observation *o, int index)
{
    size_t first = 0, end = o->links->count;

    while (first < end) {
        size_t middle = first + (end - first) / 2;
        const struct rtnl_link *link = &o->links->links[middle];

        if (link->ns == 0 && link->index == index)
            return &o->facts->facts[link->fact];
        if (link->ns > 0 || link->index > index)
            end = middle;
        else
            first = middle + 1;
    }
    return NULL;
}

/* An interrupted dump starts over: forget what it gave. */
static void forget_facts(void *ctx)
{
    struct observation *o = ctx;

    o->facts->count = o->fact_count;
}

static void forget_qdiscs(void *ctx)
{
    struct observation *o = ctx;

    o->redirecting_count = 0;
    forget_facts(ctx);
}

static void read_tbf(const struct nlattr *options, struct fact_shape *shape)
{
    const struct nlattr *attr;
    struct tc_tbf_qopt parms = {0};
    uint64_t rate = 0;

    mnl_attr_for_each_nested(attr, options)
    {
        if (mnl_attr_get_type(attr) == TCA_TBF_PARMS &&
            mnl_attr_get_payload_len(attr) >= sizeof parms)
            memcpy(&parms, mnl_attr_get_payload(attr), sizeof parms);
        else if (mnl_attr_get_type(attr) == TCA_TBF_RATE64)
            rate = mnl_attr_get_u64(attr);
    }
    if (!rate)
        rate = parms.rate.rate;
    shape->rate = rate * 8;
    shape->burst =
        at_most_32_bits((uint64_t)((double)rate * parms.buffer * TICK_NS / NS_PER_SECOND));
}

static int add_redirecting(struct observation *o, int index)
{
    if (o->redirecting_count == o->redirecting_capacity) {
        size_t capacity = o->redirecting_capacity ? 2 * o->redirecting_capacity : 16;
        int *grown = reallocarray(o->redirecting, capacity, sizeof *grown);

        if (!grown)
            return -ENOMEM;
        o->redirecting = grown;
        o->redirecting_capacity = capacity;
    }
    o->redirecting[o->redirecting_count++] = index;
    return 0;
}

static int take_shape(struct observation *o, const struct nlmsghdr *nlh, const struct fact *link)
{
    struct fact fact = {.kind = FACT_SHAPE, .owned = link->owned};
    const struct nlattr *attr;

    (void)str_copy(fact.shape.link, sizeof fact.shape.link, link->link.name);
    mnl_attr_for_each(attr, nlh, sizeof(struct tcmsg))
    {
        if (mnl_attr_get_type(attr) == TCA_KIND && !str_equal(mnl_attr_get_str(attr), "tbf"))
            return 0;
        if (mnl_attr_get_type(attr) == TCA_OPTIONS)
            read_tbf(attr, &fact.shape);
    }
    return fact_set_add(o->facts, &fact);
}

static int take_qdisc(void *ctx, const struct nlmsghdr *nlh)
{
    const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
    struct observation *o = ctx;
    const struct fact *link;

    if (nlh->nlmsg_type != RTM_NEWQDISC || mnl_nlmsg_get_payload_len(nlh) < sizeof *tcm ||
        (tcm->tcm_handle != SHAPE_HANDLE && tcm->tcm_handle != INGRESS_HANDLE))
        return 0;
    link = link_fact(o, tcm->tcm_ifindex);
    if (!link || !link->owned)
        return 0;
    if (tcm->tcm_handle == INGRESS_HANDLE)
        return add_redirecting(o, tcm->tcm_ifindex);
    return tcm->tcm_parent == TC_H_ROOT ? take_shape(o, nlh, link) : 0;
}

static int observe_qdiscs(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);

    nlh->nlmsg_type = RTM_GETQDISC;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct tcmsg));
    o->fact_count = o->facts->count;
    return netlink_dump(nl, nlh, take_qdisc, forget_qdiscs, o, err);
}

/* The attribute of a nest with this type, or NULL. */
static const struct nlattr *find_attr(const struct nlattr *nest, unsigned type)
{
    const struct nlattr *attr;

    if (!nest)
        return NULL;
    mnl_attr_for_each_nested(attr, nest)
    {
        if (mnl_attr_get_type(attr) == type)
            return attr;
    }
    return NULL;
}

static bool matches_all(const struct nlattr *sel)
{
    struct tc_u32_key key;

    if (!sel || mnl_attr_get_payload_len(sel) != MATCH_SIZE)
        return false;
    memcpy(&key, (const char *)mnl_attr_get_payload(sel) + sizeof(struct tc_u32_sel), sizeof key);
    return key.mask == 0;
}

/* Where the filter's only action leads; 0: something else was made of it. */
static int read_target(const struct nlattr *options)
{
    const struct nlattr *actions = find_attr(options, TCA_U32_ACT);
    const struct nlattr *action = find_attr(actions, 1), *kind = find_attr(action, TCA_ACT_KIND);
    const struct nlattr *attr = find_attr(find_attr(action, TCA_ACT_OPTIONS), TCA_MIRRED_PARMS);
    struct tc_mirred parms;

    if (!matches_all(find_attr(options, TCA_U32_SEL)) || find_attr(actions, 2) || !kind ||
        !str_equal(mnl_attr_get_str(kind), "mirred") || !attr ||
        mnl_attr_get_payload_len(attr) < sizeof parms)
        return 0;
    memcpy(&parms, mnl_attr_get_payload(attr), sizeof parms);
    return parms.eaction == TCA_EGRESS_REDIR ? (int)parms.ifindex : 0;
}

static int take_filter(void *ctx, const struct nlmsghdr *nlh)
{
    const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
    struct observation *o = ctx;
    struct fact fact = {.kind = FACT_REDIRECT, .owned = true};
    const struct fact *link, *to;
    const struct nlattr *attr;

    if (nlh->nlmsg_type != RTM_NEWTFILTER || mnl_nlmsg_get_payload_len(nlh) < sizeof *tcm ||
        tcm->tcm_handle != FILTER_HANDLE ||
        tcm->tcm_info != TC_H_MAKE(FILTER_PRIORITY << 16, htons(ETH_P_ALL)))
        return 0;
    link = link_fact(o, tcm->tcm_ifindex);
    if (!link)
        return 0;
    (void)str_copy(fact.redirect.link, sizeof fact.redirect.link, link->link.name);
    mnl_attr_for_each(attr, nlh, sizeof *tcm)
    {
        if (mnl_attr_get_type(attr) != TCA_OPTIONS)
            continue;
        to = link_fact(o, read_target(attr));
        if (to)
            (void)str_copy(fact.redirect.to, sizeof fact.redirect.to, to->link.name);
    }
    return fact_set_add(o->facts, &fact);
}

static int observe_filters(struct netlink *nl, int index, struct observation *o,
                           struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    struct tcmsg *tcm;

    nlh->nlmsg_type = RTM_GETTFILTER;
    tcm = mnl_nlmsg_put_extra_header(nlh, sizeof *tcm);
    tcm->tcm_ifindex = index;
    tcm->tcm_parent = INGRESS_HANDLE;
    o->fact_count = o->facts->count;
    return netlink_dump(nl, nlh, take_filter, forget_facts, o, err);
}

/* One dump for all links of the host; only of those with an ingress qdisc are the filters asked
 * for, too. In containers' namespaces there is nothing of this kind. */
int tc_observe(struct netlink *nl, const struct kstate_ns *ns, unsigned ns_number,
               const struct rtnl_links *links, struct fact_set *ret, struct weft_error *err)
{
    struct observation o = {.links = links, .facts = ret};
    int r;

    if (ns || ns_number > 0)
        return 0;
    r = observe_qdiscs(nl, &o, err);
    for (size_t i = 0; r >= 0 && i < o.redirecting_count; i++)
        r = observe_filters(nl, o.redirecting[i], &o, err);
    free(o.redirecting);
    return r < 0 ? r : 0;
}
