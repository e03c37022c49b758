/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Table ip weft of a container's namespace: what its programs send to 127.0.0.11 port 53 is
 * written to be for port 1011, and answers from there to be from port 53.
 *
 *     table ip weft {
 *         comment "weft"
 *         chain output {
 *             type filter hook output priority raw; policy accept;
 *             oif != "lo" accept
 *             ip daddr 127.0.0.11 udp dport 53 udp dport set 1011 accept
 *             ip daddr 127.0.0.11 tcp dport 53 tcp dport set 1011 accept
 *             ip saddr 127.0.0.11 udp sport 1011 udp sport set 53 accept
 *             ip saddr 127.0.0.11 tcp sport 1011 tcp sport set 53 accept
 *         }
 *     }
 *
 * Nothing keeps any state: both directions pass the output hook of the same namespace, for both
 * ends are in it. Priority raw is before connection tracking, which therefore sees one connection,
 * to port 1011, in both directions. The first rule is for all else that the container sends.
 *
 * Whether the table is there is told by comparing what the kernel dumps with the messages that make
 * it: each attribute of these must be there with the same value. What later kernels may dump
 * besides does not count, but a rule, a chain or a set more does.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/str.h"
#include "kernel/nft.h"
#include "kernel/nft_expr.h"

#define REQUEST_SIZE 256
#define CHAIN "output"
#define COMMENT "weft"
#define DNS_PORT 53
#define LOOPBACK_INDEX 1 /* in every namespace (LOOPBACK_IFINDEX in the kernel) */

/* ---- the table as messages ---- */

/* What is rewritten: packets of a protocol, by their target or by their source. */
struct rewriting {
    uint8_t proto;
    bool of_target;
};

static const struct rewriting rewritings[] = {
    {IPPROTO_UDP, true},
    {IPPROTO_TCP, true},
    {IPPROTO_UDP, false},
    {IPPROTO_TCP, false},
};

#define RULES (1 + ARRAY_SIZE(rewritings))

static struct nlmsghdr *begin_message(struct netlink_batch *b, uint16_t type, uint16_t flags)
{
    uint32_t seq;
    void *room = netlink_batch_begin(b, &seq);

    return room ? nftnl_nlmsg_build_hdr(room, type, NFPROTO_IPV4, flags, seq) : NULL;
}

static int put_table(struct netlink_batch *b)
{
    /* type, length and the text, as libnftnl lays them out */
    static const char comment[] = {NFTNL_UDATA_TABLE_COMMENT, sizeof COMMENT};
    char userdata[sizeof comment + sizeof COMMENT];
    struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);

    if (!nlh)
        return -ENOMEM;
    memcpy(userdata, comment, sizeof comment);
    memcpy(userdata + sizeof comment, COMMENT, sizeof COMMENT);
    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
    nft_put_number(nlh, NFTA_TABLE_FLAGS, 0);
    mnl_attr_put(nlh, NFTA_TABLE_USERDATA, sizeof userdata, userdata);
    netlink_batch_end(b, nlh);
    return 0;
}

static int put_chain(struct netlink_batch *b)
{
    struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL);
    struct nlattr *hook;

    if (!nlh)
        return -ENOMEM;
    mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, CHAIN);
    hook = mnl_attr_nest_start(nlh, NFTA_CHAIN_HOOK);
    nft_put_number(nlh, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
    nft_put_number(nlh, NFTA_HOOK_PRIORITY, (uint32_t)NF_IP_PRI_RAW);
    mnl_attr_nest_end(nlh, hook);
    nft_put_number(nlh, NFTA_CHAIN_POLICY, NF_ACCEPT);
    mnl_attr_put_strz(nlh, NFTA_CHAIN_TYPE, "filter");
    netlink_batch_end(b, nlh);
    return 0;
}

static void put_passing(struct nlmsghdr *nlh)
{
    static const uint32_t loopback = LOOPBACK_INDEX;

    nft_expr_meta(nlh, NFT_META_OIF);
    nft_expr_cmp(nlh, NFT_CMP_NEQ, &loopback, sizeof loopback);
    nft_expr_verdict(nlh, NF_ACCEPT);
}

