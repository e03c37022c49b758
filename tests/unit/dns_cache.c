/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "dns/cache.h"

#define SECOND 1000

static uint8_t out[DNS_MESSAGE_MAX];

static struct dns_name name_of(const char *text)
{
    struct dns_name name;

    assert_int_equal(dns_name_from_text(text, &name), 0);
    return name;
}

/* A response for the name with one A record of that TTL, and "padding" octets of TXT. */
static size_t make(uint8_t *buf, const struct dns_name *name, uint8_t ttl, uint8_t last,
                   uint16_t padding)
{
    const uint8_t header[] = {0, 7, 0x81, 0x80, 0, 1, 0, padding ? 2 : 1, 0, 0, 0, 0};
    const uint8_t a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, last};
    const uint8_t txt[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 255};
    const uint8_t question[] = {0, 1, 0, 1};
    size_t at = 0;

    memcpy(buf, header, sizeof header);
    at += sizeof header;
    memcpy(buf + at, name->wire, name->length);
    at += name->length;
    memcpy(buf + at, question, sizeof question);
    at += sizeof question;
    memcpy(buf + at, a, sizeof a);
    at += sizeof a;
    if (!padding)
        return at;
    memcpy(buf + at, txt, sizeof txt);
    at += sizeof txt;
    dns_put16(buf + at, padding);
    memset(buf + at + 2, 0, padding);
    return at + 2 + padding;
}

static struct dns_cache_key key_of(const struct dns_name *name)
{
    return (struct dns_cache_key){.set = 1, .name = name, .type = DNS_TYPE_A, .class = 1};
}

/* Puts a response of one record for the name. */
static void put(struct dns_cache *c, const char *text, uint64_t now, uint8_t ttl, uint8_t last)
{
    struct dns_name name = name_of(text);
    struct dns_cache_key key = key_of(&name);
    uint8_t msg[512];
    size_t length = make(msg, &name, ttl, last, 0);

    dns_cache_put(c, &key, now, msg, length, ttl);
}

static size_t get(struct dns_cache *c, const char *text, uint64_t now)
{
    struct dns_name name = name_of(text);
    struct dns_cache_key key = key_of(&name);

    return dns_cache_get(c, &key, now, out);
}

static uint32_t ttl_of(size_t length)
{
    struct dns_response response;

    assert_int_equal(dns_response_parse(out, length, &response), 0);
    return response.ttl;
}

static struct dns_cache *new_cache(size_t bytes)
{
    struct dns_cache *c;

    assert_int_equal(dns_cache_new(bytes, &c), 0);
    return c;
}

static void test_time(void **state)
{
    struct dns_cache *c = new_cache(DNS_CACHE_BYTES);

    (void)state;
    assert_int_equal(get(c, "a.example", 0), 0);
    put(c, "a.example", 5000, 30, 1);
    assert_int_not_equal(get(c, "a.example", 5000), 0);
    assert_int_equal(out[get(c, "a.example", 5000) - 1], 1);
    assert_int_equal(ttl_of(get(c, "a.example", 5000)), 30);
    assert_int_equal(ttl_of(get(c, "a.example", 5000 + 10 * SECOND)), 20);
    /* What is kept does not age. */
    assert_int_equal(ttl_of(get(c, "a.example", 5000 + 11 * SECOND)), 19);
    assert_int_equal(ttl_of(get(c, "a.example", 5000 + 30 * SECOND - 1)), 1);
    assert_int_equal(get(c, "a.example", 5000 + 30 * SECOND), 0);
    assert_int_equal(dns_cache_bytes(c), 0);
    dns_cache_free(c);
}

static void test_no_ttl(void **state)
{
    struct dns_cache *c = new_cache(DNS_CACHE_BYTES);

    (void)state;
    put(c, "a.example", 0, 0, 1);
    assert_int_equal(get(c, "a.example", 0), 0);
    assert_int_equal(dns_cache_bytes(c), 0);
    dns_cache_free(c);
}

static void test_longest(void **state)
{
    struct dns_cache *c = new_cache(DNS_CACHE_BYTES);
    struct dns_name name = name_of("a.example");
    struct dns_cache_key key = key_of(&name);
    uint8_t msg[512];
    size_t length = make(msg, &name, 255, 1, 0);

    (void)state;
    dns_cache_put(c, &key, 0, msg, length, UINT32_MAX);
    assert_int_not_equal(get(c, "a.example", UINT64_C(86400) * SECOND - 1), 0);
    assert_int_equal(get(c, "a.example", UINT64_C(86400) * SECOND), 0);
    dns_cache_free(c);
}

