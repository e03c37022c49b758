/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The sockets that weft-dns was given, by the sandbox or network that owns them. */

#include "dns/listener.h"
#include "dns/server.h"

struct dns_held {
    int fd; /* of a listener or of `own`, if that is there; else ours; −1: none */
    uint8_t role;
    struct dns_listener *listener;
};

struct dns_owner {
    LIST_ENTRY(dns_owner) link; /* of the daemon's */
    struct dns_daemon *daemon;
    struct dns_network *network; /* one of the two */
    struct dns_sandbox *sandbox;
    struct dns_upstreams *own; /* of a sandbox with servers of its own and sockets to ask them */
    unsigned stream_count;
    struct dns_held *held;
    size_t count;
};

/* Gives a sandbox or network these sockets instead of those it has; a socket that it has already
 * goes on as it is. Takes the descriptors. 0, -ENOENT: there is no such owner, or -errno. */
int dns_owner_set_sockets(struct dns_daemon *d, struct dns_msg_sockets *m);
/* Closes what it has; NULL is fine. */
void dns_owner_free(struct dns_owner *o);
/* The sandbox has other servers now. */
void dns_owner_update_servers(struct dns_owner *o);
/* Whom queries of scope are forwarded to; NULL: nobody. */
struct dns_upstreams *dns_owner_upstreams(const struct dns_daemon *d,
                                          const struct dns_scope *scope);
