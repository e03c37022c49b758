/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "ipam/ipam.h"
#include "model_make.h"

/* A network and its ipam, made from the pools of a request. */
struct world {
    struct network *net;
    struct ipam *ipam;
};

static struct world world_make(const char *pools)
{
    _cleanup_free_ char *doc =
        str_printf("{'Name':'web','EnableIPv6':true,'IPAM':{'Config':[%s]}}", pools);
    struct world world = {.net = make_network(doc)};

    assert_int_equal(ipam_new(world.net, &world.ipam, NULL), 0);
    return world;
}

static void world_clear(struct world *world)
{
    ipam_free(world->ipam);
    network_free(world->net);
}
#define _cleanup_world_ _cleanup_(world_clear)

static void expect_allocation(struct world *world, int family, const char *text)
{
    struct addr addr;

    assert_int_equal(ipam_allocate(world->ipam, family, "container c", &addr, NULL), 0);
    assert_string_equal(addr_text(&addr), text);
}

static void allocation_starts_behind_the_gateway(void **state)
{
    static const struct {
        const char *pools;
        int family;
        const char *first, *second;
    } cases[] = {
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.1'}", AF_INET, "10.5.0.2", "10.5.0.3"},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.2'}", AF_INET, "10.5.0.1", "10.5.0.3"},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.254',"
         "'AuxiliaryAddresses':{'a':'10.5.0.1','b':'10.5.0.3'}}",
         AF_INET, "10.5.0.2", "10.5.0.4"},
        {"{'Subnet':'10.5.0.0/16','IPRange':'10.5.2.0/24','Gateway':'10.5.0.1'}", AF_INET,
         "10.5.2.0", "10.5.2.1"},
        {"{'Subnet':'fd00::/64','Gateway':'fd00::1'}", AF_INET6, "fd00::2", "fd00::3"},
        {"{'Subnet':'fd00::/16'}", AF_INET6, "fd00::1", "fd00::2"},
        {"{'Subnet':'10.5.0.0/24'},{'Subnet':'fd00::/64'}", AF_INET6, "fd00::1", "fd00::2"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_world_ struct world world = world_make(cases[i].pools);

        expect_allocation(&world, cases[i].family, cases[i].first);
        expect_allocation(&world, cases[i].family, cases[i].second);
    }
}

/* How many addresses a pool gives until it is exhausted, and how it says so. */
static void pools_end(void **state)
{
    static const struct {
        const char *pools, *last, *text;
        unsigned count;
    } cases[] = {
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.1'}", "10.5.0.254",
         "pool 10.5.0.0/24 of network web is exhausted: 253 addresses in use", 253},
        {"{'Subnet':'10.5.0.0/30'}", "10.5.0.2",
         "pool 10.5.0.0/30 of network web is exhausted: 2 addresses in use", 2},
        {"{'Subnet':'255.255.255.254/31'}", "255.255.255.255",
         "pool 255.255.255.254/31 of network web is exhausted: 2 addresses in use", 2},
        {"{'Subnet':'10.5.0.0/16','IPRange':'10.5.255.240/28'}", "10.5.255.254",
         "pool 10.5.255.240/28 of network web is exhausted: 15 addresses in use", 15},
        {"{'Subnet':'10.5.0.0/24','IPRange':'10.5.0.0/29','Gateway':'10.5.0.1'}", "10.5.0.7",
         "pool 10.5.0.0/29 of network web is exhausted: 6 addresses in use", 6},
        {"{'Subnet':'10.5.0.0/30'},{'Subnet':'fd00::/64'},{'Subnet':'10.4.0.0/29'}", "10.4.0.6",
         "all 2 IPv4 pools of network web are exhausted: 8 addresses in use", 8},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_world_ struct world world = world_make(cases[i].pools);
        struct weft_error err = {0};
        struct addr addr = {0};
        unsigned count = 0;

        while (ipam_allocate(world.ipam, AF_INET, "container c", &addr, &err) == 0)
            count++;
        assert_int_equal(count, cases[i].count);
        assert_string_equal(addr_text(&addr), cases[i].last);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(err.code, WEFT_EXHAUSTED);
    }
}

static void a_family_without_a_pool_is_refused(void **state)
{
    _cleanup_world_ struct world world = world_make("{'Subnet':'10.5.0.0/24'}");
    struct weft_error err = {0};
    struct addr addr;

    (void)state;
    assert_int_equal(ipam_allocate(world.ipam, AF_INET6, "container c", &addr, &err), -EINVAL);
    assert_string_equal(err.text, "network web has no IPv6 pool");
    addr = ipam_cursor(world.ipam, AF_INET6);
    assert_false(addr_is_set(&addr));
}

