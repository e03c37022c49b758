/* SPDX-License-Identifier: Apache-2.0 */

/* Forgetting by dump: every entry is compared with all matches, here. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/conntrack_work.h"

#define REQUEST_SIZE 64
#define TABLE_FILE "/proc/thread-self/net/nf_conntrack"
#define LINE_MAX_BYTES 1024

struct tuple {
    struct addr src, dst;
    uint8_t proto;
    uint16_t dst_port;
};

static void read_ip(const struct nlattr *ip, struct tuple *t)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, ip)
    {
        uint16_t type = mnl_attr_get_type(attr);
        struct addr *a = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC ? &t->src : &t->dst;

        if (mnl_attr_get_payload_len(attr) == addr_size(a))
            memcpy(a->bytes, mnl_attr_get_payload(attr), addr_size(a));
    }
}

static void read_proto(const struct nlattr *proto, struct tuple *t)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, proto)
    {
        if (mnl_attr_get_type(attr) == CTA_PROTO_NUM)
            t->proto = mnl_attr_get_u8(attr);
        else if (mnl_attr_get_type(attr) == CTA_PROTO_DST_PORT)
            t->dst_port = ntohs(mnl_attr_get_u16(attr));
    }
}

static struct tuple read_tuple(const struct nlattr *tuple, uint8_t family)
{
    struct tuple t = {.src.family = family, .dst.family = family};
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, tuple)
    {
        if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
            read_ip(attr, &t);
        else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
            read_proto(attr, &t);
    }
    return t;
}

static bool has_match(const struct conntrack_work *w, struct conntrack_match m)
{
    return bsearch(&m, w->matches, w->count, sizeof m, conntrack_match_compare);
}

static bool is_doomed(const struct conntrack_work *w, const struct tuple *orig,
                      const struct tuple *reply)
{
    struct conntrack_match service = {.kind = CONNTRACK_SERVICE,
                                      .addr = orig->dst,
                                      .proto = orig->proto,
                                      .port = orig->dst_port};

    if (has_match(w, (struct conntrack_match){.kind = CONNTRACK_ADDRESS, .addr = orig->src}) ||
        has_match(w, (struct conntrack_match){.kind = CONNTRACK_ADDRESS, .addr = reply->src}) ||
        has_match(w, service))
        return true;
    service.addr = (struct addr){.family = orig->dst.family};
    return has_match(w, service) && local_addrs_contain(w->local, &orig->dst);
}

/* Asks for the removal of exactly this entry, not of one that took its place meanwhile (CTA_ID). */
static int put_delete(struct conntrack_work *w, const struct nlmsghdr *entry)
{
    struct nlmsghdr *nlh;
    const struct nlattr *attr;

    if (!w->batch.count) /* behind the dump that is under way */
        netlink_batch_reset(&w->batch, w->nl);
    nlh = conntrack_begin_delete(w);
    if (!nlh)
        return -ENOMEM;
    mnl_attr_for_each(attr, entry, sizeof(struct nfgenmsg))
    {
        uint16_t type = mnl_attr_get_type(attr);

        if (type == CTA_TUPLE_ORIG || type == CTA_ZONE || type == CTA_ID)
            mnl_attr_put(nlh, attr->nla_type, mnl_attr_get_payload_len(attr),
                         mnl_attr_get_payload(attr));
    }
    netlink_batch_end(&w->batch, nlh);
    return 0;
}

static int take_entry(void *ctx, const struct nlmsghdr *nlh)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
    struct conntrack_work *w = ctx;
    struct tuple orig = {0}, reply = {0};
    const struct nlattr *attr;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof *header || header->nfgen_family != w->family)
        return 0;
    mnl_attr_for_each(attr, nlh, sizeof *header)
    {
        if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG)
            orig = read_tuple(attr, w->family);
        else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY)
            reply = read_tuple(attr, w->family);
    }
    return is_doomed(w, &orig, &reply) ? put_delete(w, nlh) : 0;
}

static void start_over(void *ctx)
{
    struct conntrack_work *w = ctx;

    netlink_batch_reset(&w->batch, w->nl);
}

/* An entry that is gone is what was wanted. One in a flow table (EBUSY) is not to be removed by
 * anybody: it ends there first. */
static void note_failure(void *ctx, unsigned message, int errnum, const char *why)
{
    if (errnum != ENOENT && errnum != EBUSY)
        conntrack_note_refusal(ctx, message, errnum, why);
}

int conntrack_forget_by_dump(struct conntrack_work *w, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    struct nfgenmsg *header;
    int r;

    nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
    header = mnl_nlmsg_put_extra_header(nlh, sizeof *header);
    header->nfgen_family = w->family;
    netlink_batch_reset(&w->batch, w->nl);
    w->errnum = 0;
    r = netlink_dump(w->nl, nlh, take_entry, start_over, w, err);
    if (r < 0 || !w->batch.count)
        return r;
    r = netlink_batch_run(w->nl, &w->batch, note_failure, w, err);
    if (r >= 0 && w->errnum)
        r = weft_fail_errno(err, w->errnum, "cannot forget a tracked connection");
    return r;
}

/* ---- the table as text ---- */

/* The address behind the next "name=" in *line, which moves on behind it. */
static bool read_field(const char **line, const char *name, uint8_t family, struct addr *ret)
{
    const char *at = strstr(*line, name);
    char text[ADDR_TEXT_MAX] = "";
    size_t len;

    if (!at)
        return false;
    at += strlen(name);
    len = strcspn(at, " ");
    if (len >= sizeof text)
        return false;
    memcpy(text, at, len);
    *line = at + len;
    ret->family = family;
    return inet_pton(family, text, ret->bytes) == 1;
}

/* "ipv4     2 tcp      6 431999 ESTABLISHED src=… dst=… sport=… dport=… src=… dst=… …" (the
 * kernel's nf_conntrack_standalone.c). True as well for a line that is not understood. */
static bool line_matches(const struct conntrack_work *w, const char *line)
{
    struct tuple orig = {0}, reply = {0};
    const char *port;
    int family;

    if (sscanf(line, "%*s %d %*s %hhu", &family, &orig.proto) != 2)
        return true;
    if (family != w->family)
        return false;
    if (!read_field(&line, " src=", w->family, &orig.src) ||
        !read_field(&line, " dst=", w->family, &orig.dst))
        return true;
    port = strstr(line, " dport=");
    if (!read_field(&line, " src=", w->family, &reply.src))
        return true;
    if (port && port < line)
        orig.dst_port = (uint16_t)strtoul(port + strlen(" dport="), NULL, 10);
    return is_doomed(w, &orig, &reply);
}

bool conntrack_may_match(const struct conntrack_work *w)
{
    _cleanup_fclose_ FILE *f = fopen(TABLE_FILE, "re");
    char line[LINE_MAX_BYTES];
    bool may = !f;

    while (!may && fgets(line, sizeof line, f))
        may = line_matches(w, line);
    return may || ferror(f);
}
