/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Removing links without waiting for the kernel to tidy up after them.
 *
 * RTM_DELLINK takes a device out of all lists and then waits for RCU callbacks (rcu_barrier() in
 * netdev_run_todo(), net/core/dev.c, and in br_multicast_dev_del() of a bridge): a millisecond of
 * work and ten to forty of waiting, all in the system call of whoever asked. From the unlisting on
 * the link is gone as far as anybody can see: its name is free, and so is that of the other end of
 * a veth pair.
 *
 * So each request is made by a thread of its own, which does nothing else and touches nothing of
 * the daemon's, and the daemon goes on as soon as the names lead nowhere, or at the kernel's
 * refusal. Threads that are done are joined by and by.
 */

#include <net/if.h>
#include <stddef.h>

#include "base/error.h"
#include "kernel/netlink.h"

struct removal;

/* What is to be removed. */
struct removal_target {
    char name[IFNAMSIZ];
    int ns; /* the namespace that it is in; -1: the calling thread's own, which is */
    int host_ns;
    const struct netlink *nl; /* a socket there */
    /* Of a veth pair: the other end and a socket in its namespace. The kernel unlists one end after
     * the other. NULL: not looked at. */
    const char *peer_name;
    const struct netlink *peer_nl;
};

/* The removals that the kernel is still busy with. Zero-initialise. */
struct removals {
    struct removal *under_way;
    size_t count;
};

/* Told of each refusal: which link (by number), positive errno, and the kernel's explanation ("" if
 * it gave none). */
typedef void removal_refused_fn(void *ctx, size_t link, int errnum, const char *why);

/* Removes links; returns when each is gone or refused. -errno
 * when that could not be found out. */
int removal_run(struct removals *removals, const struct removal_target *targets, size_t count,
                removal_refused_fn *refused, void *ctx, struct weft_error *err);

/* Waits for what is under way. */
void removal_finish(struct removals *removals);
