/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Chains of others at the forward hook, and weft's rules in them.
 *
 * To nf_tables accepting is not final: a packet that one table accepts another may drop. So where
 * somebody else's chain drops all that it does not know, it must know weft's links: by their group,
 * so that two rules do for all networks there will ever be.
 *
 * iptables-nft keeps its rules in tables of its own and refuses to work on a table that holds
 * expressions it cannot have written. There the condition is the extension `devgroup` of xtables,
 * carried by nft_compat. iptables shows the comment, which all these rules have, like one that it
 * wrote; one that it did write is an extension as well.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_devgroup.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/nft.h"
#include "kernel/nft_expr.h"

#define REQUEST_SIZE 512

/* What nft_compat takes extensions' data in: XT_ALIGN, to what the strictest of numbers is. */
#define XT_ALIGNED(size) (((size) + 7) & ~(size_t)7)

struct rule {
    bool conditional;
    bool drops; /* whatever comes to it */
    bool has_comment, has_group;
    bool outgoing; /* the group is that of the link by which packets leave */
    uint64_t handle;
};

struct forward_chain {
    struct nft_chain chain;
    bool policy_drops;
    bool accepts[2]; /* weft's rules: what comes from its links, and what goes to them */
};

struct chains {
    struct forward_chain *list;
    size_t count;
};

/* ---- reading rules ---- */

static const struct nlattr *find_attr(const struct nlattr *nest, uint16_t type)
{
    const struct nlattr *attr;

    if (nest)
        mnl_attr_for_each_nested(attr, nest)
        {
            if (mnl_attr_get_type(attr) == type)
                return attr;
        }
    return NULL;
}

/* The number in an attribute, UINT32_MAX if there is none. */
static uint32_t read_number(const struct nlattr *nest, uint16_t type)
{
    const struct nlattr *attr = find_attr(nest, type);

    return attr && mnl_attr_validate(attr, MNL_TYPE_U32) >= 0 ? ntohl(mnl_attr_get_u32(attr))
                                                              : UINT32_MAX;
}

static const char *read_string(const struct nlattr *nest, uint16_t type)
{
    const struct nlattr *attr = find_attr(nest, type);

    return attr && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 ? mnl_attr_get_str(attr) : "";
}

static bool is_verdict_drop(const struct nlattr *immediate)
{
    const struct nlattr *data = find_attr(immediate, NFTA_IMMEDIATE_DATA);

    return read_number(find_attr(data, NFTA_DATA_VERDICT), NFTA_VERDICT_CODE) == NF_DROP;
}

/* An extension of xtables that chooses packets, or looks as if: a comment lets all pass. */
static void read_match(const struct nlattr *match, struct rule *rule)
{
    const struct nlattr *attr = find_attr(match, NFTA_MATCH_INFO);
    const char *name = read_string(match, NFTA_MATCH_NAME);
    size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;
    const void *data = attr ? mnl_attr_get_payload(attr) : NULL;
    struct xt_devgroup_info group;

    if (str_equal(name, "comment")) {
        rule->has_comment |=
            len > sizeof FACT_NFT_ACCEPT_COMMENT && str_equal(data, FACT_NFT_ACCEPT_COMMENT);
        return;
    }
    rule->conditional = true;
    if (!str_equal(name, "devgroup") || len < sizeof group)
        return;
    memcpy(&group, data, sizeof group);
    rule->outgoing = group.flags == XT_DEVGROUP_MATCH_DST;
    rule->has_group = (rule->outgoing ? group.dst_group : group.src_group) == FACT_LINK_GROUP;
}

static void read_expression(const struct nlattr *expression, struct rule *rule)
{
    const char *name = read_string(expression, NFTA_EXPR_NAME);
    const struct nlattr *data = find_attr(expression, NFTA_EXPR_DATA);
    uint32_t key = str_equal(name, "meta") ? read_number(data, NFTA_META_KEY) : UINT32_MAX;

    if (str_equal(name, "counter") || str_equal(name, "log"))
        return;
    if (str_equal(name, "match")) {
        read_match(data, rule);
    } else if (str_equal(name, "reject") ||
               (str_equal(name, "immediate") && is_verdict_drop(data)) ||
               (str_equal(name, "target") &&
                str_equal(read_string(data, NFTA_TARGET_NAME), "REJECT"))) {
        rule->drops = !rule->conditional;
    } else {
        rule->conditional = true;
        rule->has_group |= key == NFT_META_IIFGROUP || key == NFT_META_OIFGROUP;
        rule->outgoing |= key == NFT_META_OIFGROUP;
    }
}

