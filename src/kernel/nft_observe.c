/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is in weft's tables: the version of the ruleset, which is the comment of table inet weft,
 * whether somebody changed its rules, and the elements of those sets whose elements are facts. Sets
 * that the ruleset itself fills (constant ones), that packets fill (dynamic ones), and intervals
 * are not for facts.
 *
 * The kernel keeps the type of a set's key as the number that userspace gave it: nft's number of
 * the data type, or for a concatenation the numbers of its fields, six bits each. A part of a
 * packet that nft has no name for is an integer; those of weft's tables are IPv6 addresses.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "kernel/nft.h"
#include "kstate/nft_text.h"

#define REQUEST_SIZE 256
#define REHASH_ATTEMPTS 100
#define REHASH_PAUSE_US 1000
#define COMMENT_PREFIX "weft "
#define CONCAT_BITS 6
#define CONCAT_MASK ((1u << CONCAT_BITS) - 1)

DEFINE_CLEANUP(struct nftnl_set *, nftnl_set_free)
DEFINE_CLEANUP(struct nftnl_table *, nftnl_table_free)

/* enum datatypes in nft's include/datatype.h. */
static const struct data_type {
    uint32_t number;
    enum nft_field_type field;
    uint8_t family;
    uint8_t size;
} data_types[] = {
    {2, NFT_FIELD_FAMILY, 0, 1},     {4, NFT_FIELD_ADDR, AF_INET6, 16},
    {7, NFT_FIELD_ADDR, AF_INET, 4}, {8, NFT_FIELD_ADDR, AF_INET6, 16},
    {9, NFT_FIELD_MAC, 0, 6},        {12, NFT_FIELD_PROTO, 0, 1},
    {13, NFT_FIELD_PORT, 0, 2},      {41, NFT_FIELD_IFNAME, 0, IFNAMSIZ},
};

/* The types of a key's or a datum's fields. */
struct shape {
    const struct data_type *fields[FACT_NFT_FIELDS];
    size_t count;
};

struct set {
    enum nft_table table;
    char name[24];
    struct shape key, data;
};

struct observation {
    const char *text;     /* of the ruleset */
    enum nft_table table; /* whose sets are read */
    struct set *sets;
    size_t set_count;
    size_t set_count_before; /* they are */
    const struct set *set;   /* whose elements are read */
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

/* What a value of this shape takes: a single field its size, of several each is padded. */
static size_t shape_size(const struct shape *shape)
{
    size_t size = 0;

    if (shape->count == 1)
        return shape->fields[0]->size;
    for (size_t i = 0; i < shape->count; i++)
        size += NLMSG_ALIGN(shape->fields[i]->size);
    return size;
}

/* 0, or -ENOTSUP when it holds something else than facts do. */
static int read_shape(uint32_t type, uint32_t size, struct shape *ret)
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
    if (shape_size(&shape) != size)
        return -ENOTSUP;
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
        r = read_shape(nftnl_set_get_u32(s, NFTNL_SET_KEY_TYPE),
                       nftnl_set_get_u32(s, NFTNL_SET_KEY_LEN), &set.key);
    if (r == 0 && flags & NFT_SET_MAP)
        r = read_shape(nftnl_set_get_u32(s, NFTNL_SET_DATA_TYPE),
                       nftnl_set_get_u32(s, NFTNL_SET_DATA_LEN), &set.data);
    if (r == 0)
        *ret = set;
    return r;
}

/* Table inet weft may hold sets that the administrator's rules use. */
static bool is_ours(const struct observation *o, const struct set *set)
{
    const char *text = o->text;
    struct nft_declaration d = {0};

    while (text && nft_next_declaration(&text, &d))
        if (str_equal(d.family, nft_table_family(o->table)) && !str_equal(d.kind, "chain") &&
            str_equal(d.name, set->name))
            return true;
    return !o->text;
}