static void a_freed_address_comes_last(void **state)
{
    _cleanup_world_ struct world world = world_make("{'Subnet':'10.5.0.0/29'}");

    (void)state;
    expect_allocation(&world, AF_INET, "10.5.0.1");
    expect_allocation(&world, AF_INET, "10.5.0.2");
    ipam_release(world.ipam, A("10.5.0.1"));
    ipam_release(world.ipam, A("10.5.0.1"));
    ipam_release(world.ipam, A("192.0.2.1"));
    expect_allocation(&world, AF_INET, "10.5.0.3");
    expect_allocation(&world, AF_INET, "10.5.0.4");
    expect_allocation(&world, AF_INET, "10.5.0.5");
    expect_allocation(&world, AF_INET, "10.5.0.6");
    expect_allocation(&world, AF_INET, "10.5.0.1");
    assert_int_equal(ipam_allocate(world.ipam, AF_INET, "c", &(struct addr){0}, NULL), -ENOSPC);
    ipam_release(world.ipam, A("10.5.0.1"));
    expect_allocation(&world, AF_INET, "10.5.0.1"); /* the cursor itself, when nothing else is */
}

static void cursors_survive(void **state)
{
    static const char pools[] = "{'Subnet':'10.5.0.0/29'},{'Subnet':'fd00::/64'}";
    _cleanup_world_ struct world before = world_make(pools), after = world_make(pools);
    struct addr cursor;

    (void)state;
    cursor = ipam_cursor(before.ipam, AF_INET);
    assert_false(addr_is_set(&cursor));
    expect_allocation(&before, AF_INET, "10.5.0.1");
    expect_allocation(&before, AF_INET, "10.5.0.2");
    cursor = ipam_cursor(before.ipam, AF_INET);
    assert_string_equal(addr_text(&cursor), "10.5.0.2");
    ipam_set_cursor(after.ipam, AF_INET, &cursor);
    ipam_set_cursor(after.ipam, AF_INET, A("192.0.2.1")); /* of no pool: ignored */
    expect_allocation(&after, AF_INET, "10.5.0.3");
    ipam_set_cursor(after.ipam, AF_INET, A("10.5.0.6")); /* the last one: starts over */
    expect_allocation(&after, AF_INET, "10.5.0.1");
}

static void reserving_names_what_is_in_the_way(void **state)
{
    static const struct {
        const char *addr, *text;
        int r;
    } cases[] = {
        {"10.5.0.130", "", 0},
        {"10.5.0.7", "", 0}, /* outside of the range, inside the subnet */
        {"fd00::7", "", 0},
        {"10.5.0.130", "address 10.5.0.130 of network web is in use by container db", -EPERM},
        {"10.5.0.1", "address 10.5.0.1 of network web is its gateway", -EPERM},
        {"10.5.0.2", "address 10.5.0.2 of network web is its auxiliary address router", -EPERM},
        {"10.6.0.1", "address 10.6.0.1 is outside subnet 10.5.0.0/24 of network web", -EINVAL},
        {"fd01::1", "address fd01::1 is outside subnet fd00::/64 of network web", -EINVAL},
        {"10.5.0.0",
         "address 10.5.0.0 of network web stands for the subnet 10.5.0.0/24, not for a host",
         -EINVAL},
        {"10.5.0.255",
         "address 10.5.0.255 of network web stands for the subnet 10.5.0.0/24, not for a host",
         -EINVAL},
        {"fd00::", "address fd00:: of network web stands for the subnet fd00::/64, not for a host",
         -EINVAL},
    };
    _cleanup_world_ struct world world =
        world_make("{'Subnet':'10.5.0.0/24','IPRange':'10.5.0.128/25','Gateway':'10.5.0.1',"
                   "'AuxiliaryAddresses':{'router':'10.5.0.2'}},{'Subnet':'fd00::/64'}");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct weft_error err = {0};

        assert_int_equal(ipam_reserve(world.ipam, A(cases[i].addr), "container db", &err),
                         cases[i].r);
        assert_string_equal(err.text, cases[i].text);
    }
    expect_allocation(&world, AF_INET, "10.5.0.128");
    expect_allocation(&world, AF_INET, "10.5.0.129");
    expect_allocation(&world, AF_INET, "10.5.0.131");
}

