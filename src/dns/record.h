/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Records of a message: what queries (whose only one is OPT, mostly) and responses share. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DNS_RECORD_FIXED 10 /* octets between owner and data: type, class, TTL, length */
#define DNS_OPT_SIZE 11     /* of an OPT record without options */
#define DNS_OPT_TTL_DO 0x8000

struct dns_record {
    bool of_root; /* its owner is the root */
    uint16_t type, class;
    uint32_t ttl;
    size_t start, ttl_at, data, data_length; /* places in the message */
};

/* Reads the record at *offset and moves *offset behind it. 0 or -EBADMSG. */
int dns_record_read(const uint8_t *msg, size_t length, size_t *offset, struct dns_record *ret);
/* The OPT record of an answer, for which there must be DNS_OPT_SIZE octets at to. ttl: the upper
 * bits of the rcode, the version, and flags (RFC 6891, 6.1.3). */
void dns_record_put_opt(uint8_t *to, uint32_t ttl);

static inline uint32_t dns_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}
static inline void dns_put32(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value >> 24);
    p[1] = (uint8_t)(value >> 16);
    p[2] = (uint8_t)(value >> 8);
    p[3] = (uint8_t)value;
}
