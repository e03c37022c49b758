/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys and data of several fields are their values one after another, each filled up with zeros to
 * a multiple of four bytes (NFT_REG32_SIZE). A single field is as long as its type.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/str.h"
#include "kernel/nft.h"

#define FIELD_BYTES 16
/* Key and data, each a nest around a value, in a nest. */
#define ELEMENT_MAX (2 * (FACT_NFT_FIELDS * FIELD_BYTES + 2 * MNL_ATTR_HDRLEN) + MNL_ATTR_HDRLEN)

struct tuple {
    uint8_t bytes[FACT_NFT_FIELDS * FIELD_BYTES];
    uint32_t len;
};

/* Writes the field's value and returns its length. */
static size_t encode_field(const struct nft_field *field, uint8_t *to)
{
    uint16_t port = htons(field->number);

    switch (field->type) {
    case NFT_FIELD_IFNAME:
        memcpy(to, field->ifname, sizeof field->ifname);
        return sizeof field->ifname;
    case NFT_FIELD_ADDR:
        memcpy(to, field->addr.bytes, addr_size(&field->addr));
        return addr_size(&field->addr);
    case NFT_FIELD_PORT:
        memcpy(to, &port, sizeof port);
        return sizeof port;
    case NFT_FIELD_MAC:
        memcpy(to, field->mac.bytes, sizeof field->mac.bytes);
        return sizeof field->mac.bytes;
    case NFT_FIELD_PROTO:
    case NFT_FIELD_FAMILY:
        *to = (uint8_t)field->number;
        return 1;
    case NFT_FIELD_NONE:
        break;
    }
    return 0;
}

static struct tuple encode_tuple(const struct nft_field fields[static FACT_NFT_FIELDS])
{
    struct tuple t = {0};

    for (size_t i = 0; i < FACT_NFT_FIELDS && fields[i].type != NFT_FIELD_NONE; i++) {
        t.len = NLMSG_ALIGN(t.len); /* also NFT_REG32_SIZE */
        t.len += (uint32_t)encode_field(&fields[i], t.bytes + t.len);
    }
    if (fields[1].type != NFT_FIELD_NONE)
        t.len = NLMSG_ALIGN(t.len);
    return t;
}

uint8_t nft_family(enum nft_table table)
{
    return table == NFT_TABLE_BRIDGE ? NFPROTO_BRIDGE : NFPROTO_INET;
}

/* A message that is being written. */
struct message {
    struct nlmsghdr *nlh; /* NULL: none */
    struct nlattr *elements;
    uint16_t type;
    const struct fact_nft_elem *elem; /* the first */
};

static int message_begin(struct message *m, struct netlink_batch *b,
                         const struct fact_nft_elem *elem, uint16_t type, struct weft_error *err)
{
    uint16_t flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE | NLM_F_EXCL : 0;
    uint32_t seq;
    void *room = netlink_batch_begin(b, &seq);

    if (!room)
        return weft_oom(err);
    *m = (struct message){.type = type, .elem = elem};
    m->nlh = nftnl_nlmsg_build_hdr(room, type, nft_family(elem->table), flags, seq);
    mnl_attr_put_strz(m->nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
    mnl_attr_put_strz(m->nlh, NFTA_SET_ELEM_LIST_SET, elem->set);
    m->elements = mnl_attr_nest_start(m->nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
    return 0;
}

static void message_end(struct message *m, struct netlink_batch *b)
{
    if (!m->nlh)
        return;
    mnl_attr_nest_end(m->nlh, m->elements);
    netlink_batch_end(b, m->nlh);
    m->nlh = NULL;
}

static bool message_takes(const struct message *m, const struct fact_nft_elem *elem, uint16_t type)
{
    return m->nlh && m->type == type && m->elem->table == elem->table &&
           str_equal(m->elem->set, elem->set) &&
           m->nlh->nlmsg_len + ELEMENT_MAX <= NETLINK_MESSAGE_MAX;
}

static void put_tuple(struct nlmsghdr *nlh, uint16_t attr, const struct tuple *tuple)
{
    struct nlattr *nest = mnl_attr_nest_start(nlh, attr);

    mnl_attr_put(nlh, NFTA_DATA_VALUE, tuple->len, tuple->bytes);
    mnl_attr_nest_end(nlh, nest);
}

static int put_elem(struct message *m, struct netlink_batch *b, const struct fact_nft_elem *elem,
                    uint16_t type, struct weft_error *err)
{
    struct tuple key = encode_tuple(elem->key), data = encode_tuple(elem->data);
    struct nlattr *nest;

    if (!message_takes(m, elem, type)) {
        message_end(m, b);
        if (message_begin(m, b, elem, type, err) < 0)
            return -ENOMEM;
    }
    nest = mnl_attr_nest_start(m->nlh, NFTA_LIST_ELEM);
    put_tuple(m->nlh, NFTA_SET_ELEM_KEY, &key);
    if (type == NFT_MSG_NEWSETELEM && data.len)
        put_tuple(m->nlh, NFTA_SET_ELEM_DATA, &data);
    mnl_attr_nest_end(m->nlh, nest);
    return 0;
}

int nft_encode(struct netlink_batch *b, const struct op *ops, size_t count, struct weft_error *err)
{
    struct message m = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++) {
        const struct op *op = &ops[i];

        if (op->verb != OP_ADD) /* a changed one is removed and added in one transaction */
            r = put_elem(&m, b, &op->old.elem, NFT_MSG_DELSETELEM, err);
        if (r == 0 && op->verb != OP_REMOVE)
            r = put_elem(&m, b, &op->fact.elem, NFT_MSG_NEWSETELEM, err);
    }
    message_end(&m, b);
    return r;
}

int nft_batch_begin(struct netlink_batch *b, struct weft_error *err)
{
    uint32_t seq;
    void *room = netlink_batch_begin(b, &seq);

    if (!room)
        return weft_oom(err);
    netlink_batch_end(b, nftnl_batch_begin(room, seq));
    b->is_transaction = true;
    return 0;
}

int nft_batch_end(struct netlink_batch *b, struct weft_error *err)
{
    uint32_t seq;
    void *room = netlink_batch_begin(b, &seq);

    if (!room)
        return weft_oom(err);
    netlink_batch_end(b, nftnl_batch_end(room, seq));
    return 0;
}
