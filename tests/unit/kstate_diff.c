/* SPDX-License-Identifier: Apache-2.0 */

/* Plans, compared as text: "+" adds, "~" changes, "-" removes; then the fact. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kstate_make.h"

struct scene {
    struct fact_set seen;
    struct fact_set desired;
};

static void expect(struct scene *scene, const char *expected)
{
    static const char signs[] = {[OP_ADD] = '+', [OP_CHANGE] = '~', [OP_REMOVE] = '-'};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    assert_int_equal(plan_diff(&scene->seen, &scene->desired, &plan), 0);
    for (size_t i = 0; i < plan.count; i++) {
        strbuf_printf(&text, "%c ", signs[plan.ops[i].verb]);
        fact_print(&plan.ops[i].fact, &text);
        strbuf_puts(&text, "\n");
    }
    assert_string_equal(strbuf_text(&text), expected);
    fact_set_clear(&scene->seen);
    fact_set_clear(&scene->desired);
}

/* A container web on a network, with all kinds of facts. */
static void fill_world(struct fact_set *set)
{
    FILL(set, element("links", "weft0"), route(&web, "0.0.0.0/0", "172.17.0.1", "eth0"),
         address(&web, "eth0", "172.17.0.2/16"), address(NULL, "weft0", "172.17.0.1/16"),
         sysctl_of(NULL, "net/ipv4/ip_forward", "1"), link_of(LINK_LOOPBACK, &web, "lo"),
         sysctl_of(&web, "net/ipv4/conf/eth0/log_martians", "1"), peer(&web, "vath1"),
         veth("vath1", "weft0", &web), bridge("weft0"), base("1"), netns(&web));
}

static void adds_in_the_order_of_need(void **state)
{
    struct scene scene = {0};

    (void)state;
    fill_world(&scene.desired);
    expect(&scene, "+ web: namespace at /run/weft/netns/1\n"
                   "+ host: ruleset 1\n"
                   "+ host: link weft0 bridge up\n"
                   "+ host: link vath1 veth to web:eth0 master weft0 up\n"
                   "+ host: sysctl net/ipv4/ip_forward = 1\n"
                   "+ host: address 172.17.0.1/16 dev weft0\n"
                   "+ host: element links \"weft0\"\n"
                   "+ web: link eth0 veth peer to host:vath1 up\n"
                   "+ web: link lo loopback up\n"
                   "+ web: sysctl net/ipv4/conf/eth0/log_martians = 1\n"
                   "+ web: address 172.17.0.2/16 dev eth0\n"
                   "+ web: route 0.0.0.0/0 via 172.17.0.1 dev eth0\n");
}

static void removes_only_what_does_not_fall(void **state)
{
    struct scene scene = {0};

    (void)state;
    fill_world(&scene.seen);
    fact_set_own(&scene.seen);
    expect(&scene, "- host: link vath1 veth to web:eth0 master weft0 up\n"
                   "- host: link weft0 bridge up\n"
                   "- host: ruleset 1\n"
                   "- web: namespace at /run/weft/netns/1\n");
}

static void what_holds_needs_nothing(void **state)
{
    struct scene scene = {0};

    (void)state;
    fill_world(&scene.seen);
    fill_world(&scene.desired);
    expect(&scene, "");
    expect(&scene, "");
}

static void what_is_not_weft_s_is_left_alone(void **state)
{
    struct scene scene = {0};

    (void)state;
    fill_world(&scene.seen);
    expect(&scene, "");
}

static void an_endpoint_leaves_and_the_rest_stays(void **state)
{
    struct scene scene = {0};

    (void)state;
    fill_world(&scene.seen);
    FILL(&scene.seen, address(&db, "eth0", "172.17.0.3/16"), route(&db, "::/0", "fd00::1", "eth0"),
         element("links", "br-2"));
    fact_set_own(&scene.seen);
    FILL(&scene.desired, bridge("weft0"), address(NULL, "weft0", "172.17.0.1/16"), base("1"),
         netns(&web), element("links", "weft0"));
    expect(&scene, "- db: route ::/0 via fd00::1 dev eth0\n"
                   "- db: address 172.17.0.3/16 dev eth0\n"
                   "- host: element links \"br-2\"\n"
                   "- host: link vath1 veth to web:eth0 master weft0 up\n");
}