static struct rule read_rule(const struct nlmsghdr *nlh)
{
    const struct nlattr *attr, *expression;
    struct rule rule = {0};

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
    {
        switch (mnl_attr_get_type(attr)) {
        case NFTA_RULE_HANDLE:
            rule.handle = be64toh(mnl_attr_get_u64(attr));
            break;
        case NFTA_RULE_USERDATA:
            rule.has_comment |=
                str_equal(nft_comment(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr)),
                          FACT_NFT_ACCEPT_COMMENT);
            break;
        case NFTA_RULE_EXPRESSIONS:
            mnl_attr_for_each_nested(expression, attr) read_expression(expression, &rule);
            break;
        default:
            break;
        }
    }
    return rule;
}

static bool is_ours(const struct rule *rule)
{
    return rule->has_comment && rule->has_group;
}

static int dump_rules(struct netlink *nl, const struct nft_chain *chain, netlink_message_fn *cb,
                      netlink_reset_fn *reset, void *ctx, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETRULE, chain->family, 0, 0);
    int r;

    mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, chain->table);
    mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain->name);
    r = netlink_dump(nl, nlh, cb, reset, ctx, err);
    return r == -ENOENT ? 0 : r; /* gone meanwhile */
}

/* ---- reading chains ---- */

/* -ENODATA when it is not a chain that forwarded packets pass, or weft's own, or one whose names
 * are too long for a fact. */
static int read_chain(const struct nlmsghdr *nlh, struct forward_chain *ret)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
    struct forward_chain f = {.chain.family = header->nfgen_family};
    const struct nlattr *attr;
    uint32_t hook = UINT32_MAX;
    int r = 0;

    if (f.chain.family != NFPROTO_INET && f.chain.family != NFPROTO_IPV4 &&
        f.chain.family != NFPROTO_IPV6)
        return -ENODATA;
    mnl_attr_for_each(attr, nlh, sizeof *header)
    {
        uint16_t type = mnl_attr_get_type(attr);

        if (type == NFTA_CHAIN_HOOK)
            hook = read_number(attr, NFTA_HOOK_HOOKNUM);
        else if (type == NFTA_CHAIN_POLICY)
            f.policy_drops = ntohl(mnl_attr_get_u32(attr)) == NF_DROP;
        else if (type == NFTA_CHAIN_TABLE && r == 0)
            r = str_copy(f.chain.table, sizeof f.chain.table, mnl_attr_get_str(attr));
        else if (type == NFTA_CHAIN_NAME && r == 0)
            r = str_copy(f.chain.name, sizeof f.chain.name, mnl_attr_get_str(attr));
    }
    if (r < 0 || hook != NF_INET_FORWARD ||
        (f.chain.family == NFPROTO_INET && str_equal(f.chain.table, NFT_TABLE)))
        return -ENODATA;
    *ret = f;
    return 0;
}

static int take_chain(void *ctx, const struct nlmsghdr *nlh)
{
    struct forward_chain chain, *grown;
    struct chains *chains = ctx;

    if (read_chain(nlh, &chain) < 0)
        return 0;
    grown = reallocarray(chains->list, chains->count + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    chains->list = grown;
    chains->list[chains->count++] = chain;
    return 0;
}

static void forget_chains(void *ctx)
{
    ((struct chains *)ctx)->count = 0;
}

/* The last rule, weft's own left out, decides. */
static int take_rule(void *ctx, const struct nlmsghdr *nlh)
{
    struct rule rule = read_rule(nlh);
    struct forward_chain *f = ctx;

    if (is_ours(&rule))
        f->accepts[rule.outgoing] = true;
    else
        f->chain.ends_in_drop = rule.drops;
    return 0;
}

static void forget_rules(void *ctx)
{
    struct forward_chain *f = ctx;

    f->chain.ends_in_drop = f->accepts[false] = f->accepts[true] = false;
}

/* *ret is to be freed, also after a failure. */
static int find_chains(struct netlink *nl, struct chains *ret, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, 0, 0);
    int r = netlink_dump(nl, nlh, take_chain, forget_chains, ret, err);

    for (size_t i = 0; r >= 0 && i < ret->count; i++)
        r = dump_rules(nl, &ret->list[i].chain, take_rule, forget_rules, &ret->list[i], err);
    return r;
}

