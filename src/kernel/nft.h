/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* nf_tables: the base ruleset as text, elements as netlink messages. */

#include "kernel/netlink.h"
#include "kstate/fact.h"
#include "kstate/plan.h"

#define NFT_TABLE "weft"

/* Appends the requests of an operation on an element. 0 or -errno. */
int nft_encode(struct netlink_batch *b, const struct op *op, struct weft_error *err);

/* The messages around a batch that make it a transaction. 0 or -ENOMEM. */
int nft_batch_begin(struct netlink_batch *b, struct weft_error *err);
int nft_batch_end(struct netlink_batch *b, struct weft_error *err);

/* Puts the ruleset in the place of table inet weft; text NULL: removes the table. One transaction.
 */
int nft_base_load(const char *text, struct weft_error *err);

/* Adds the facts of table inet weft. 0 or -errno. */
int nft_observe(struct netlink *nl, struct fact_set *ret, struct weft_error *err);
