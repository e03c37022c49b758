/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Expressions of rules, appended to a message within NFTA_RULE_EXPRESSIONS. Each that loads leaves
 * its value in register 1, each that compares or writes takes it from there. */

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/* Begins an expression and its data; what it consists of is put between. */
struct nlattr *nft_expr_begin(struct nlmsghdr *nlh, const char *name, struct nlattr **ret_data);
void nft_expr_end(struct nlmsghdr *nlh, struct nlattr *expression, struct nlattr *data);

/* A number in network order, as nf_tables has all of its own. */
void nft_put_number(struct nlmsghdr *nlh, uint16_t type, uint32_t number);

/* Loads what is known of the packet (NFT_META_…). */
void nft_expr_meta(struct nlmsghdr *nlh, uint32_t key);
/* Loads bytes of a header (NFT_PAYLOAD_…_HEADER). */
void nft_expr_payload(struct nlmsghdr *nlh, uint32_t base, uint32_t offset, uint32_t len);
/* The rule goes on if the register compares so (NFT_CMP_…) with the bytes. */
void nft_expr_cmp(struct nlmsghdr *nlh, uint32_t cmp, const void *bytes, size_t len);
/* Loads the bytes given. */
void nft_expr_immediate(struct nlmsghdr *nlh, const void *bytes, size_t len);
/* Writes into the transport header, and puts right the Internet checksum that is there at
 * csum_offset. */
void nft_expr_transport_write(struct nlmsghdr *nlh, uint32_t offset, uint32_t len,
                              uint32_t csum_offset);
/* What becomes of the packet: NF_ACCEPT … */
void nft_expr_verdict(struct nlmsghdr *nlh, uint32_t verdict);