int kernel_cutting_chains(struct kernel *k, struct nft_chain **ret, size_t *ret_count,
                          struct weft_error *err)
{
    struct chains chains = {0};
    struct nft_chain *cutting = NULL;
    size_t count = 0;
    int r = find_chains(&k->nft, &chains, err);

    if (r >= 0) {
        cutting = calloc(chains.count + 1, sizeof *cutting);
        r = cutting ? 0 : weft_oom(err);
    }
    for (size_t i = 0; r >= 0 && i < chains.count; i++)
        if (chains.list[i].policy_drops || chains.list[i].chain.ends_in_drop)
            cutting[count++] = chains.list[i].chain;
    free(chains.list);
    if (r < 0)
        return r;
    *ret = cutting;
    *ret_count = count;
    return 0;
}

static int add_accepts(struct fact_set *set, const struct forward_chain *f)
{
    int r = 0;

    for (int outgoing = false; r == 0 && outgoing <= true; outgoing++) {
        struct fact fact = {.kind = FACT_NFT_ACCEPT,
                            .owned = true,
                            .accept = {.chain = f->chain, .outgoing = outgoing}};

        if (f->accepts[outgoing])
            r = fact_set_add(set, &fact);
    }
    return r;
}

int nft_accept_observe(struct netlink *nl, struct fact_set *ret, struct weft_error *err)
{
    struct chains chains = {0};
    int r = find_chains(nl, &chains, err);

    for (size_t i = 0; r >= 0 && i < chains.count; i++)
        r = add_accepts(ret, &chains.list[i]) < 0 ? weft_oom(err) : 0;
    free(chains.list);
    return r;
}

int kernel_accepts(struct kernel *k, struct fact_set *ret, struct weft_error *err)
{
    return nft_accept_observe(&k->nft, ret, err);
}

/* ---- writing rules ---- */

/* `-m devgroup --src-group …` */
static void put_devgroup(struct nlmsghdr *nlh, bool outgoing)
{
    const struct xt_devgroup_info info = {
        .flags = outgoing ? XT_DEVGROUP_MATCH_DST : XT_DEVGROUP_MATCH_SRC,
        .src_group = outgoing ? 0 : FACT_LINK_GROUP,
        .src_mask = outgoing ? 0 : UINT32_MAX,
        .dst_group = outgoing ? FACT_LINK_GROUP : 0,
        .dst_mask = outgoing ? UINT32_MAX : 0,
    };
    uint8_t padded[XT_ALIGNED(sizeof info)] = {0};
    struct nlattr *data, *match = nft_expr_begin(nlh, "match", &data);

    memcpy(padded, &info, sizeof info);
    mnl_attr_put_strz(nlh, NFTA_MATCH_NAME, "devgroup");
    nft_put_number(nlh, NFTA_MATCH_REV, 0);
    mnl_attr_put(nlh, NFTA_MATCH_INFO, sizeof padded, padded);
    nft_expr_end(nlh, match, data);
}

/* `iifgroup …` */
static void put_meta_group(struct nlmsghdr *nlh, bool outgoing)
{
    static const uint32_t group = FACT_LINK_GROUP;

    nft_expr_meta(nlh, outgoing ? NFT_META_OIFGROUP : NFT_META_IIFGROUP);
    nft_expr_cmp(nlh, NFT_CMP_EQ, &group, sizeof group);
}

