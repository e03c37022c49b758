/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Forgetting tracked connections (ctnetlink).
 *
 * The kernel decides about a connection's translation once, at its first packet, and remembers.
 * When a port is published or an address changes hands, exactly the entries that the decision
 * concerned are removed: the next packet of such a flow meets the ruleset anew. Others live on.
 */

#include "kernel/kernel.h"

struct conntrack_match {
    enum {
        /* Entries between anybody and this address: whoever has it asked or is asked, that is,
         * it is the source of the original or of the reply direction. */
        CONNTRACK_ADDRESS,
        /* Entries that began as a conversation with this port of the host. */
        CONNTRACK_SERVICE,
    } kind;
    struct addr addr; /* CONNTRACK_SERVICE: 0.0.0.0 or :: any address of the host in this family */
    uint8_t proto;    /* CONNTRACK_SERVICE: IPPROTO_… */
    uint16_t port;    /* CONNTRACK_SERVICE: host order */
};

/* Begins to remove the entries that match any, in the host's namespace; matches are copied. It
 * takes a millisecond, or many on a busy host, and goes on in a thread of its own that shares
 * nothing with the daemon. What was begun before is finished first, and its failure returned. A
 * kernel that tracks nothing has nothing to forget. 0 or -errno. */
int kernel_conntrack_begin(struct kernel *k, const struct conntrack_match *matches, size_t count,
                           struct weft_error *err);
/* Whether what was begun is still going on. */
bool kernel_conntrack_is_busy(const struct kernel *k);
/* Waits for what was begun. Its result, or 0 when nothing was. */
int kernel_conntrack_finish(struct kernel *k, struct weft_error *err);
