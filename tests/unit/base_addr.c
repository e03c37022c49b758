/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/addr.h"

static struct addr must_parse(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(text, &a, NULL), 0);
    return a;
}

static struct prefix must_parse_prefix(const char *text)
{
    struct prefix p;

    assert_int_equal(prefix_parse(text, &p, NULL), 0);
    return p;
}

/* Pointers to literals. */
#define A(text) ((struct addr[]){must_parse(text)})
#define P(text) ((struct prefix[]){must_parse_prefix(text)})

static void addresses_round_trip(void **state)
{
    static const char *const texts[] = {
        "0.0.0.0", "10.0.0.1",     "255.255.255.255", "::",
        "::1",     "2001:db8::ff", "fe80::1",         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct addr a = *A(texts[i]);

        assert_string_equal(addr_text(&a), texts[i]);
        assert_true(addr_is_set(&a));
    }
    assert_string_equal(addr_text(A("2001:DB8:0:0::1")), "2001:db8::1");
}

static void junk_is_not_an_address(void **state)
{
    static const char *const texts[] = {
        "",          " ",          "10.0.0",     "10.0.0.256", "10.0.0.1 ", " 10.0.0.1",
        "10.0.0.01", "10.0.0.0/8", "0x0a.0.0.1", "10.0.0.1.1", "localhost", ":",
        ":::",       "1::2::3",    "fe80::1%lo", "[::1]",      "12345::",   "1:2:3:4:5:6:7:8:9",
    };
    struct weft_error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct addr a = {.family = 77};

        assert_int_equal(addr_parse(texts[i], &a, &err), -EINVAL);
        assert_int_equal(a.family, 77);
        assert_int_equal(err.code, WEFT_INVALID);
    }
    assert_int_equal(addr_parse("10.0.0", &(struct addr){0}, &err), -EINVAL);
    assert_string_equal(err.text, "\"10.0.0\" is not an IP address");
}

static void none_is_no_address(void **state)
{
    struct addr none = {0};
    struct prefix no_prefix = {0};

    (void)state;
    assert_false(addr_is_set(&none));
    assert_int_equal(addr_size(&none), 0);
    assert_string_equal(addr_text(&none), "");
    assert_true(addr_equal(&none, &none));
    assert_false(addr_equal(&none, A("0.0.0.0")));
    assert_string_equal(prefix_text(&no_prefix), "");
    assert_false(prefix_contains(&no_prefix, &none));
    assert_false(prefix_contains(P("0.0.0.0/0"), &none));
    assert_false(prefix_overlaps(&no_prefix, &no_prefix));
    assert_int_equal(prefix_size(&no_prefix), 0);
}

static void order_is_by_family_then_number(void **state)
{
    (void)state;
    assert_true(addr_compare(A("9.255.255.255"), A("10.0.0.0")) < 0);
    assert_true(addr_compare(A("128.0.0.1"), A("127.0.0.1")) > 0);
    assert_true(addr_compare(A("255.255.255.255"), A("::")) < 0);
    assert_true(addr_compare(A("::1:0"), A("::ffff")) > 0);
    assert_true(addr_equal(A("1::"), A("1:0::0")));
    assert_false(addr_equal(A("0.0.0.0"), A("::")));
}

static void kinds_of_addresses(void **state)
{
    (void)state;
    assert_true(addr_is_multicast(A("224.0.0.1")));
    assert_true(addr_is_multicast(A("239.255.255.255")));
    assert_false(addr_is_multicast(A("240.0.0.0")));
    assert_true(addr_is_multicast(A("ff02::1")));
    assert_false(addr_is_multicast(A("fe80::1")));
    assert_true(addr_is_loopback(A("127.9.9.9")));
    assert_false(addr_is_loopback(A("128.0.0.1")));
    assert_true(addr_is_loopback(A("::1")));
    assert_false(addr_is_loopback(A("::2")));
    assert_false(addr_is_loopback(A("7f00::")));
    assert_true(addr_is_link_local(A("169.254.1.1")));
    assert_false(addr_is_link_local(A("169.253.1.1")));
    assert_true(addr_is_link_local(A("fe80::1")));
    assert_true(addr_is_link_local(A("febf::1")));
    assert_false(addr_is_link_local(A("fec0::1")));
}