static void put_rewriting(struct nlmsghdr *nlh, const struct rewriting *w)
{
    const struct in_addr server = {.s_addr = inet_addr(FACT_RESOLVER_ADDR)};
    const uint16_t dns = htons(DNS_PORT), ours = htons(FACT_RESOLVER_PORT);
    const uint16_t *from = w->of_target ? &dns : &ours, *to = w->of_target ? &ours : &dns;
    /* The ports are at the same places in both headers. */
    uint32_t port = w->of_target ? offsetof(struct udphdr, dest) : offsetof(struct udphdr, source);

    nft_expr_payload(nlh, NFT_PAYLOAD_NETWORK_HEADER,
                     w->of_target ? offsetof(struct iphdr, daddr) : offsetof(struct iphdr, saddr),
                     sizeof server);
    nft_expr_cmp(nlh, NFT_CMP_EQ, &server, sizeof server);
    nft_expr_meta(nlh, NFT_META_L4PROTO);
    nft_expr_cmp(nlh, NFT_CMP_EQ, &w->proto, sizeof w->proto);
    nft_expr_payload(nlh, NFT_PAYLOAD_TRANSPORT_HEADER, port, sizeof *from);
    nft_expr_cmp(nlh, NFT_CMP_EQ, from, sizeof *from);
    nft_expr_immediate(nlh, to, sizeof *to);
    nft_expr_transport_write(nlh, port, sizeof *to,
                             w->proto == IPPROTO_UDP ? offsetof(struct udphdr, check)
                                                     : offsetof(struct tcphdr, check));
    nft_expr_verdict(nlh, NF_ACCEPT);
}

/* rewriting NULL: the rule for all else. */
static int put_rule(struct netlink_batch *b, const struct rewriting *rewriting)
{
    struct nlmsghdr *nlh = begin_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    struct nlattr *expressions;

    if (!nlh)
        return -ENOMEM;
    mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, CHAIN);
    expressions = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
    if (rewriting)
        put_rewriting(nlh, rewriting);
    else
        put_passing(nlh);
    mnl_attr_nest_end(nlh, expressions);
    netlink_batch_end(b, nlh);
    return 0;
}

/* Appends the table, the chain, and the rules. 0 or -ENOMEM. */
static int put_all(struct netlink_batch *b)
{
    int r = put_table(b);

    if (r == 0)
        r = put_chain(b);
    if (r == 0)
        r = put_rule(b, NULL);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rewritings); i++)
        r = put_rule(b, &rewritings[i]);
    return r;
}

static int put_removal(struct netlink_batch *b)
{
    struct nlmsghdr *nlh = begin_message(b, NFT_MSG_DELTABLE, 0);

    if (!nlh)
        return -ENOMEM;
    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
    netlink_batch_end(b, nlh);
    return 0;
}

/* ---- applying ---- */

struct refusal {
    int errnum; /* 0: granted */
    char why[128];
};

/* Of several failed messages the first tells the reason. */
static void note_refusal(void *ctx, unsigned message _unused_, int errnum, const char *why)
{
    struct refusal *refusal = ctx;

    if (refusal->errnum)
        return;
    refusal->errnum = errnum;
    (void)str_copy(refusal->why, sizeof refusal->why, why);
}

static int run_transaction(struct netlink *nl, bool remove, bool add, struct weft_error *err)
{
    _cleanup_(netlink_batch_free) struct netlink_batch b = {0};
    struct refusal refusal = {0};
    int r;

    netlink_batch_reset(&b, nl);
    if (nft_batch_begin(&b, err) < 0 || (remove && put_removal(&b) < 0) ||
        (add && put_all(&b) < 0) || nft_batch_end(&b, err) < 0)
        return weft_oom(err);
    r = netlink_batch_run(nl, &b, note_refusal, &refusal, err);
    if (r < 0 || !refusal.errnum)
        return r;
    if (!*refusal.why)
        return weft_fail_errno(err, refusal.errnum, "table ip " NFT_TABLE);
    weft_fail(err, WEFT_KERNEL, "%s", refusal.why);
    return -refusal.errnum;
}

int nft_resolver_add(struct netlink *nl, struct weft_error *err)
{
    int r = run_transaction(nl, false, true, err);

    return r == -EEXIST ? run_transaction(nl, true, true, err) : r;
}

int nft_resolver_remove(struct netlink *nl, struct weft_error *err)
{
    return run_transaction(nl, true, false, err);
}

/* ---- observing ---- */

struct span {
    const void *data;
    size_t len;
};

static struct span inside(const struct nlattr *attr)
{
    return (struct span){mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr)};
}

static struct span message_attributes(const struct nlmsghdr *nlh)
{
    return (struct span){mnl_nlmsg_get_payload_offset(nlh, sizeof(struct nfgenmsg)),
                         mnl_nlmsg_get_payload_len(nlh) - NLMSG_ALIGN(sizeof(struct nfgenmsg))};
}