static void test_keys(void **state)
{
    struct dns_cache *c = new_cache(DNS_CACHE_BYTES);
    struct dns_name name = name_of("a.example");
    struct dns_cache_key key = key_of(&name), other;

    (void)state;
    put(c, "a.example", 0, 30, 1);
    other = key;
    other.set = 2;
    assert_int_equal(dns_cache_get(c, &other, 0, out), 0);
    other = key;
    other.type = DNS_TYPE_AAAA;
    assert_int_equal(dns_cache_get(c, &other, 0, out), 0);
    other = key;
    other.class = 3;
    assert_int_equal(dns_cache_get(c, &other, 0, out), 0);
    other = key;
    other.dnssec_ok = true;
    assert_int_equal(dns_cache_get(c, &other, 0, out), 0);
    other = key;
    other.checking_disabled = true;
    assert_int_equal(dns_cache_get(c, &other, 0, out), 0);
    assert_int_equal(get(c, "b.example", 0), 0);
    assert_int_equal(get(c, "a.example.", 0), get(c, "A.EXAMPLE", 0));
    assert_int_not_equal(dns_cache_get(c, &key, 0, out), 0);
    dns_cache_free(c);
}

static void test_replace(void **state)
{
    struct dns_cache *c = new_cache(DNS_CACHE_BYTES);
    size_t bytes;

    (void)state;
    put(c, "a.example", 0, 30, 1);
    bytes = dns_cache_bytes(c);
    put(c, "a.example", 20 * SECOND, 30, 2);
    assert_int_equal(dns_cache_bytes(c), bytes);
    assert_int_equal(out[get(c, "a.example", 40 * SECOND) - 1], 2);
    dns_cache_free(c);
}

static void test_drop(void **state)
{
    struct dns_cache *c = new_cache(DNS_CACHE_BYTES);
    struct dns_name name = name_of("a.example");
    struct dns_cache_key other = key_of(&name);
    uint8_t msg[512];
    size_t length = make(msg, &name, 30, 9, 0);

    (void)state;
    other.set = 2;
    dns_cache_put(c, &other, 0, msg, length, 30);
    put(c, "a.example", 0, 30, 1);
    put(c, "b.example", 0, 30, 1);
    dns_cache_drop(c, 1);
    assert_int_equal(get(c, "a.example", 0), 0);
    assert_int_equal(get(c, "b.example", 0), 0);
    assert_int_not_equal(dns_cache_get(c, &other, 0, out), 0);
    dns_cache_free(c);
}

/* What was not used for the longest time makes room. */
static void test_bound(void **state)
{
    struct dns_cache *c = new_cache(16384);
    size_t kept = 0;
    char text[32];

    (void)state;
    put(c, "used.example", 0, 200, 1);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "n%03d.example", i);
        put(c, text, 0, 200, 1);
        assert_true(dns_cache_bytes(c) <= 16384);
        assert_int_not_equal(get(c, "used.example", 0), 0);
        assert_int_not_equal(get(c, text, 0), 0);
    }
    assert_int_equal(get(c, "n000.example", 0), 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "n%03d.example", i);
        kept += get(c, text, 0) > 0;
    }
    /* It is used to the full, and all that is left is the latest. */
    assert_true(kept > 60);
    snprintf(text, sizeof text, "n%03zu.example", 1000 - kept);
    assert_int_not_equal(get(c, text, 0), 0);
    dns_cache_free(c);
}

static void test_too_large(void **state)
{
    struct dns_cache *c = new_cache(4096);
    struct dns_name name = name_of("big.example");
    struct dns_cache_key key = key_of(&name);
    uint8_t msg[8192];
    size_t length = make(msg, &name, 30, 1, 5000);

    (void)state;
    put(c, "a.example", 0, 30, 1);
    dns_cache_put(c, &key, 0, msg, length, 30);
    assert_int_equal(get(c, "big.example", 0), 0);
    assert_int_not_equal(get(c, "a.example", 0), 0);
    dns_cache_free(c);
    dns_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time),    cmocka_unit_test(test_no_ttl),
        cmocka_unit_test(test_longest), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_replace), cmocka_unit_test(test_drop),
        cmocka_unit_test(test_bound),   cmocka_unit_test(test_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
