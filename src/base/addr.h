/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Addresses: one type for IPv4 and IPv6, prefixes, and MAC addresses.
 *
 * All are plain values: copy them, compare them with the functions below, zero them for "none"
 * (family 0). Bytes are in network order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"

#define ADDR_TEXT_MAX 46   /* with the final NUL, as INET6_ADDRSTRLEN */
#define PREFIX_TEXT_MAX 50 /* "address/128" */
#define MAC_TEXT_MAX 18

struct addr {
    uint8_t family; /* AF_INET, AF_INET6, or 0: none */
    uint8_t bytes[16];
};

struct prefix {
    struct addr addr;
    uint8_t len;
};

struct mac {
    uint8_t bytes[6];
};

static inline bool addr_is_set(const struct addr *a)
{
    return a->family != 0;
}

/* Length of an address of this family in bytes (4, 16, or 0) and in bits. */
size_t addr_size(const struct addr *a);
unsigned addr_bits(const struct addr *a);

/* Parses a literal of either family. Returns 0 or -EINVAL (err: `"10.0.0" is not an IP address`).
 */
int addr_parse(const char *text, struct addr *ret, struct weft_error *err);
/* Writes the literal into buf and returns buf. "none" prints as "". */
const char *addr_format(const struct addr *a, char buf[static ADDR_TEXT_MAX]);
#define addr_text(a) addr_format((a), (char[ADDR_TEXT_MAX]){0})

/* Total order: by family, then as numbers. Returns <0, 0, >0. */
int addr_compare(const struct addr *a, const struct addr *b);
static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
    return addr_compare(a, b) == 0;
}
bool addr_is_multicast(const struct addr *a);
bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);

/* base + n, the carry running through the whole address; overflow wraps. */
struct addr addr_add(const struct addr *base, uint64_t n);
/* addr − base; UINT64_MAX when it is negative, does not fit, or the families differ. */
uint64_t addr_offset(const struct addr *base, const struct addr *addr);

/* Parses "address/len". Host bits are kept: see prefix_has_host_bits. Returns 0 or -EINVAL. */
int prefix_parse(const char *text, struct prefix *ret, struct weft_error *err);
const char *prefix_format(const struct prefix *p, char buf[static PREFIX_TEXT_MAX]);
#define prefix_text(p) prefix_format((p), (char[PREFIX_TEXT_MAX]){0})
static inline bool prefix_is_set(const struct prefix *p)
{
    return p->addr.family != 0;
}
bool prefix_equal(const struct prefix *a, const struct prefix *b);
bool prefix_has_host_bits(const struct prefix *p);
/* The same prefix with host bits cleared. */
struct prefix prefix_network(const struct prefix *p);
/* Its first and last address (host bits of p are ignored). */
struct addr prefix_first(const struct prefix *p);
struct addr prefix_last(const struct prefix *p);
bool prefix_contains(const struct prefix *p, const struct addr *a);
/* Whether inner lies in outer (equal counts). */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
/* How many addresses it spans, UINT64_MAX when they do not fit. */
uint64_t prefix_size(const struct prefix *p);

static inline bool mac_is_set(const struct mac *m)
{
    for (size_t i = 0; i < sizeof m->bytes; i++)
        if (m->bytes[i])
            return true;
    return false;
}
/* Parses "aa:bb:cc:dd:ee:ff" (or with '-'). Refuses multicast and all-zero addresses. 0 or -EINVAL.
 */
int mac_parse(const char *text, struct mac *ret, struct weft_error *err);
const char *mac_format(const struct mac *m, char buf[static MAC_TEXT_MAX]);
#define mac_text(m) mac_format((m), (char[MAC_TEXT_MAX]){0})
bool mac_equal(const struct mac *a, const struct mac *b);
/* Docker's derivation: 02:42 and the IPv4 address; of an IPv6 address, its last four bytes. */
struct mac mac_from_addr(const struct addr *a);
