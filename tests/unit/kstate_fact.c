/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "kstate_make.h"

static int compare(struct fact a, struct fact b)
{
    int c = fact_compare_key(&a, &b), inverse = fact_compare_key(&b, &a);

    assert_int_equal((c > 0) - (c < 0), (inverse < 0) - (inverse > 0));
    return c;
}

static void keys_tell_things_apart(void **state)
{
    (void)state;
    assert_true(compare(bridge("a"), bridge("b")) < 0);
    assert_true(compare(bridge("b"), address(NULL, "a", "10.0.0.1/8")) < 0);
    assert_true(compare(bridge("b"), link_of(LINK_BRIDGE, &web, "a")) < 0);
    assert_true(compare(link_of(LINK_OTHER, &web, "a"), link_of(LINK_OTHER, &db, "a")) < 0);
    assert_true(compare(address(NULL, "a", "10.0.0.1/8"), address(NULL, "a", "10.0.0.1/9")) < 0);
    assert_true(compare(address(NULL, "a", "10.0.0.1/8"), address(NULL, "b", "10.0.0.1/8")) < 0);
    assert_true(compare(element("links", "a"), element("links", "b")) < 0);
    assert_true(compare(element("internal", "b"), element("links", "a")) < 0);
    assert_true(compare(map_element(80, "10.0.0.1", 80), map_element(81, "10.0.0.1", 80)) < 0);
    assert_true(compare(element("z", "a"), guard_element("a", "fd00::7")) < 0);
    assert_true(compare(guard_element("a", "fd00::7"), guard_element("a", "fd00::8")) < 0);
    assert_true(compare(sysctl_of(NULL, "a", "1"), sysctl_of(NULL, "b", "0")) < 0);
    assert_true(compare(accept_to(NFPROTO_INET, "t", "a", false),
                        accept_to(NFPROTO_INET, "t", "b", false)) < 0);
    assert_true(compare(accept_to(NFPROTO_INET, "t", "a", false),
                        accept_to(NFPROTO_IPV4, "a", "a", false)) < 0);
}

static void attributes_are_no_part_of_the_key(void **state)
{
    (void)state;
    assert_int_equal(compare(bridge("a"), link_of(LINK_OTHER, NULL, "a")), 0);
    assert_int_equal(compare(sysctl_of(&web, "a", "1"), sysctl_of(&web, "a", "0")), 0);
    assert_int_equal(compare(route(NULL, "0.0.0.0/0", "10.0.0.1", "a"),
                             route(NULL, "0.0.0.0/0", "10.0.0.2", "b")),
                     0);
    assert_int_equal(compare(base("1"), base("2")), 0);
    assert_int_equal(compare(bridge("a"), isolated(bridge("a"))), 0);
    assert_int_equal(compare(accept_to(NFPROTO_INET, "t", "a", false),
                             accept_to(NFPROTO_INET, "t", "a", true)),
                     0);
    assert_int_equal(compare(map_element(80, "10.0.0.1", 80), map_element(80, "10.0.0.2", 8)), 0);
}

static void namespaces_are_compared_by_id(void **state)
{
    struct kstate_ns other_web = {.id = "1", .name = "renamed"};

    (void)state;
    assert_true(kstate_ns_equal(&web, &other_web));
    assert_true(kstate_ns_equal(NULL, NULL));
    assert_false(kstate_ns_equal(&web, &db));
    assert_false(kstate_ns_equal(&web, NULL));
}

static void an_ipv6_route_without_metric_has_the_kernels(void **state)
{
    struct fact plain = route(&web, "::/0", "fd00::1", "eth0"), seen = plain;
    struct fact plain4 = route(&web, "0.0.0.0/0", "10.0.0.1", "eth0"), seen4 = plain4;

    (void)state;
    seen.route.metric = seen4.route.metric = 1024;
    assert_int_equal(compare(plain, seen), 0);
    assert_true(compare(plain4, seen4) < 0);
}

static void what_is_left_open_matches_anything(void **state)
{
    struct fact desired = bridge("a"), seen = desired;

    (void)state;
    seen.link.mtu = 1400;
    seen.link.mac.bytes[0] = 2;
    seen.link.no_autoconf = true;
    strcpy(seen.link.master, "bond0");
    strcpy(seen.link.parent, "lan0");
    seen.link.mode = LINK_MODE_VEPA;
    seen.link.port_mode = LINK_MODE_PRIVATE;
    seen.link.vlan = 1;
    seen.link.hairpin = seen.link.stp = seen.link.vlan_aware = seen.link.trunk = true;
    assert_true(fact_satisfies(&seen, &desired));
    assert_true(fact_satisfies(&seen, &seen));
}

