/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Did somebody tamper with weft's tables? Every set, chain and rule of them goes into one number,
 * as the kernel dumps it. Left out is what changes by use: elements, counters, references.
 *
 * A rule's handle tells it from every other that its table ever had. Without it, a rule whose
 * anonymous set ("__set0") was replaced by another would look the same.
 */

#include <assert.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/hash.h"
#include "base/str.h"
#include "kernel/nft.h"
#include "kstate/nft_text.h"

#define REQUEST_SIZE 256

struct digest {
    uint64_t
        value; /* collisions need not be feared: whoever can write rules need not deceive weft */
    uint64_t before; /* the dump that is running */
};

static void mix(struct digest *d, const void *data, size_t len)
{
    d->value = hash_bytes(d->value, data, len);
}

/* Its expressions, but not the figures of its counters. */
static void mix_expressions(struct digest *d, const struct nlattr *list)
{
    const struct nlattr *expression, *attr;

    mnl_attr_for_each_nested(expression, list)
    {
        bool counter = false;

        mnl_attr_for_each_nested(attr, expression)
        {
            if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME)
                counter = str_equal(mnl_attr_get_str(attr), "counter");
            if (mnl_attr_get_type(attr) == NFTA_EXPR_NAME || !counter)
                mix(d, attr, attr->nla_len);
        }
    }
}

/* Whether an attribute of a chain or set tells what it is. */
static bool counts(uint16_t message, uint16_t attr)
{
    if (message == NFT_MSG_NEWCHAIN)
        return attr == NFTA_CHAIN_NAME || attr == NFTA_CHAIN_HANDLE || attr == NFTA_CHAIN_HOOK ||
               attr == NFTA_CHAIN_POLICY || attr == NFTA_CHAIN_TYPE;
    if (message == NFT_MSG_NEWSET)
        return attr == NFTA_SET_NAME || attr == NFTA_SET_FLAGS || attr == NFTA_SET_KEY_TYPE ||
               attr == NFTA_SET_KEY_LEN || attr == NFTA_SET_DATA_TYPE || attr == NFTA_SET_DATA_LEN;
    return message == NFT_MSG_NEWRULE && (attr == NFTA_RULE_CHAIN || attr == NFTA_RULE_HANDLE);
}

static int take(void *ctx, const struct nlmsghdr *nlh)
{
    uint16_t message = NFNL_MSG_TYPE(nlh->nlmsg_type);
    uint16_t name = message == NFT_MSG_NEWRULE ? NFTA_RULE_CHAIN : NFTA_CHAIN_NAME;
    struct digest *d = ctx, before = *d;
    const struct nlattr *attr;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
    {
        uint16_t type = mnl_attr_get_type(attr);

        if (message != NFT_MSG_NEWSET && type == name &&
            nft_chain_is_administrators(mnl_attr_get_str(attr))) {
            *d = before;
            return 0;
        }
        if (counts(message, type))
            mix(d, attr, attr->nla_len);
        else if (message == NFT_MSG_NEWRULE && type == NFTA_RULE_EXPRESSIONS)
            mix_expressions(d, attr);
    }
    return 0;
}

static void forget(void *ctx)
{
    struct digest *d = ctx;

    d->value = d->before;
}

static int mix_dump(struct digest *d, struct netlink *nl, enum nft_table table, uint16_t request,
                    struct weft_error *err)
{
    char buffer[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = nftnl_nlmsg_build_hdr(buffer, request, nft_family(table), 0, 0);
    int r;

    static_assert((int)NFTA_SET_TABLE == NFTA_TABLE_NAME &&
                      (int)NFTA_CHAIN_TABLE == NFTA_TABLE_NAME &&
                      (int)NFTA_RULE_TABLE == NFTA_TABLE_NAME,
                  "one attribute for all");
    mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
    d->before = d->value;
    r = netlink_dump(nl, nlh, take, forget, d, err);
    return r == -ENOENT ? 0 : r; /* no table */
}

int nft_rules_digest(struct netlink *nl, uint64_t *ret, struct weft_error *err)
{
    static const uint16_t requests[] = {NFT_MSG_GETSET, NFT_MSG_GETCHAIN, NFT_MSG_GETRULE};
    struct digest d = {.value = HASH_START};
    int r = 0;

    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(requests); i++) {
        r = mix_dump(&d, nl, NFT_TABLE_INET, requests[i], err);
        if (r >= 0)
            r = mix_dump(&d, nl, NFT_TABLE_BRIDGE, requests[i], err);
    }
    if (r < 0)
        return r;
    *ret = d.value;
    return 0;
}
