/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Running a plan: what the files that do it share (apply.c says how). */

#include "kernel/ns_pool.h"
#include "kernel/rtnl.h"

#define RTNL_GROUP_MAX 64
_Static_assert(RTNL_GROUP_MAX < NS_POOL_MAX,
               "each operation of a group may need one namespace more");

enum apply_state {
    PENDING, /* nothing said against it yet: once the group has been run, it is done */
    GONE,    /* nothing was there to be removed */
    REFUSED,
    HALF, /* refused, but some of it may have been done */
};

struct run {
    struct kernel *k;
    bool forward; /* not undoing: operations count for fault injection */
    bool lenient; /* failures are logged and do not end it */
    struct ns_pool pool;
    struct netlink_batch batch;

    const struct op *group;
    size_t count;
    enum rtnl_phase phase; /* which it is in */
    struct slot {
        enum apply_state state;
        bool begun; /* in an earlier phase */
        unsigned first_message, messages;
    } * slots; /* of the group's operations */

    struct done {
        const struct op *op;
        char previous[sizeof((struct fact_sysctl *)0)->value]; /* "": not known */
    } * done; /* what was done, in the order in which it was; NULL: not wanted */
    size_t done_count;
    unsigned failures;
    int first_errnum;
    struct weft_error *err; /* gets the first failure */
};

/* One of the group's operations failed, so that it is not PENDING any more. */
void apply_refuse(struct run *run, size_t i, int errnum, const char *why);
/* All that are pending. */
void apply_refuse_pending(struct run *run, int errnum, const char *why);
/* The same when the conversation broke off: nobody knows how far the kernel got. */
void apply_refuse_unheard(struct run *run, int errnum, const char *why);
/* For netlink_batch_run, whose ctx is the run: one of the group's messages was refused, or (of a
 * transaction's begin message) all of it was. */
void apply_message_refused(void *ctx, unsigned message, int errnum, const char *why);
/* Encodes what is pending into the batch; nl is for what has to be asked. */
void apply_encode_group(struct run *run, struct netlink *nl);

/* Routing operations of one namespace: encodes one in the phase that the run is in; runs the group.
 */
int apply_encode_rtnl(struct run *run, const struct op *op, struct weft_error *err);
void apply_rtnl(struct run *run);
/* Whether it is the removal of a link that is not waited for to its end; runs a group of them. */
bool apply_is_removal(const struct op *op);
void apply_removal(struct run *run);