static void put_counter(struct nlmsghdr *nlh)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "counter", &data);

    nft_expr_end(nlh, expression, data);
}

/* Begins a request about a rule of the chain. */
static struct nlmsghdr *begin_rule(struct netlink_batch *b, uint16_t type, uint16_t flags,
                                   const struct nft_chain *chain)
{
    struct nlmsghdr *nlh;
    uint32_t seq;
    void *room = netlink_batch_begin(b, &seq);

    if (!room)
        return NULL;
    nlh = nftnl_nlmsg_build_hdr(room, type, chain->family, flags, seq);
    mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, chain->table);
    mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, chain->name);
    return nlh;
}

static int encode_add(struct netlink_batch *b, const struct fact_nft_accept *accept,
                      struct weft_error *err)
{
    /* type, length and the text, as libnftnl lays them out */
    static const char comment[] = {NFTNL_UDATA_RULE_COMMENT, sizeof FACT_NFT_ACCEPT_COMMENT};
    char userdata[sizeof comment + sizeof FACT_NFT_ACCEPT_COMMENT];
    uint16_t flags = NLM_F_CREATE | (accept->chain.ends_in_drop ? 0 : NLM_F_APPEND);
    struct nlmsghdr *nlh = begin_rule(b, NFT_MSG_NEWRULE, flags, &accept->chain);
    struct nlattr *expressions;

    if (!nlh)
        return weft_oom(err);
    expressions = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
    if (nft_chain_is_iptables(&accept->chain))
        put_devgroup(nlh, accept->outgoing);
    else
        put_meta_group(nlh, accept->outgoing);
    put_counter(nlh);
    nft_expr_verdict(nlh, NF_ACCEPT);
    mnl_attr_nest_end(nlh, expressions);
    memcpy(userdata, comment, sizeof comment);
    memcpy(userdata + sizeof comment, FACT_NFT_ACCEPT_COMMENT, sizeof FACT_NFT_ACCEPT_COMMENT);
    mnl_attr_put(nlh, NFTA_RULE_USERDATA, sizeof userdata, userdata);
    netlink_batch_end(b, nlh);
    return 0;
}

/* The rules of one direction. */
struct handles {
    bool outgoing;
    uint64_t *list;
    size_t count;
};

static int take_handle(void *ctx, const struct nlmsghdr *nlh)
{
    struct rule rule = read_rule(nlh);
    struct handles *handles = ctx;
    uint64_t *grown;

    if (!is_ours(&rule) || rule.outgoing != handles->outgoing)
        return 0;
    grown = reallocarray(handles->list, handles->count + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    handles->list = grown;
    handles->list[handles->count++] = rule.handle;
    return 0;
}

static void forget_handles(void *ctx)
{
    ((struct handles *)ctx)->count = 0;
}

static int encode_remove(struct netlink_batch *b, struct netlink *nl,
                         const struct fact_nft_accept *accept, struct weft_error *err)
{
    struct handles handles = {.outgoing = accept->outgoing};
    int r = dump_rules(nl, &accept->chain, take_handle, forget_handles, &handles, err);

    if (r >= 0 && handles.count == 0)
        r = weft_fail_errno(err, ENOENT, "rule of weft in chain %s", accept->chain.name);
    for (size_t i = 0; r >= 0 && i < handles.count; i++) {
        struct nlmsghdr *nlh = begin_rule(b, NFT_MSG_DELRULE, 0, &accept->chain);

        if (nlh) {
            mnl_attr_put_u64(nlh, NFTA_RULE_HANDLE, htobe64(handles.list[i]));
            netlink_batch_end(b, nlh);
        }
        r = nlh ? 0 : weft_oom(err);
    }
    free(handles.list);
    return r;
}

int nft_accept_encode(struct netlink_batch *b, struct netlink *nl, const struct op *op,
                      struct weft_error *err)
{
    int r = 0;

    if (op->verb != OP_ADD)
        r = encode_remove(b, nl, &op->old.accept, err);
    if (r >= 0 && op->verb != OP_REMOVE)
        r = encode_add(b, &op->fact.accept, err);
    return r;
}
