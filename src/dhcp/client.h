/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A DHCP client (RFC 2131) that speaks for somebody else: it gets, keeps and gives back a lease for
 * a container, by frames with the container's MAC that it sends from a link of the host's. Leases
 * are applied by whoever owns the client; nothing here touches the kernel but a packet socket.
 */

#include <uv.h>

#include "base/error.h"
#include "dhcp/codec.h"

#define DHCP_ACQUIRE_SECONDS 10 /* in all, for a first lease */

/* The links that clients speak by. Zero-initialise but for the loop; empty again when the last
 * client has gone. */
struct dhcp_lan {
    uv_loop_t *loop;
    struct dhcp_port *ports;
};

/* They are called from the loop, and may free the client. */
struct dhcp_client_hooks {
    /* Is this address of use? 0, or -errno with a sentence: another server may offer a better one.
     */
    int (*accept)(void *arg, const struct dhcp_lease *lease, struct weft_error *err);
    /* It has this lease from now on: the first, the same for longer, or another. */
    void (*bound)(void *arg, const struct dhcp_lease *lease);
    /* No first lease could be got in time. Nothing is being done any more. */
    void (*failed)(void *arg, const struct weft_error *err);
    /* The lease has run out. It is being asked for another. */
    void (*lost)(void *arg, const struct weft_error *err);
};

struct dhcp_client;

/* hooks and arg are borrowed. 0, -ENOMEM. */
int dhcp_client_new(struct dhcp_lan *lan, const char *link, const struct dhcp_identity *who,
                    const struct dhcp_client_hooks *hooks, void *arg, struct dhcp_client **ret,
                    struct weft_error *err);
/* Asks for a first lease: bound or failed is called within DHCP_ACQUIRE_SECONDS. wanted: the
 * address that is asked for; none: any. */
void dhcp_client_acquire(struct dhcp_client *c, const struct addr *wanted);
/* Keeps a lease that was got so many milliseconds ago. */
void dhcp_client_resume(struct dhcp_client *c, const struct dhcp_lease *lease, int64_t age);
/* The lease is kept as it is, and nobody is told: for weftd's own end. */
void dhcp_client_free(struct dhcp_client *c);

/* The link's own MAC. 0 or -errno. */
int dhcp_link_mac(const char *link, struct mac *ret, struct weft_error *err);

/* Gives a lease back: one frame, which nobody answers. 0 or -errno. */
int dhcp_release(const char *link, const struct dhcp_identity *who, const struct dhcp_lease *lease,
                 struct weft_error *err);