static int take_set(void *ctx, const struct nlmsghdr *nlh)
{
    _cleanup_(nftnl_set_free_p) struct nftnl_set *s = nftnl_set_alloc();
    struct observation *o = ctx;
    struct set set, *grown;

    if (!s)
        return -ENOMEM;
    if (nftnl_set_nlmsg_parse(nlh, s) < 0 || read_set(s, &set) < 0 || !is_ours(o, &set))
        return 0;
    set.table = o->table;
    grown = reallocarray(o->sets, o->set_count + 1, sizeof *grown);
    if (!grown)
        return -ENOMEM;
    o->sets = grown;
    o->sets[o->set_count++] = set;
    return 0;
}

static void forget_sets(void *ctx)
{
    struct observation *o = ctx;

    o->set_count = o->set_count_before;
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
    case NFT_FIELD_MAC:
        memcpy(field->mac.bytes, from, sizeof field->mac.bytes);
        break;
    case NFT_FIELD_PROTO:
    case NFT_FIELD_FAMILY:
        field->number = *from;
        break;
    case NFT_FIELD_NONE:
        break;
    }
}

/* What is in a key or a datum, which are nests around a value. */
struct value {
    const uint8_t *bytes;
    size_t len;
};

static struct value read_value(const struct nlattr *nest)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, nest)
    {
        if (mnl_attr_get_type(attr) == NFTA_DATA_VALUE)
            return (struct value){mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr)};
    }
    return (struct value){0};
}

/* 0, or -EBADMSG when the bytes do not have the shape. */
static int read_tuple(const struct value *value, const struct shape *shape,
                      struct nft_field fields[static FACT_NFT_FIELDS])
{
    size_t offset = 0;

    for (size_t i = 0; i < shape->count; i++) {
        if (!value->bytes || offset + shape->fields[i]->size > value->len)
            return -EBADMSG;
        read_field(shape->fields[i], value->bytes + offset, &fields[i]);
        offset += NLMSG_ALIGN(shape->fields[i]->size);
    }
    return 0;
}

static int take_elem(struct observation *o, const struct nlattr *elem)
{
    struct fact fact = {.kind = FACT_NFT_ELEM, .owned = true, .elem.table = o->set->table};
    struct value key = {0}, data = {0};
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, elem)
    {
        if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_KEY)
            key = read_value(attr);
        else if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_DATA)
            data = read_value(attr);
    }
    memcpy(fact.elem.set, o->set->name, sizeof fact.elem.set);
    if (read_tuple(&key, &o->set->key, fact.elem.key) < 0 ||
        read_tuple(&data, &o->set->data, fact.elem.data) < 0)
        return 0;
    return fact_set_add(o->facts, &fact);
}

/* Without libnftnl, which would make an object of each of thousands. */
static int take_elems(void *ctx, const struct nlmsghdr *nlh)
{
    const struct nlattr *attr, *elem;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
            continue;
        mnl_attr_for_each_nested(elem, attr)
        {
            if (take_elem(ctx, elem) < 0)
                return -ENOMEM;
        }
    }
    return 0;
}

static void forget_elems(void *ctx)
{
    struct observation *o = ctx;

    o->facts->count = o->fact_count;
}

static int dump_elems(struct netlink *nl, struct observation *o, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh =
        nftnl_nlmsg_build_hdr(request, NFT_MSG_GETSETELEM, nft_family(o->set->table), 0, 0);
    int r;

    mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
    mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, o->set->name);
    o->fact_count = o->facts->count;
    r = netlink_dump(nl, nlh, take_elems, forget_elems, o, err);
    return r == -ENOENT ? 0 : r; /* gone meanwhile */
}

/* Whether the elements that were dumped last are all different. Sorts them. */
static bool all_different(const struct observation *o)
{
    struct fact_set last = {
        .facts = o->facts->facts + o->fact_count,
        .count = o->facts->count - o->fact_count,
    };
    size_t dumped = last.count;

    fact_set_sort(&last);
    return last.count == dumped;
}

