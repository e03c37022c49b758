/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Asking others: upstream servers, how they are chosen, and the cache of their answers.
 *
 * Servers of a set are ranked by health: failures first, then the smoothed round trip. The best is
 * asked; when it has not answered after DNS_RACE_MS the next is asked too, and so on; the first
 * proper answer wins. A server that lost a race or was unreachable is ranked behind, and asked
 * again beside the best now and then, to see whether it is back: so a dead first server costs one
 * query once. SERVFAIL and REFUSED count as no answer while there is another server to ask.
 *
 * Every query has an id of its own at random and a socket of its own, connected to the server and
 * at a port that the kernel chose at random for it (RFC 5452): the kernel drops what comes from
 * elsewhere, and what does not echo id and question is ignored, not believed.
 *
 * In the host's namespace sockets are made as needed. In a sandbox's weft-dns cannot make any: it
 * is given some, and connects and disconnects them in turn, which gives them a new port.
 */

#include <uv.h>

#include "dns/codec.h"
#include "dns/message.h"

#define DNS_RACE_MS 50
#define DNS_FORWARD_TIMEOUT_MS 5000 /* then SERVFAIL */
#define DNS_FORWARDS_MAX 1024       /* in flight, of all sandboxes */

struct dns_forwarder;
struct dns_upstreams;

int dns_forwarder_new(uv_loop_t *loop, struct dns_forwarder **ret);
/* All queries in flight must be cancelled, all sets freed. Its memory goes with the loop's next
 * turn. */
void dns_forwarder_free(struct dns_forwarder *f);
/* For tests: servers listen at that port instead of DNS_PORT, races begin after race_ms, and other
 * waits are so many times shorter. */
void dns_forwarder_set_test(struct dns_forwarder *f, uint16_t port, unsigned race_ms,
                            unsigned pace);

/* A set of servers. sockets: roles DNS_SOCKET_ASK_*, with their descriptors, which the set takes;
 * count 0: it makes its own, in this process's namespace. */
int dns_upstreams_new(struct dns_forwarder *f, const struct dns_server *servers, size_t count,
                      const uint8_t *roles, const int *fds, size_t fd_count,
                      struct dns_upstreams **ret);
/* Other servers from now on; what is known of those that stay is kept. What was cached of the set
 * is forgotten. */
int dns_upstreams_set(struct dns_upstreams *u, const struct dns_server *servers, size_t count);
/* Queries in flight through the set end with SERVFAIL. */
void dns_upstreams_free(struct dns_upstreams *u);

/* The outcome: msg is a whole response to the client's query, with the client's id and its
 * question; not yet cut to what the client takes. It is good until the function returns, or asks in
 * its turn (dns_forward). server: none unless source is DNS_FROM_UPSTREAM. */
typedef void dns_forward_fn(void *arg, uint8_t *msg, size_t length, enum dns_source source,
                            const struct addr *server);

/*
 * Asks the set. done is called exactly once: before this returns if the cache knows (*ret NULL), or
 * nobody can be asked (SERVFAIL: too much in flight, no servers); else later, unless cancelled.
 * msg is copied as needed. Header flags RD, CD and AD, the DO bit and EDNS options (but those from
 * hop to hop: cookie, keepalive, padding) are passed on; a query with options is not answered from
 * the cache, nor cached.
 */
struct dns_forward;
void dns_forward(struct dns_upstreams *u, const uint8_t *msg, size_t length,
                 const struct dns_query *query, dns_forward_fn *done, void *arg,
                 struct dns_forward **ret);
/* done is not called any more. */
void dns_forward_cancel(struct dns_forward *fw);
