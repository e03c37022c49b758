/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/nft_expr.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>

struct nlattr *nft_expr_begin(struct nlmsghdr *nlh, const char *name, struct nlattr **ret_data)
{
    struct nlattr *expression = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);

    mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, name);
    *ret_data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
    return expression;
}

void nft_expr_end(struct nlmsghdr *nlh, struct nlattr *expression, struct nlattr *data)
{
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, expression);
}

void nft_put_number(struct nlmsghdr *nlh, uint16_t type, uint32_t number)
{
    mnl_attr_put_u32(nlh, type, htonl(number));
}

static void put_value(struct nlmsghdr *nlh, uint16_t type, const void *bytes, size_t len)
{
    struct nlattr *nest = mnl_attr_nest_start(nlh, type);

    mnl_attr_put(nlh, NFTA_DATA_VALUE, len, bytes);
    mnl_attr_nest_end(nlh, nest);
}

void nft_expr_meta(struct nlmsghdr *nlh, uint32_t key)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "meta", &data);

    nft_put_number(nlh, NFTA_META_KEY, key);
    nft_put_number(nlh, NFTA_META_DREG, NFT_REG_1);
    nft_expr_end(nlh, expression, data);
}

void nft_expr_payload(struct nlmsghdr *nlh, uint32_t base, uint32_t offset, uint32_t len)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "payload", &data);

    nft_put_number(nlh, NFTA_PAYLOAD_DREG, NFT_REG_1);
    nft_put_number(nlh, NFTA_PAYLOAD_BASE, base);
    nft_put_number(nlh, NFTA_PAYLOAD_OFFSET, offset);
    nft_put_number(nlh, NFTA_PAYLOAD_LEN, len);
    nft_expr_end(nlh, expression, data);
}

void nft_expr_cmp(struct nlmsghdr *nlh, uint32_t cmp, const void *bytes, size_t len)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "cmp", &data);

    nft_put_number(nlh, NFTA_CMP_SREG, NFT_REG_1);
    nft_put_number(nlh, NFTA_CMP_OP, cmp);
    put_value(nlh, NFTA_CMP_DATA, bytes, len);
    nft_expr_end(nlh, expression, data);
}

void nft_expr_immediate(struct nlmsghdr *nlh, const void *bytes, size_t len)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "immediate", &data);

    nft_put_number(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    put_value(nlh, NFTA_IMMEDIATE_DATA, bytes, len);
    nft_expr_end(nlh, expression, data);
}

void nft_expr_transport_write(struct nlmsghdr *nlh, uint32_t offset, uint32_t len,
                              uint32_t csum_offset)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "payload", &data);

    nft_put_number(nlh, NFTA_PAYLOAD_SREG, NFT_REG_1);
    nft_put_number(nlh, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nft_put_number(nlh, NFTA_PAYLOAD_OFFSET, offset);
    nft_put_number(nlh, NFTA_PAYLOAD_LEN, len);
    nft_put_number(nlh, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
    nft_put_number(nlh, NFTA_PAYLOAD_CSUM_OFFSET, csum_offset);
    nft_expr_end(nlh, expression, data);
}

void nft_expr_verdict(struct nlmsghdr *nlh, uint32_t verdict)
{
    struct nlattr *data, *expression = nft_expr_begin(nlh, "immediate", &data);
    struct nlattr *value, *nest;

    nft_put_number(nlh, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    value = mnl_attr_nest_start(nlh, NFTA_IMMEDIATE_DATA);
    nest = mnl_attr_nest_start(nlh, NFTA_DATA_VERDICT);
    nft_put_number(nlh, NFTA_VERDICT_CODE, verdict);
    mnl_attr_nest_end(nlh, nest);
    mnl_attr_nest_end(nlh, value);
    nft_expr_end(nlh, expression, data);
}
