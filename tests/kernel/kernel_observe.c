/* SPDX-License-Identifier: Apache-2.0 */

/* What a real kernel has, observed: all that was applied, and what became of it since. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_host.h"

static void test_what_was_applied_is_observed(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, network = {0}, all = {0};
    _cleanup_free_ char *text = NULL;

    (void)state;
    network_facts(&network);
    change(&none, &network);
    assert_holds(&network);
    network_facts(&all);
    endpoint_facts(&all);
    change(&network, &all);
    assert_holds(&all);

    text = output("nsenter --net=" NETNS_DIR "/web ip -o addr show dev eth0; ip -6 -o addr");
    assert_non_null(strstr(text, "10.9.0.2/24"));
    assert_non_null(strstr(text, "fd09::2/64"));
    assert_null(strstr(text, "fe80:"));
    assert_null(strstr(text, "tentative"));

    change(&all, &network);
    assert_holds(&network);
    change(&network, &none);
    assert_holds(&none);
}

static void test_a_flushed_ruleset_is_noticed(void **state)
{
    static const struct {
        const char *command;
        size_t operations;
    } cases[] = {
        {"nft flush table inet weft", 1}, /* leaves the elements */
        {"nft flush ruleset", 2},
        {"nft delete table inet weft", 2},
    };
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    add(&all, ruleset);
    add(&all, elem_links("br-test"));
    change(&none, &all);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_fact_set_ struct fact_set seen = {0};
        _cleanup_plan_ struct plan plan = {0};

        run(cases[i].command);
        observe(&all, &seen);
        assert_int_equal(plan_diff(&seen, &all, &plan), 0);
        assert_int_equal(plan.count, cases[i].operations);
        ok(kernel_apply(k, &plan, &err));
        assert_holds(&all);
    }
}

static void test_questions_about_the_host(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_free_ struct prefix *routes = NULL;
    struct prefix vpn = prefix("10.88.0.0/16"), v6 = prefix("fd09::/64");
    bool has_vpn = false, has_v6 = false;
    size_t count;
    uint32_t mtu;

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    ok(kernel_default_mtu(k, &mtu, &err));
    assert_int_equal(mtu, 0);
    run("ip route add default via 10.9.0.9 && ip route add 10.88.0.0/16 dev br-test table 77");
    ok(kernel_default_mtu(k, &mtu, &err));
    assert_int_equal(mtu, 1400);
    ok(kernel_routes(k, &routes, &count, &err));
    for (size_t i = 0; i < count; i++) {
        has_vpn |= prefix_equal(&routes[i], &vpn);
        has_v6 |= prefix_equal(&routes[i], &v6);
        assert_int_not_equal(routes[i].len, 0);
    }
    assert_true(has_vpn && has_v6);
    assert_true(kernel_link_index(k, NULL, "br-test") > 0);
    assert_true(kernel_link_index(k, &web, "eth0") > 0);
    assert_int_equal(kernel_link_index(k, &web, "br-test"), -ENODEV);
    assert_int_equal(kernel_link_index(k, &db, "eth0"), -ENODEV);
}

/* Links, routes and elements come and go while they are dumped. */
static void test_dumps_survive_a_busy_host(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    pid_t child;

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    for (uint16_t port = 1; port <= 1000; port++)
        add(&all, elem_published("192.0.2.2", port, "10.9.0.2", port));
    change(&none, &all);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execlp("sh", "sh", "-c",
               "while :; do ip link add noise type bridge && ip link set noise up; "
               "nft add element inet weft links '{ noise }'; "
               "nft delete element inet weft links '{ noise }'; ip link del noise; done",
               (char *)NULL);
        _exit(1);
    }
    for (int i = 0; i < 100; i++) {
        _cleanup_fact_set_ struct fact_set seen = {0};
        _cleanup_plan_ struct plan plan = {0};

        observe(&all, &seen);
        assert_int_equal(plan_diff(&seen, &all, &plan), 0);
        for (size_t n = 0; n < plan.count; n++) /* at most the noise is seen */
            assert_true(plan.ops[n].verb == OP_REMOVE);
    }
    kill(child, SIGTERM);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)!system("ip link del noise 2>&-; nft delete element inet weft links '{ noise }' 2>&-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_applied_is_observed),
        TEST(test_a_flushed_ruleset_is_noticed),
        TEST(test_questions_about_the_host),
        TEST(test_dumps_survive_a_busy_host),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
