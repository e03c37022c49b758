/* SPDX-License-Identifier: Apache-2.0 */

/* Plans applied to a real kernel: all of one or nothing, and the kernel's reasons. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel_host.h"

static void test_packets_pass(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    run("nsenter --net=" NETNS_DIR "/web python3 -c \"import socket\n"
        "for to in ('10.9.0.1', 'fd09::1'):\n"
        "    try: socket.create_connection((to, 9), 2)\n"
        "    except ConnectionRefusedError: pass\"");
}

static void test_a_failure_anywhere_leaves_no_trace(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_free_ char *before = NULL;

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    diff(&none, &all, &plan);
    before = snapshot(&all);
    for (unsigned nth = 1; nth <= plan.count; nth++) {
        kernel_set_fault(k, KERNEL_FAULT_FAIL, nth);
        assert_int_equal(kernel_apply(k, &plan, &err), -EIO);
        assert_int_equal(err.code, WEFT_KERNEL);
        assert_int_equal(err.errnum, EIO);
        assert_non_null(strstr(err.text, ": Input/output error"));
        assert_same_snapshot(&all, before);
        assert_int_not_equal(access(web.path, F_OK), 0);
    }
    kernel_set_fault(k, KERNEL_FAULT_FAIL, (unsigned)plan.count + 1);
    ok(kernel_apply(k, &plan, &err));
    assert_int_equal(kernel_fault_count(k), plan.count);
}

static void test_a_crash_anywhere_is_healed(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    diff(&none, &all, &plan);
    for (unsigned nth = 1; nth <= plan.count; nth++) {
        _cleanup_fact_set_ struct fact_set seen = {0};
        _cleanup_plan_ struct plan healing = {0};
        int status;
        pid_t child = fork();

        assert_true(child >= 0);
        if (child == 0) {
            kernel_set_fault(k, KERNEL_FAULT_CRASH, nth);
            (void)kernel_apply(k, &plan, NULL);
            _exit(1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        observe(&all, &seen);
        assert_int_equal(plan_diff(&seen, &all, &healing), 0);
        assert_int_equal(kernel_apply_lenient(k, &healing), 0);
        assert_holds(&all);
        fact_set_clear(&seen);
        plan_clear(&healing);
        observe(&none, &seen);
        assert_int_equal(plan_diff(&seen, &none, &healing), 0);
        ok(kernel_apply(k, &healing, &err));
        assert_holds(&none);
        run("echo 0 >/proc/sys/net/ipv4/ip_forward");
    }
}

static void test_a_refusal_is_in_the_kernels_words(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, network = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_free_ char *before = NULL;

    (void)state;
    network_facts(&network);
    change(&none, &network);
    /* A stranger's link has the name. It must come out of it untouched. */
    run("ip link add vethweb type bridge");
    network_facts(&all);
    endpoint_facts(&all);
    diff(&network, &all, &plan);
    before = snapshot(&all);
    assert_int_equal(kernel_apply(k, &plan, &err), -EEXIST);
    assert_int_equal(err.code, WEFT_KERNEL);
    assert_int_equal(err.errnum, EEXIST);
    assert_non_null(strstr(err.text, "ip link add"));
    assert_non_null(strstr(err.text, "vethweb"));
    assert_non_null(strstr(err.text, "File exists"));
    assert_same_snapshot(&all, before);
    run("ip link del vethweb");
}

static void test_extended_acknowledgements_are_passed_on(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, bad = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    add_bridge(&bad, "br-test", 0);
    add_route(&bad, NULL, "10.80.0.0/16", "10.81.0.1", "br-test");
    diff(&none, &bad, &plan);
    assert_int_equal(kernel_apply(k, &plan, &err), -ENETUNREACH);
    assert_non_null(strstr(err.text, "Nexthop has invalid gateway"));
    assert_holds(&none);
}

static void test_what_is_gone_need_not_be_removed(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    run("ip link del vethweb");
    run("nft delete element inet weft published '{ tcp . 192.0.2.1 . 8080 }'");
    run("umount " NETNS_DIR "/web && rm " NETNS_DIR "/web");
    change(&all, &none);
    assert_holds(&none);
}

