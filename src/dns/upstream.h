/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What a set of upstream servers consists of: each server's health, by which they are ranked, and
 * the sockets by which they are asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/message.h"

#define DNS_SERVERS_MAX 16 /* of a set; those behind are never asked */

/* ---- health ---- */

struct dns_upstream {
    struct dns_server server;
    uint32_t failures; /* since it answered last */
    uint32_t srtt;     /* smoothed round trip in µs; 0: it never answered */
    uint64_t tried;    /* ms: with failures, when it was asked last */
};

bool dns_server_equal(const struct dns_server *a, const struct dns_server *b);
/* micros: how long it took; 0: not known, for it was asked more than once. */
void dns_upstream_succeeded(struct dns_upstream *s, uint32_t micros);
void dns_upstream_failed(struct dns_upstream *s, uint64_t now);
/* Whether to try one that failed, now: if it was not within so many ms. */
bool dns_upstream_take_probe(struct dns_upstream *s, uint64_t now, uint64_t interval);
/* Writes the indexes, the best first: fewest failures, then the shortest round trip, then those not
 * known yet as they stand in the list. */
void dns_upstream_rank(const struct dns_upstream *servers, size_t count, uint8_t *order);

/* ---- sockets ---- */

struct dns_pooled {
    int fd;
    uint8_t role;
    bool busy;
};

/* Zero-initialise: sockets are then made as needed. */
struct dns_pool {
    struct dns_pooled *given;
    size_t count;
};

/* Takes the descriptors, on failure as well. 0 or -ENOMEM. */
int dns_pool_init(struct dns_pool *p, const uint8_t *roles, const int *fds, size_t count);
/* None may be busy. */
void dns_pool_clear(struct dns_pool *p);
/* A non-blocking socket that is connected to the server (TCP: about to be), at a port of its own.
 * -EAGAIN: none is free; other -errno: there will be none, or no way to the server. */
int dns_pool_connect(struct dns_pool *p, const struct dns_server *server, uint16_t port, bool tcp);
/* Gives it back. Whatever still comes for it is not seen any more. */
void dns_pool_release(struct dns_pool *p, int fd);
/* Receives one datagram of the server's; those from elsewhere are dropped. Its length, or -errno
 * (-EAGAIN: no more for now). */
ssize_t dns_pool_receive(int fd, const struct dns_server *server, uint16_t port, uint8_t *buf,
                         size_t size);
