/* SPDX-License-Identifier: Apache-2.0 */

/* Firewalls of others that would cut weft off: found, and made to let weft's links through. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <string.h>

#include "kernel_host.h"

#define GROUP "0x77656674"
#define GROUP_DECIMAL "2003134068"
#define FROM "-A FORWARD -m devgroup --src-group " GROUP " -m comment --comment weft -j ACCEPT\n"
#define TO "-A FORWARD -m devgroup --dst-group " GROUP " -m comment --comment weft -j ACCEPT\n"

static const struct nft_chain cutting[] = {
    {NFPROTO_IPV4, "filter", "FORWARD", false}, {NFPROTO_IPV6, "filter", "FORWARD", true},
    {NFPROTO_INET, "strict", "forward", false}, {NFPROTO_INET, "trailing", "rejects", true},
    {NFPROTO_INET, "trailing", "drops", true},
};

static void make_firewalls(void)
{
    run("iptables -P FORWARD DROP && iptables -A FORWARD -p icmp -j ACCEPT");
    run("ip6tables -A FORWARD -p tcp -j ACCEPT && "
        "ip6tables -A FORWARD -m comment --comment all -j REJECT");
    run("nft -f - <<'EOF'\n"
        "table inet strict {\n"
        "    chain forward { type filter hook forward priority 1; policy drop; tcp dport 22 accept\n"
        "    }\n"
        "}\n"
        "table inet trailing {\n"
        "    chain rejects { type filter hook forward priority 2; ct state established accept\n"
        "        counter log reject with icmpx admin-prohibited\n }\n"
        "    chain drops { type filter hook forward priority 3; counter drop comment \"end\"\n }\n"
        "}\n"
        /* These let weft through, or see nothing of it. */
        "table inet harmless {\n"
        "    chain accepts { type filter hook forward priority 4; policy accept; }\n"
        "    chain chooses { type filter hook forward priority 5; ct state invalid drop\n }\n"
        "    chain limits { type filter hook forward priority 6; limit rate 1/second drop\n }\n"
        "    chain drops_some { type filter hook forward priority 7; drop comment \"no\"\n accept\n"
        "    }\n"
        "    chain input { type filter hook input priority 0; policy drop; }\n"
        "    chain regular { drop\n }\n"
        "}\n"
        "table bridge theirs {\n"
        "    chain forward { type filter hook forward priority 0; policy drop; }\n"
        "}\n"
        "EOF");
}

static void assert_cutting(void)
{
    _cleanup_free_ struct nft_chain *found = NULL;
    size_t count;

    ok(kernel_cutting_chains(k, &found, &count, &err));
    assert_int_equal(count, ARRAY_SIZE(cutting));
    for (size_t i = 0; i < ARRAY_SIZE(cutting); i++) {
        size_t n = 0;

        while (n < count && (found[n].family != cutting[i].family ||
                             !str_equal(found[n].table, cutting[i].table) ||
                             !str_equal(found[n].name, cutting[i].name)))
            n++;
        assert_true(n < count);
        assert_int_equal(found[n].ends_in_drop, cutting[i].ends_in_drop);
    }
}

static void accept_facts(struct fact_set *set)
{
    for (size_t i = 0; i < ARRAY_SIZE(cutting); i++)
        for (int outgoing = false; outgoing <= true; outgoing++)
            add(set, (struct fact){.kind = FACT_NFT_ACCEPT,
                                   .accept = {.chain = cutting[i], .outgoing = outgoing}});
}

static void assert_prints(const char *command, const char *expected)
{
    _cleanup_free_ char *text = output(command);

    assert_string_equal(text, expected);
}

static int flush(void **state)
{
    run("nft flush ruleset");
    return tear_down(state);
}

static void test_no_firewall_no_chains(void **state)
{
    struct nft_chain *found = NULL;
    size_t count = 1;

    (void)state;
    ok(kernel_cutting_chains(k, &found, &count, &err));
    assert_int_equal(count, 0);
    free(found);
}

