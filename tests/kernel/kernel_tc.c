/* SPDX-License-Identifier: Apache-2.0 */

/* Limits in a real kernel: made, changed in place, observed, taken away, and mended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel_host.h"

#define GROUP "2003134068" /* FACT_LINK_GROUP */

static struct fact shape(const char *link, uint64_t rate, uint32_t burst)
{
    struct fact f = {.kind = FACT_SHAPE, .shape = {.rate = rate, .burst = burst}};

    strcpy(f.shape.link, link);
    return f;
}

static struct fact redirect(const char *link, const char *to)
{
    struct fact f = {.kind = FACT_REDIRECT};

    strcpy(f.redirect.link, link);
    strcpy(f.redirect.to, to);
    return f;
}

/* Weft's, as far as anybody can tell. */
static void add_ifb(struct fact_set *set, const char *name)
{
    struct fact f = {.kind = FACT_LINK,
                     .link = {.kind = LINK_IFB, .up = true, .no_autoconf = true}};

    strcpy(f.link.name, name);
    add(set, f);
}

/* An endpoint with limits in both directions. */
static void limited_facts(struct fact_set *set, uint64_t rate, uint32_t burst)
{
    network_facts(set);
    endpoint_facts(set);
    add_ifb(set, "ifbweb");
    add(set, shape("vethweb", rate, burst));
    add(set, shape("ifbweb", rate / 2, burst));
    add(set, redirect("vethweb", "ifbweb"));
}

static void test_limits_come_and_go(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, plain = {0}, limited = {0}, faster = {0};
    _cleanup_free_ char *text = NULL, *filters = NULL;

    (void)state;
    network_facts(&plain);
    endpoint_facts(&plain);
    change(&none, &plain);
    limited_facts(&limited, 10000000, 81920);
    change(&plain, &limited);
    assert_holds(&limited);
    text = output("tc qdisc show dev vethweb; tc qdisc show dev ifbweb");
    assert_non_null(strstr(text, "qdisc tbf 7766: root refcnt"));
    assert_non_null(strstr(text, "rate 10Mbit burst 80Kb lat 50ms"));
    assert_non_null(strstr(text, "rate 5Mbit burst 80Kb lat 50ms"));
    assert_non_null(strstr(text, "qdisc ingress ffff:"));
    filters = output("tc filter show dev vethweb ingress");
    assert_non_null(strstr(filters, "mirred (Egress Redirect to device ifbweb)"));

    limited_facts(&faster, 20000000, 1000000);
    change(&limited, &faster);
    assert_holds(&faster);
    change(&faster, &plain);
    assert_holds(&plain);
    free(text);
    text = output("tc qdisc show dev vethweb");
    assert_null(strstr(text, "tbf"));
    assert_null(strstr(text, "ingress"));
    change(&plain, &limited);
    change(&limited, &none);
    assert_holds(&none);
}

/* What the kernel is told comes back, however it rounds. */
static void test_rates_and_bursts_are_read_as_written(void **state)
{
    static const struct {
        uint64_t rate;
        uint32_t burst;
    } cases[] = {
        {8000, 1518},
        {8000, 240000},
        {12345672, 98765},
        {999999992, 123457},
        {10000000000, 1250000},
        {40000000000, 50000000},
        {100000000000, 125000000},
        {1000000000000, 1250000000},
    };
    _cleanup_fact_set_ struct fact_set none = {0}, plain = {0};

    (void)state;
    network_facts(&plain);
    endpoint_facts(&plain);
    change(&none, &plain);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_fact_set_ struct fact_set limited = {0};

        network_facts(&limited);
        endpoint_facts(&limited);
        add(&limited, shape("vethweb", cases[i].rate, cases[i].burst));
        change(&plain, &limited);
        assert_holds(&limited);
        change(&limited, &plain);
    }
}

/* Changed in place: the queue is the same one, with all that it has counted. */
static void test_a_change_keeps_the_queue(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, slow = {0}, fast = {0};
    _cleanup_free_ char *text = NULL;

    (void)state;
    limited_facts(&slow, 10000000, 81920);
    change(&none, &slow);
    run("nsenter --net=" NETNS_DIR "/web ping -q -c3 -i0.01 10.9.0.1 >/dev/null");
    limited_facts(&fast, 1000000000, 81920);
    change(&slow, &fast);
    text = output("tc -s qdisc show dev vethweb root; tc -s qdisc show dev ifbweb root");
    assert_null(strstr(text, "Sent 0 bytes"));
    assert_non_null(strstr(text, "rate 1Gbit"));
    assert_holds(&fast);
}

