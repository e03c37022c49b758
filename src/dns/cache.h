/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Upstreams' answers, kept for as long as their TTL allows (RFC 2181, 8; negative ones: RFC 2308),
 * within a bound of octets; what was used least recently goes first.
 */

#include "dns/codec.h"

#define DNS_CACHE_BYTES (1 << 20)
#define DNS_CACHE_TTL_MAX 86400 /* seconds */

struct dns_cache;

/* set: a number for each set of upstreams: sandboxes with servers of their own see their own
 * answers. */
struct dns_cache_key {
    uint64_t set;
    const struct dns_name *name;
    uint16_t type, class;
    bool dnssec_ok, checking_disabled;
};

int dns_cache_new(size_t max_bytes, struct dns_cache **ret);
void dns_cache_free(struct dns_cache *c);
/* now: milliseconds of any clock that never goes back. The answer, aged, copied to buf (room for
 * DNS_MESSAGE_MAX octets): its length; 0: not there. The id in it means nothing. */
size_t dns_cache_get(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now,
                     uint8_t *buf);
/* Keeps a response for ttl seconds (0: does nothing). What does not fit is not kept. */
void dns_cache_put(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now,
                   const uint8_t *msg, size_t length, uint32_t ttl);
/* Forgets all of a set. */
void dns_cache_drop(struct dns_cache *c, uint64_t set);
size_t dns_cache_bytes(const struct dns_cache *c);