static void a_resolver_falls_with_its_namespace(void **state)
{
    struct scene scene = {0}, alone = {0}, fresh = {0};

    (void)state;
    FILL(&scene.seen, owned(netns(&web)), owned(resolver(&web)), owned(netns(&db)),
         owned(resolver(&db)));
    FILL(&scene.desired, netns(&db), resolver(&db));
    expect(&scene, "- web: namespace at /run/weft/netns/1\n");
    FILL(&alone.seen, owned(netns(&web)), owned(resolver(&web)));
    FILL(&alone.desired, netns(&web));
    expect(&alone, "- web: resolver at 127.0.0.11\n");
    FILL(&fresh.seen, owned(resolver(&web)));
    FILL(&fresh.desired, netns(&web), resolver(&web), link_of(LINK_LOOPBACK, &web, "lo"));
    expect(&fresh, "+ web: namespace at /run/weft/netns/1\n"
                   "+ web: resolver at 127.0.0.11\n"
                   "+ web: link lo loopback up\n");
}

static void sysctls_are_changed_but_not_removed(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(sysctl_of(NULL, "net/a", "0")), owned(sysctl_of(NULL, "net/b", "1")),
         owned(link_of(LINK_LOOPBACK, &web, "lo")));
    FILL(&scene.desired, sysctl_of(NULL, "net/a", "1"));
    expect(&scene, "~ host: sysctl net/a = 1\n");
}

static void links_are_changed_in_place(void **state)
{
    struct scene scene = {0};
    struct fact down = bridge("weft0"), port = veth("veth1", "", &web);

    (void)state;
    down.link.up = false;
    FILL(&scene.seen, down, port, peer(&web, "veth1"));
    FILL(&scene.desired, bridge("weft0"), veth("veth1", "weft0", &web), peer(&web, "veth1"));
    expect(&scene, "~ host: link weft0 bridge up\n"
                   "~ host: link veth1 veth to web:eth0 master weft0 up\n");
}

static void what_a_changed_link_leaves_open_stays(void **state)
{
    struct scene scene = {0};
    struct fact seen = bridge("weft0"), desired = bridge("weft0");

    (void)state;
    seen.link.mac = (struct mac){{2}};
    seen.link.mtu = 1500;
    seen.link.no_autoconf = true;
    strcpy(seen.link.master, "bond0");
    desired.link.mtu = 1400;
    FILL(&scene.seen, seen);
    FILL(&scene.desired, desired);
    expect(&scene, "~ host: link weft0 bridge master bond0 mac 02:00:00:00:00:00 mtu 1400 "
                   "no-autoconf up\n");
}

static void a_lost_bridge_is_made_with_all_that_was_on_it(void **state)
{
    struct scene scene = {0};

    (void)state;
    fill_world(&scene.desired);
    fill_world(&scene.seen);
    fact_set_sort(&scene.seen);
    for (size_t i = 0; i < scene.seen.count; i++)
        if (scene.seen.facts[i].kind == FACT_LINK && !scene.seen.facts[i].ns &&
            scene.seen.facts[i].link.kind == LINK_BRIDGE)
            scene.seen.facts[i] = bridge("gone");
    expect(&scene, "+ host: link weft0 bridge up\n"
                   "~ host: link vath1 veth to web:eth0 master weft0 up\n"
                   "+ host: address 172.17.0.1/16 dev weft0\n");
}