static void test_what_somebody_took_is_mended(void **state)
{
    static const struct {
        const char *command;
        size_t operations;
    } cases[] = {
        {"tc qdisc del dev vethweb root", 1},
        {"tc qdisc replace dev vethweb root pfifo", 1},
        {"tc qdisc replace dev vethweb root handle 7766: tbf rate 1mbit burst 32k latency 50ms", 1},
        {"tc qdisc del dev ifbweb root", 1},
        {"tc qdisc del dev vethweb ingress", 1},
        {"tc filter del dev vethweb ingress", 1},
        {"tc filter replace dev vethweb parent ffff: protocol all pref 30566 handle 800::800 u32 "
         "match u32 0 0 action mirred egress redirect dev br-test",
         1},
        {"tc filter replace dev vethweb parent ffff: protocol all pref 30566 handle 800::800 u32 "
         "match u32 0 0 flowid 1:1",
         1},
        {"ip link del dev ifbweb", 3},
    };
    _cleanup_fact_set_ struct fact_set none = {0}, limited = {0};

    (void)state;
    limited_facts(&limited, 10000000, 81920);
    change(&none, &limited);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        run(cases[i].command);
        assert_int_equal(mend(&limited), cases[i].operations);
    }
}

/* Somebody else's limits, on weft's links and on others', are not weft's to take away. */
static void test_limits_of_others_stay(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, plain = {0};
    _cleanup_free_ char *text = NULL;

    (void)state;
    network_facts(&plain);
    endpoint_facts(&plain);
    change(&none, &plain);
    run("ip link add other type veth peer name rehto; ip link set other up; "
        "tc qdisc add dev other root handle 7766: tbf rate 1mbit burst 32k latency 50ms; "
        "tc qdisc add dev vethweb root handle 1: tbf rate 1mbit burst 32k latency 50ms; "
        "tc qdisc add dev vethweb ingress; "
        "tc filter add dev vethweb ingress protocol ip pref 5 u32 match u32 0 0 flowid 1:1");
    assert_int_equal(mend(&plain), 0);
    text = output("tc qdisc show dev other; tc qdisc show dev vethweb");
    assert_non_null(strstr(text, "tbf 7766:"));
    assert_non_null(strstr(text, "tbf 1:"));
    assert_non_null(strstr(text, "ingress"));
    run("ip link del other");
}

/* Weft's that are not desired any more. */
static void test_limits_left_over_go(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, plain = {0}, limited = {0};

    (void)state;
    limited_facts(&limited, 10000000, 81920);
    change(&none, &limited);
    network_facts(&plain);
    endpoint_facts(&plain);
    assert_true(mend(&plain) > 0);
}

/* The reverse of each operation, when a later one fails. */
static void test_a_failed_change_is_taken_back(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, slow = {0}, fast = {0}, plain = {0};
    _cleanup_free_ char *before = NULL;

    (void)state;
    network_facts(&plain);
    endpoint_facts(&plain);
    change(&none, &plain);
    limited_facts(&slow, 10000000, 81920);
    limited_facts(&fast, 20000000, 81920);
    before = snapshot(&plain);
    for (unsigned nth = 1;; nth++) {
        _cleanup_plan_ struct plan plan = {0};

        diff(&plain, &slow, &plan);
        if (nth > plan.count)
            break;
        kernel_set_fault(k, KERNEL_FAULT_FAIL, nth);
        assert_true(kernel_apply(k, &plan, &err) < 0);
        kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
        assert_same_snapshot(&plain, before);
    }
    change(&plain, &slow);
    for (unsigned nth = 1; nth <= 2; nth++) {
        _cleanup_plan_ struct plan plan = {0};

        diff(&slow, &fast, &plan);
        assert_int_equal(plan.count, 2);
        kernel_set_fault(k, KERNEL_FAULT_FAIL, nth);
        assert_true(kernel_apply(k, &plan, &err) < 0);
        kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
        assert_holds(&slow);
    }
}

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Where nobody is limited, looking for limits is one dump more. */
static void test_links_without_limits_cost_little(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0};
    double best = 1e9;

    (void)state;
    run("for i in $(seq 900); do echo link add name many$i group " GROUP
        " type veth peer name ynam$i group " GROUP "; done | ip -batch -");
    for (int i = 0; i < 5; i++) {
        _cleanup_fact_set_ struct fact_set seen = {0};
        double start = milliseconds();

        observe(&none, &seen);
        start = milliseconds() - start;
        best = start < best ? start : best;
        assert_true(seen.count >= 1800);
    }
    print_message("observing 1800 links: %.1f ms\n", best);
    assert_true(best < 500);
    run("for i in $(seq 900); do echo link del dev many$i; done | ip -batch -");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_limits_come_and_go),
        TEST(test_rates_and_bursts_are_read_as_written),
        TEST(test_a_change_keeps_the_queue),
        TEST(test_what_somebody_took_is_mended),
        TEST(test_limits_of_others_stay),
        TEST(test_limits_left_over_go),
        TEST(test_a_failed_change_is_taken_back),
        TEST(test_links_without_limits_cost_little),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