static void test_links_are_changed_in_place(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, seen = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    run("ip link set vethweb nomaster down mtu 1300 addrgenmode eui64");
    run("nsenter --net=" NETNS_DIR "/web ip link set eth0 address 02:00:00:00:00:99");
    run("nsenter --net=" NETNS_DIR "/web ip link set lo down");
    run("nsenter --net=" NETNS_DIR "/web ip route replace default via 10.9.0.7 proto 119");
    run("echo 0 >/proc/sys/net/ipv4/ip_forward");
    run("nft 'delete element inet weft published { tcp . 192.0.2.1 . 8080 }; "
        "add element inet weft published { tcp . 192.0.2.1 . 8080 : 10.9.0.9 . 99 }'");
    observe(&all, &seen);
    assert_int_equal(plan_diff(&seen, &all, &plan), 0);
    for (size_t i = 0; i < plan.count; i++)
        assert_true(plan.ops[i].verb == OP_CHANGE || plan.ops[i].fact.kind == FACT_ADDR);
    ok(kernel_apply(k, &plan, &err));
    assert_holds(&all);
}

static void isolate(struct fact_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->facts[i].kind == FACT_LINK && set->facts[i].link.kind == LINK_VETH)
            set->facts[i].link.isolated = true;
}

static void test_ports_are_isolated(void **state)
{
    static const char *const strays[] = {"bridge link set dev vethweb isolated off",
                                         "ip link set vethweb nomaster"};
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    isolate(&all);
    change(&none, &all);
    for (size_t i = 0; i < ARRAY_SIZE(strays); i++) {
        _cleanup_fact_set_ struct fact_set seen = {0};
        _cleanup_plan_ struct plan plan = {0};
        struct op inverse;

        assert_holds(&all);
        run("bridge -d link show dev vethweb | grep -q 'isolated on'");
        run(strays[i]);
        observe(&all, &seen);
        assert_int_equal(plan_diff(&seen, &all, &plan), 0);
        assert_int_equal(plan.count, 1);
        ok(kernel_apply(k, &plan, &err));
        assert_holds(&all);
        inverse = op_inverse(&plan.ops[0]);
        ok(kernel_apply(k, &(struct plan){.ops = &inverse, .count = 1}, &err));
        run("! bridge -d link show dev vethweb | grep -q 'isolated on'");
        ok(kernel_apply(k, &plan, &err));
    }
}

static void test_a_failed_change_is_changed_back(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, seen = {0};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_free_ char *before = NULL;

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    run("ip link set vethweb nomaster down mtu 1300 addrgenmode eui64");
    run("nsenter --net=" NETNS_DIR "/web ip link set eth0 address 02:00:00:00:00:99");
    run("echo 0 >/proc/sys/net/ipv4/ip_forward");
    run("nft 'delete element inet weft published { tcp . 192.0.2.1 . 8080 }; "
        "add element inet weft published { tcp . 192.0.2.1 . 8080 : 10.9.0.9 . 99 }'");
    observe(&all, &seen);
    assert_int_equal(plan_diff(&seen, &all, &plan), 0);
    before = snapshot(&all);
    for (unsigned nth = 1; nth <= plan.count; nth++) {
        kernel_set_fault(k, KERNEL_FAULT_FAIL, nth);
        assert_int_equal(kernel_apply(k, &plan, &err), -EIO);
        assert_same_snapshot(&all, before);
    }
}

static void test_leniency_does_the_rest(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, seen = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    add(&all, ruleset);
    add(&all, elem_links("a"));
    add(&all, elem_links("b"));
    add(&all, elem_links("c"));
    diff(&none, &all, &plan);
    kernel_set_fault(k, KERNEL_FAULT_FAIL, 3);
    assert_int_equal(kernel_apply_lenient(k, &plan), 1);
    plan_clear(&plan);
    observe(&all, &seen);
    assert_int_equal(plan_diff(&seen, &all, &plan), 0);
    assert_int_equal(plan.count, 1);
    assert_string_equal(plan.ops[0].fact.elem.key[0].ifname, "b");
    /* Elements that the kernel itself refuses, in the midst of a transaction. */
    kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
    plan_clear(&plan);
    diff(&none, &all, &plan);
    assert_int_equal(kernel_apply_lenient(k, &plan), 0); /* the ruleset begins anew */
    run("nft delete element inet weft links '{ b }'");
    memmove(&plan.ops[0], &plan.ops[1], --plan.count * sizeof plan.ops[0]);
    assert_int_equal(kernel_apply(k, &plan, &err), -EEXIST);
    assert_int_equal(kernel_apply_lenient(k, &plan), 2);
    assert_holds(&all);
}

