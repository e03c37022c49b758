/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/codec.h"
#include "dns_make.h"

/* Exactly as long as they are: reading beyond is seen by the sanitizers. */
static int parse_query(const void *msg, size_t length, struct dns_query *ret)
{
    _cleanup_free_ uint8_t *copy = malloc(length ? length : 1);

    assert_non_null(copy);
    memcpy(copy, msg, length);
    return dns_query_parse(copy, length, ret);
}

static int parse_response(const struct packet *p, struct dns_response *ret)
{
    _cleanup_free_ uint8_t *copy = malloc(p->length ? p->length : 1);

    assert_non_null(copy);
    memcpy(copy, p->buf, p->length);
    return dns_response_parse(copy, p->length, ret);
}

/* ---- names ---- */

static void assert_text(const char *text, const char *expected)
{
    struct dns_name name;

    assert_int_equal(dns_name_from_text(text, &name), 0);
    assert_string_equal(dns_name_text(&name), expected);
    assert_int_equal(name.wire[name.length - 1], 0);
}

static void names_as_text(void **state)
{
    struct dns_name name;

    (void)state;
    assert_text("web", "web");
    assert_text("Web.FRONT.", "web.front");
    assert_text(".", ".");
    assert_text("a\\.b.c", "a\\.b.c");
    assert_text("a\\\\b", "a\\\\b");
    assert_text("\\065\\000\\255x", "a\\000\\255x");
    assert_text("under_score.a-b", "under_score.a-b");
    assert_text("sp ace", "sp\\032ace");
    assert_int_equal(dns_name_from_text("web.front", &name), 0);
    assert_int_equal(name.length, 11);
    assert_memory_equal(name.wire, "\3web\5front", 11);
    assert_int_equal(dns_name_from_text(".", &name), 0);
    assert_int_equal(name.length, 1);
}

static void what_is_no_name(void **state)
{
    static const char *const bad[] = {"",     ".web",  "web..front", "..",    "a\\",
                                      "\\25", "\\256", "\\1x2",      "web..", "a\\12"};
    struct dns_name name = {.length = 77};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(dns_name_from_text(bad[i], &name), -EINVAL);
    assert_int_equal(name.length, 77);
}

static void names_have_bounds(void **state)
{
    char text[300];
    struct dns_name name;

    (void)state;
    memset(text, 'a', sizeof text);
    text[63] = '\0';
    assert_int_equal(dns_name_from_text(text, &name), 0);
    text[63] = 'a';
    text[64] = '\0';
    assert_int_equal(dns_name_from_text(text, &name), -EINVAL);
    /* Three labels of 63, one of 61, and the root: 255 octets. */
    text[63] = text[127] = text[191] = '.';
    text[64] = 'a';
    text[253] = '\0';
    assert_int_equal(dns_name_from_text(text, &name), 0);
    assert_int_equal(name.length, DNS_NAME_MAX);
    assert_string_equal(dns_name_text(&name), text);
    text[253] = 'a';
    text[254] = '\0';
    assert_int_equal(dns_name_from_text(text, &name), -EINVAL);
    text[253] = '.';
    assert_int_equal(dns_name_from_text(text, &name), 0);
    text[254] = 'a';
    text[255] = '\0';
    assert_int_equal(dns_name_from_text(text, &name), -EINVAL);
}

/* All of it escaped: the longest text there is. */
static void the_longest_text_fits(void **state)
{
    struct dns_name name = {.length = DNS_NAME_MAX};
    char buf[DNS_TEXT_MAX];
    struct dns_name back;

    (void)state;
    memset(name.wire, 0xff, sizeof name.wire);
    name.wire[0] = name.wire[64] = name.wire[128] = 63;
    name.wire[192] = 61;
    name.wire[254] = 0;
    assert_int_equal(strlen(dns_name_format(&name, buf)), 250 * 4 + 3);
    assert_int_equal(dns_name_from_text(buf, &back), 0);
    assert_int_equal(back.length, name.length);
    assert_memory_equal(back.wire, name.wire, name.length);
}

static int find_suffix(const char *name, const char *suffix)
{
    struct dns_name n, s;

    assert_int_equal(dns_name_from_text(name, &n), 0);
    assert_int_equal(dns_name_from_text(suffix, &s), 0);
    return dns_name_find_suffix(&n, &s);
}

static void suffixes(void **state)
{
    struct dns_name name = {.length = 4, .wire = "\2a"}, none = {.length = 0};

    (void)state;
    assert_int_equal(find_suffix("web.front.weft", "weft"), 10);
    assert_int_equal(find_suffix("web.front.weft", "front.weft"), 4);
    assert_int_equal(find_suffix("web", "web"), 0);
    assert_int_equal(find_suffix("web", "."), 4);
    assert_int_equal(find_suffix("web", "front"), -1);
    assert_int_equal(find_suffix("web", "long.web"), -1);
    assert_int_equal(find_suffix("aweft", "weft"), -1);
    /* The octets are there, but no label begins at them. */
    assert_int_equal(find_suffix("x\\004weft", "weft"), -1);
    assert_int_equal(dns_name_find_suffix(&name, &none), -1);
}

