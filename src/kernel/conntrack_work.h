/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The ways of forgetting connections (conntrack.c says when to take which). */

#include "kernel/conntrack.h"
#include "kernel/local_addrs.h"
#include "kernel/netlink.h"

/* The matches of one family. */
struct conntrack_work {
    struct netlink *nl;
    uint8_t family;
    const struct conntrack_match *matches; /* sorted with conntrack_match_compare */
    size_t count;
    const struct local_addrs *local; /* the host's, if some match is of any of them */
    struct netlink_batch batch;
    int errnum; /* of the kernel's first refusal */
};

int conntrack_match_compare(const void *left, const void *right);
/* Whether the match is of any address of the host. */
bool conntrack_match_is_any(const struct conntrack_match *match);
/* NULL when memory ran out. */
struct nlmsghdr *conntrack_begin_delete(struct conntrack_work *w);
/* A netlink_refused_fn; ctx is the work. */
void conntrack_note_refusal(void *ctx, unsigned message, int errnum, const char *why);

/* 0, -errno, or -EOPNOTSUPP when this is not the way. */
int conntrack_forget_by_filter(struct conntrack_work *w, struct weft_error *err);
int conntrack_forget_by_dump(struct conntrack_work *w, struct weft_error *err);
/* False when a look at the table as text shows that nothing matches. */
bool conntrack_may_match(const struct conntrack_work *w);
