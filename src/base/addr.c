/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

size_t addr_size(const struct addr *a)
{
    switch (a->family) {
    case AF_INET:
        return 4;
    case AF_INET6:
        return 16;
    default:
        return 0;
    }
}

unsigned addr_bits(const struct addr *a)
{
    return (unsigned)addr_size(a) * 8;
}

int addr_parse(const char *text, struct addr *ret, struct weft_error *err)
{
    struct addr a = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};

    if (inet_pton(a.family, text, a.bytes) != 1)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not an IP address", text);
    *ret = a;
    return 0;
}

/* Returns behind what it wrote. */
static char *format_byte(uint8_t byte, char *to)
{
    if (byte >= 100)
        *to++ = (char)('0' + byte / 100);
    if (byte >= 10)
        *to++ = (char)('0' + byte / 10 % 10);
    *to++ = (char)('0' + byte % 10);
    return to;
}

/* inet_ntop() would call sprintf(). */
static void format_ipv4(const uint8_t bytes[static 4], char *to)
{
    for (size_t i = 0; i < 4; i++) {
        to = format_byte(bytes[i], to);
        *to++ = i < 3 ? '.' : '\0';
    }
}

const char *addr_format(const struct addr *a, char buf[static ADDR_TEXT_MAX])
{
    if (a->family == AF_INET)
        format_ipv4(a->bytes, buf);
    else if (!addr_is_set(a) || !inet_ntop(a->family, a->bytes, buf, ADDR_TEXT_MAX))
        buf[0] = '\0';
    return buf;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, addr_size(a));
}

bool addr_is_multicast(const struct addr *a)
{
    if (a->family == AF_INET)
        return (a->bytes[0] & 0xf0) == 0xe0;
    return a->family == AF_INET6 && a->bytes[0] == 0xff;
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->family == AF_INET)
        return a->bytes[0] == 127;
    return a->family == AF_INET6 && memcmp(a->bytes, &in6addr_loopback, 16) == 0;
}

bool addr_is_link_local(const struct addr *a)
{
    if (a->family == AF_INET)
        return a->bytes[0] == 169 && a->bytes[1] == 254;
    return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

struct addr addr_add(const struct addr *base, uint64_t n)
{
    struct addr sum = *base;
    unsigned carry = 0;

    for (size_t i = addr_size(base); i-- > 0; n >>= 8) {
        carry += base->bytes[i] + (unsigned)(n & 0xff);
        sum.bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
    return sum;
}

uint64_t addr_offset(const struct addr *base, const struct addr *addr)
{
    size_t size = addr_size(base);
    uint8_t difference[16];
    uint64_t offset = 0;
    int borrow = 0;

    if (base->family != addr->family || addr_compare(addr, base) < 0)
        return UINT64_MAX;
    for (size_t i = size; i-- > 0;) {
        int d = addr->bytes[i] - base->bytes[i] - borrow;

        difference[i] = (uint8_t)d;
        borrow = d < 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (offset >> 56)
            return UINT64_MAX;
        offset = offset << 8 | difference[i];
    }
    return offset;
}

/* The length after the slash, spelt one way only: no sign, no leading zero. */
static bool parse_length(const char *text, unsigned max, uint8_t *ret)
{
    int64_t len;

    if (text[0] == '-' || (text[0] == '0' && text[1]) || str_to_i64(text, 0, max, &len) < 0)
        return false;
    *ret = (uint8_t)len;
    return true;
}

int prefix_parse(const char *text, struct prefix *ret, struct weft_error *err)
{
    const char *slash = strchrnul(text, '/');
    size_t addr_len = (size_t)(slash - text);
    char addr[ADDR_TEXT_MAX] = "";
    struct prefix p;

    if (addr_len < sizeof addr)
        memcpy(addr, text, addr_len);
    if (!*slash || addr_parse(addr, &p.addr, NULL) < 0 ||
        !parse_length(slash + 1, addr_bits(&p.addr), &p.len))
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a prefix (address/length)", text);
    *ret = p;
    return 0;
}

const char *prefix_format(const struct prefix *p, char buf[static PREFIX_TEXT_MAX])
{
    if (prefix_is_set(p))
        snprintf(buf, PREFIX_TEXT_MAX, "%s/%u", addr_text(&p->addr), p->len);
    else
        buf[0] = '\0';
    return buf;
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
    return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

/* Byte i of the netmask of a prefix that is len bits long. */
static uint8_t mask_byte(unsigned len, size_t i)
{
    if (len >= 8 * (i + 1))
        return 0xff;
    return len <= 8 * i ? 0 : (uint8_t)(0xff00 >> (len % 8));
}

struct prefix prefix_network(const struct prefix *p)
{
    return (struct prefix){.addr = prefix_first(p), .len = p->len};
}

bool prefix_has_host_bits(const struct prefix *p)
{
    struct addr first = prefix_first(p);

    return !addr_equal(&first, &p->addr);
}

struct addr prefix_first(const struct prefix *p)
{
    struct addr a = p->addr;

    for (size_t i = 0; i < addr_size(&a); i++)
        a.bytes[i] &= mask_byte(p->len, i);
    return a;
}

struct addr prefix_last(const struct prefix *p)
{
    struct addr a = p->addr;

    for (size_t i = 0; i < addr_size(&a); i++)
        a.bytes[i] |= (uint8_t)~mask_byte(p->len, i);
    return a;
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
    if (!addr_is_set(a) || a->family != p->addr.family)
        return false;
    for (size_t i = 0; 8 * i < p->len; i++)
        if ((a->bytes[i] ^ p->addr.bytes[i]) & mask_byte(p->len, i))
            return false;
    return true;
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
    return outer->len <= inner->len && prefix_contains(outer, &inner->addr);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    return prefix_covers(a, b) || prefix_covers(b, a);
}

uint64_t prefix_size(const struct prefix *p)
{
    unsigned host_bits = addr_bits(&p->addr) - p->len;

    if (!prefix_is_set(p))
        return 0;
    return host_bits < 64 ? UINT64_C(1) << host_bits : UINT64_MAX;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20; /* lower case */
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Six pairs of digits with the same separator between all. */
static bool parse_mac_bytes(const char *text, struct mac *ret)
{
    if (strlen(text) != MAC_TEXT_MAX - 1 || (text[2] != ':' && text[2] != '-'))
        return false;
    for (size_t i = 0; i < sizeof ret->bytes; i++) {
        const char *pair = text + 3 * i;
        int high = hex_digit(pair[0]), low = hex_digit(pair[1]);

        if (high < 0 || low < 0 || (pair[2] && pair[2] != text[2]))
            return false;
        ret->bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int mac_parse(const char *text, struct mac *ret, struct weft_error *err)
{
    struct mac m;

    if (!parse_mac_bytes(text, &m))
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a MAC address", text);
    if (!mac_is_set(&m))
        return weft_fail(err, WEFT_INVALID, "MAC address %s is all zeros", text);
    if (m.bytes[0] & 1)
        return weft_fail(err, WEFT_INVALID, "MAC address %s is a multicast address", text);
    *ret = m;
    return 0;
}

const char *mac_format(const struct mac *m, char buf[static MAC_TEXT_MAX])
{
    const uint8_t *b = m->bytes;

    snprintf(buf, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
             b[5]);
    return buf;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct mac mac_from_addr(const struct addr *a)
{
    struct mac m = {{0x02, 0x42}};

    if (addr_is_set(a))
        memcpy(m.bytes + 2, a->bytes + addr_size(a) - 4, 4);
    return m;
}
