/* SPDX-License-Identifier: Apache-2.0 */

/* What the monitor hears of a real kernel: what others change, and not what weft does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kernel/monitor.h"
#include "kernel_host.h"

static const char *const kinds[] = {
    [KERNEL_EVENT_RULES] = "rules",
    [KERNEL_EVENT_ELEMENTS] = "elements",
    [KERNEL_EVENT_OTHERS] = "others",
    [KERNEL_EVENT_LINK_GONE] = "gone",
    [KERNEL_EVENT_LINK] = "link",
    [KERNEL_EVENT_ADDR_GONE] = "address gone",
    [KERNEL_EVENT_ROUTE_GONE] = "route gone",
    [KERNEL_EVENT_FORWARDING] = "forwarding",
    [KERNEL_EVENT_LOST] = "lost",
};

static struct kernel_monitor *monitor;

static void note(void *arg, const struct kernel_event *e)
{
    struct strbuf *text = arg;

    strbuf_puts(text, kinds[e->kind]);
    if (*e->name)
        strbuf_printf(text, " %s", e->name);
    if (e->kind == KERNEL_EVENT_LINK)
        strbuf_printf(text, "%s%s%s%s", e->link.up ? " up" : " down", e->link.ours ? " ours" : "",
                      *e->link.master ? " of " : "", e->link.master);
    if (prefix_is_set(&e->prefix))
        strbuf_printf(text, " %s", prefix_text(&e->prefix));
    strbuf_puts(text, "\n");
}

/* Links also tell when their carrier comes, some time after they went up. */
static void note_but_links(void *arg, const struct kernel_event *e)
{
    if (e->kind != KERNEL_EVENT_LINK)
        note(arg, e);
}

static char *hear(kernel_event_fn *fn)
{
    struct strbuf text = {0};

    ok(kernel_monitor_read(monitor, fn, &text, &err));
    return strbuf_take(&text);
}

/* Somebody else runs the command, and this is all that is heard, but for links. */
static void assert_heard(const char *command, const char *expected)
{
    _cleanup_free_ char *text = NULL;

    run(command);
    text = hear(note_but_links);
    assert_string_equal(text, expected);
}

/* This is heard, among the consequences. */
static void assert_hears(const char *command, const char *line)
{
    _cleanup_free_ char *text = NULL;

    run(command);
    text = hear(note);
    if (!strstr(text, line))
        fail_msg("after %s, \"%s\" is not in:\n%s", command, line, text);
}

/* A network, an endpoint, and the monitor that has heard all of it. */
static int set_up_monitor(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_free_ char *text = NULL;

    set_up(state);
    network_facts(&all);
    endpoint_facts(&all);
    ok(kernel_monitor_open(k, &monitor, &err));
    change(&none, &all);
    text = hear(note_but_links);
    assert_null(strstr(text, "rules"));
    assert_null(strstr(text, "elements"));
    assert_null(strstr(text, "others"));
    assert_null(strstr(text, "gone"));
    return 0;
}

static int tear_down_monitor(void **state)
{
    kernel_monitor_close(monitor);
    return tear_down(state);
}

static void test_own_changes_are_not_heard(void **state)
{
    _cleanup_fact_set_ struct fact_set before = {0}, after = {0};
    _cleanup_free_ char *text = NULL;

    (void)state;
    add(&before, elem_links("br-test"));
    add(&before, elem_published("192.0.2.1", 8080, "10.9.0.2", 80));
    add_addr(&before, NULL, "br-test", "10.9.0.1/24");
    add(&after, elem_links("another"));
    add(&after, elem_published("192.0.2.1", 8080, "10.9.0.2", 81));
    add_addr(&after, NULL, "br-test", "10.9.1.1/24");
    add_route(&after, NULL, "10.78.0.0/16", NULL, "br-test");
    change(&before, &after);
    fact_set_clear(&before);
    change(&after, &before);
    text = hear(note_but_links);
    assert_string_equal(text, "");
}

static void test_an_own_bridge_goes_unheard(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, bridge = {0};
    _cleanup_free_ char *text = NULL;

    (void)state;
    add_bridge(&bridge, "br-other", 1500);
    change(&none, &bridge);
    change(&bridge, &none);
    text = hear(note_but_links);
    assert_null(strstr(text, "gone"));
}

static void test_others_touch_the_ruleset(void **state)
{
    (void)state;
    assert_heard("nft add element inet weft protocols '{ 7 }'", "elements\n");
    assert_heard("nft flush set inet weft links", "elements\n");
    assert_heard("nft flush chain inet weft forward", "rules\n");
    assert_heard("nft add rule inet weft forward accept; nft add rule inet weft forward drop",
                 "rules\n");
    assert_heard("nft add set inet weft more '{ type ifname; }'", "rules\n");
    assert_heard("nft 'add table bridge weft; add chain bridge weft one'", "rules\n");
    assert_heard("nft delete table inet weft", "rules\n");
    assert_heard("nft delete table bridge weft", "rules\n");
}