static void a_link_of_another_kind_is_replaced(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(link_of(LINK_OTHER, NULL, "weft0")), veth("veth1", "weft0", &web),
         peer(&web, "veth1"), owned(address(NULL, "weft0", "172.17.0.1/16")),
         owned(address(NULL, "weft0", "172.17.9.1/16")),
         sysctl_of(NULL, "net/ipv4/conf/weft0/rp_filter", "1"));
    FILL(&scene.desired, bridge("weft0"), veth("veth1", "weft0", &web), peer(&web, "veth1"),
         address(NULL, "weft0", "172.17.0.1/16"),
         sysctl_of(NULL, "net/ipv4/conf/weft0/rp_filter", "1"));
    expect(&scene, "- host: link weft0 other up\n"
                   "+ host: link weft0 bridge up\n"
                   "~ host: link veth1 veth to web:eth0 master weft0 up\n"
                   "+ host: sysctl net/ipv4/conf/weft0/rp_filter = 1\n"
                   "+ host: address 172.17.0.1/16 dev weft0\n");
}

static void somebody_else_s_link_in_the_way_is_not_removed(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, link_of(LINK_OTHER, NULL, "weft0"));
    FILL(&scene.desired, bridge("weft0"));
    expect(&scene, "+ host: link weft0 bridge up\n");
}

static void half_a_pair_is_made_anew_whole(void **state)
{
    static const char *const whole = "+ host: link veth1 veth to web:eth0 master weft0 up\n"
                                     "+ web: link eth0 veth peer to host:veth1 up\n"
                                     "+ web: address 172.17.0.2/16 dev eth0\n";
    struct fact pair[] = {veth("veth1", "weft0", &web), peer(&web, "veth1"),
                          address(&web, "eth0", "172.17.0.2/16")};
    struct fact orphan = owned(pair[0]);
    char expected[512];
    struct scene scene = {0};

    (void)state;
    /* The inner end was moved away: nobody knows where it is. */
    orphan.link.peer_name[0] = '\0';
    FILL(&scene.seen, orphan);
    fill(&scene.desired, pair, ARRAY_SIZE(pair));
    (void)snprintf(expected, sizeof expected, "- host: link veth1 veth master weft0 up\n%s", whole);
    expect(&scene, expected);

    /* The host's end was renamed, so that it is not desired any more: it takes the other along. */
    struct fact renamed = owned(veth("other", "weft0", &web));
    FILL(&scene.seen, renamed, owned(peer(&web, "other")), owned(pair[2]));
    fill(&scene.desired, pair, ARRAY_SIZE(pair));
    (void)snprintf(expected, sizeof expected,
                   "- host: link other veth to web:eth0 master weft0 up\n%s", whole);
    expect(&scene, expected);

    /* The host's end was moved into a namespace that weft does not know. */
    FILL(&scene.seen, owned(peer(&web, "")), owned(pair[2]));
    fill(&scene.desired, pair, ARRAY_SIZE(pair));
    (void)snprintf(expected, sizeof expected, "- web: link eth0 veth peer up\n%s", whole);
    expect(&scene, expected);
}

static void two_pairs_with_their_ends_swapped_are_made_anew(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(veth("veth1", "weft0", &db)), owned(veth("veth2", "weft0", &web)),
         owned(peer(&db, "veth1")), owned(peer(&web, "veth2")));
    FILL(&scene.desired, veth("veth1", "weft0", &web), veth("veth2", "weft0", &db),
         peer(&web, "veth1"), peer(&db, "veth2"));
    expect(&scene, "- host: link veth2 veth to web:eth0 master weft0 up\n"
                   "- host: link veth1 veth to db:eth0 master weft0 up\n"
                   "+ host: link veth1 veth to web:eth0 master weft0 up\n"
                   "+ host: link veth2 veth to db:eth0 master weft0 up\n"
                   "+ web: link eth0 veth peer to host:veth1 up\n"
                   "+ db: link eth0 veth peer to host:veth2 up\n");
}

