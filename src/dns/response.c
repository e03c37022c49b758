/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a response is walked once, record by record. Of most records only the shape
 * matters; data that have names or a size of their own are checked too, so that what is passed on
 * harms no resolver behind us.
 *
 * How long an answer may be kept (RFC 2308, 5): a positive one until the first of its records is
 * old. A negative one (NXDOMAIN; or no record of the type that was asked for, which includes an
 * alias that leads to nothing) only if an SOA record says so, by its TTL and its MINIMUM field.
 */

#include <errno.h>
#include <string.h>

#include "dns/codec.h"
#include "dns/record.h"

#define NEGATIVE_TTL_MAX 10800 /* seconds: RFC 2308, 5 */
#define FLAG_OPCODE 0x7800
#define SECTIONS 3 /* answers, authorities, additionals */

struct walk {
    const uint8_t *msg;
    size_t length;
    struct dns_response *response;
    uint32_t ttl;     /* the smallest so far */
    uint32_t minimum; /* the SOA's */
    bool answered;    /* there is a record of the type that was asked for */
    bool soa;
    uint8_t extended_rcode; /* OPT's part of it */
};

/* A name in a record's data, which must not reach beyond. */
static bool read_name(const struct walk *w, const struct dns_record *record, size_t *at)
{
    struct dns_name name;

    return dns_name_read(w->msg, record->data + record->data_length, at, &name) == 0;
}

/* The data are a name, some octets behind the first of them. */
static bool is_name_behind(const struct walk *w, const struct dns_record *record, size_t skip)
{
    size_t at = record->data + skip;

    return record->data_length > skip && read_name(w, record, &at) &&
           at == record->data + record->data_length;
}

/* Two names and five numbers of which MINIMUM is the last: RFC 1035, 3.3.13. */
static bool is_soa(const struct walk *w, const struct dns_record *record)
{
    size_t at = record->data;

    for (unsigned i = 0; i < 2; i++)
        if (!read_name(w, record, &at))
            return false;
    return record->data + record->data_length - at == 20;
}

static bool data_are_sound(const struct walk *w, const struct dns_record *record)
{
    if (record->class != DNS_CLASS_IN)
        return true;
    switch (record->type) {
    case DNS_TYPE_A:
        return record->data_length == 4;
    case DNS_TYPE_AAAA:
        return record->data_length == 16;
    case DNS_TYPE_NS:
    case DNS_TYPE_CNAME:
    case DNS_TYPE_PTR:
        return is_name_behind(w, record, 0);
    case DNS_TYPE_MX:
        return is_name_behind(w, record, 2);
    case DNS_TYPE_SRV:
        return is_name_behind(w, record, 6);
    case DNS_TYPE_SOA:
        return is_soa(w, record);
    default:
        return true;
    }
}

static void keep_for(struct walk *w, uint32_t ttl)
{
    if (ttl & UINT32_C(0x80000000)) /* "negative": RFC 2181, 8 */
        ttl = 0;
    if (ttl < w->ttl)
        w->ttl = ttl;
}

static int consider(struct walk *w, unsigned section, const struct dns_record *record)
{
    struct dns_response *r = w->response;

    if (record->type == DNS_TYPE_OPT) {
        if (section != 2 || r->opt_length > 0 || !record->of_root)
            return -EBADMSG;
        r->opt = record->start;
        r->opt_length = record->data + record->data_length - record->start;
        w->extended_rcode = (uint8_t)(record->ttl >> 24);
        return 0;
    }
    if (!data_are_sound(w, record))
        return -EBADMSG;
    keep_for(w, record->ttl);
    if (section == 0 && (record->type == r->type || r->type == DNS_TYPE_ANY))
        w->answered = true;
    if (section == 1 && record->type == DNS_TYPE_SOA) {
        w->soa = true;
        w->minimum = dns_get32(w->msg + record->data + record->data_length - 4);
    }
    return 0;
}