static void assert_reverse(const char *addr, const char *expected)
{
    struct addr a, back;
    struct dns_name name;

    assert_int_equal(addr_parse(addr, &a, NULL), 0);
    dns_name_from_addr(&a, &name);
    assert_string_equal(dns_name_text(&name), expected);
    assert_true(dns_name_to_addr(&name, &back));
    assert_true(addr_equal(&a, &back));
}

static void addresses_as_names(void **state)
{
    static const char *const none[] = {
        "18.172.in-addr.arpa",
        "1.2.0.18.172.in-addr.arpa",
        "2.0.18.256.in-addr.arpa",
        "02.0.18.172.in-addr.arpa",
        "a.0.18.172.in-addr.arpa",
        "2.0.18.172.in-addr.arp",
        "2.0.18.172.in-addr.arpa.x",
        "1234.0.18.172.in-addr.arpa",
        "in-addr.arpa",
        "arpa",
        "ip6.arpa",
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.g.f.ip6.arpa",
        "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.f.ip6.arpa",
        "web",
        "1.2.3.4",
        ".",
    };
    struct dns_name name;
    struct addr addr;

    (void)state;
    assert_reverse("172.18.0.2", "2.0.18.172.in-addr.arpa");
    assert_reverse("0.10.200.255", "255.200.10.0.in-addr.arpa");
    assert_reverse("fd00::1:2a",
                   "a.2.0.0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa");
    for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
        assert_int_equal(dns_name_from_text(none[i], &name), 0);
        assert_false(dns_name_to_addr(&name, &addr));
    }
}

/* A copy of just length octets; the offset afterwards, or the error. */
static int read_at(const char *bytes, size_t length, size_t offset, const char *expected)
{
    _cleanup_free_ uint8_t *copy = malloc(length ? length : 1);
    struct dns_name name;
    int r;

    assert_non_null(copy);
    memcpy(copy, bytes, length);
    r = dns_name_read(copy, length, &offset, &name);
    if (r < 0)
        return r;
    assert_string_equal(dns_name_text(&name), expected);
    return (int)offset;
}
/* The same behind a header, which is not counted. */
#define HEADER "\0\0\0\0\0\0\0\0\0\0\0\0"
#define READ_AT(bytes, offset, expected)                                                           \
    less_header(read_at(HEADER bytes, sizeof(HEADER bytes) - 1, (offset) + 12, expected))

static int less_header(int offset)
{
    return offset < 0 ? offset : offset - DNS_HEADER_SIZE;
}

static void reading_names(void **state)
{
    (void)state;
    assert_int_equal(READ_AT("\3WeB\0", 0, "web"), 5);
    assert_int_equal(READ_AT("\0", 0, "."), 1);
    assert_int_equal(READ_AT("\5front\0\3web\300\14", 7, "web.front"), 13);
    assert_int_equal(READ_AT("\1a\0\300\14\1b\300\17\0", 5, "b.a"), 9); /* by way of a pointer */
    /* Ends of all kinds. */
    assert_int_equal(READ_AT("", 0, ""), -EBADMSG);
    assert_int_equal(READ_AT("\3web", 0, ""), -EBADMSG);
    assert_int_equal(READ_AT("\3we", 0, ""), -EBADMSG);
    assert_int_equal(READ_AT("\3", 0, ""), -EBADMSG);
    assert_int_equal(READ_AT("\0\300", 1, ""), -EBADMSG);
    assert_int_equal(READ_AT("\0", 1, ""), -EBADMSG);
    assert_int_equal(READ_AT("\0", 7, ""), -EBADMSG);
    /* Kinds of labels that are none. */
    assert_int_equal(READ_AT("\100a\0\0\0\0", 0, ""), -EBADMSG);
    assert_int_equal(READ_AT("\200a\0\0\0\0", 0, ""), -EBADMSG);
}

static void pointers_that_loop(void **state)
{
    (void)state;
    assert_int_equal(READ_AT("\300\14", 0, ""), -EBADMSG);                /* itself */
    assert_int_equal(READ_AT("\300\16\300\14", 2, ""), -EBADMSG);         /* each other */
    assert_int_equal(READ_AT("\1a\300\14", 0, ""), -EBADMSG);             /* its own beginning */
    assert_int_equal(READ_AT("\0\1a\300\15", 1, ""), -EBADMSG);           /* likewise */
    assert_int_equal(READ_AT("\300\17\0\1a\0", 0, ""), -EBADMSG);         /* forwards */
    assert_int_equal(READ_AT("\1a\300\21\0\1b\300\14", 5, ""), -EBADMSG); /* back and forth */
    assert_int_equal(READ_AT("\1a\0\300\13", 3, ""), -EBADMSG);           /* into the header */
    assert_int_equal(READ_AT("\0\377\377", 1, ""), -EBADMSG);             /* beyond the end */
}

