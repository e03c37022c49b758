/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/codec.h"

#include <errno.h>
#include <string.h>

#include "dns/record.h"

#define FLAG_OPCODE 0x7800
#define UDP_SIZE_MAX 4096       /* what we send at most, whatever a client says that it takes */
#define QUESTION_POINTER 0xc00c /* to the question's name, behind the header */

/* Where the header has the counts of its sections. */
#define QDCOUNT 4
#define ANCOUNT 6
#define NSCOUNT 8
#define ARCOUNT 10

int dns_record_read(const uint8_t *msg, size_t length, size_t *offset, struct dns_record *ret)
{
    size_t at = *offset;
    struct dns_name owner;

    ret->start = at;
    if (dns_name_read(msg, length, &at, &owner) < 0 || length - at < DNS_RECORD_FIXED)
        return -EBADMSG;
    ret->of_root = owner.length == 1;
    ret->type = dns_get16(msg + at);
    ret->class = dns_get16(msg + at + 2);
    ret->ttl_at = at + 4;
    ret->ttl = dns_get32(msg + at + 4);
    ret->data_length = dns_get16(msg + at + 8);
    ret->data = at + DNS_RECORD_FIXED;
    if (ret->data_length > length - ret->data)
        return -EBADMSG;
    *offset = ret->data + ret->data_length;
    return 0;
}

void dns_record_put_opt(uint8_t *to, uint32_t ttl)
{
    to[0] = 0; /* the root */
    dns_put16(to + 1, DNS_TYPE_OPT);
    dns_put16(to + 3, DNS_EDNS_SIZE);
    dns_put32(to + 5, ttl);
    dns_put16(to + 9, 0);
}

/* Name, type and class; the name not compressed. */
static int read_question(const uint8_t *msg, size_t length, struct dns_query *ret)
{
    size_t at = DNS_HEADER_SIZE;
    struct dns_name *name = &ret->name;

    if (dns_name_read(msg, length, &at, name) < 0 || at != (size_t)DNS_HEADER_SIZE + name->length ||
        length - at < 4) {
        name->length = 1;
        name->wire[0] = 0;
        return DNS_FORMERR;
    }
    ret->type = dns_get16(msg + at);
    ret->class = dns_get16(msg + at + 2);
    ret->question_end = at + 4;
    return 0;
}

static bool options_are_whole(const uint8_t *options, size_t length)
{
    while (length >= 4 && dns_get16(options + 2) <= length - 4) {
        size_t size = (size_t)4 + dns_get16(options + 2);

        options += size;
        length -= size;
    }
    return length == 0;
}

/* RFC 6891, 6.1.1: one at most, of the root, in the additional section. */
static int read_opt(const uint8_t *msg, const struct dns_record *record, struct dns_query *ret)
{
    if (ret->edns || !record->of_root ||
        !options_are_whole(msg + record->data, record->data_length))
        return DNS_FORMERR;
    ret->edns = true;
    ret->udp_size = record->class > DNS_UDP_SIZE ? record->class : DNS_UDP_SIZE;
    ret->edns_version = (uint8_t)(record->ttl >> 16);
    ret->dnssec_ok = record->ttl & DNS_OPT_TTL_DO;
    ret->options = record->data;
    ret->options_length = record->data_length;
    return 0;
}

/* What follows the question. Answers and authorities (of IXFR) are of no interest, but well formed.
 */
static int read_records(const uint8_t *msg, size_t length, struct dns_query *ret)
{
    size_t before = (size_t)dns_get16(msg + ANCOUNT) + dns_get16(msg + NSCOUNT);
    size_t count = before + dns_get16(msg + ARCOUNT), at = ret->question_end;
    struct dns_record record;

    for (size_t i = 0; i < count; i++) {
        if (dns_record_read(msg, length, &at, &record) < 0)
            return DNS_FORMERR;
        if (record.type == DNS_TYPE_OPT && (i < before || read_opt(msg, &record, ret) != 0))
            return DNS_FORMERR;
    }
    return at == length ? 0 : DNS_FORMERR;
}

/* All but the question's name, which is long, is zero. */
static void start_query(const uint8_t *msg, struct dns_query *ret)
{
    ret->id = dns_get16(msg);
    ret->flags = dns_get16(msg + 2);
    ret->name.length = 1;
    ret->name.wire[0] = 0;
    ret->type = ret->class = 0;
    ret->question_end = DNS_HEADER_SIZE;
    ret->edns = ret->dnssec_ok = false;
    ret->edns_version = 0;
    ret->udp_size = DNS_UDP_SIZE;
    ret->options = ret->options_length = 0;
}