static void what_is_named_must_match(void **state)
{
    static const struct fact_link wishes[] = {
        {.mtu = 1400},
        {.mac = {{2}}},
        {.no_autoconf = true},
        {.master = "weft0"},
        {.up = true},
        {.isolated = true},
        {.parent = "lan0"},
        {.mode = LINK_MODE_BRIDGE},
        {.port_mode = LINK_MODE_VEPA},
        {.vlan = 7},
        {.hairpin = true},
        {.stp = true},
        {.vlan_aware = true},
        {.trunk = true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
        struct fact seen = {.kind = FACT_LINK};
        struct fact desired = {.kind = FACT_LINK, .link = wishes[i]};

        assert_false(fact_satisfies(&seen, &desired));
    }
    assert_false(fact_satisfies((struct fact[]){route(NULL, "::/0", "fd00::1", "a")},
                                (struct fact[]){route(NULL, "::/0", "fd00::2", "a")}));
    assert_false(fact_satisfies((struct fact[]){route(NULL, "::/0", "fd00::1", "a")},
                                (struct fact[]){route(NULL, "::/0", "fd00::1", "b")}));
    assert_false(fact_satisfies((struct fact[]){tampered("1")}, (struct fact[]){base("1")}));
    assert_false(fact_satisfies((struct fact[]){map_element(80, "10.0.0.1", 80)},
                                (struct fact[]){map_element(80, "10.0.0.1", 81)}));
}

static void a_set_is_sorted_and_has_no_doubles(void **state)
{
    _cleanup_fact_set_ struct fact_set set = {0};
    struct fact missing = bridge("none");

    (void)state;
    fact_set_sort(&set);
    assert_null(fact_set_find(&set, &missing));
    for (int i = 0; i < 50; i++)
        FILL(&set, sysctl_of(NULL, "net/ipv4/ip_forward", "1"), netns(&web), bridge("a"));
    fact_set_sort(&set);
    assert_int_equal(set.count, 3);
    assert_int_equal(set.facts[0].kind, FACT_NETNS);
    assert_int_equal(set.facts[2].kind, FACT_SYSCTL);
    assert_ptr_equal(fact_set_find(&set, (struct fact[]){bridge("a")}), &set.facts[1]);
    assert_null(fact_set_find(&set, &missing));
}

static void facts_print_as_lines(void **state)
{
    _cleanup_fact_set_ struct fact_set set = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct kstate_ns foreign = {.id = "3",
                                .name = "lab",
                                .path = "/run/weft/netns/3",
                                .origin = "/proc/7/ns/net"};
    struct fact v = veth("veth1", "weft0", &web), r = route(&web, "10.0.0.0/8", "10.0.0.1", "eth0");

    (void)state;
    v.link.peer_mac.bytes[0] = 2;
    v.link.mtu = 1400;
    v.link.no_autoconf = true;
    r.route.metric = 7;
    FILL(&set, map_element(80, "10.0.0.1", 8080), element("links", "weft0"), r, v, netns(&foreign),
         address(&web, "eth0", "fd00::2/64"), base("abc"), sysctl_of(NULL, "net/a", "1"),
         link_of(LINK_LOOPBACK, &web, "lo"), netns(&web), resolver(&web));
    fact_set_print(&set, &text);
    assert_string_equal(strbuf_text(&text),
                        "web: namespace at /run/weft/netns/1\n"
                        "lab: namespace at /run/weft/netns/3 pins /proc/7/ns/net\n"
                        "web: resolver at 127.0.0.11\n"
                        "host: ruleset abc\n"
                        "host: link veth1 veth to web:eth0 (02:00:00:00:00:00) master weft0 "
                        "mtu 1400 no-autoconf up\n"
                        "web: link lo loopback up\n"
                        "host: sysctl net/a = 1\n"
                        "web: address fd00::2/64 dev eth0\n"
                        "web: route 10.0.0.0/8 via 10.0.0.1 dev eth0 metric 7\n"
                        "host: element links \"weft0\"\n"
                        "host: element published tcp . 80 : 10.0.0.1 . 8080\n");
}

static void a_link_unborn_has_a_name_that_fits(void **state)
{
    char name[IFNAMSIZ];

    (void)state;
    link_unborn_name("eth0", name);
    assert_string_equal(name, "weft-eth0");
    link_unborn_name("fifteen-letters", name);
    assert_string_equal(name, "weft-fifteen-le");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_tell_things_apart),
        cmocka_unit_test(attributes_are_no_part_of_the_key),
        cmocka_unit_test(namespaces_are_compared_by_id),
        cmocka_unit_test(an_ipv6_route_without_metric_has_the_kernels),
        cmocka_unit_test(what_is_left_open_matches_anything),
        cmocka_unit_test(what_is_named_must_match),
        cmocka_unit_test(a_set_is_sorted_and_has_no_doubles),
        cmocka_unit_test(facts_print_as_lines),
        cmocka_unit_test(a_link_unborn_has_a_name_that_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