/* Labels of 63 octets, each leading to the one before it: 255 octets at most. */
static void names_that_grow_by_pointers(void **state)
{
    struct packet p = {.length = 0};
    char label[63];
    size_t at = DNS_HEADER_SIZE, last;

    (void)state;
    memset(label, 'x', sizeof label);
    packet_header(&p, 0, 0, 0, 0, 0, 0);
    packet_bytes(&p, "", 1);
    for (unsigned i = 0; i < 4; i++) {
        last = at;
        at = p.length;
        packet_bytes(&p, "\77", 1);
        packet_bytes(&p, label, i < 3 ? 63 : 62);
        if (i == 3)
            p.buf[at] = 62;
        packet_16(&p, 0xc000 | (unsigned)last);
    }
    /* 3 × 64 + 63 + 1 = 256. */
    assert_int_equal(read_at((char *)p.buf, p.length, at, ""), -EBADMSG);
    p.buf[at] = 61;
    p.buf[p.length - 3] = p.buf[p.length - 2];
    p.buf[p.length - 2] = p.buf[p.length - 1];
    {
        struct dns_name name;
        size_t offset = at;

        assert_int_equal(dns_name_read(p.buf, p.length - 1, &offset, &name), 0);
        assert_int_equal(name.length, DNS_NAME_MAX);
        assert_int_equal(offset, p.length - 1);
    }
}

/* ---- queries ---- */

static void a_query(void **state)
{
    struct packet p;
    struct dns_query q;

    (void)state;
    packet_header(&p, 0xabcd, DNS_FLAG_RD | DNS_FLAG_AD, 1, 0, 0, 0);
    packet_question(&p, "WeB.Front", DNS_TYPE_AAAA);
    assert_int_equal(parse_query(p.buf, p.length, &q), 0);
    assert_int_equal(q.id, 0xabcd);
    assert_int_equal(q.flags, DNS_FLAG_RD | DNS_FLAG_AD);
    assert_string_equal(dns_name_text(&q.name), "web.front");
    assert_int_equal(q.type, DNS_TYPE_AAAA);
    assert_int_equal(q.class, DNS_CLASS_IN);
    assert_int_equal(q.question_end, p.length);
    assert_false(q.edns);
    assert_false(q.dnssec_ok);
    assert_int_equal(q.udp_size, DNS_UDP_SIZE);
    assert_int_equal(q.options_length, 0);
    packet_query(&p, ".", DNS_TYPE_NS, 0);
    assert_int_equal(parse_query(p.buf, p.length, &q), 0);
    assert_int_equal(q.name.length, 1);
}

static void a_query_with_edns(void **state)
{
    static const char options[] = "\0\3\0\2xy\0\12\0\0";
    struct packet p;
    struct dns_query q;

    (void)state;
    packet_header(&p, 1, 0, 1, 0, 0, 1);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_opt(&p, 1400, 0x8000, options, sizeof options - 1);
    assert_int_equal(parse_query(p.buf, p.length, &q), 0);
    assert_true(q.edns);
    assert_true(q.dnssec_ok);
    assert_int_equal(q.edns_version, 0);
    assert_int_equal(q.udp_size, 1400);
    assert_int_equal(q.options_length, sizeof options - 1);
    assert_memory_equal(p.buf + q.options, options, sizeof options - 1);
    assert_int_equal(q.options + q.options_length, p.length);
}

static void how_long_an_answer_may_be(void **state)
{
    static const struct {
        unsigned said;
        size_t taken;
    } sizes[] = {{1, 512},     {511, 512},   {512, 512},   {513, 513},
                 {1232, 1232}, {4096, 4096}, {65535, 4096}};
    struct packet p;
    struct dns_query q;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        packet_query(&p, "web", DNS_TYPE_A, sizes[i].said);
        assert_int_equal(parse_query(p.buf, p.length, &q), 0);
        assert_int_equal(dns_query_limit(&q, false), sizes[i].taken);
        assert_int_equal(dns_query_limit(&q, true), DNS_MESSAGE_MAX);
    }
    packet_query(&p, "web", DNS_TYPE_A, 0);
    assert_int_equal(parse_query(p.buf, p.length, &q), 0);
    assert_int_equal(dns_query_limit(&q, false), 512);
}

