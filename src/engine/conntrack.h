/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Which tracked connections a change makes obsolete: those of a published port that is new, gone,
 * or leads elsewhere, and those of an address that comes or goes. Pure, but for what is in
 * forget.c.
 */

#include "engine/state.h"
#include "kernel/conntrack.h"

/* A growing list. Zero-initialise. */
struct conntrack_list {
    struct conntrack_match *items;
    size_t count, capacity;
};
void conntrack_list_clear(struct conntrack_list *list);
#define _cleanup_conntrack_list_ _cleanup_(conntrack_list_clear)

/* Appends the services whose elements the plan adds, changes or removes. mending: elements that are
 * added were there before, and led to the same place. 0 or -ENOMEM. */
int conntrack_list_services(const struct plan *plan, bool mending, struct conntrack_list *list);
/* Appends the addresses that lie in a sandbox's namespace in the first of the sorted sets, but not
 * in the other. 0 or -ENOMEM. */
int conntrack_list_addresses(const struct fact_set *from, const struct fact_set *other,
                             struct conntrack_list *list);

/* ---- forget.c ---- */

/* Forgets the connections that a transaction, or mending, has made obsolete: before it returns when
 * a transaction's are datagrams, else some milliseconds later, while the daemon goes on. What fails
 * is logged. The sets must be sorted. */
void forget_connections(struct engine *e, const struct plan *plan, const struct fact_set *before,
                        const struct fact_set *after);
void forget_mended_connections(struct engine *e, const struct plan *plan);
/* Before a plan is applied that gives out addresses: waits if one is still to be forgotten. */
void forget_before_reuse(struct engine *e, const struct fact_set *before,
                         const struct fact_set *after);
int forget_start(struct engine *e, struct weft_error *err);
/* Forgets at once what is left to be. */
void forget_stop(struct engine *e);
