/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a DHCP client does next. No I/O, no clock, no allocation: it is told what has come and what
 * time it is, and says what to send and when it wants to be asked again.
 *
 * Private to src/dhcp and its tests: client.h is for others.
 */

#include "base/error.h"
#include "dhcp/client.h"
#include "dhcp/codec.h"

enum dhcp_state {
    DHCP_IDLE,
    DHCP_SELECTING,  /* DISCOVER has been sent */
    DHCP_REQUESTING, /* an offer was taken, REQUEST has been sent */
    DHCP_BOUND,      /* until T1 */
    DHCP_RENEWING,   /* REQUEST has been sent for what it has */
};

struct dhcp_machine {
    struct dhcp_identity who;
    const char *link; /* for sentences */
    const struct dhcp_client_hooks *hooks;
    void *arg;
    /* Sends. What fails is no more than a frame that was lost, but told if nothing else comes. */
    int (*send)(void *sender, const struct dhcp_request *request, struct weft_error *err);
    uint32_t (*random)(void *sender);
    void *sender;

    /* The machine's own. Times are in milliseconds, of any clock that goes forward. */
    enum dhcp_state state;
    struct addr wanted; /* asked for by number; none: any */
    uint32_t xid;
    unsigned tries; /* messages sent in this state */
    unsigned naks;
    int64_t began;                 /* the attempt, for `secs` */
    int64_t sent;                  /* the last message: what comes is taken for the answer to it */
    int64_t next;                  /* when to go on by itself; NEVER */
    int64_t give_up;               /* of a first lease; NEVER once there was one */
    int64_t expiry, renew, rebind; /* of the lease; NEVER */
    bool has_lease;
    struct dhcp_lease lease, offer;
    struct weft_error why; /* what stood in the way last; code WEFT_OK: nothing but silence */
};

#define DHCP_NEVER INT64_MAX

/* Asks for a first lease. */
void dhcp_machine_acquire(struct dhcp_machine *m, const struct addr *wanted, int64_t now);
/* Goes on with a lease that was got so many milliseconds ago. */
void dhcp_machine_resume(struct dhcp_machine *m, const struct dhcp_lease *lease, int64_t age,
                         int64_t now);
/* What came with this client's xid. */
void dhcp_machine_receive(struct dhcp_machine *m, const struct dhcp_reply *reply, int64_t now);
/* For when the deadline has come; otherwise it does nothing. */
void dhcp_machine_wake(struct dhcp_machine *m, int64_t now);
/* DHCP_NEVER: nothing to be done by itself. */
int64_t dhcp_machine_deadline(const struct dhcp_machine *m);