static const struct nlattr *find(struct span s, uint16_t type)
{
    const struct nlattr *attr;

    mnl_attr_for_each_payload(s.data, s.len)
    {
        if (mnl_attr_get_type(attr) == type)
            return attr;
    }
    return NULL;
}

/* Whether all that we say is said, in the same words. */
static bool covers(struct span seen, struct span ours) /* NOLINT(misc-no-recursion): a few levels */
{
    const struct nlattr *attr;

    mnl_attr_for_each_payload(ours.data, ours.len)
    {
        const struct nlattr *other = find(seen, mnl_attr_get_type(attr));
        struct span a = inside(attr), b;

        if (!other)
            return false;
        b = inside(other);
        if (attr->nla_type & NLA_F_NESTED ? !covers(b, a)
                                          : a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
            return false;
    }
    return true;
}

/* Expressions one by one, and no more than ours. */
static bool same_expressions(struct span seen, struct span ours)
{
    const char *end = (const char *)seen.data + seen.len;
    const struct nlattr *attr, *other = seen.data;

    mnl_attr_for_each_payload(ours.data, ours.len)
    {
        if (!mnl_attr_ok(other, (int)(end - (const char *)other)) ||
            !covers(inside(other), inside(attr)))
            return false;
        other = mnl_attr_next(other);
    }
    return !mnl_attr_ok(other, (int)(end - (const char *)other));
}

static bool same_rule(const struct nlmsghdr *seen, const struct nlmsghdr *ours)
{
    const struct nlattr *a = find(message_attributes(seen), NFTA_RULE_EXPRESSIONS);
    const struct nlattr *b = find(message_attributes(ours), NFTA_RULE_EXPRESSIONS);

    return a && b && same_expressions(inside(a), inside(b));
}

struct comparison {
    struct netlink_batch ours;
    bool same;
    size_t rules; /* seen */
};

/* The nth message of the table as it shall be. */
static const struct nlmsghdr *message(const struct comparison *c, size_t n)
{
    const struct nlmsghdr *nlh = (const void *)c->ours.data;

    while (n-- > 0)
        nlh = (const void *)((const char *)nlh + NLMSG_ALIGN(nlh->nlmsg_len));
    return nlh;
}

static int take_table(void *ctx, const struct nlmsghdr *nlh)
{
    struct comparison *c = ctx;
    const struct nlattr *use = find(message_attributes(nlh), NFTA_TABLE_USE);

    /* One chain, and no set or object. */
    c->same = use && ntohl(mnl_attr_get_u32(use)) == 1 &&
              covers(message_attributes(nlh), message_attributes(message(c, 0)));
    return 0;
}

static int take_chain(void *ctx, const struct nlmsghdr *nlh)
{
    struct comparison *c = ctx;

    c->same = covers(message_attributes(nlh), message_attributes(message(c, 1)));
    return 0;
}

static int take_rule(void *ctx, const struct nlmsghdr *nlh)
{
    struct comparison *c = ctx;

    c->same = c->same && c->rules < RULES && same_rule(nlh, message(c, 2 + c->rules));
    c->rules++;
    return 0;
}

static void forget_rules(void *ctx)
{
    struct comparison *c = ctx;

    c->same = true;
    c->rules = 0;
}

static int compare_table(struct netlink *nl, struct comparison *c, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETTABLE, NFPROTO_IPV4, 0, 0);

    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
    return netlink_request(nl, nlh, take_table, c, err);
}

static int compare_chain(struct netlink *nl, struct comparison *c, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETCHAIN, NFPROTO_IPV4, 0, 0);

    mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, CHAIN);
    return netlink_request(nl, nlh, take_chain, c, err);
}

static int compare_rules(struct netlink *nl, struct comparison *c, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETRULE, NFPROTO_IPV4, 0, 0);
    int r;

    mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, CHAIN);
    r = netlink_dump(nl, nlh, take_rule, forget_rules, c, err);
    c->same = c->same && c->rules == RULES;
    return r;
}

int nft_resolver_observe(struct netlink *nl, bool *ret, struct weft_error *err)
{
    struct comparison c = {0};
    int r = put_all(&c.ours) < 0 ? weft_oom(err) : compare_table(nl, &c, err);

    if (r >= 0 && c.same)
        r = compare_chain(nl, &c, err);
    if (r >= 0 && c.same)
        r = compare_rules(nl, &c, err);
    netlink_batch_free(&c.ours);
    *ret = r >= 0 && c.same;
    return r == -ENOENT ? 0 : r; /* there is none, or it has just gone */
}