/* Parses, and answers with the rcode; the answer as text. */
static const char *refusal(const struct packet *p)
{
    static uint8_t buf[DNS_UDP_SIZE];
    struct dns_query q;
    struct dns_reply r;
    int rcode = parse_query(p->buf, p->length, &q);

    if (rcode < 0)
        return "dropped";
    dns_reply_begin(&r, buf, sizeof buf, p->buf, &q, false);
    return packet_text(buf, dns_reply_end(&r, (enum dns_rcode)rcode));
}

static void what_is_dropped(void **state)
{
    struct packet p;

    (void)state;
    packet_query(&p, "web", DNS_TYPE_A, 0);
    p.buf[2] |= 0x80;
    assert_string_equal(refusal(&p), "dropped"); /* a response */
    for (p.length = 0; p.length < DNS_HEADER_SIZE; p.length++)
        assert_string_equal(refusal(&p), "dropped");
}

static void what_is_malformed(void **state)
{
    struct packet p;
    size_t length;

    (void)state;
    packet_query(&p, "web", DNS_TYPE_A, 1232);
    for (length = p.length - 1; length >= DNS_HEADER_SIZE; length--) {
        p.length = length;
        assert_true(strncmp(refusal(&p), "FORMERR", 7) == 0);
    }
    packet_header(&p, 1, 0, 0, 0, 0, 0);
    assert_string_equal(refusal(&p), "FORMERR"); /* no question */
    packet_header(&p, 1, 0, 2, 0, 0, 0);
    packet_question(&p, "a", DNS_TYPE_A);
    packet_question(&p, "b", DNS_TYPE_A);
    assert_string_equal(refusal(&p), "FORMERR"); /* two */
    packet_query(&p, "web", DNS_TYPE_A, 0);
    packet_bytes(&p, "", 1);
    assert_string_equal(refusal(&p), "FORMERR"); /* garbage behind */
    for (size_t at = 7; at < DNS_HEADER_SIZE; at += 2) {
        packet_query(&p, "web", DNS_TYPE_A, 0);
        p.buf[at] = 1;
        assert_string_equal(refusal(&p), "FORMERR"); /* counts that lie */
        p.buf[at - 1] = 255;
        assert_string_equal(refusal(&p), "FORMERR");
    }
    packet_header(&p, 1, 0, 1, 0, 0, 0);
    packet_bytes(&p, "\3web\300\14\0\1\0\1", 10);
    assert_string_equal(refusal(&p), "FORMERR"); /* a pointer in the question */
    packet_header(&p, 1, 0, 1, 0, 0, 0);
    packet_bytes(&p, "\300\0\0\1\0\1", 6);
    assert_string_equal(refusal(&p), "FORMERR"); /* into the header */
    packet_header(&p, 1, 0, 1, 0, 0, 0);
    packet_bytes(&p, "\100web\0\0\1\0\1", 9);
    assert_string_equal(refusal(&p), "FORMERR"); /* no label */
    packet_header(&p, 1, 0, 1, 0, 0, 0);
    for (unsigned i = 0; i < 128; i++)
        packet_bytes(&p, "\1a", 2);
    packet_bytes(&p, "\0\0\1\0\1", 5);
    assert_string_equal(refusal(&p), "FORMERR"); /* a name of 257 */
}

static void what_is_malformed_of_edns(void **state)
{
    static const struct {
        const char *options;
        size_t length;
    } bad[] = {{"\0\3\0", 3}, {"\0\3\0\1", 4}, {"\0\3\0\0\0", 5}, {"\0\3\377\377x", 5}};
    struct packet p;

    (void)state;
    packet_header(&p, 1, 0, 1, 0, 0, 2);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_opt(&p, 1232, 0, "", 0);
    packet_opt(&p, 1232, 0, "", 0);
    assert_string_equal(refusal(&p), "FORMERR + opt 1232"); /* two */
    packet_header(&p, 1, 0, 1, 0, 0, 1);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_record(&p, "web", DNS_TYPE_OPT, 0, 0);
    assert_string_equal(refusal(&p), "FORMERR"); /* not the root's */
    packet_header(&p, 1, 0, 1, 1, 0, 0);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_opt(&p, 1232, 0, "", 0);
    assert_string_equal(refusal(&p), "FORMERR"); /* among the answers */
    packet_header(&p, 1, 0, 1, 0, 1, 0);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_opt(&p, 1232, 0, "", 0);
    assert_string_equal(refusal(&p), "FORMERR"); /* among the authorities */
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        packet_header(&p, 1, 0, 1, 0, 0, 1);
        packet_question(&p, "web", DNS_TYPE_A);
        packet_opt(&p, 1232, 0, bad[i].options, bad[i].length);
        assert_string_equal(refusal(&p), "FORMERR"); /* options that are not whole */
    }
}

