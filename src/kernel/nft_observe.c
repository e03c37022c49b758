/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is in table inet weft: its version, which is the table's comment, and the elements of those
 * sets whose elements are facts. Sets that the ruleset itself fills (constant ones), that packets
 * fill (dynamic ones), and intervals are not for facts.
 *
 * The kernel keeps the type of a set's key as the number that userspace gave it: nft's number of
 * the data type, or for a concatenation the numbers of its fields, six bits each.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "kernel/nft.h"

#define REQUEST_SIZE 256
#define COMMENT_PREFIX "weft "
#define CONCAT_BITS 6
#define CONCAT_MASK ((1u << CONCAT_BITS) - 1)

DEFINE_CLEANUP(struct nftnl_set *, nftnl_set_free)
DEFINE_CLEANUP(struct nftnl_table *, nftnl_table_free)
DEFINE_CLEANUP(struct nftnl_set_elems_iter *, nftnl_set_elems_iter_destroy)

/* enum datatypes in nft's include/datatype.h. */
static const struct data_type {
    uint32_t number;
    enum nft_field_type field;
    uint8_t family;
    uint8_t size;
} data_types[] = {
    {7, NFT_FIELD_ADDR, AF_INET, 4},     {8, NFT_FIELD_ADDR, AF_INET6, 16},
    {12, NFT_FIELD_PROTO, 0, 1},         {13, NFT_FIELD_PORT, 0, 2},
    {41, NFT_FIELD_IFNAME, 0, IFNAMSIZ},
};

/* The types of a key's or a datum's fields. */
struct shape {
    const struct data_type *fields[FACT_NFT_FIELDS];
    size_t count;
};

struct set {
    char name[24];
    struct shape key, data;
};

struct observation {
    struct set *sets;
    size_t set_count;
    size_t rule_count;
    const struct set *set; /* whose elements are read */
    struct fact_set *facts;
    size_t fact_count; /* before they are */
};

static const struct data_type *find_type(uint32_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(data_types); i++)
        if (data_types[i].number == number)
            return &data_types[i];
    return NULL;
}

/* 0, or -ENOTSUP when it holds something else than facts do. */
static int read_shape(uint32_t type, struct shape *ret)
{
    struct shape shape = {0};

    for (uint32_t rest = type; rest; rest >>= CONCAT_BITS)
        shape.count++;
    if (shape.count > FACT_NFT_FIELDS)
        return -ENOTSUP;
    for (size_t i = shape.count; i-- > 0; type >>= CONCAT_BITS) {
        shape.fields[i] = find_type(type & CONCAT_MASK);
        if (!shape.fields[i])
            return -ENOTSUP;
    }
    *ret = shape;
    return 0;
}

static int read_set(const struct nftnl_set *s, struct set *ret)
{
    const uint32_t foreign =
        NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_EVAL | NFT_SET_OBJECT;
    uint32_t flags = nftnl_set_get_u32(s, NFTNL_SET_FLAGS);
    struct set set = {0};
    int r;

    if (flags & foreign)
        return -ENOTSUP;
    r = str_copy(set.name, sizeof set.name, nftnl_set_get_str(s, NFTNL_SET_NAME));
    if (r == 0)
        r = read_shape(nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE), &set.key);
    if (r == 0 && flags & NFT_SET_MAP)
        r = read_shape(nftnl_set_get_u32(s, NFTNL_SET_DATA_TYPE), &set.data);
    if (r == 0)
        *ret = set;
    return r;
}