int dns_query_parse(const uint8_t *msg, size_t length, struct dns_query *ret)
{
    if (length < DNS_HEADER_SIZE || dns_get16(msg + 2) & DNS_FLAG_QR)
        return -EBADMSG;
    start_query(msg, ret);
    if (ret->flags & FLAG_OPCODE)
        return DNS_NOTIMP;
    if (dns_get16(msg + QDCOUNT) != 1 || read_question(msg, length, ret) != 0 ||
        read_records(msg, length, ret) != 0)
        return DNS_FORMERR;
    if (ret->edns_version > 0)
        return DNS_BADVERS;
    if (ret->class != DNS_CLASS_IN || ret->type == DNS_TYPE_AXFR || ret->type == DNS_TYPE_IXFR)
        return DNS_REFUSED;
    return 0;
}

size_t dns_query_limit(const struct dns_query *query, bool tcp)
{
    if (tcp)
        return DNS_MESSAGE_MAX;
    return query->udp_size < UDP_SIZE_MAX ? query->udp_size : UDP_SIZE_MAX;
}

void dns_reply_begin(struct dns_reply *r, uint8_t *buf, size_t limit, const uint8_t *msg,
                     const struct dns_query *query, bool aa)
{
    uint16_t kept = query->flags & (FLAG_OPCODE | DNS_FLAG_RD | DNS_FLAG_CD);

    *r = (struct dns_reply){
        .buf = buf,
        .length = query->question_end,
        .limit = limit - (query->edns ? DNS_OPT_SIZE : 0),
        .edns = query->edns,
        .dnssec_ok = query->dnssec_ok,
    };
    dns_put16(buf, query->id);
    dns_put16(buf + 2, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RA | (aa ? DNS_FLAG_AA : 0) | kept));
    memset(buf + QDCOUNT, 0, DNS_HEADER_SIZE - QDCOUNT);
    dns_put16(buf + QDCOUNT, query->question_end > DNS_HEADER_SIZE);
    memcpy(buf + DNS_HEADER_SIZE, msg + DNS_HEADER_SIZE, query->question_end - DNS_HEADER_SIZE);
}

/* Owner and head of a record. Returns where its data go, NULL when it does not fit. */
static uint8_t *append(struct dns_reply *r, const struct dns_name *owner, enum dns_type type,
                       uint32_t ttl, size_t data_length)
{
    size_t owner_length = owner ? owner->length : sizeof(uint16_t);
    size_t size = owner_length + DNS_RECORD_FIXED + data_length;
    uint8_t *to = r->buf + r->length;

    if (r->truncated || r->length + size > r->limit) {
        r->truncated |= !r->additional;
        return NULL;
    }
    if (owner)
        memcpy(to, owner->wire, owner_length);
    else
        dns_put16(to, QUESTION_POINTER);
    to += owner_length;
    dns_put16(to, type);
    dns_put16(to + 2, DNS_CLASS_IN);
    dns_put32(to + 4, ttl);
    dns_put16(to + 8, (uint16_t)data_length);
    r->length += size;
    if (r->additional)
        r->additionals++;
    else
        r->answers++;
    return to + DNS_RECORD_FIXED;
}

void dns_reply_addr(struct dns_reply *r, const struct dns_name *owner, uint32_t ttl,
                    const struct addr *addr)
{
    bool ipv6 = addr->family == AF_INET6;
    size_t size = ipv6 ? 16 : 4;
    uint8_t *data;

    if (!addr_is_set(addr))
        return;
    data = append(r, owner, ipv6 ? DNS_TYPE_AAAA : DNS_TYPE_A, ttl, size);
    if (data)
        memcpy(data, addr->bytes, size);
}

void dns_reply_ptr(struct dns_reply *r, uint32_t ttl, const struct dns_name *target)
{
    uint8_t *data = append(r, NULL, DNS_TYPE_PTR, ttl, target->length);

    if (data)
        memcpy(data, target->wire, target->length);
}

void dns_reply_srv(struct dns_reply *r, uint32_t ttl, uint16_t port, const struct dns_name *target)
{
    uint8_t *data = append(r, NULL, DNS_TYPE_SRV, ttl, (size_t)6 + target->length);

    if (!data)
        return;
    dns_put16(data, 0);     /* priority */
    dns_put16(data + 2, 0); /* weight */
    dns_put16(data + 4, port);
    memcpy(data + 6, target->wire, target->length);
}

void dns_reply_additional(struct dns_reply *r)
{
    r->additional = true;
}

size_t dns_reply_end(struct dns_reply *r, enum dns_rcode rcode)
{
    uint16_t flags = dns_get16(r->buf + 2);

    if (r->truncated)
        flags |= DNS_FLAG_TC;
    dns_put16(r->buf + 2, (uint16_t)(flags | (rcode & 0xf)));
    dns_put16(r->buf + ANCOUNT, r->answers);
    dns_put16(r->buf + ARCOUNT, (uint16_t)(r->additionals + r->edns));
    if (r->edns) {
        dns_record_put_opt(r->buf + r->length,
                           (uint32_t)rcode >> 4 << 24 | (r->dnssec_ok ? DNS_OPT_TTL_DO : 0));
        r->length += DNS_OPT_SIZE;
    }
    return r->length;
}