static void what_is_not_done(void **state)
{
    struct packet p;

    (void)state;
    for (unsigned opcode = 1; opcode < 16; opcode++) {
        packet_query(&p, "web", DNS_TYPE_A, 0);
        p.buf[2] = (uint8_t)(opcode << 3);
        assert_string_equal(refusal(&p), "NOTIMP");
    }
    packet_query(&p, "web", DNS_TYPE_A, 0);
    p.buf[p.length - 1] = 3; /* CHAOS */
    assert_string_equal(refusal(&p), "REFUSED");
    packet_query(&p, "web", DNS_TYPE_AXFR, 0);
    assert_string_equal(refusal(&p), "REFUSED");
    /* IXFR says with an SOA record what it has. */
    packet_header(&p, 1, 0, 1, 0, 1, 0);
    packet_question(&p, "web", DNS_TYPE_IXFR);
    packet_record(&p, "web", DNS_TYPE_SOA, 0, 22);
    packet_bytes(&p, (char[22]){0}, 22);
    assert_string_equal(refusal(&p), "REFUSED");
    packet_header(&p, 1, 0, 1, 0, 0, 1);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_opt(&p, 1232, 0x00010000, "", 0);
    assert_string_equal(refusal(&p), "NOERROR + opt 1232 rcode+16"); /* BADVERS */
}

/* Another record beside OPT, say a signature, is none of our business. */
static void other_records_are_passed_over(void **state)
{
    struct packet p;
    struct dns_query q;

    (void)state;
    packet_header(&p, 1, 0, 1, 0, 0, 2);
    packet_question(&p, "web", DNS_TYPE_A);
    packet_opt(&p, 1400, 0, "", 0);
    packet_record(&p, "key", 250, 0, 3);
    packet_bytes(&p, "sig", 3);
    assert_int_equal(parse_query(p.buf, p.length, &q), 0);
    assert_int_equal(q.udp_size, 1400);
}

/* ---- replies ---- */

static void begin(struct dns_reply *r, uint8_t *buf, size_t limit, const struct packet *p, bool aa)
{
    struct dns_query q;

    assert_int_equal(parse_query(p->buf, p->length, &q), 0);
    memset(buf, 0xee, limit);
    dns_reply_begin(r, buf, limit, p->buf, &q, aa);
}

static struct addr an_addr(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr, NULL), 0);
    return addr;
}

static void a_reply(void **state)
{
    uint8_t buf[600];
    struct addr ipv4 = an_addr("172.18.0.2"), ipv6 = an_addr("fd00::2"), none = {0};
    struct dns_name target;
    struct dns_reply r;
    struct packet p;
    size_t length;

    (void)state;
    assert_int_equal(dns_name_from_text("web.front.weft", &target), 0);
    packet_header(&p, 0xbeef, DNS_FLAG_RD | DNS_FLAG_CD | DNS_FLAG_AD, 1, 0, 0, 1);
    packet_question(&p, "WEB", DNS_TYPE_A);
    packet_opt(&p, 600, 0x8000, "\0\12\0\1x", 5);
    begin(&r, buf, sizeof buf, &p, true);
    dns_reply_addr(&r, NULL, 5, &ipv4);
    dns_reply_addr(&r, NULL, 0, &ipv6);
    dns_reply_addr(&r, NULL, 0, &none);
    dns_reply_ptr(&r, 0, &target);
    dns_reply_srv(&r, 0, 8080, &target);
    dns_reply_additional(&r);
    dns_reply_addr(&r, &target, 0, &ipv4);
    length = dns_reply_end(&r, DNS_NOERROR);
    assert_string_equal(packet_text(buf, length),
                        "NOERROR aa: WEB A ttl 5 172.18.0.2, WEB AAAA fd00::2, "
                        "WEB PTR web.front.weft, WEB SRV 0 0 8080 web.front.weft"
                        " + web.front.weft A 172.18.0.2, opt 1232 do");
    assert_int_equal(dns_get16(buf), 0xbeef);
    assert_int_equal(dns_get16(buf + 2),
                     DNS_FLAG_QR | DNS_FLAG_AA | DNS_FLAG_RD | DNS_FLAG_RA | DNS_FLAG_CD);
    assert_memory_equal(buf + 12, p.buf + 12, 9);
    if (length < sizeof buf)
        assert_int_equal(buf[length], 0xee);
}