static void a_lost_namespace_is_made_with_all_that_was_in_it(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(veth("veth1", "", &web)), link_of(LINK_LOOPBACK, &web, "lo"),
         owned(peer(&web, "veth1")));
    FILL(&scene.desired, netns(&web), veth("veth1", "", &web), peer(&web, "veth1"),
         link_of(LINK_LOOPBACK, &web, "lo"));
    expect(&scene, "- host: link veth1 veth to web:eth0 up\n"
                   "+ web: namespace at /run/weft/netns/1\n"
                   "+ host: link veth1 veth to web:eth0 up\n"
                   "+ web: link eth0 veth peer to host:veth1 up\n"
                   "+ web: link lo loopback up\n");
}

static void a_changed_ruleset_is_filled_again(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(base("1")), owned(element("links", "a")), owned(element("links", "b")));
    FILL(&scene.desired, base("2"), element("links", "a"));
    expect(&scene, "~ host: ruleset 2\n"
                   "+ host: element links \"a\"\n");
    FILL(&scene.seen, owned(base("2")), owned(element("links", "a")), owned(element("links", "b")));
    FILL(&scene.desired, base("2"), element("links", "a"));
    expect(&scene, "- host: element links \"b\"\n");
}

static void a_ruleset_that_was_tampered_with_keeps_its_elements(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(tampered("1")), owned(element("links", "a")),
         owned(element("links", "b")));
    FILL(&scene.desired, base("1"), element("links", "a"), guard_element("a", "fd00::7"));
    expect(&scene, "- host: element links \"b\"\n"
                   "~ host: ruleset 1\n"
                   "+ host: element target6 \"a\" . 02:00:00:00:00:07 . "
                   "0xfd000000000000000000000000000007\n");
    FILL(&scene.seen, owned(tampered("1")), owned(element("links", "a")));
    FILL(&scene.desired, base("2"), element("links", "a"));
    expect(&scene, "~ host: ruleset 2\n"
                   "+ host: element links \"a\"\n");
}

static void accept_rules_come_and_go_with_the_chains_that_need_them(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(accept_to(NFPROTO_IPV4, "filter", "FORWARD", false)),
         owned(accept_to(NFPROTO_INET, "theirs", "forward", false)));
    FILL(&scene.desired, accept_to(NFPROTO_IPV4, "filter", "FORWARD", true),
         accept_to(NFPROTO_IPV6, "filter", "FORWARD", false));
    expect(&scene, "- host: accept to weft in theirs forward\n"
                   "+ host: accept to weft in filter FORWARD\n");
}

static void ports_are_isolated(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, bridge("weft0"), veth("veth1", "weft0", &web), peer(&web, "veth1"));
    FILL(&scene.desired, bridge("weft0"), isolated(veth("veth1", "weft0", &web)),
         peer(&web, "veth1"));
    expect(&scene, "~ host: link veth1 veth to web:eth0 master weft0 isolated up\n");
    /* With its bridge a port loses what made it isolated. */
    FILL(&scene.seen, isolated(veth("veth1", "weft0", &web)), peer(&web, "veth1"));
    FILL(&scene.desired, bridge("weft0"), isolated(veth("veth1", "weft0", &web)),
         peer(&web, "veth1"));
    expect(&scene, "+ host: link weft0 bridge up\n"
                   "~ host: link veth1 veth to web:eth0 master weft0 isolated up\n");
}

static void a_map_s_element_is_changed(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, map_element(80, "10.0.0.1", 80));
    FILL(&scene.desired, map_element(80, "10.0.0.2", 80));
    expect(&scene, "~ host: element published tcp . 80 : 10.0.0.2 . 80\n");
}

static void a_default_route_moves_in_one_step(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(route(&web, "0.0.0.0/0", "10.0.0.1", "eth0")));
    FILL(&scene.desired, route(&web, "0.0.0.0/0", "10.1.0.1", "eth1"));
    expect(&scene, "~ web: route 0.0.0.0/0 via 10.1.0.1 dev eth1\n");
}

