/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Queries over TCP (RFC 7766). */

#include "dns/listener.h"

#define DNS_STREAMS_MAX 512
#define DNS_STREAMS_OF_OWNER_MAX 32
#define DNS_STREAM_ASKING_MAX 16          /* forwarded for one connection at a time */
#define DNS_STREAM_UNSENT_MAX (64 * 1024) /* octets; beyond, nothing is read */
#define DNS_STREAM_PATIENCE_MS 10000

int dns_streams_open(struct dns_daemon *d);
void dns_streams_close(struct dns_daemon *d);
/* The listener has connections to accept. */
void dns_stream_accept(struct dns_listener *l);
/* Not to be watched until the next tick: there is an error that may last. */
void dns_stream_pause(struct dns_listener *l);
/* Ends the connections that came to sockets of the owner's. */
void dns_streams_end(struct dns_daemon *d, const struct dns_owner *owner);