static int take_set(void *ctx, const struct nlmsghdr *nlh)
{
    _cleanup_(nftnl_set_free_p) struct nftnl_set *s = nftnl_set_alloc();
    struct observation *o = ctx;
    struct set set, *grown;

    if (!s)
        return -ENOMEM;
    if (nftnl_set_nlmsg_parse(nlh, s) < 0 || read_set(s, &set) < 0)
        return 0;
    grown = reallocarray(o->sets, o->set_count + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    o->sets = grown;
    o->sets[o->set_count++] = set;
    return 0;
}

static void forget_sets(void *ctx)
{
    ((struct observation *)ctx)->set_count = 0;
}

static void read_field(const struct data_type *type, const uint8_t *from, struct nft_field *field)
{
    uint16_t port;

    field->type = type->field;
    switch (type->field) {
    case NFT_FIELD_IFNAME:
        memcpy(field->ifname, from, IFNAMSIZ - 1);
        break;
    case NFT_FIELD_ADDR:
        field->addr.family = type->family;
        memcpy(field->addr.bytes, from, type->size);
        break;
    case NFT_FIELD_PORT:
        memcpy(&port, from, sizeof port);
        field->number = ntohs(port);
        break;
    case NFT_FIELD_PROTO:
        field->number = *from;
        break;
    case NFT_FIELD_NONE:
        break;
    }
}

/* 0, or -EBADMSG when the bytes do not have the shape. */
static int read_tuple(struct nftnl_set_elem *e, uint16_t attr, const struct shape *shape,
                      struct nft_field fields[static FACT_NFT_FIELDS])
{
    uint32_t len = 0, offset = 0;
    const uint8_t *bytes = shape->count ? nftnl_set_elem_get(e, attr, &len) : NULL;

    for (size_t i = 0; i < shape->count; i++) {
        if (!bytes || offset + shape->fields[i]->size > len)
            return -EBADMSG;
        read_field(shape->fields[i], bytes + offset, &fields[i]);
        offset += NLMSG_ALIGN(shape->fields[i]->size);
    }
    return 0;
}

static int take_elem(struct observation *o, struct nftnl_set_elem *e)
{
    struct fact fact = {.kind = FACT_NFT_ELEM, .owned = true};

    memcpy(fact.elem.set, o->set->name, sizeof fact.elem.set);
    if (read_tuple(e, NFTNL_SET_ELEM_KEY, &o->set->key, fact.elem.key) < 0 ||
        read_tuple(e, NFTNL_SET_ELEM_DATA, &o->set->data, fact.elem.data) < 0)
        return 0;
    return fact_set_add(o->facts, &fact);
}

static int take_elems(void *ctx, const struct nlmsghdr *nlh)
{
    _cleanup_(nftnl_set_free_p) struct nftnl_set *s = nftnl_set_alloc();
    _cleanup_(nftnl_set_elems_iter_destroy_p) struct nftnl_set_elems_iter *iter = NULL;
    struct nftnl_set_elem *e;
    int r = 0;

    if (!s)
        return -ENOMEM;
    if (nftnl_set_elems_nlmsg_parse(nlh, s) < 0)
        return 0;
    iter = nftnl_set_elems_iter_create(s);
    if (!iter)
        return -ENOMEM;
    while (r == 0 && (e = nftnl_set_elems_iter_next(iter)))
        r = take_elem(ctx, e);
    return r;
}

static void forget_elems(void *ctx)
{
    struct observation *o = ctx;

    o->facts->count = o->fact_count;
}

static int observe_elems(struct netlink *nl, struct observation *o, const struct set *set,
                         struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    _cleanup_(nftnl_set_free_p) struct nftnl_set *s = nftnl_set_alloc();
    struct nlmsghdr *nlh;

    if (!s || nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE) < 0 ||
        nftnl_set_set_str(s, NFTNL_SET_NAME, set->name) < 0)
        return weft_oom(err);
    nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETSETELEM, NFPROTO_INET, 0, 0);
    nftnl_set_elems_nlmsg_build_payload(nlh, s);
    o->set = set;
    o->fact_count = o->facts->count;
    return netlink_dump(nl, nlh, take_elems, forget_elems, o, err);
}

static int observe_sets(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETSET, NFPROTO_INET, 0, 0);
    int r;

    mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFT_TABLE);
    r = netlink_dump(nl, nlh, take_set, forget_sets, o, err);
    for (size_t i = 0; r >= 0 && i < o->set_count; i++)
        r = observe_elems(nl, o, &o->sets[i], err);
    return r;
}

static int take_rule(void *ctx, const struct nlmsghdr *nlh)
{
    struct observation *o = ctx;

    if (nlh->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE))
        o->rule_count++;
    return 0;
}

static void forget_rules(void *ctx)
{
    ((struct observation *)ctx)->rule_count = 0;
}

static int observe_rules(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETRULE, NFPROTO_INET, 0, 0);

    mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE);
    return netlink_dump(nl, nlh, take_rule, forget_rules, o, err);
}

static int find_comment(const struct nftnl_udata *udata, void *ctx)
{
    const char *text = nftnl_udata_get(udata);
    const char **comment = ctx;

    if (nftnl_udata_type(udata) == NFTNL_UDATA_TABLE_COMMENT && nftnl_udata_len(udata) > 0 &&
        text[nftnl_udata_len(udata) - 1] == '\0')
        *comment = text;
    return 0;
}

static int take_table(void *ctx, const struct nlmsghdr *nlh)
{
    _cleanup_(nftnl_table_free_p) struct nftnl_table *t = nftnl_table_alloc();
    struct fact_nft_base *base = ctx;
    const char *comment = NULL;
    const void *udata;
    uint32_t len;

    if (!t)
        return -ENOMEM;
    if (nftnl_table_nlmsg_parse(nlh, t) < 0)
        return 0;
    udata = nftnl_table_get_data(t, NFTNL_TABLE_USERDATA, &len);
    if (udata)
        (void)nftnl_udata_parse(udata, len, find_comment, &comment);
    if (comment && str_starts_with(comment, COMMENT_PREFIX))
        (void)str_copy(base->version, sizeof base->version, comment + strlen(COMMENT_PREFIX));
    return 0;
}

/* -ENOENT when there is no table. */
static int observe_table(struct netlink *nl, struct fact_nft_base *base, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETTABLE, NFPROTO_INET, 0, 0);

    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
    return netlink_request(nl, nlh, take_table, base, err);
}

int nft_observe(struct netlink *nl, struct fact_set *ret, struct weft_error *err)
{
    struct fact fact = {.kind = FACT_NFT_BASE, .owned = true};
    struct observation o = {.facts = ret};
    int r = observe_table(nl, &fact.base, err);

    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = observe_rules(nl, &o, err);
    if (r < 0)
        return r;
    /* `nft flush table` takes the rules and leaves the comment. */
    if (o.rule_count == 0)
        fact.base.version[0] = '\0';
    if (fact_set_add(ret, &fact) < 0)
        return weft_oom(err);
    r = observe_sets(nl, &o, err);
    free(o.sets);
    return r;
}