/* As many as fit, room for OPT being kept; then TC, and nothing more, even if it would fit. */
static void a_reply_that_is_full(void **state)
{
    uint8_t buf[DNS_UDP_SIZE];
    struct addr ipv4 = an_addr("172.18.0.2"), ipv6 = an_addr("fd00::2");
    struct dns_reply r;
    struct packet p;

    (void)state;
    for (unsigned edns = 0; edns <= 512; edns += 512) {
        /* Header 12, question 9, OPT 11: 29 records of 16 octets leave 27, or 16. */
        packet_query(&p, "web", DNS_TYPE_A, edns);
        begin(&r, buf, sizeof buf, &p, true);
        for (unsigned i = 0; i < 29; i++)
            dns_reply_addr(&r, NULL, 0, &ipv4);
        assert_false(r.truncated);
        dns_reply_addr(&r, NULL, 0, &ipv6);
        assert_true(r.truncated);
        dns_reply_addr(&r, NULL, 0, &ipv4);
        dns_reply_additional(&r);
        dns_reply_addr(&r, NULL, 0, &ipv4);
        assert_int_equal(dns_reply_end(&r, DNS_NOERROR), 12 + 9 + 29 * 16 + (edns ? 11 : 0));
        assert_true(strncmp(packet_text(buf, r.length), "NOERROR aa tc: web A", 20) == 0);
    }
}

static void additional_records_are_left_out_silently(void **state)
{
    uint8_t buf[DNS_UDP_SIZE];
    struct addr ipv4 = an_addr("172.18.0.2"), ipv6 = an_addr("fd00::2");
    struct dns_reply r;
    struct packet p;

    (void)state;
    packet_query(&p, "web", DNS_TYPE_A, 512);
    begin(&r, buf, sizeof buf, &p, true);
    for (unsigned i = 0; i < 29; i++)
        dns_reply_addr(&r, NULL, 0, &ipv4);
    dns_reply_additional(&r);
    dns_reply_addr(&r, NULL, 0, &ipv6);
    dns_reply_addr(&r, NULL, 0, &ipv4);
    dns_reply_addr(&r, NULL, 0, &ipv4);
    assert_int_equal(r.additionals, 1);
    assert_int_equal(dns_reply_end(&r, DNS_NOERROR), DNS_UDP_SIZE);
    assert_null(strstr(packet_text(buf, r.length), "tc"));
}

/* ---- responses ---- */

static void response(struct packet *p, unsigned flags, unsigned an, unsigned ns, unsigned ar)
{
    packet_header(p, 7, DNS_FLAG_QR | flags, 1, an, ns, ar);
    packet_question(p, "Web.example", DNS_TYPE_A);
}

static void packet_soa(struct packet *p, uint32_t ttl, uint32_t minimum)
{
    packet_record(p, "example", DNS_TYPE_SOA, ttl, 2 + 2 + 20);
    packet_bytes(p, "\300\14\300\14", 4);
    for (unsigned i = 0; i < 4; i++)
        packet_32(p, 1);
    packet_32(p, minimum);
}

static void packet_cname(struct packet *p, uint32_t ttl)
{
    packet_record(p, "web.example", DNS_TYPE_CNAME, ttl, 2);
    packet_bytes(p, "\300\20", 2);
}

static uint32_t ttl_of(const struct packet *p)
{
    struct dns_response r;

    assert_int_equal(parse_response(p, &r), 0);
    return r.ttl;
}

static void a_response(void **state)
{
    struct dns_response r;
    struct dns_name name;
    struct packet p;
    size_t opt;

    (void)state;
    response(&p, DNS_FLAG_RA, 2, 0, 1);
    packet_a(&p, "web.example", 300);
    packet_a(&p, "web.example", 60);
    opt = p.length;
    packet_opt(&p, 1232, 0, "\0\3\0\1x", 5);
    assert_int_equal(parse_response(&p, &r), 0);
    assert_int_equal(r.id, 7);
    assert_int_equal(r.flags, DNS_FLAG_QR | DNS_FLAG_RA);
    assert_int_equal(r.rcode, DNS_NOERROR);
    assert_int_equal(r.answers, 2);
    assert_int_equal(r.question_end, 12 + 13 + 4);
    assert_int_equal(r.opt, opt);
    assert_int_equal(r.opt_length, 16);
    assert_int_equal(r.ttl, 60);
    assert_int_equal(dns_name_from_text("WEB.example", &name), 0);
    assert_true(dns_response_matches(&r, &name, DNS_TYPE_A, DNS_CLASS_IN));
    assert_false(dns_response_matches(&r, &name, DNS_TYPE_AAAA, DNS_CLASS_IN));
    assert_false(dns_response_matches(&r, &name, DNS_TYPE_A, 3));
    assert_int_equal(dns_name_from_text("wec.example", &name), 0);
    assert_false(dns_response_matches(&r, &name, DNS_TYPE_A, DNS_CLASS_IN));
    assert_int_equal(dns_name_from_text("web", &name), 0);
    assert_false(dns_response_matches(&r, &name, DNS_TYPE_A, DNS_CLASS_IN));
}