static void test_accept_rules_come_and_go(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_free_ char *before = NULL;

    (void)state;
    make_firewalls();
    before = output("nft list ruleset 2>&-; (iptables-save; ip6tables-save) | grep -v ^#");
    assert_cutting();
    accept_facts(&all);
    change(&none, &all);
    assert_holds(&all);
    assert_cutting();
    assert_prints("iptables -S FORWARD", "-P FORWARD DROP\n-A FORWARD -p icmp -j ACCEPT\n" FROM TO);
    assert_prints("ip6tables -S FORWARD",
                  "-P FORWARD ACCEPT\n" TO FROM "-A FORWARD -p tcp -j ACCEPT\n"
                  "-A FORWARD -m comment --comment all -j REJECT "
                  "--reject-with icmp6-port-unreachable\n");
    assert_prints("nft list chain inet strict forward | grep group | sed 's/^\t*//'",
                  "iifgroup " GROUP_DECIMAL " counter packets 0 bytes 0 accept comment \"weft\"\n"
                  "oifgroup " GROUP_DECIMAL " counter packets 0 bytes 0 accept comment \"weft\"\n");
    assert_prints("nft list chain inet trailing rejects | sed -n 4p | sed 's/^\t*//'",
                  "oifgroup " GROUP_DECIMAL " counter packets 0 bytes 0 accept comment \"weft\"\n");
    change(&all, &none);
    assert_prints("nft list ruleset 2>&-; (iptables-save; ip6tables-save) | grep -v ^#", before);
}

/* iptables reads weft's rules as if they were its own. */
static void test_iptables_works_on(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    make_firewalls();
    accept_facts(&all);
    change(&none, &all);
    run("iptables -A FORWARD -s 198.51.100.1 -j DROP && iptables -D FORWARD -p icmp -j ACCEPT");
    run("iptables -C FORWARD -m devgroup --src-group " GROUP
        " -m comment --comment weft -j ACCEPT");
    assert_holds(&all);
    /* Written by iptables-restore, comment and all. */
    run("iptables-save >" BASE_DIR "/rules && iptables -F && iptables-restore " BASE_DIR "/rules");
    assert_prints("iptables -S FORWARD",
                  "-P FORWARD DROP\n" FROM TO "-A FORWARD -s 198.51.100.1/32 -j DROP\n");
    assert_holds(&all);
    run("iptables -D FORWARD -m devgroup --src-group " GROUP
        " -m comment --comment weft -j ACCEPT");
    assert_int_equal(mend(&all), 1);
    run("iptables -F FORWARD; ip6tables -F FORWARD; ip6tables -P FORWARD DROP");
    assert_int_equal(mend(&all), 4);
    change(&all, &none);
    assert_prints("iptables -S FORWARD", "-P FORWARD DROP\n");
}

static void test_chains_that_are_gone_need_no_rules_removed(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    make_firewalls();
    accept_facts(&all);
    change(&none, &all);
    run("nft delete table inet strict");
    run("nft delete chain inet trailing drops");
    run("nft flush chain inet trailing rejects");
    change(&all, &none);
    assert_holds(&none);
    /* A new rule wants its chain. */
    diff(&none, &all, &plan);
    assert_int_equal(kernel_apply(k, &plan, &err), -ENOENT);
    assert_non_null(strstr(err.text, "nft 'add rule inet strict forward iifgroup " GROUP_DECIMAL));
    assert_holds(&none);
}

/* Rules that look a bit like weft's. */
static void test_rules_of_others_are_left_alone(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0};

    (void)state;
    make_firewalls();
    run("iptables -A FORWARD -m comment --comment weft -j ACCEPT");
    run("iptables -A FORWARD -m devgroup --src-group " GROUP " -j ACCEPT");
    run("nft 'add rule inet strict forward iifname lo accept comment \"weft\"; "
        "add rule inet strict forward iifgroup " GROUP " accept comment \"wefted\"'");
    assert_holds(&none);
}

static void test_explained_scripts_do_the_same(void **state)
{
    static const char *const list = "nft list ruleset 2>&-";
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_plan_ struct plan making = {0}, removing = {0};
    _cleanup_strbuf_ struct strbuf script = {0}, back = {0};
    _cleanup_free_ char *before = NULL;

    (void)state;
    make_firewalls();
    before = output(list);
    accept_facts(&all);
    diff(&none, &all, &making);
    plan_explain(&making, &script);
    run(strbuf_text(&script));
    assert_holds(&all);
    diff(&all, &none, &removing);
    plan_explain(&removing, &back);
    run(strbuf_text(&back));
    assert_holds(&none);
    assert_prints(list, before);
}

#define TEST_FLUSHED(name) cmocka_unit_test_setup_teardown(name, set_up, flush)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_FLUSHED(test_no_firewall_no_chains),
        TEST_FLUSHED(test_accept_rules_come_and_go),
        TEST_FLUSHED(test_iptables_works_on),
        TEST_FLUSHED(test_chains_that_are_gone_need_no_rules_removed),
        TEST_FLUSHED(test_rules_of_others_are_left_alone),
        TEST_FLUSHED(test_explained_scripts_do_the_same),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