/* The kernel remembers only how many elements it has sent between the parts of a dump. A set that
 * has just grown is put into a larger hash table in the background: their order changes, some are
 * sent twice and, unnoticed by the kernel, as many not at all. */
static int observe_elems(struct netlink *nl, struct observation *o, const struct set *set,
                         struct weft_error *err)
{
    o->set = set;
    for (int attempt = 0; attempt < REHASH_ATTEMPTS; attempt++) {
        int r = dump_elems(nl, o, err);

        if (r < 0 || o->facts->count == o->fact_count || all_different(o))
            return r;
        forget_elems(o);
        usleep(REHASH_PAUSE_US);
    }
    return weft_fail_errno(err, EINTR, "cannot dump set %s: it keeps changing", set->name);
}

/* The sets of a table, if there is such a table. */
static int observe_sets(struct netlink *nl, struct observation *o, enum nft_table table,
                        struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(request, NFT_MSG_GETSET, nft_family(table), 0, 0);
    int r;

    o->table = table;
    o->set_count_before = o->set_count;
    mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFT_TABLE);
    r = netlink_dump(nl, nlh, take_set, forget_sets, o, err);
    return r == -ENOENT ? 0 : r;
}

int nft_observe_elems(struct netlink *nl, const char *text, struct fact_set *ret,
                      struct weft_error *err)
{
    struct observation o = {.text = text, .facts = ret};
    int r = observe_sets(nl, &o, NFT_TABLE_INET, err);

    if (r >= 0)
        r = observe_sets(nl, &o, NFT_TABLE_BRIDGE, err);
    for (size_t i = 0; r >= 0 && i < o.set_count; i++)
        r = observe_elems(nl, &o, &o.sets[i], err);
    free(o.sets);
    return r;
}

static int find_comment(const struct nftnl_udata *udata, void *ctx)
{
    const char *text = nftnl_udata_get(udata);
    const char **comment = ctx;

    static_assert((int)NFTNL_UDATA_TABLE_COMMENT == (int)NFTNL_UDATA_RULE_COMMENT, "as of rules");
    if (nftnl_udata_type(udata) == NFTNL_UDATA_TABLE_COMMENT && nftnl_udata_len(udata) > 0 &&
        text[nftnl_udata_len(udata) - 1] == '\0')
        *comment = text;
    return 0;
}

const char *nft_comment(const void *userdata, uint32_t len)
{
    const char *comment = NULL;

    if (userdata)
        (void)nftnl_udata_parse(userdata, len, find_comment, &comment);
    return comment;
}

static int take_table(void *ctx, const struct nlmsghdr *nlh)
{
    _cleanup_(nftnl_table_free_p) struct nftnl_table *t = nftnl_table_alloc();
    struct fact_nft_base *base = ctx;
    const char *comment;
    const void *userdata;
    uint32_t len = 0;

    if (!t)
        return -ENOMEM;
    if (nftnl_table_nlmsg_parse(nlh, t) < 0)
        return 0;
    userdata = nftnl_table_get_data(t, NFTNL_TABLE_USERDATA, &len);
    comment = nft_comment(userdata, len);
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

int nft_observe(struct kernel *k, const char *text, struct fact_set *ret, struct weft_error *err)
{
    struct fact fact = {.kind = FACT_NFT_BASE, .owned = true};
    uint64_t digest;
    int r = observe_table(&k->nft, &fact.base, err);

    if (r == -ENOENT)
        return 0;
    if (r >= 0)
        r = nft_rules_digest(&k->nft, &digest, err);
    if (r < 0)
        return r;
    fact.base.tampered = !k->rules || digest != k->rules_digest;
    if (fact_set_add(ret, &fact) < 0)
        return weft_oom(err);
    return nft_observe_elems(&k->nft, text, ret, err);
}