static void how_long_a_positive_answer_keeps(void **state)
{
    struct packet p;

    (void)state;
    response(&p, 0, 1, 1, 1);
    packet_a(&p, "web.example", 300);
    packet_record(&p, "example", DNS_TYPE_NS, 200, 2);
    packet_bytes(&p, "\300\14", 2);
    packet_a(&p, "ns.example", 100);
    assert_int_equal(ttl_of(&p), 100);
    response(&p, 0, 1, 0, 0);
    packet_a(&p, "web.example", 0x80000000);
    assert_int_equal(ttl_of(&p), 0);
    response(&p, 0, 2, 1, 0);
    packet_cname(&p, 30);
    packet_a(&p, "example", 90);
    packet_soa(&p, 60, 5); /* says nothing about what is there */
    assert_int_equal(ttl_of(&p), 30);
    response(&p, DNS_FLAG_TC, 1, 0, 0);
    packet_a(&p, "web.example", 300);
    assert_int_equal(ttl_of(&p), 0);
    response(&p, DNS_SERVFAIL, 1, 0, 0);
    packet_a(&p, "web.example", 300);
    assert_int_equal(ttl_of(&p), 0);
    response(&p, 0, 1, 0, 1);
    packet_a(&p, "web.example", 300);
    packet_opt(&p, 1232, 0x01000000, "", 0); /* an extended rcode */
    assert_int_equal(ttl_of(&p), 0);
}

static void how_long_a_negative_answer_keeps(void **state)
{
    struct packet p;

    (void)state;
    for (unsigned rcode = DNS_NOERROR; rcode <= DNS_NXDOMAIN; rcode += DNS_NXDOMAIN) {
        response(&p, rcode, 0, 1, 0);
        packet_soa(&p, 600, 60);
        assert_int_equal(ttl_of(&p), 60);
        response(&p, rcode, 0, 1, 0);
        packet_soa(&p, 60, 600);
        assert_int_equal(ttl_of(&p), 60);
        response(&p, rcode, 0, 1, 0);
        packet_soa(&p, 86400, 86400);
        assert_int_equal(ttl_of(&p), 10800);
        response(&p, rcode, 0, 1, 1); /* with what is no answer */
        packet_soa(&p, 600, 60);
        packet_a(&p, "web.example", 300);
        assert_int_equal(ttl_of(&p), 60);
        response(&p, rcode, 0, 0, 0);
        assert_int_equal(ttl_of(&p), 0); /* nobody says for how long */
        response(&p, rcode, 1, 1, 0);    /* an alias that leads to nothing */
        packet_cname(&p, 20);
        packet_soa(&p, 600, 60);
        assert_int_equal(ttl_of(&p), 20);
    }
    response(&p, 0, 1, 0, 0);
    packet_cname(&p, 20);
    assert_int_equal(ttl_of(&p), 0);
}

static void assert_malformed(const struct packet *p)
{
    struct dns_response r;

    assert_int_equal(parse_response(p, &r), -EBADMSG);
}

static void responses_that_are_malformed(void **state)
{
    struct dns_response r;
    struct packet p, whole;

    (void)state;
    response(&whole, 0, 2, 1, 1);
    packet_cname(&whole, 20);
    packet_a(&whole, "example", 20);
    packet_soa(&whole, 20, 20);
    packet_opt(&whole, 1232, 0, "", 0);
    assert_int_equal(parse_response(&whole, &r), 0);
    for (p = whole; p.length-- > 0;)
        assert_malformed(&p);
    p = whole;
    packet_bytes(&p, "", 1);
    assert_malformed(&p);
    p = whole;
    p.buf[2] &= 0x7f; /* a query */
    assert_malformed(&p);
    p = whole;
    p.buf[2] |= 0x28; /* of UPDATE */
    assert_malformed(&p);
    for (size_t at = 5; at < DNS_HEADER_SIZE; at += 2) {
        p = whole;
        p.buf[at]++;
        assert_malformed(&p);
    }
    p = whole;
    p.buf[5] = 0;
    assert_malformed(&p);
    packet_header(&p, 7, DNS_FLAG_QR, 1, 0, 0, 0);
    packet_bytes(&p, "\300\0\0\1\0\1", 6);
    assert_malformed(&p);
    response(&p, 0, 0, 0, 2);
    packet_opt(&p, 1232, 0, "", 0);
    packet_opt(&p, 1232, 0, "", 0);
    assert_malformed(&p);
    response(&p, 0, 0, 0, 1);
    packet_record(&p, "x", DNS_TYPE_OPT, 0, 0);
    assert_malformed(&p);
    response(&p, 0, 1, 0, 0);
    packet_opt(&p, 1232, 0, "", 0);
    assert_malformed(&p);
}

static void assert_bad_data(unsigned type, const char *data, size_t length)
{
    struct packet p;

    response(&p, 0, 1, 0, 0);
    packet_record(&p, "x", type, 1, length);
    packet_bytes(&p, data, length);
    assert_malformed(&p);
}