static int read_records(struct walk *w)
{
    size_t at = w->response->question_end;
    struct dns_record record;

    for (unsigned section = 0; section < SECTIONS; section++) {
        size_t count = dns_get16(w->msg + 6 + (size_t)2 * section);

        for (size_t i = 0; i < count; i++)
            if (dns_record_read(w->msg, w->length, &at, &record) < 0 ||
                consider(w, section, &record) < 0)
                return -EBADMSG;
    }
    return at == w->length ? 0 : -EBADMSG;
}

static uint32_t time_to_keep(struct walk *w)
{
    const struct dns_response *r = w->response;
    bool known = r->rcode == DNS_NOERROR || r->rcode == DNS_NXDOMAIN;
    bool positive = r->rcode == DNS_NOERROR && w->answered;

    if (!known || w->extended_rcode > 0 || r->flags & DNS_FLAG_TC || !(positive || w->soa))
        return 0;
    if (!positive) {
        keep_for(w, w->minimum);
        keep_for(w, NEGATIVE_TTL_MAX);
    }
    return w->ttl;
}

/* Header and question. */
static int start_response(const uint8_t *msg, size_t length, struct dns_response *r)
{
    size_t at = DNS_HEADER_SIZE;

    if (length < DNS_HEADER_SIZE)
        return -EBADMSG;
    r->id = dns_get16(msg);
    r->flags = dns_get16(msg + 2);
    r->rcode = r->flags & 0xf;
    r->answers = dns_get16(msg + 6);
    r->opt = r->opt_length = 0;
    r->ttl = 0;
    if (!(r->flags & DNS_FLAG_QR) || r->flags & FLAG_OPCODE || dns_get16(msg + 4) != 1 ||
        dns_name_read(msg, length, &at, &r->name) < 0 ||
        at != (size_t)DNS_HEADER_SIZE + r->name.length || length - at < 4)
        return -EBADMSG;
    r->type = dns_get16(msg + at);
    r->class = dns_get16(msg + at + 2);
    r->question_end = at + 4;
    return 0;
}

int dns_response_parse(const uint8_t *msg, size_t length, struct dns_response *ret)
{
    struct walk w = {.msg = msg, .length = length, .response = ret, .ttl = UINT32_MAX};

    if (start_response(msg, length, ret) < 0)
        return -EBADMSG;
    if (read_records(&w) < 0 && !(ret->flags & DNS_FLAG_TC))
        return -EBADMSG;
    ret->ttl = time_to_keep(&w);
    return 0;
}

bool dns_response_matches(const struct dns_response *response, const struct dns_name *name,
                          uint16_t type, uint16_t class)
{
    return response->type == type && response->class == class &&
           response->name.length == name->length &&
           memcmp(response->name.wire, name->wire, name->length) == 0;
}

void dns_response_age(uint8_t *msg, size_t length, uint32_t seconds)
{
    struct dns_response r;
    struct dns_record record;
    size_t at, count;

    if (start_response(msg, length, &r) < 0)
        return;
    at = r.question_end;
    count = (size_t)dns_get16(msg + 6) + dns_get16(msg + 8) + dns_get16(msg + 10);
    for (size_t i = 0; i < count && dns_record_read(msg, length, &at, &record) == 0; i++)
        if (record.type != DNS_TYPE_OPT)
            dns_put32(msg + record.ttl_at, record.ttl > seconds ? record.ttl - seconds : 0);
}

size_t dns_response_truncate(uint8_t *buf, size_t length, bool edns)
{
    struct dns_response r;
    bool sound = dns_response_parse(buf, length, &r) == 0;
    size_t end = sound ? r.question_end : DNS_HEADER_SIZE;
    /* The client's flags and the rest of the rcode stay. */
    uint32_t opt = sound && r.opt_length > 0 ? dns_get32(buf + r.opt + 5) : 0;

    dns_put16(buf + 2, dns_get16(buf + 2) | DNS_FLAG_TC);
    dns_put16(buf + 4, sound);
    memset(buf + 6, 0, DNS_HEADER_SIZE - 6);
    if (!edns)
        return end;
    dns_put16(buf + 10, 1);
    dns_record_put_opt(buf + end, opt);
    return end + DNS_OPT_SIZE;
}
