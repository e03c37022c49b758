/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Holding published ports, and relaying what the kernel cannot.
 *
 * A published port is held by a socket of weftd's, so that no process of the host takes it.
 * nftables translates what arrives for the port before any socket sees it; what reaches the held
 * socket all the same is what cannot be translated: clients of another address family than the
 * container's, and
 * ::1, from which the kernel sends nothing anywhere. These few are relayed: bytes of TCP
 * connections, datagrams of UDP flows, from the host's own address. One relay serves all ports.
 */

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/error.h"

struct relay;

/* A place on the host. */
struct relay_port {
    uint8_t proto;    /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
    struct addr host; /* none: all addresses of both families; 0.0.0.0, ::: of one */
    uint16_t port;    /* host order */
};

/* Where it leads: the container's address in each family; none: it has no such. Clients are relayed
 * to their own family if they can be. SCTP is held, never relayed. */
struct relay_target {
    struct addr ipv4, ipv6;
    uint16_t port;
};

/* How much may be relayed at a time, and how long a UDP flow may be silent. */
struct relay_limits {
    unsigned connections, connections_of_port; /* TCP: further ones are closed at once */
    unsigned flows, flows_of_port;             /* UDP: the port's least recent one gives way */
    unsigned idle_ms;                          /* of a flow without replies, */
    unsigned replied_idle_ms;                  /* and of one with: as conntrack has it */
};
extern const struct relay_limits relay_limits_default;

int relay_new(uv_loop_t *loop, struct relay **ret, struct weft_error *err);
/* Lets go of all ports and ends what is being relayed; the last of its memory goes in the loop's
 * next turn. Accepts NULL. */
void relay_free(struct relay *r);
/* Instead of the default ones: for what comes from now on. */
void relay_set_limits(struct relay *r, const struct relay_limits *limits);

/*
 * Takes the port; owner ("container web") is copied, for others' errors. Fails with
 *   WEFT_CONFLICT     "port 8080/tcp of 0.0.0.0 is taken by container web", or "… by nginx (pid
 *                     123)", the process having been found in /proc; -EADDRINUSE;
 *   WEFT_INVALID      "192.0.2.1 is not an address of this host"; -EADDRNOTAVAIL;
 *   WEFT_UNSUPPORTED  "this kernel has no SCTP"; -EPROTONOSUPPORT.
 * 0 or -errno. O(1) in the number of held ports.
 */
int relay_hold(struct relay *r, const struct relay_port *at, const struct relay_target *target,
               const char *owner, struct weft_error *err);
/* Gives the port another target. TCP connections stay with the old one; UDP flows end, so that
 * their clients' next datagram goes to the new one. No-op if the port is not held. */
void relay_retarget(struct relay *r, const struct relay_port *at,
                    const struct relay_target *target);
/* Lets go of the port; what is being relayed through it ends. No-op if it is not held. */
void relay_release(struct relay *r, const struct relay_port *at);
/* How many ports are held. */
size_t relay_count(const struct relay *r);
