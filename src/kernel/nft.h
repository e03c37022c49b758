/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* nf_tables: the base ruleset as text; elements, rules in chains of others, and the table of a
 * container's namespace as netlink messages. */

#include "kernel/private.h"
#include "kstate/fact.h"
#include "kstate/plan.h"

#define NFT_TABLE "weft"

/* Appends the requests of operations on elements. Neighbours of one set go together in a message,
 * which the kernel refuses as a whole. 0 or -ENOMEM. */
int nft_encode(struct netlink_batch *b, const struct op *ops, size_t count, struct weft_error *err);

/* Appends the requests of an operation on an accept rule. A rule is removed by its handle, for
 * which the kernel is asked. -ENOENT when there is none. 0 or -errno. */
int nft_accept_encode(struct netlink_batch *b, struct netlink *nl, const struct op *op,
                      struct weft_error *err);
/* Adds the facts of weft's accept rules in chains of others. 0 or -errno. */
int nft_accept_observe(struct netlink *nl, struct fact_set *ret, struct weft_error *err);

/* FACT_RESOLVER in the socket's namespace: its own table ip weft is made, instead of one that is
 * there, or removed (-ENOENT: there is none). 0 or -errno. */
int nft_resolver_add(struct netlink *nl, struct weft_error *err);
int nft_resolver_remove(struct netlink *nl, struct weft_error *err);
/* Whether the table is there, exactly as it was made. 0 or -errno. */
int nft_resolver_observe(struct netlink *nl, bool *ret, struct weft_error *err);

/* The messages around a batch that make it a transaction. 0 or -ENOMEM. */
int nft_batch_begin(struct netlink_batch *b, struct weft_error *err);
int nft_batch_end(struct netlink_batch *b, struct weft_error *err);

/* Loads the base ruleset. Each is one transaction, and remembers what the rules look like (see
 * nft_rules_digest). 0 or -errno.
 *
 * In place: the rules become what the text says, sets and elements stay, and so do the
 * administrator's chains. Refused when a set or a base chain is not what the text says. */
int nft_base_reload(struct kernel *k, const char *text, struct weft_error *err);
/* Instead of the tables that are there, if any. Elements are gone then. The administrator's chains
 * in table inet weft come back, with the sets and chains of their own that their rules speak of; if
 * nft refuses them, they are logged. */
int nft_base_replace(struct kernel *k, const char *text, struct weft_error *err);
/* Removes the tables. */
int nft_base_remove(struct kernel *k, struct weft_error *err);

/* A digest of the sets, chains and rules of weft's tables, without elements and without the
 * administrator's chains. Rules count with their handles: a rule that was replaced by an equal one
 * is another. 0 or -errno. */
int nft_rules_digest(struct netlink *nl, uint64_t *ret, struct weft_error *err);

/* Adds the facts of weft's tables, or those of their elements alone. The text says which sets are
 * weft's; NULL: all. 0 or -errno. */
int nft_observe(struct kernel *k, const char *text, struct fact_set *ret, struct weft_error *err);
int nft_observe_elems(struct netlink *nl, const char *text, struct fact_set *ret,
                      struct weft_error *err);

/* The comment in the userdata of a table or a rule, NULL if there is none. Still the userdata's. */
const char *nft_comment(const void *userdata, uint32_t len);

/* The kernel's number (NFPROTO_…) of a table's family. */
uint8_t nft_family(enum nft_table table);