static void test_elements_of_every_type(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, more = {0};
    struct fact pair = {.kind = FACT_NFT_ELEM, .elem = {.set = "same_link"}};
    struct fact proto = {.kind = FACT_NFT_ELEM, .elem = {.set = "protocols"}};
    struct fact family = {.kind = FACT_NFT_ELEM, .elem = {.set = "families"}};
    _cleanup_free_ char *text = NULL, *bridge_text = NULL;

    (void)state;
    pair.elem.key[0] = (struct nft_field){.type = NFT_FIELD_IFNAME, .ifname = "fifteen-letters"};
    pair.elem.key[1] = pair.elem.key[0];
    proto.elem.key[0] = (struct nft_field){.type = NFT_FIELD_PROTO, .number = 17};
    family.elem.key[0] = pair.elem.key[0];
    family.elem.key[1] = (struct nft_field){.type = NFT_FIELD_FAMILY, .number = AF_INET6};
    add(&all, ruleset);
    add(&all, elem_links("br-test"));
    add(&all, pair);
    add(&all, proto);
    add(&all, family);
    add(&all, elem_guard("source4", "vethweb", "10.9.0.2"));
    add(&all, elem_guard("target6", "vethweb", "fd09::2"));
    add(&all, elem_published("192.0.2.1", 65535, "10.9.0.2", 1));
    add(&all, elem_published("2001:db8::1", 443, "fd09::2", 8443));
    change(&none, &all);
    assert_holds(&all);
    text = output("nft list table inet weft");
    assert_non_null(strstr(text, "\"fifteen-letters\" . \"fifteen-letters\""));
    assert_non_null(strstr(text, "elements = { udp }"));
    assert_non_null(strstr(text, "\"fifteen-letters\" . ipv6"));
    assert_non_null(strstr(text, "tcp . 192.0.2.1 . 65535 : 10.9.0.2 . 1 "));
    assert_non_null(strstr(text, "tcp . 2001:db8::1 . 443 : fd09::2 . 8443 "));

    bridge_text = output("nft list table bridge weft");
    assert_non_null(strstr(bridge_text, "\"vethweb\" . 02:00:00:00:00:02 . 10.9.0.2"));
    assert_non_null(strstr(bridge_text, "\"vethweb\" . 02:00:00:00:00:02 . "
                                        "0xfd090000000000000000000000000002"));

    /* More than one transaction holds. */
    for (size_t i = 0; i < all.count; i++)
        add(&more, all.facts[i]);
    for (uint16_t port = 1; port <= 9000; port++)
        add(&more, elem_published("192.0.2.2", port, "10.9.0.2", port));
    change(&all, &more);
    assert_holds(&more);
    change(&more, &all);
    assert_holds(&all);
}

static void test_a_refused_ruleset_says_why(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, bad = {0};
    _cleanup_plan_ struct plan plan = {0};
    struct fact broken = ruleset;

    (void)state;
    add(&all, ruleset);
    change(&none, &all);
    broken.base.text =
        "table inet weft {\n    chain x {\n        iifname @nowhere drop\n    }\n}\n";
    strcpy(broken.base.version, "two");
    add(&bad, broken);
    diff(&all, &bad, &plan);
    assert_true(kernel_apply(k, &plan, &err) < 0);
    assert_non_null(strstr(err.text, "Error: "));
    assert_non_null(strstr(err.text, "nowhere"));
    assert_holds(&all);
}

static void test_a_bridge_keeps_its_mtu_without_ports(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, network = {0}, all = {0};

    (void)state;
    network_facts(&network);
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    change(&all, &network);
    assert_holds(&network);
}

static void test_two_endpoints_of_one_network(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &db});
    add_veth(&all, &db, "vethdb", "02:00:00:00:00:03", 1400);
    add_addr(&all, &db, "eth0", "10.9.0.3/24");
    change(&none, &all);
    assert_holds(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_packets_pass),
        TEST(test_a_failure_anywhere_leaves_no_trace),
        TEST(test_a_crash_anywhere_is_healed),
        TEST(test_a_refusal_is_in_the_kernels_words),
        TEST(test_extended_acknowledgements_are_passed_on),
        TEST(test_what_is_gone_need_not_be_removed),
        TEST(test_links_are_changed_in_place),
        TEST(test_ports_are_isolated),
        TEST(test_a_failed_change_is_changed_back),
        TEST(test_leniency_does_the_rest),
        TEST(test_elements_of_every_type),
        TEST(test_a_refused_ruleset_says_why),
        TEST(test_a_bridge_keeps_its_mtu_without_ports),
        TEST(test_two_endpoints_of_one_network),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