static void a_route_moves_before_its_link_goes(void **state)
{
    struct scene scene = {0};
    struct fact eth1 = link_of(LINK_OTHER, &web, "eth1");

    (void)state;
    FILL(&scene.seen, owned(veth("veth1", "", &web)), owned(peer(&web, "veth1")), eth1,
         owned(route(&web, "0.0.0.0/0", "10.0.0.1", "eth0")));
    FILL(&scene.desired, eth1, route(&web, "0.0.0.0/0", "10.1.0.1", "eth1"));
    expect(&scene, "~ web: route 0.0.0.0/0 via 10.1.0.1 dev eth1\n"
                   "- host: link veth1 veth to web:eth0 up\n");
}

static void a_route_that_fell_is_added_over_a_new_link(void **state)
{
    struct scene scene = {0};
    struct fact eth1 = link_of(LINK_BRIDGE, &web, "eth1");

    (void)state;
    FILL(&scene.seen, owned(veth("veth1", "", &web)), owned(peer(&web, "veth1")),
         owned(route(&web, "0.0.0.0/0", "10.0.0.1", "eth0")));
    FILL(&scene.desired, eth1, route(&web, "0.0.0.0/0", "10.1.0.1", "eth1"));
    expect(&scene, "- host: link veth1 veth to web:eth0 up\n"
                   "+ web: link eth1 bridge up\n"
                   "+ web: route 0.0.0.0/0 via 10.1.0.1 dev eth1\n");
}

static void each_operation_has_an_inverse(void **state)
{
    struct fact old = sysctl_of(NULL, "net/a", "0"), new = sysctl_of(NULL, "net/a", "1");
    struct op add = {.verb = OP_ADD, .fact = new},
              change = {.verb = OP_CHANGE, .fact = new, .old = old};
    struct op remove = op_inverse(&add), back = op_inverse(&change), again = op_inverse(&remove);

    (void)state;
    assert_int_equal(remove.verb, OP_REMOVE);
    assert_string_equal(remove.fact.sysctl.value, "1");
    assert_string_equal(remove.old.sysctl.value, "1");
    assert_int_equal(again.verb, OP_ADD);
    assert_string_equal(again.fact.sysctl.value, "1");
    assert_int_equal(back.verb, OP_CHANGE);
    assert_string_equal(back.fact.sysctl.value, "0");
    assert_string_equal(back.old.sysctl.value, "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_in_the_order_of_need),
        cmocka_unit_test(removes_only_what_does_not_fall),
        cmocka_unit_test(a_resolver_falls_with_its_namespace),
        cmocka_unit_test(what_holds_needs_nothing),
        cmocka_unit_test(what_is_not_weft_s_is_left_alone),
        cmocka_unit_test(an_endpoint_leaves_and_the_rest_stays),
        cmocka_unit_test(sysctls_are_changed_but_not_removed),
        cmocka_unit_test(links_are_changed_in_place),
        cmocka_unit_test(what_a_changed_link_leaves_open_stays),
        cmocka_unit_test(a_lost_bridge_is_made_with_all_that_was_on_it),
        cmocka_unit_test(a_link_of_another_kind_is_replaced),
        cmocka_unit_test(somebody_else_s_link_in_the_way_is_not_removed),
        cmocka_unit_test(half_a_pair_is_made_anew_whole),
        cmocka_unit_test(two_pairs_with_their_ends_swapped_are_made_anew),
        cmocka_unit_test(a_lost_namespace_is_made_with_all_that_was_in_it),
        cmocka_unit_test(a_changed_ruleset_is_filled_again),
        cmocka_unit_test(a_ruleset_that_was_tampered_with_keeps_its_elements),
        cmocka_unit_test(accept_rules_come_and_go_with_the_chains_that_need_them),
        cmocka_unit_test(ports_are_isolated),
        cmocka_unit_test(a_map_s_element_is_changed),
        cmocka_unit_test(a_default_route_moves_in_one_step),
        cmocka_unit_test(a_route_moves_before_its_link_goes),
        cmocka_unit_test(a_route_that_fell_is_added_over_a_new_link),
        cmocka_unit_test(each_operation_has_an_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