static void adding_carries_through(void **state)
{
    static const struct {
        const char *base;
        uint64_t n;
        const char *sum;
    } cases[] = {
        {"10.0.0.0", 0, "10.0.0.0"},
        {"10.0.0.255", 1, "10.0.1.0"},
        {"10.255.255.255", 1, "11.0.0.0"},
        {"10.0.0.0", 65536 + 3, "10.1.0.3"},
        {"255.255.255.255", 1, "0.0.0.0"},
        {"fd00::ffff", 1, "fd00::1:0"},
        {"fd00::ffff:ffff:ffff:ffff", 1, "fd00:0:0:1::"},
        {"fd00:0:0:ffff::1", UINT64_MAX, "fd00:0:1::"},
        {"fd00::", UINT64_MAX, "fd00::ffff:ffff:ffff:ffff"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "::"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct addr sum = addr_add(A(cases[i].base), cases[i].n);

        assert_string_equal(addr_text(&sum), cases[i].sum);
    }
}

static void offset_undoes_adding(void **state)
{
    struct addr base = *A("fd00::8000:0:0:1");
    struct addr sum = addr_add(&base, UINT64_MAX - 1);

    (void)state;
    assert_true(addr_offset(&base, &sum) == UINT64_MAX - 1);
    assert_true(addr_offset(&base, &base) == 0);
    assert_true(addr_offset(A("10.0.0.255"), A("10.0.1.1")) == 2);
    assert_true(addr_offset(A("0.0.0.0"), A("255.255.255.255")) == UINT32_MAX);
    /* Negative, too far, of another family. */
    assert_true(addr_offset(A("10.0.0.2"), A("10.0.0.1")) == UINT64_MAX);
    assert_true(addr_offset(A("fd00::"), A("fd00:0:0:1::")) == UINT64_MAX);
    assert_true(addr_offset(A("10.0.0.1"), A("::10.0.0.2")) == UINT64_MAX);
}

static void prefixes_round_trip(void **state)
{
    static const char *const texts[] = {
        "0.0.0.0/0", "10.1.2.3/8", "10.0.0.1/32",
        "::/0",      "fd00::1/64", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        assert_string_equal(prefix_text(P(texts[i])), texts[i]);
}

static void junk_is_not_a_prefix(void **state)
{
    static const char *const texts[] = {
        "",
        "/",
        "/8",
        "10.0.0.0",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/-0",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8 ",
        "10.0.0.0/8/",
        "10.0.0.0/ 8",
        "10.0.0/8",
        "10.0.0.0/255.0.0.0",
        "::/129",
        "::/264",
        "10.0.0.0/0x8",
        "::/4294967296",
        "x/8",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff0000000000000000000000/128",
    };
    struct weft_error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct prefix p = {.len = 77};

        assert_int_equal(prefix_parse(texts[i], &p, &err), -EINVAL);
        assert_int_equal(p.len, 77);
        assert_non_null(strstr(err.text, texts[i]));
    }
}

static void a_prefix_has_a_first_and_a_last_address(void **state)
{
    static const struct {
        const char *prefix, *first, *last;
        uint64_t size;
    } cases[] = {
        {"10.1.2.3/0", "0.0.0.0", "255.255.255.255", UINT64_C(1) << 32},
        {"10.1.2.3/8", "10.0.0.0", "10.255.255.255", 1 << 24},
        {"10.1.2.255/25", "10.1.2.128", "10.1.2.255", 128},
        {"10.1.2.3/31", "10.1.2.2", "10.1.2.3", 2},
        {"10.1.2.3/32", "10.1.2.3", "10.1.2.3", 1},
        {"1::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", UINT64_MAX},
        {"fd00::1/64", "fd00::", "fd00::ffff:ffff:ffff:ffff", UINT64_MAX},
        {"fd00::1/65", "fd00::", "fd00::7fff:ffff:ffff:ffff", UINT64_C(1) << 63},
        {"fd00::7/126", "fd00::4", "fd00::7", 4},
        {"fd00::7/128", "fd00::7", "fd00::7", 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct prefix p = *P(cases[i].prefix), network = prefix_network(&p);
        struct addr first = prefix_first(&p), last = prefix_last(&p);

        assert_string_equal(addr_text(&first), cases[i].first);
        assert_string_equal(addr_text(&last), cases[i].last);
        assert_true(prefix_size(&p) == cases[i].size);
        assert_true(addr_equal(&network.addr, &first));
        assert_int_equal(network.len, p.len);
        assert_false(prefix_has_host_bits(&network));
        assert_int_equal(prefix_has_host_bits(&p), !addr_equal(&p.addr, &first));
        assert_true(prefix_contains(&p, &first));
        assert_true(prefix_contains(&p, &last));
    }
}

static void containing_covering_overlapping(void **state)
{
    (void)state;
    assert_true(prefix_contains(P("10.0.0.0/8"), A("10.9.9.9")));
    assert_false(prefix_contains(P("10.0.0.0/8"), A("11.0.0.0")));
    assert_false(prefix_contains(P("10.0.0.0/8"), A("9.255.255.255")));
    assert_true(prefix_contains(P("10.7.7.7/8"), A("10.0.0.0")));
    assert_true(prefix_contains(P("0.0.0.0/0"), A("255.255.255.255")));
    assert_false(prefix_contains(P("0.0.0.0/0"), A("::")));
    assert_false(prefix_contains(P("::/0"), A("1.2.3.4")));
    assert_true(prefix_contains(P("fd00::1/128"), A("fd00::1")));
    assert_false(prefix_contains(P("fd00::1/128"), A("fd00::2")));

    assert_true(prefix_covers(P("10.0.0.0/8"), P("10.1.0.0/16")));
    assert_true(prefix_covers(P("10.0.0.0/8"), P("10.0.0.0/8")));
    assert_false(prefix_covers(P("10.1.0.0/16"), P("10.0.0.0/8")));
    assert_false(prefix_covers(P("0.0.0.0/0"), P("::/64")));

    assert_true(prefix_overlaps(P("10.1.0.0/16"), P("10.0.0.0/8")));
    assert_true(prefix_overlaps(P("10.0.0.0/8"), P("10.1.0.0/16")));
    assert_false(prefix_overlaps(P("10.0.0.0/9"), P("10.128.0.0/9")));
    assert_false(prefix_overlaps(P("0.0.0.0/0"), P("::/0")));

    assert_true(prefix_equal(P("10.0.0.0/8"), P("10.0.0.0/8")));
    assert_false(prefix_equal(P("10.0.0.0/8"), P("10.0.0.0/9")));
    assert_false(prefix_equal(P("10.0.0.0/8"), P("10.0.0.1/8")));
}

static void macs_round_trip(void **state)
{
    struct mac m = {0}, other;

    (void)state;
    assert_false(mac_is_set(&m));
    assert_int_equal(mac_parse("02-42-Ac-11-00-fF", &m, NULL), 0);
    assert_string_equal(mac_text(&m), "02:42:ac:11:00:ff");
    assert_true(mac_is_set(&m));
    assert_int_equal(mac_parse("02:42:AC:11:00:FF", &other, NULL), 0);
    assert_true(mac_equal(&m, &other));
    other.bytes[5] ^= 1;
    assert_false(mac_equal(&m, &other));
}

static void bad_macs_are_refused(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "\"\" is not a MAC address"},
        {"02:42:ac:11:00", "not a MAC address"},
        {"02:42:ac:11:00:0", "not a MAC address"},
        {"02:42:ac:11:00:000", "not a MAC address"},
        {"02:42:ac:11:00:00:", "not a MAC address"},
        {"02:42:ac-11:00:00", "not a MAC address"},
        {"02.42.ac.11.00.00", "not a MAC address"},
        {"0242ac1100000000x", "not a MAC address"},
        {"0g:42:ac:11:00:00", "not a MAC address"},
        {"02:42:ac:11:00:\x10\x11", "not a MAC address"},
        {"00:00:00:00:00:00", "all zeros"},
        {"01:00:5e:00:00:01", "multicast"},
        {"ff:ff:ff:ff:ff:ff", "multicast"},
        {"03:42:ac:11:00:02", "multicast"},
    };
    struct weft_error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct mac m = {{7}};

        assert_int_equal(mac_parse(cases[i].text, &m, &err), -EINVAL);
        assert_int_equal(m.bytes[0], 7);
        assert_non_null(strstr(err.text, cases[i].error));
    }
}

