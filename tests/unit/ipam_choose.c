/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "ipam/ipam.h"
#include "model_make.h"

#define TAKEN_MAX 16

/* Prefixes from a list with spaces between. */
static size_t make_taken(const char *list, struct ipam_taken taken[static TAKEN_MAX])
{
    char text[PREFIX_TEXT_MAX];
    size_t count = 0;
    int used;

    for (; sscanf(list, " %49s%n", text, &used) == 1; list += used)
        taken[count++] = (struct ipam_taken){.prefix = *P(text), .by = "network x"};
    return count;
}

static void the_first_free_subnet_is_chosen(void **state)
{
    static const struct {
        const char *base;
        uint8_t size;
        const char *taken, *chosen; /* "" when there is none */
    } cases[] = {
        {"10.0.0.0/8", 24, "", "10.0.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.0/24", "10.0.1.0/24"},
        {"10.0.0.0/8", 24, "10.0.1.0/24", "10.0.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.2.0/24 10.0.0.0/24", "10.0.1.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.0/16", "10.1.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.77/32", "10.0.1.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.77/32 10.0.0.0/16", "10.1.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.0/16 10.0.0.0/24 10.0.3.0/30", "10.1.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.1/32 10.0.0.200/32 10.0.1.9/32", "10.0.2.0/24"},
        {"10.0.0.0/8", 24, "fd00::/8 192.168.0.0/16", "10.0.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.0/9 10.128.0.0/10", "10.192.0.0/24"},
        {"10.0.0.0/8", 24, "10.0.0.0/9 10.128.0.0/9", ""},
        {"10.0.0.0/8", 24, "0.0.0.0/0", ""},
        {"10.0.0.0/23", 24, "10.0.0.0/24", "10.0.1.0/24"},
        {"10.0.0.0/23", 24, "10.0.0.0/24 10.0.1.128/25", ""},
        {"10.0.0.0/24", 24, "", "10.0.0.0/24"},
        {"255.255.255.0/24", 25, "255.255.255.0/25", "255.255.255.128/25"},
        {"255.255.255.0/24", 25, "255.255.255.0/25 255.255.255.255/32", ""},
        {"fd00::/8", 64, "fd00::/64 fd00:0:0:1::/64", "fd00:0:0:2::/64"},
        {"fd00::/8", 64, "10.0.0.0/8", "fd00::/64"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ipam_base base = {*P(cases[i].base), cases[i].size};
        struct ipam_taken taken[TAKEN_MAX];
        size_t count = make_taken(cases[i].taken, taken);
        struct prefix chosen = {0};
        struct weft_error err = {0};
        int r = ipam_choose_subnet(&base, 1, taken, count, &chosen, &err);

        assert_int_equal(r, *cases[i].chosen ? 0 : -ENOSPC);
        assert_string_equal(prefix_text(&chosen), cases[i].chosen);
        assert_int_equal(err.text[0] != '\0', r < 0);
    }
}

static void the_default_bases_are_used_in_order(void **state)
{
    static const struct {
        const char *taken, *chosen;
    } cases[] = {
        {"", "172.18.0.0/24"},
        {"172.16.0.0/12", "192.168.0.0/24"},
        {"172.18.0.0/15", "172.20.0.0/24"},
        {"172.16.0.0/12 192.168.0.0/16", "10.128.0.0/24"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ipam_taken taken[TAKEN_MAX];
        struct prefix chosen;

        assert_int_equal(ipam_choose_subnet(ipam_default_bases, ipam_default_base_count, taken,
                                            make_taken(cases[i].taken, taken), &chosen, NULL),
                         0);
        assert_string_equal(prefix_text(&chosen), cases[i].chosen);
    }
}

static void thousands_of_networks_fit(void **state)
{
    enum { FIRST_BASES = 14 * 256, FILLED = FIRST_BASES - 10, COUNT = FIRST_BASES + 300 };
    static struct ipam_taken taken[COUNT];
    struct addr first;

    (void)state;
    assert_int_equal(addr_parse("172.18.0.0", &first, NULL), 0);
    for (size_t i = 0; i < FILLED; i++)
        taken[i].prefix = (struct prefix){addr_add(&first, i * 256), 24};
    for (size_t i = FILLED; i < COUNT; i++) {
        struct prefix *chosen = &taken[i].prefix;

        assert_int_equal(ipam_choose_subnet(ipam_default_bases, ipam_default_base_count, taken, i,
                                            chosen, NULL),
                         0);
        if (i == FIRST_BASES) /* 172.18 to 172.31 are full */
            assert_string_equal(prefix_text(chosen), "192.168.0.0/24");
        assert_null(ipam_find_overlap(taken, i, chosen));
    }
    assert_string_equal(prefix_text(&taken[COUNT - 1].prefix), "10.128.43.0/24");
}

static void a_bad_base_is_refused(void **state)
{
    struct ipam_base base = {*P("10.0.0.0/16"), 8}, narrow = {*P("10.0.0.0/16"), 64};
    struct prefix chosen;
    struct weft_error err = {0};

    (void)state;
    assert_int_equal(ipam_choose_subnet(&base, 1, NULL, 0, &chosen, &err), -EINVAL);
    assert_string_equal(err.text, "address pool 10.0.0.0/16 cannot be divided into /8");
    assert_int_equal(ipam_choose_subnet(&narrow, 1, NULL, 0, &chosen, NULL), -EINVAL);
}

static void ulas_start_at_the_hint(void **state)
{
    static const uint8_t id[5] = {0x12, 0x34, 0x56, 0x78, 0x9a};
    static const struct {
        uint16_t hint;
        const char *taken, *chosen;
    } cases[] = {
        {0, "", "fd12:3456:789a::/64"},
        {0xbeef, "", "fd12:3456:789a:beef::/64"},
        {0xbeef, "fd12:3456:789a:beef::/64", "fd12:3456:789a:bef0::/64"},
        {0xbeef, "fd12:3456:789a:bee0::/60", "fd12:3456:789a:bef0::/64"},
        {0xffff, "fd12:3456:789a:ffff::/64", "fd12:3456:789a::/64"},
        {0xffff, "fd12:3456:789a:ffff::1/128 fd12:3456:789a::/64", "fd12:3456:789a:1::/64"},
        {7, "fd12::/16", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ipam_taken taken[TAKEN_MAX];
        size_t count = make_taken(cases[i].taken, taken);
        struct prefix chosen = {0};
        int r = ipam_choose_ula(id, cases[i].hint, taken, count, &chosen, NULL);

        assert_int_equal(r, *cases[i].chosen ? 0 : -ENOSPC);
        assert_string_equal(prefix_text(&chosen), cases[i].chosen);
    }
}

static void overlaps_are_found(void **state)
{
    struct ipam_taken taken[TAKEN_MAX];
    size_t count = make_taken("10.5.0.0/24 fd00::/64 10.6.0.0/16", taken);

    (void)state;
    assert_ptr_equal(ipam_find_overlap(taken, count, P("10.6.1.0/24")), &taken[2]);
    assert_ptr_equal(ipam_find_overlap(taken, count, P("10.0.0.0/8")), &taken[0]);
    assert_ptr_equal(ipam_find_overlap(taken, count, P("fd00::/8")), &taken[1]);
    assert_null(ipam_find_overlap(taken, count, P("10.7.0.0/16")));
    assert_null(ipam_find_overlap(NULL, 0, P("10.7.0.0/16")));
}

static void a_gateway_is_the_first_usable_address(void **state)
{
    static const struct {
        const char *subnet, *range, *aux, *gateway;
    } cases[] = {
        {"10.5.0.0/24", "", "10.5.0.9", "10.5.0.1"},
        {"10.5.0.0/24", "", "10.5.0.1", "10.5.0.2"},
        {"10.5.0.0/16", "10.5.1.0/24", "10.5.0.9", "10.5.1.0"},
        {"10.5.0.0/16", "10.5.0.0/24", "10.5.0.9", "10.5.0.1"},
        {"10.5.0.0/31", "", "10.5.0.1", "10.5.0.0"},
        {"10.5.0.0/24", "10.5.0.255/32", "10.5.0.9", ""},
        {"10.5.0.0/32", "", "10.5.0.0", ""},
        {"fd00::/64", "", "fd00::9", "fd00::1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char name[] = "router";
        struct aux_address aux = {name, *A(cases[i].aux)};
        struct pool pool = {.subnet = *P(cases[i].subnet), .aux = &aux, .aux_count = 1};
        struct addr gateway = {0};

        if (*cases[i].range)
            pool.range = *P(cases[i].range);
        assert_int_equal(ipam_choose_gateway(&pool, &gateway, NULL),
                         *cases[i].gateway ? 0 : -ENOSPC);
        assert_string_equal(addr_text(&gateway), cases[i].gateway);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_free_subnet_is_chosen),
        cmocka_unit_test(the_default_bases_are_used_in_order),
        cmocka_unit_test(thousands_of_networks_fit),
        cmocka_unit_test(a_bad_base_is_refused),
        cmocka_unit_test(ulas_start_at_the_hint),
        cmocka_unit_test(overlaps_are_found),
        cmocka_unit_test(a_gateway_is_the_first_usable_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
