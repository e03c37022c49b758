/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * DNS messages: reading queries and responses, writing responses. No I/O, no allocation.
 *
 * RFC 1035 (format), 2181 (truncation), 3596 (AAAA), 2782 (SRV), 6891 (EDNS).
 *
 * Names are kept as on the wire: labels, each behind its length, and the root's zero; lower case
 * (RFC 4343). So a name is also a C string, which ends with the root.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define DNS_PORT 53
#define DNS_NAME_MAX 255 /* octets, the root included: RFC 1035, 3.1 */
#define DNS_LABEL_MAX 63
#define DNS_HEADER_SIZE 12
#define DNS_UDP_SIZE 512   /* what a client without EDNS takes: RFC 1035, 4.2.1 */
#define DNS_EDNS_SIZE 1232 /* what we take: no fragments in IPv6's smallest MTU */
#define DNS_MESSAGE_MAX 65535
#define DNS_TEXT_MAX 1024 /* of a name as text with escapes, the NUL included */

enum dns_type {
    DNS_TYPE_A = 1,
    DNS_TYPE_NS = 2,
    DNS_TYPE_CNAME = 5,
    DNS_TYPE_SOA = 6,
    DNS_TYPE_PTR = 12,
    DNS_TYPE_MX = 15,
    DNS_TYPE_TXT = 16,
    DNS_TYPE_AAAA = 28,
    DNS_TYPE_SRV = 33,
    DNS_TYPE_OPT = 41,
    DNS_TYPE_IXFR = 251,
    DNS_TYPE_AXFR = 252,
    DNS_TYPE_ANY = 255,
};
#define DNS_CLASS_IN 1

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
    DNS_BADVERS = 16 /* extended: RFC 6891 */
};

/* Bits of the header's second 16-bit word. */
#define DNS_FLAG_QR 0x8000
#define DNS_FLAG_AA 0x0400
#define DNS_FLAG_TC 0x0200
#define DNS_FLAG_RD 0x0100
#define DNS_FLAG_RA 0x0080
#define DNS_FLAG_AD 0x0020
#define DNS_FLAG_CD 0x0010

struct dns_name {
    uint8_t length; /* octets, the root included */
    uint8_t wire[DNS_NAME_MAX];
};

/* "web.front" or "web.front." → *ret, in lower case; "\." and "\123" as in RFC 1035, 5.1. 0 or
 * -EINVAL: empty labels, longer than a label or a name may be. */
int dns_name_from_text(const char *text, struct dns_name *ret);
/* Without the final dot, but for the root, which is "."; what is not printable is escaped. */
const char *dns_name_format(const struct dns_name *name, char buf[static DNS_TEXT_MAX]);
#define dns_name_text(n) dns_name_format((n), (char[DNS_TEXT_MAX]){0})
/* Octets before the suffix, whose first label begins there; −1 when name does not end in it. Both
 * names include the root. */
int dns_name_find_suffix(const struct dns_name *name, const struct dns_name *suffix);
/* The name of an address below in-addr.arpa or ip6.arpa, and back (false: it is none). */
void dns_name_from_addr(const struct addr *addr, struct dns_name *ret);
bool dns_name_to_addr(const struct dns_name *name, struct addr *ret);
/* Reads a possibly compressed name at *offset of the message and moves *offset behind it. Pointers
 * must point backwards, so loops end, and not into the header. 0 or -EBADMSG. */
int dns_name_read(const uint8_t *msg, size_t length, size_t *offset, struct dns_name *ret);

/* What a client asks. */
struct dns_query {
    uint16_t id;
    uint16_t flags; /* the header's, as they came */
    struct dns_name name;
    uint16_t type, class;
    /* The question as it was asked, with its case: octets [DNS_HEADER_SIZE, question_end) of the
     * message. It is never compressed. */
    size_t question_end;
    bool edns;
    bool dnssec_ok; /* the DO bit */
    uint8_t edns_version;
    uint16_t udp_size; /* of the OPT record, at least 512; DNS_UDP_SIZE without one */
    /* The OPT record's options in the message; options_length 0: none. */
    size_t options, options_length;
};

/*
 * Reads a query. Returns
 *   0          it is one, and is to be answered;
 *   -EBADMSG   nothing in it can be answered (shorter than a header, or a response): drop it;
 *   > 0        an rcode to answer with, *ret being filled as far as the answer needs
 *              (dns_reply_begin works): FORMERR (not one question, malformed, garbage behind),
 *              NOTIMP (another opcode), REFUSED (another class, AXFR, IXFR), BADVERS.
 */
int dns_query_parse(const uint8_t *msg, size_t length, struct dns_query *ret);

/*
 * A reply being written. It holds as many records as fit; the first that does not fit sets TC, and
 * no more are added (RFC 2181, 9). Room for the OPT record is kept.
 */
struct dns_reply {
    uint8_t *buf;
    size_t length, limit;
    bool edns, dnssec_ok, truncated;
    bool additional; /* the section being written */
    uint16_t answers, additionals;
};
/* The header and the question. buf must have room for limit octets; limit at least 512. msg is the
 * query's message. Sets QR, RA, and the query's RD and CD; aa: the authoritative bit. */
void dns_reply_begin(struct dns_reply *r, uint8_t *buf, size_t limit, const uint8_t *msg,
                     const struct dns_query *query, bool aa);
/* Records: all of class IN. owner NULL: the question's name (a pointer). In the answer section, or
 * once dns_reply_additional was called in the additional one; there what does not fit is left out
 * without TC (RFC 2181, 9). */
void dns_reply_addr(struct dns_reply *r, const struct dns_name *owner, uint32_t ttl,
                    const struct addr *addr);
void dns_reply_ptr(struct dns_reply *r, uint32_t ttl, const struct dns_name *target);
void dns_reply_srv(struct dns_reply *r, uint32_t ttl, uint16_t port, const struct dns_name *target);
void dns_reply_additional(struct dns_reply *r);
/* Writes counts, rcode, and the OPT record if the query had one. Returns the length. */
size_t dns_reply_end(struct dns_reply *r, enum dns_rcode rcode);
/* How long an answer to this query may be: over TCP any, else what the client takes, at most 4096.
 */
size_t dns_query_limit(const struct dns_query *query, bool tcp);

/* An upstream's response, read for what a forwarder has to know. */
struct dns_response {
    uint16_t id, flags;
    uint8_t rcode; /* without OPT's extension */
    struct dns_name name;
    uint16_t type, class;
    size_t question_end;
    size_t opt, opt_length; /* the OPT record's place; opt_length 0: none */
    uint16_t answers;
    /* For how many seconds it may be kept: the smallest TTL of its records; for a negative answer
     * the SOA's (RFC 2308, 5), at most 3 hours; 0: not at all. */
    uint32_t ttl;
};
/* 0, or -EBADMSG: no response, not one question, malformed anywhere. A response with TC may end
 * early. */
int dns_response_parse(const uint8_t *msg, size_t length, struct dns_response *ret);
/* Whether the response answers this question (the case of letters apart). */
bool dns_response_matches(const struct dns_response *response, const struct dns_name *name,
                          uint16_t type, uint16_t class);
/* Takes seconds off the TTL of every record but OPT, not below 0. msg was parsed before. */
void dns_response_age(uint8_t *msg, size_t length, uint32_t seconds);
/* Cuts a response down to header and question, with TC and, if the client spoke EDNS, an OPT
 * record: for one that does not fit. Returns the new length, which is at most DNS_UDP_SIZE: buf has
 * room for that. */
size_t dns_response_truncate(uint8_t *buf, size_t length, bool edns);

static inline uint16_t dns_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline void dns_put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}
