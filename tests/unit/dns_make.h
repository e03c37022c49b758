/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* DNS messages, written octet by octet, and answers as text: read by code that shares nothing with
 * what is tested. To be included behind cmocka.h. */

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "dns/codec.h"

struct packet {
    uint8_t buf[DNS_MESSAGE_MAX];
    size_t length;
};

static inline void packet_bytes(struct packet *p, const void *bytes, size_t length)
{
    assert_true(length <= sizeof p->buf - p->length);
    memcpy(p->buf + p->length, bytes, length);
    p->length += length;
}

static inline void packet_16(struct packet *p, unsigned value)
{
    packet_bytes(p, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static inline void packet_32(struct packet *p, uint32_t value)
{
    packet_16(p, value >> 16);
    packet_16(p, value & 0xffff);
}

/* "Web.front" as labels, its case kept; "" and "." the root. */
static inline void packet_name(struct packet *p, const char *text)
{
    while (*text && strcmp(text, ".") != 0) {
        size_t length = strcspn(text, ".");

        packet_bytes(p, &(uint8_t){(uint8_t)length}, 1);
        packet_bytes(p, text, length);
        text += length + (text[length] == '.');
    }
    packet_bytes(p, "", 1);
}

static inline void packet_header(struct packet *p, unsigned id, unsigned flags, unsigned qd,
                                 unsigned an, unsigned ns, unsigned ar)
{
    p->length = 0;
    packet_16(p, id);
    packet_16(p, flags);
    packet_16(p, qd);
    packet_16(p, an);
    packet_16(p, ns);
    packet_16(p, ar);
}

static inline void packet_question(struct packet *p, const char *name, unsigned type)
{
    packet_name(p, name);
    packet_16(p, type);
    packet_16(p, DNS_CLASS_IN);
}

/* All of a record but its data. */
static inline void packet_record(struct packet *p, const char *owner, unsigned type, uint32_t ttl,
                                 size_t data_length)
{
    packet_name(p, owner);
    packet_16(p, type);
    packet_16(p, DNS_CLASS_IN);
    packet_32(p, ttl);
    packet_16(p, (unsigned)data_length);
}

static inline void packet_a(struct packet *p, const char *owner, uint32_t ttl)
{
    packet_record(p, owner, DNS_TYPE_A, ttl, 4);
    packet_bytes(p, "\300\0\2\1", 4);
}

static inline void packet_opt(struct packet *p, unsigned size, uint32_t ttl, const void *options,
                              size_t length)
{
    packet_name(p, "");
    packet_16(p, DNS_TYPE_OPT);
    packet_16(p, size);
    packet_32(p, ttl);
    packet_16(p, (unsigned)length);
    packet_bytes(p, options, length);
}

/* An ordinary query, RD set. edns: the size that the client takes; 0: it says none. */
static inline void packet_query(struct packet *p, const char *name, unsigned type, unsigned edns)
{
    packet_header(p, 0x1234, DNS_FLAG_RD, 1, 0, 0, edns > 0);
    packet_question(p, name, type);
    if (edns > 0)
        packet_opt(p, edns, 0, "", 0);
}

/* ---- answers as text ---- */

struct text {
    char *to;
    size_t room;
    const uint8_t *msg;
    size_t length, at;
};

#define text_add(t, ...)                                                                           \
    do {                                                                                           \
        int added_ = snprintf((t)->to, (t)->room, __VA_ARGS__);                                    \
        assert_true(added_ >= 0 && (size_t)added_ < (t)->room);                                    \
        (t)->to += added_;                                                                         \
        (t)->room -= (size_t)added_;                                                               \
    } while (0)

static inline unsigned text_take(struct text *t, size_t octets)
{
    unsigned value = 0;

    assert_true(t->length - t->at >= octets);
    while (octets-- > 0)
        value = value << 8 | t->msg[t->at++];
    return value;
}

static inline void text_name(struct text *t)
{
    size_t resume = 0, total = 0;
    bool first = true;

    for (unsigned hops = 0;;) {
        unsigned label = text_take(t, 1);

        if (label >= 0xc0) {
            size_t target = (label & 0x3f) << 8 | text_take(t, 1);

            assert_true(++hops < 128 && target < t->length);
            if (resume == 0)
                resume = t->at;
            t->at = target;
            continue;
        }
        assert_true(label < 64);
        total += 1 + label;
        assert_true(total <= 255);
        if (label == 0)
            break;
        assert_true(t->length - t->at >= label);
        text_add(t, "%s%.*s", first ? "" : ".", (int)label, (const char *)t->msg + t->at);
        first = false;
        t->at += label;
    }
    if (first)
        text_add(t, ".");
    if (resume > 0)
        t->at = resume;
}

static inline const char *text_type(unsigned type)
{
    switch (type) {
    case DNS_TYPE_A:
        return "A";
    case DNS_TYPE_AAAA:
        return "AAAA";
    case DNS_TYPE_PTR:
        return "PTR";
    case DNS_TYPE_SRV:
        return "SRV";
    case DNS_TYPE_CNAME:
        return "CNAME";
    case DNS_TYPE_SOA:
        return "SOA";
    default:
        return "?";
    }
}

static inline void text_data(struct text *t, unsigned type, size_t length)
{
    char addr[INET6_ADDRSTRLEN];
    size_t end = t->at + length;

    if (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) {
        assert_int_equal(length, type == DNS_TYPE_A ? 4 : 16);
        text_add(t, "%s",
                 inet_ntop(type == DNS_TYPE_A ? AF_INET : AF_INET6, t->msg + t->at, addr,
                           sizeof addr));
        t->at = end;
    } else if (type == DNS_TYPE_PTR) {
        text_name(t);
    } else if (type == DNS_TYPE_SRV) {
        for (size_t i = 0; i < 3; i++)
            text_add(t, "%u ", text_take(t, 2));
        text_name(t);
    } else {
        t->at = end;
    }
    assert_int_equal(t->at, end);
}

static inline void text_record(struct text *t)
{
    char *start = t->to;
    unsigned type, class, ttl, length;

    text_name(t);
    type = text_take(t, 2);
    class = text_take(t, 2);
    ttl = text_take(t, 4);
    length = text_take(t, 2);
    assert_true(t->length - t->at >= length);
    if (type == DNS_TYPE_OPT) {
        t->room += (size_t)(t->to - start);
        t->to = start;
        text_add(t, "opt %u", class);
        if (ttl >> 24)
            text_add(t, " rcode+%u", (ttl >> 24) << 4);
        if (ttl & 0x8000)
            text_add(t, " do");
        t->at += length;
        return;
    }
    assert_int_equal(class, DNS_CLASS_IN);
    text_add(t, " %s ", text_type(type));
    if (ttl > 0)
        text_add(t, "ttl %u ", ttl);
    text_data(t, type, length);
}

/* "NOERROR aa: web A 172.18.0.2, web A 172.18.0.3 + opt 1232": what is behind "+" is additional. */
static inline const char *packet_text(const uint8_t *msg, size_t length)
{
    static const char *const rcodes[] = {"NOERROR",  "FORMERR", "SERVFAIL",
                                         "NXDOMAIN", "NOTIMP",  "REFUSED"};
    static char buf[1 << 18];
    struct text t = {.to = buf, .room = sizeof buf, .msg = msg, .length = length};
    unsigned flags, counts[4];

    text_take(&t, 2);
    flags = text_take(&t, 2);
    for (size_t i = 0; i < 4; i++)
        counts[i] = text_take(&t, 2);
    assert_true(flags & DNS_FLAG_QR && flags & DNS_FLAG_RA && (flags & 0xf) < 6);
    assert_true(counts[0] <= 1 && counts[2] == 0);
    text_add(&t, "%s%s%s", rcodes[flags & 0xf], flags & DNS_FLAG_AA ? " aa" : "",
             flags & DNS_FLAG_TC ? " tc" : "");
    if (counts[0] > 0) {
        char *start = t.to;

        text_name(&t);
        t.room += (size_t)(t.to - start);
        t.to = start;
        text_take(&t, 4);
        *start = '\0';
    }
    for (unsigned i = 0; i < counts[1]; i++) {
        text_add(&t, "%s", i > 0 ? ", " : ": ");
        text_record(&t);
    }
    for (unsigned i = 0; i < counts[3]; i++) {
        text_add(&t, "%s", i > 0 ? ", " : " + ");
        text_record(&t);
    }
    assert_int_equal(t.at, t.length);
    return buf;
}
