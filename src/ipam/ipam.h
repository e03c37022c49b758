/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Address management: which pool a network gets, and which address an endpoint gets.
 *
 * Allocation is next-fit: each pool has a cursor behind the address given last, so that an address
 * that was freed is the last to be given again, and a client with a stale ARP entry or connection
 * does not meet a stranger under it. Only allocated addresses take memory, so that a /64 costs no
 * more than a /24. Nothing here does I/O; the engine keeps leases and cursors in the store and
 * replays them at start.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "model/network.h"

struct ipam; /* the allocation state of one network: all its pools */

/* Starts with the network's gateways and auxiliary addresses reserved, and IPv4's network and
 * broadcast addresses (not in a /31 or /32) and IPv6's subnet-router anycast address (RFC
 * 4291, 2.6.1) excluded. Borrows net. 0 or -errno. */
int ipam_new(const struct network *net, struct ipam **ret, struct weft_error *err);
void ipam_free(struct ipam *ipam);
DEFINE_CLEANUP(struct ipam *, ipam_free)
#define _cleanup_ipam_ _cleanup_(ipam_free_p)

/* The next free address of the family, out of the pool's range if it has one. owner is a name for
 * error messages ("container web"), copied. 0, or -ENOSPC: "pool 10.5.0.0/24 of network web is
 * exhausted: 253 addresses in use". */
int ipam_allocate(struct ipam *ipam, int family, const char *owner, struct addr *ret,
                  struct weft_error *err);
/* This address, which may lie outside the range but not outside the subnets. 0, -EINVAL (outside,
 * or the network's own), -EEXIST ("address 10.5.0.7 of network web is in use by container db"; the
 * gateway and auxiliary addresses are named as such). */
int ipam_reserve(struct ipam *ipam, const struct addr *addr, const char *owner,
                 struct weft_error *err);
/* Gives it back. An address that is not allocated is no error. */
void ipam_release(struct ipam *ipam, const struct addr *addr);

/* The cursor of a family's first pool: the address given last (none at first). For the store. */
struct addr ipam_cursor(const struct ipam *ipam, int family);
/* Puts it back; none: to the beginning. An address of no pool is ignored. */
void ipam_set_cursor(struct ipam *ipam, int family, const struct addr *last);

/* Prefix length of the subnet that contains addr, 0 when none does. */
uint8_t ipam_prefix_length(const struct network *net, const struct addr *addr);

/* Where default pools come from: every subnet of length size within base, in order. */
struct ipam_base {
    struct prefix base;
    uint8_t size;
};
/* weft's defaults, /24s all: 172.18.0.0 to 172.31.255.255, 192.168.0.0/16, 10.128.0.0/9. */
extern const struct ipam_base ipam_default_bases[];
extern const size_t ipam_default_base_count;

/* A prefix that is taken, and by whom ("network web", "route 10.8.0.0/24"). */
struct ipam_taken {
    struct prefix prefix;
    const char *by;
};
/* The first subnet of the bases that overlaps nothing that is taken. `taken` is sorted in place and
 * its host bits are cleared. -ENOSPC when there is none. */
int ipam_choose_subnet(const struct ipam_base *bases, size_t base_count, struct ipam_taken *taken,
                       size_t taken_count, struct prefix *ret, struct weft_error *err);
/* A ULA /64 (RFC 4193): fd, the host's 40-bit global id, and the first free 16-bit subnet id from
 * `hint` on. */
int ipam_choose_ula(const uint8_t global_id[static 5], uint16_t hint, struct ipam_taken *taken,
                    size_t taken_count, struct prefix *ret, struct weft_error *err);
/* Which of taken overlaps p; NULL when none does. */
const struct ipam_taken *ipam_find_overlap(const struct ipam_taken *taken, size_t taken_count,
                                           const struct prefix *p);
/* The gateway of a pool that names none: the first usable address of the range, or of the subnet,
 * that is no auxiliary address. */
int ipam_choose_gateway(const struct pool *pool, struct addr *ret, struct weft_error *err);