static void test_the_administrators_chains_are_theirs(void **state)
{
    (void)state;
    run("nft 'add chain inet weft before; add chain inet weft after'");
    free(hear(note_but_links));
    assert_heard("nft add rule inet weft before tcp dport 22 drop", "");
    assert_heard("nft add rule inet weft after counter", "");
    assert_heard("nft 'add chain inet weft before; flush chain inet weft before'", "");
    assert_heard("nft 'flush chain inet weft forward; delete chain inet weft before'", "rules\n");
    /* Of the same name, but not weft's. */
    run("nft add table inet theirs");
    assert_heard("nft add chain inet theirs before", "others\n");
    assert_heard("nft delete table inet theirs", "others\n");
}

static void test_tables_of_others(void **state)
{
    (void)state;
    assert_heard("nft add table ip theirs", "others\n");
    assert_heard("nft \"add chain ip theirs one { type filter hook forward priority 0; }\"",
                 "others\n");
    assert_heard("nft add rule ip theirs one drop", "others\n");
    assert_heard("nft add set ip theirs many '{ type inet_service; }'", "");
    assert_heard("nft add element ip theirs many '{ 1, 2, 3 }'", "");
    assert_heard("nft add table ip weft", "others\n"); /* the name alone does not make it weft's */
    assert_heard("nft 'delete table ip theirs; delete table ip weft'", "others\n");
}

static void test_one_transaction_of_many_messages(void **state)
{
    (void)state;
    assert_heard("{ echo 'table ip theirs {'; for i in $(seq 500); do echo \"chain c$i {}\"; done; "
                 "echo '}'; echo 'add element inet weft protocols { 9 }'; "
                 "echo 'add rule inet weft forward drop'; } | nft -f -",
                 "others\nelements\nrules\n");
    run("nft delete table ip theirs");
}

static void test_others_touch_links(void **state)
{
    (void)state;
    assert_hears("ip link set vethweb nomaster", "link vethweb up ours\n");
    assert_hears("ip link set vethweb master br-test", "link vethweb up ours of br-test\n");
    assert_hears("ip link set br-test down", "link br-test down ours\n");
    assert_hears("ip link set br-test up", "link br-test up ours\n");
    assert_hears("ip link add theirs type bridge", "link theirs down\n");
    assert_heard("ip link del theirs", "gone theirs\n");
    assert_hears("ip link del vethweb", "gone vethweb\n");
    assert_hears("ip link del br-test", "gone br-test\n");
}

static void test_others_touch_addresses_and_routes(void **state)
{
    (void)state;
    run("ip route add 10.77.0.0/24 dev br-test proto 119");
    run("ip route add 10.79.0.0/24 dev br-test");
    assert_heard("ip route del 10.79.0.0/24", "");
    assert_heard("ip route del 10.77.0.0/24", "route gone br-test\n");
    assert_heard("ip addr add 10.5.0.1/16 dev br-test", "");
    assert_heard("ip addr del 10.5.0.1/16 dev br-test", "address gone br-test 10.5.0.1/16\n");
    assert_heard("ip addr del fd09::1/64 dev br-test", "address gone br-test fd09::1/64\n");
}

static void test_forwarding_is_switched(void **state)
{
    (void)state;
    assert_heard("echo 0 >/proc/sys/net/ipv4/ip_forward", "forwarding\n");
    assert_heard("echo 1 >/proc/sys/net/ipv4/conf/br-test/forwarding", "forwarding\n");
    assert_heard("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding", "forwarding\n");
    assert_heard("echo 2 >/proc/sys/net/ipv4/conf/br-test/rp_filter", "");
}

static void set_queues(int bytes)
{
    int fds[2];

    kernel_monitor_fds(monitor, fds);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), 0);
}

static void test_too_much_is_noticed(void **state)
{
    (void)state;
    set_queues(4096);
    assert_hears("for i in 1 2 3 4 5 6 7 8; do ip link set br-test down; ip link set br-test up; "
                 "done",
                 "lost\n");
    assert_hears("{ echo 'table ip theirs {'; for i in $(seq 500); do echo \"chain c$i {}\"; "
                 "done; echo '}'; } | nft -f -",
                 "lost\n");
    /* It goes on. */
    set_queues(200000);
    assert_hears("ip link set br-test down", "link br-test down ours\n");
    assert_heard("nft delete table inet weft", "rules\n");
    run("nft delete table ip theirs");
}

#define HEARING(name) cmocka_unit_test_setup_teardown(name, set_up_monitor, tear_down_monitor)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEARING(test_own_changes_are_not_heard), HEARING(test_an_own_bridge_goes_unheard),
        HEARING(test_others_touch_the_ruleset),  HEARING(test_the_administrators_chains_are_theirs),
        HEARING(test_tables_of_others),          HEARING(test_one_transaction_of_many_messages),
        HEARING(test_others_touch_links),        HEARING(test_others_touch_addresses_and_routes),
        HEARING(test_forwarding_is_switched),    HEARING(test_too_much_is_noticed),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