static void data_that_are_malformed(void **state)
{
    (void)state;
    assert_bad_data(DNS_TYPE_A, "123", 3);
    assert_bad_data(DNS_TYPE_A, "12345", 5);
    assert_bad_data(DNS_TYPE_AAAA, "1234", 4);
    assert_bad_data(DNS_TYPE_CNAME, "", 0);
    assert_bad_data(DNS_TYPE_CNAME, "\3web", 4);
    assert_bad_data(DNS_TYPE_CNAME, "\300\14x", 3);
    assert_bad_data(DNS_TYPE_CNAME, "\300", 1);
    assert_bad_data(DNS_TYPE_NS, "\300\377", 2);
    assert_bad_data(DNS_TYPE_PTR, "\100", 1);
    assert_bad_data(DNS_TYPE_MX, "\0\1", 2);
    assert_bad_data(DNS_TYPE_MX, "\0\1\0\0", 4);
    assert_bad_data(DNS_TYPE_SRV, "\0\0\0\0\0\1", 6);
    assert_bad_data(DNS_TYPE_SOA, "\0\0", 2);
    assert_bad_data(DNS_TYPE_SOA, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21);
}

/* Cut anywhere behind its question. */
static void a_truncated_response_may_end_early(void **state)
{
    struct dns_response r;
    struct packet p;

    (void)state;
    response(&p, DNS_FLAG_TC, 3, 0, 0);
    packet_a(&p, "web.example", 300);
    for (; p.length >= 12 + 13 + 4; p.length--) {
        assert_int_equal(parse_response(&p, &r), 0);
        assert_int_equal(r.ttl, 0);
    }
    assert_malformed(&p);
}

static void ageing(void **state)
{
    struct dns_response r;
    struct packet p, before;

    (void)state;
    response(&p, 0, 2, 0, 1);
    packet_a(&p, "web.example", 300);
    packet_a(&p, "web.example", 100);
    packet_opt(&p, 1232, 0x8000, "", 0);
    before = p;
    dns_response_age(p.buf, p.length, 0);
    assert_memory_equal(p.buf, before.buf, p.length);
    dns_response_age(p.buf, p.length, 90);
    assert_int_equal(ttl_of(&p), 10);
    dns_response_age(p.buf, p.length, 90);
    assert_int_equal(ttl_of(&p), 0);
    assert_non_null(
        strstr((p.buf[3] |= 0x80, packet_text(p.buf, p.length)), "A ttl 120 192.0.2.1"));
    assert_int_equal(parse_response(&p, &r), 0);
    assert_memory_equal(p.buf + r.opt, before.buf + r.opt, r.opt_length);
}

static void truncating(void **state)
{
    struct packet p;

    (void)state;
    for (unsigned edns = 0; edns < 2; edns++) {
        response(&p, DNS_FLAG_RA | DNS_NXDOMAIN, 100, 0, 1);
        for (unsigned i = 0; i < 100; i++)
            packet_a(&p, "web.example", 300);
        packet_opt(&p, 4096, 0x8000, "\0\3\0\1x", 5);
        p.length = dns_response_truncate(p.buf, p.length, edns);
        assert_int_equal(p.length, 12 + 13 + 4 + (edns ? 11 : 0));
        assert_string_equal(packet_text(p.buf, p.length),
                            edns ? "NXDOMAIN tc + opt 1232 do" : "NXDOMAIN tc");
        assert_int_equal(dns_get16(p.buf), 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_as_text),
        cmocka_unit_test(what_is_no_name),
        cmocka_unit_test(names_have_bounds),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(suffixes),
        cmocka_unit_test(addresses_as_names),
        cmocka_unit_test(reading_names),
        cmocka_unit_test(pointers_that_loop),
        cmocka_unit_test(names_that_grow_by_pointers),
        cmocka_unit_test(a_query),
        cmocka_unit_test(a_query_with_edns),
        cmocka_unit_test(how_long_an_answer_may_be),
        cmocka_unit_test(what_is_dropped),
        cmocka_unit_test(what_is_malformed),
        cmocka_unit_test(what_is_malformed_of_edns),
        cmocka_unit_test(what_is_not_done),
        cmocka_unit_test(other_records_are_passed_over),
        cmocka_unit_test(a_reply),
        cmocka_unit_test(a_reply_that_is_full),
        cmocka_unit_test(additional_records_are_left_out_silently),
        cmocka_unit_test(a_response),
        cmocka_unit_test(how_long_a_positive_answer_keeps),
        cmocka_unit_test(how_long_a_negative_answer_keeps),
        cmocka_unit_test(responses_that_are_malformed),
        cmocka_unit_test(data_that_are_malformed),
        cmocka_unit_test(a_truncated_response_may_end_early),
        cmocka_unit_test(ageing),
        cmocka_unit_test(truncating),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
