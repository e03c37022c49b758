/* SPDX-License-Identifier: Apache-2.0 */

/* The base ruleset: put right when somebody changed it, replaced by another, and what becomes of
 * the administrator's rules meanwhile. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kernel_host.h"

#define THEIR_RULE "ip saddr 198.51.100.1 drop"

static void base_facts(struct fact_set *set)
{
    add(set, ruleset);
    add(set, elem_links("br-test"));
    add(set, elem_published("192.0.2.1", 8080, "10.9.0.2", 80));
    add(set, elem_guard("source4", "vethweb", "10.9.0.2"));
    add(set, elem_guard("target6", "vethweb", "fd09::2"));
}

/* The ruleset as a later weft may bring it: a set more, a set less, other rules. */
static struct fact version_two(void)
{
    struct fact two = ruleset;

    strcpy(two.base.version, "two");
    two.base.text = "table inet weft {\n"
                    "    comment \"weft two\"\n"
                    "    set links { typeof iifname; }\n"
                    "    set later { type ifname; }\n"
                    "    chain before {\n"
                    "    }\n"
                    "    chain after {\n"
                    "    }\n"
                    "    chain forward {\n"
                    "        type filter hook forward priority filter; policy accept;\n"
                    "        jump before\n"
                    "        iifname @later accept\n"
                    "    }\n"
                    "}\n";
    return two;
}

static void assert_shown(const char *command, const char *text, bool shown)
{
    _cleanup_free_ char *printed = output(command);

    assert_int_equal(strstr(printed, text) != NULL, shown);
}

static void test_tampering_is_seen_and_put_right(void **state)
{
    static const struct {
        const char *command;
        size_t operations;
    } cases[] = {
        {"nft add rule inet weft forward drop", 1},
        {"nft insert rule bridge weft prerouting drop", 1},
        {"nft flush chain inet weft forward", 1},
        {"nft flush table bridge weft", 1},
        {"nft delete rule inet weft forward handle "
         "$(nft -a list chain inet weft forward | sed -n 's/.*links.* handle //p')",
         1},
        /* An equal rule, but for its anonymous set, which gets the name of the one before. */
        {"nft replace rule inet weft forward handle "
         "$(nft -a list chain inet weft forward | sed -n 's/.*dport.* handle //p') "
         "tcp dport '{ 1, 3 }' accept",
         1},
        {"nft 'chain inet weft forward { policy drop; }'", 1},
        {"nft delete set inet weft protocols", 1},
        {"nft delete map inet weft published", 2},
        {"nft delete table bridge weft", 3},
        {"nft 'add set inet weft more { type ifname; }; add chain inet weft forward2 "
         "{ type filter hook forward priority 1; policy drop; }'",
         1},
    };
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    base_facts(&all);
    change(&none, &all);
    run("nft add rule inet weft before " THEIR_RULE);
    assert_holds(&all); /* the chain is theirs */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        run(cases[i].command);
        assert_int_equal(mend(&all), cases[i].operations);
        assert_shown("nft list chain inet weft before", THEIR_RULE, true);
    }
    assert_shown("nft list chain inet weft forward", "tcp dport { 1, 2 } accept", true);
    assert_shown("nft list chain inet weft forward", "policy accept", true);
}

/* What packets and the administrator do is not tampering. */
static void test_use_is_not_tampering(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    run("ip addr add 192.0.2.9/24 dev br-test");
    run("nsenter --net=" NETNS_DIR "/web ping -qc 1 192.0.2.9 >/dev/null");
    run("ip route add 203.0.113.0/24 via 192.0.2.77 dev br-test; "
        "ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:02 dev br-test");
    (void)!system("nsenter --net=" NETNS_DIR "/web ping -qc 1 -W 1 203.0.113.1 >/dev/null");
    assert_shown("nft list chain inet weft forward", "counter packets 1 ", true);
    run("nft add rule inet weft after counter");
    run("nft add rule inet weft before jump after");
    run("ip addr del 192.0.2.9/24 dev br-test");
    assert_holds(&all);
}

static void test_a_start_reloads_the_rules(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    base_facts(&all);
    change(&none, &all);
    run("nft add rule inet weft before " THEIR_RULE);
    kernel_close(k);
    ok(kernel_open(&k, &err));
    assert_int_equal(mend(&all), 1);
    assert_shown("nft list chain inet weft before", THEIR_RULE, true);
}

static void test_what_cannot_be_put_right_in_place_is_made_anew(void **state)
{
    static const char *const commands[] = {
        "nft 'flush chain inet weft forward; delete chain inet weft forward; "
        "add chain inet weft forward { type filter hook forward priority 7; }'",
        "nft 'delete set inet weft families; add set inet weft families { type ipv4_addr; }'",
    };
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    base_facts(&all);
    change(&none, &all);
    run("nft add rule inet weft before " THEIR_RULE);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        run(commands[i]);
        assert_int_equal(mend(&all), 1);
        assert_shown("nft list chain inet weft before", THEIR_RULE, true);
    }
}

