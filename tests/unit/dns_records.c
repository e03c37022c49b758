/* SPDX-License-Identifier: Apache-2.0 */

/* Responses from octets, as text. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "dns/codec.h"
#include "dns/records.h"

/* A response to a question for the type, whose name "www.example" is at offset 12. */
struct message {
    uint8_t octets[512];
    size_t length;
};

#define OWNER "\xc0\x0c"
#define EXAMPLE "\xc0\x10"

static void put(struct message *m, const char *octets, size_t length)
{
    assert_true(m->length + length <= sizeof m->octets);
    memcpy(m->octets + m->length, octets, length);
    m->length += length;
}
#define PUT(m, text) put((m), (text), sizeof(text) - 1)

static void begin(struct message *m, uint16_t type)
{
    static const char header[] = "\x12\x34\x84\x00\x00\x01\x00\x00\x00\x00\x00\x00";

    *m = (struct message){0};
    PUT(m, header);
    PUT(m, "\3www\7example\0");
    put(m, (char[]){(char)(type >> 8), (char)type, 0, 1}, 4);
}

static void add(struct message *m, uint16_t type, const char *data, size_t length)
{
    PUT(m, OWNER);
    put(m, (char[]){(char)(type >> 8), (char)type, 0, 1, 0, 0, 1, 0x2c, 0, (char)length}, 10);
    put(m, data, length);
    m->octets[7]++; /* answers */
}
#define ADD(m, type, data) add((m), (type), (data), sizeof(data) - 1)

static int print(void *arg, const char *owner, uint16_t type, uint32_t ttl, const char *data)
{
    strbuf_printf(arg, "%s %u %s %s\n", owner, ttl, dns_type_text(type), data);
    return 0;
}

static void expect(const struct message *m, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    assert_int_equal(dns_answers_each(m->octets, m->length, print, &text), 0);
    assert_string_equal(strbuf_text(&text), expected);
}

static void addresses_and_names(void **state)
{
    struct message m;

    (void)state;
    begin(&m, DNS_TYPE_ANY);
    ADD(&m, DNS_TYPE_A, "\300\0\2\1");
    ADD(&m, DNS_TYPE_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
    ADD(&m, DNS_TYPE_CNAME, "\1a" EXAMPLE);
    ADD(&m, DNS_TYPE_PTR, EXAMPLE);
    ADD(&m, DNS_TYPE_MX, "\0\12\2mx" EXAMPLE);
    ADD(&m, DNS_TYPE_SRV, "\0\1\0\2\0\x35" OWNER);
    ADD(&m, DNS_TYPE_SOA, "\0\4root\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff");
    expect(&m, "www.example 300 A 192.0.2.1\n"
               "www.example 300 AAAA 2001:db8::1\n"
               "www.example 300 CNAME a.example\n"
               "www.example 300 PTR example\n"
               "www.example 300 MX 10 mx.example\n"
               "www.example 300 SRV 1 2 53 www.example\n"
               "www.example 300 SOA . root 1 2 3 4 4294967295\n");
}

static void text_is_quoted(void **state)
{
    struct message m;

    (void)state;
    begin(&m, DNS_TYPE_TXT);
    ADD(&m, DNS_TYPE_TXT, "\5hello\0\6\"\\\x01 \xff%");
    ADD(&m, 257, "\x80\5issueca.test");
    expect(&m, "www.example 300 TXT \"hello\" \"\" \"\\\"\\\\\\001 \\255%\"\n"
               "www.example 300 CAA 128 \"issue\" \"ca.test\"\n");
}

/* Also what is not as its type should be. */
static void anything_else_is_hexadecimal(void **state)
{
    struct message m;

    (void)state;
    begin(&m, 65);
    ADD(&m, 65, "\0\1\0");
    ADD(&m, 4711, "\xab");
    ADD(&m, 4711, "");
    ADD(&m, DNS_TYPE_TXT, "");
    ADD(&m, DNS_TYPE_TXT, "\5ab");
    ADD(&m, 35, "\0\1\0\2\1a");
    ADD(&m, 39, "\1a");
    expect(&m, "www.example 300 HTTPS \\# 3 000100\n"
               "www.example 300 TYPE4711 \\# 1 ab\n"
               "www.example 300 TYPE4711 \\# 0\n"
               "www.example 300 TXT \\# 0\n"
               "www.example 300 TXT \\# 3 056162\n"
               "www.example 300 NAPTR \\# 6 000100020161\n"
               "www.example 300 DNAME \\# 2 0161\n");
}

static int count_two(void *arg, const char *owner, uint16_t type, uint32_t ttl, const char *data)
{
    (void)owner, (void)type, (void)ttl, (void)data;
    return ++*(int *)arg == 2 ? -ECANCELED : 0;
}

static void the_callee_may_end_it(void **state)
{
    struct message m;
    int count = 0;

    (void)state;
    begin(&m, DNS_TYPE_A);
    for (int i = 0; i < 3; i++)
        ADD(&m, DNS_TYPE_A, "\300\0\2\1");
    assert_int_equal(dns_answers_each(m.octets, m.length, count_two, &count), -ECANCELED);
    assert_int_equal(count, 2);
}

/* No byte of the message can be missing. */
static void what_is_cut_off_is_malformed(void **state)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    struct message m;

    (void)state;
    begin(&m, DNS_TYPE_A);
    ADD(&m, DNS_TYPE_A, "\300\0\2\1");
    ADD(&m, DNS_TYPE_TXT, "\5hello");
    for (size_t length = 0; length < m.length; length++)
        assert_int_equal(dns_answers_each(m.octets, length, print, &text), -EBADMSG);
    assert_int_equal(text.len, 0);
}

static void types_have_names_and_numbers(void **state)
{
    static const struct {
        const char *text;
        uint16_t type;
        const char *printed;
    } good[] = {
        {"A", DNS_TYPE_A, "A"},          {"aaaa", DNS_TYPE_AAAA, "AAAA"},
        {"Any", DNS_TYPE_ANY, "ANY"},    {"28", DNS_TYPE_AAAA, "AAAA"},
        {"type33", DNS_TYPE_SRV, "SRV"}, {"TYPE65535", 65535, "TYPE65535"},
        {"4711", 4711, "TYPE4711"},
    };
    static const char *const bad[] = {"", "AA", "TYPE", "TYPE0", "0", "65536", "-1", "A ", "TYPEA"};
    uint16_t type = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(dns_type_parse(good[i].text, &type), 0);
        assert_int_equal(type, good[i].type);
        assert_string_equal(dns_type_text(type), good[i].printed);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(dns_type_parse(bad[i], &type), -EINVAL);
}

static void rcodes_have_names(void **state)
{
    (void)state;
    assert_string_equal(dns_rcode_text(DNS_NOERROR), "NOERROR");
    assert_string_equal(dns_rcode_text(DNS_NXDOMAIN), "NXDOMAIN");
    assert_string_equal(dns_rcode_text(DNS_BADVERS), "BADVERS");
    assert_string_equal(dns_rcode_text(9), "RCODE9");
    assert_string_equal(dns_rcode_text(255), "RCODE255");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_names),
        cmocka_unit_test(text_is_quoted),
        cmocka_unit_test(anything_else_is_hexadecimal),
        cmocka_unit_test(the_callee_may_end_it),
        cmocka_unit_test(what_is_cut_off_is_malformed),
        cmocka_unit_test(types_have_names_and_numbers),
        cmocka_unit_test(rcodes_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