static void macs_follow_addresses(void **state)
{
    struct mac v4 = mac_from_addr(A("172.17.0.2"));
    struct mac v6 = mac_from_addr(A("fd00::a:b0c:d0e"));
    struct mac none = mac_from_addr(&(struct addr){0});

    (void)state;
    assert_string_equal(mac_text(&v4), "02:42:ac:11:00:02");
    assert_string_equal(mac_text(&v6), "02:42:0b:0c:0d:0e");
    assert_string_equal(mac_text(&none), "02:42:00:00:00:00");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_round_trip),
        cmocka_unit_test(junk_is_not_an_address),
        cmocka_unit_test(none_is_no_address),
        cmocka_unit_test(order_is_by_family_then_number),
        cmocka_unit_test(kinds_of_addresses),
        cmocka_unit_test(adding_carries_through),
        cmocka_unit_test(offset_undoes_adding),
        cmocka_unit_test(prefixes_round_trip),
        cmocka_unit_test(junk_is_not_a_prefix),
        cmocka_unit_test(a_prefix_has_a_first_and_a_last_address),
        cmocka_unit_test(containing_covering_overlapping),
        cmocka_unit_test(macs_round_trip),
        cmocka_unit_test(bad_macs_are_refused),
        cmocka_unit_test(macs_follow_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