static void test_another_version_keeps_what_others_put_there(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, next = {0};

    (void)state;
    base_facts(&all);
    change(&none, &all);
    run("nft -f - <<'EOF'\n"
        "table inet weft {\n"
        "    counter seen { }\n"
        "    set blocked { type ipv4_addr; elements = { 198.51.100.1,\n 198.51.100.2 } }\n"
        "    chain mine { ip saddr @blocked counter name seen drop\n }\n"
        "    chain before { jump mine\n ct state vmap { invalid : drop }\n }\n"
        "    chain after { " THEIR_RULE "\n }\n"
        "    chain hooked { type filter hook forward priority 9; policy drop; }\n"
        "}\n"
        "EOF");
    add(&next, version_two());
    add(&next, elem_links("br-next"));
    mend(&next);
    assert_shown("nft list chain inet weft before", "jump mine", true);
    assert_shown("nft list chain inet weft before", "ct state vmap { invalid : drop }", true);
    assert_shown("nft list chain inet weft mine", "ip saddr @blocked", true);
    assert_shown("nft list set inet weft blocked", "198.51.100.2", true);
    assert_shown("nft list chain inet weft after", THEIR_RULE, true);
    assert_shown("nft list chain inet weft forward", "dport", false);
    assert_shown("nft list table inet weft", "hooked", false);
}

static void test_a_table_of_the_administrator_s_gets_the_policy(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0};

    (void)state;
    run("nft -f - <<'EOF'\n"
        "table inet weft {\n"
        "    set blocked { type ipv4_addr; elements = { 198.51.100.1 } }\n"
        "    chain before { ip saddr @blocked drop\n }\n"
        "}\n"
        "EOF");
    base_facts(&all);
    assert_int_equal(mend(&all), all.count);
    assert_shown("nft list chain inet weft before", "ip saddr @blocked drop", true);
    assert_shown("nft list set inet weft blocked", "198.51.100.1", true);
}

static void test_rules_that_are_refused_are_logged(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, next = {0};
    int log = open(BASE_DIR "/log", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int standard_error = dup(STDERR_FILENO);

    (void)state;
    base_facts(&all);
    change(&none, &all);
    /* A name that the next version wants for itself. */
    run("nft 'add set inet weft later { type ipv4_addr; }; "
        "add rule inet weft before ip saddr @later drop'");
    add(&next, version_two());
    assert_true(log >= 0 && standard_error >= 0 && dup2(log, STDERR_FILENO) >= 0);
    mend(&next);
    assert_true(dup2(standard_error, STDERR_FILENO) >= 0);
    (void)close(log);
    (void)close(standard_error);
    assert_shown("cat " BASE_DIR "/log", "before and after", true);
    assert_shown("cat " BASE_DIR "/log", "ip saddr @later drop", true);
    assert_shown("nft list chain inet weft before", "later", false);
}

/* Running what is explained has the same outcome. */
static void test_explained_scripts_load(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, next = {0};
    _cleanup_plan_ struct plan making = {0}, reloading = {0}, replacing = {0};
    const struct plan *const plans[] = {&making, &reloading, &replacing};
    static const char *const list = "nft list ruleset | sed 's/packets.*bytes [0-9]*//'";
    struct op reload = {.verb = OP_CHANGE, .fact = ruleset, .old = ruleset};

    (void)state;
    base_facts(&all);
    add(&next, version_two());
    add(&next, elem_links("br-test"));
    diff(&none, &all, &making);
    reload.old.base.tampered = true;
    reloading = (struct plan){.ops = &reload, .count = 1};
    diff(&all, &next, &replacing);
    for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
        _cleanup_strbuf_ struct strbuf script = {0};
        _cleanup_free_ char *applied = NULL, *explained = NULL;

        run("nft flush ruleset");
        for (size_t n = 0; n <= i; n++)
            if (n == 0 || n == i)
                ok(kernel_apply(k, plans[n], &err));
        applied = output(list);
        run("nft flush ruleset");
        if (i > 0)
            ok(kernel_apply(k, &making, &err));
        plan_explain(plans[i], &script);
        run(strbuf_text(&script));
        explained = output(list);
        assert_string_equal(explained, applied);
    }
    reloading.ops = NULL;
    run("nft flush ruleset");
}

static double milliseconds(const struct plan *plan)
{
    struct timespec from, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    ok(kernel_apply(k, plan, &err));
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

static void test_thousands_of_elements_are_one_transaction(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, base = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0}, back = {0};

    (void)state;
    add(&base, ruleset);
    change(&none, &base);
    add(&all, ruleset);
    for (uint16_t port = 1; port <= 3000; port++)
        add(&all, elem_published("192.0.2.2", port, "10.9.0.2", port));
    run("nft -n monitor >" BASE_DIR "/monitor & echo $! >" BASE_DIR "/pid; sleep 0.3");
    diff(&base, &all, &plan);
    print_message("3000 elements added in %.1f ms", milliseconds(&plan));
    diff(&all, &base, &back);
    print_message(", removed in %.1f ms\n", milliseconds(&back));
    assert_holds(&base);
    run("sleep 0.3; kill $(cat " BASE_DIR "/pid)");
    run("test $(grep -c 'new generation' " BASE_DIR "/monitor) = 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_tampering_is_seen_and_put_right),
        TEST(test_use_is_not_tampering),
        TEST(test_a_start_reloads_the_rules),
        TEST(test_what_cannot_be_put_right_in_place_is_made_anew),
        TEST(test_another_version_keeps_what_others_put_there),
        TEST(test_a_table_of_the_administrator_s_gets_the_policy),
        TEST(test_rules_that_are_refused_are_logged),
        TEST(test_explained_scripts_load),
        TEST(test_thousands_of_elements_are_one_transaction),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
