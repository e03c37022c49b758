/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keys and data of several fields are their values one after another, each filled up with zeros to
 * a multiple of four bytes (NFT_REG32_SIZE). A single field is as long as its type.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "kernel/nft.h"

#define FIELD_BYTES 16

DEFINE_CLEANUP(struct nftnl_set *, nftnl_set_free)
#define _cleanup_set_ _cleanup_(nftnl_set_free_p)

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
    case NFT_FIELD_PROTO:
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

static struct nftnl_set *make_set(const struct fact_nft_elem *elem, bool with_data)
{
    struct tuple key = encode_tuple(elem->key), data = encode_tuple(elem->data);
    _cleanup_set_ struct nftnl_set *set = nftnl_set_alloc();
    struct nftnl_set_elem *e = set ? nftnl_set_elem_alloc() : NULL;

    if (!e)
        return NULL;
    nftnl_set_elem_add(set, e);
    if (nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE) < 0 ||
        nftnl_set_set_str(set, NFTNL_SET_NAME, elem->set) < 0 ||
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key.bytes, key.len) < 0)
        return NULL;
    if (with_data && data.len &&
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, data.bytes, data.len) < 0)
        return NULL;
    return TAKE_PTR(set);
}

static int put_elem(struct netlink_batch *b, const struct fact_nft_elem *elem, uint16_t type,
                    uint16_t flags, struct weft_error *err)
{
    _cleanup_set_ struct nftnl_set *set = make_set(elem, type == NFT_MSG_NEWSETELEM);
    struct nlmsghdr *nlh;
    uint32_t seq;
    void *room;

    room = set ? netlink_batch_begin(b, &seq) : NULL;
    if (!room)
        return weft_oom(err);
    nlh = nftnl_nlmsg_build_hdr(room, type, NFPROTO_INET, flags, seq);
    nftnl_set_elems_nlmsg_build_payload(nlh, set);
    netlink_batch_end(b, nlh);
    return 0;
}

int nft_encode(struct netlink_batch *b, const struct op *op, struct weft_error *err)
{
    int r = 0;

    if (op->verb != OP_ADD) /* a changed one is removed and added in one transaction */
        r = put_elem(b, &op->old.elem, NFT_MSG_DELSETELEM, 0, err);
    if (r >= 0 && op->verb != OP_REMOVE)
        r = put_elem(b, &op->fact.elem, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL, err);
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
