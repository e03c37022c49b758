/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A socket that queries come to: by datagrams (listener.c), or connections (stream.c). */

#include <netinet/in.h>

#include "dns/server.h"

union dns_peer {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct dns_listener {
    uv_poll_t poll;
    struct dns_owner *owner;
    int fd;
    uint8_t role;
    bool paused;
    LIST_ENTRY(dns_listener) link_paused; /* if so */
    struct dns_pending_list pending;
};

/* Begins to answer what comes to the socket, which it takes if all goes well. 0 or -errno. */
int dns_listener_open(struct dns_owner *owner, int fd, uint8_t role, struct dns_listener **ret);
/* Closes the socket, and forgets the queries that came by it and are being forwarded. */
void dns_listener_close(struct dns_listener *l);
/* Watches it again, after an error. 0 or -errno. */
int dns_listener_watch(struct dns_listener *l);
/* As whom a peer of such a socket asks. */
struct dns_scope dns_scope_of(const struct dns_owner *owner, uint8_t role,
                              const union dns_peer *peer);