static void a_family_that_the_network_lacks_is_named(void **state)
{
    _cleanup_world_ struct world world = world_make("{'Subnet':'10.5.0.0/24'}");
    struct weft_error err = {0};

    (void)state;
    assert_int_equal(ipam_reserve(world.ipam, A("fd00::1"), "c", &err), -EINVAL);
    assert_string_equal(err.text, "address fd00::1 is outside network web, which has no IPv6 pool");
}

static void gateways_cannot_be_released(void **state)
{
    _cleanup_world_ struct world world = world_make("{'Subnet':'10.5.0.0/29','Gateway':'10.5.0.1',"
                                                    "'AuxiliaryAddresses':{'router':'10.5.0.2'}}");

    (void)state;
    ipam_release(world.ipam, A("10.5.0.1"));
    ipam_release(world.ipam, A("10.5.0.2"));
    expect_allocation(&world, AF_INET, "10.5.0.3");
    assert_int_equal(ipam_reserve(world.ipam, A("10.5.0.1"), "c", NULL), -EPERM);
}

static void wide_pools_hold_far_addresses(void **state)
{
    _cleanup_world_ struct world world = world_make("{'Subnet':'fd00::/16'}");

    (void)state;
    assert_int_equal(ipam_reserve(world.ipam, A("fd00:ffff::1"), "a", NULL), 0);
    assert_int_equal(ipam_reserve(world.ipam, A("fd00:ffff::1"), "b", NULL), -EPERM);
    ipam_set_cursor(world.ipam, AF_INET6, A("fd00:ffff::"));
    expect_allocation(&world, AF_INET6, "fd00:ffff::2");
    assert_int_equal(ipam_reserve(world.ipam, A("fd00::1"), "a", NULL), 0);
}

/* Against a plain bitmap, through many wraps: never twice, never one that is not free, and the
 * first free one behind the cursor. */
static void random_use_agrees_with_a_bitmap(void **state)
{
    _cleanup_world_ struct world world =
        world_make("{'Subnet':'10.5.0.0/26','Gateway':'10.5.0.9'}");
    struct addr base = *A("10.5.0.0");
    bool used[64] = {[0] = true, [9] = true, [63] = true};
    unsigned cursor = 0, random = 1;

    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        random = random * 1103515245 + 12345;
        unsigned n = (random >> 16) % 64;

        if (random >> 30 == 0 && n != 0 && n != 9 && n != 63) {
            struct addr addr = addr_add(&base, n);

            ipam_release(world.ipam, &addr);
            used[n] = false;
            continue;
        }
        struct addr addr;
        unsigned expected = 0;
        for (unsigned k = 1; k <= 64 && !expected; k++)
            if (!used[(cursor + k) % 64])
                expected = (cursor + k) % 64;
        int r = ipam_allocate(world.ipam, AF_INET, "c", &addr, NULL);
        assert_int_equal(r, expected ? 0 : -ENOSPC);
        if (expected) {
            assert_int_equal(addr_offset(&base, &addr), expected);
            used[expected] = true;
            cursor = expected;
        }
    }
}

static void prefix_lengths_are_the_subnets(void **state)
{
    _cleanup_world_ struct world world =
        world_make("{'Subnet':'10.5.0.0/22','IPRange':'10.5.1.0/24'},{'Subnet':'fd00::/48'}");

    (void)state;
    assert_int_equal(ipam_prefix_length(world.net, A("10.5.3.1")), 22);
    assert_int_equal(ipam_prefix_length(world.net, A("fd00::1:0:0:0:1")), 48);
    assert_int_equal(ipam_prefix_length(world.net, A("10.6.0.1")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocation_starts_behind_the_gateway),
        cmocka_unit_test(pools_end),
        cmocka_unit_test(a_family_without_a_pool_is_refused),
        cmocka_unit_test(a_freed_address_comes_last),
        cmocka_unit_test(cursors_survive),
        cmocka_unit_test(reserving_names_what_is_in_the_way),
        cmocka_unit_test(a_family_that_the_network_lacks_is_named),
        cmocka_unit_test(gateways_cannot_be_released),
        cmocka_unit_test(wide_pools_hold_far_addresses),
        cmocka_unit_test(random_use_agrees_with_a_bitmap),
        cmocka_unit_test(prefix_lengths_are_the_subnets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
