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

static void links_come_after_what_they_lie_on(void **state)
{
    struct fact all[] = {
        macvlan(NULL, "a", "b.7"),
        port_of(vlan("b.7", "c", 7), "z"),
        bridge("c"),
        bridge("z"),
        link_of(LINK_IFB, NULL, "y"),
        veth("d", "z", &web),
        macvlan(&web, "eth1", "y"),
    };
    struct scene scene = {0};

    (void)state;
    fill(&scene.desired, all, ARRAY_SIZE(all));
    expect(&scene, "+ host: link c bridge up\n"
                   "+ host: link z bridge up\n"
                   "+ host: link y ifb up\n"
                   "+ host: link d veth to web:eth0 master z up\n"
                   "+ host: link b.7 vlan on c master z vlan 7 up\n"
                   "+ host: link a macvlan on b.7 mode bridge up\n"
                   "+ web: link eth1 macvlan on y mode bridge up\n");
    /* What lies on a parent goes with it. */
    fill(&scene.seen, all, ARRAY_SIZE(all));
    fact_set_own(&scene.seen);
    expect(&scene, "- host: link d veth to web:eth0 master z up\n"
                   "- host: link y ifb up\n"
                   "- host: link z bridge up\n"
                   "- host: link c bridge up\n");
    fill(&scene.seen, all, ARRAY_SIZE(all));
    fact_set_own(&scene.seen);
    FILL(&scene.desired, bridge("c"), bridge("z"), link_of(LINK_IFB, NULL, "y"));
    expect(&scene, "- web: link eth1 macvlan on y mode bridge up\n"
                   "- host: link b.7 vlan on c master z vlan 7 up\n"
                   "- host: link d veth to web:eth0 master z up\n");
}

static void links_that_contradict_each_other_are_put_in_some_order(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.desired, vlan("a", "b", 1), vlan("b", "a", 1));
    expect(&scene, "+ host: link a vlan on b vlan 1 up\n"
                   "+ host: link b vlan on a vlan 1 up\n");
}

static void what_a_link_has_from_birth_is_had_by_making_it_anew(void **state)
{
    static const enum link_mode modes[] = {LINK_MODE_PRIVATE, LINK_MODE_NONE};
    struct fact old = owned(macvlan(&web, "eth0", "lan0")), new = macvlan(&web, "eth0", "lan0");
    struct fact ip = owned(link_on(LINK_IPVLAN, &web, "eth0", "lan0")), vepa = ip;
    struct scene scene = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        old.link.mode = modes[i];
        FILL(&scene.seen, old, owned(address(&web, "eth0", "10.0.0.2/8")));
        FILL(&scene.desired, new, address(&web, "eth0", "10.0.0.2/8"));
        expect(&scene, i == 0 ? "- web: link eth0 macvlan on lan0 mode private up\n"
                                "+ web: link eth0 macvlan on lan0 mode bridge up\n"
                                "+ web: address 10.0.0.2/8 dev eth0\n"
                              : "- web: link eth0 macvlan on lan0 up\n"
                                "+ web: link eth0 macvlan on lan0 mode bridge up\n"
                                "+ web: address 10.0.0.2/8 dev eth0\n");
    }
    FILL(&scene.seen, owned(macvlan(&web, "eth0", "lan1")), owned(vlan("a", "b", 1)));
    FILL(&scene.desired, new, vlan("a", "b", 2));
    expect(&scene, "- web: link eth0 macvlan on lan1 mode bridge up\n"
                   "- host: link a vlan on b vlan 1 up\n"
                   "+ host: link a vlan on b vlan 2 up\n"
                   "+ web: link eth0 macvlan on lan0 mode bridge up\n");
    ip.link.mode = vepa.link.mode = LINK_MODE_L2;
    ip.link.port_mode = LINK_MODE_BRIDGE;
    vepa.link.port_mode = LINK_MODE_VEPA;
    FILL(&scene.seen, ip);
    FILL(&scene.desired, vepa);
    expect(&scene, "- web: link eth0 ipvlan on lan0 mode l2 bridge up\n"
                   "+ web: link eth0 ipvlan on lan0 mode l2 vepa up\n");
    /* A stranger's is in the way. */
    FILL(&scene.seen, macvlan(&web, "eth0", "lan1"));
    FILL(&scene.desired, new);
    expect(&scene, "+ web: link eth0 macvlan on lan0 mode bridge up\n");
}

static void a_parent_that_is_made_anew_takes_along_what_lies_on_it(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, macvlan(&web, "eth0", "lan0.7"), owned(vlan("lan0.7", "lan0", 8)),
         address(&web, "eth0", "10.0.0.2/8"));
    FILL(&scene.desired, macvlan(&web, "eth0", "lan0.7"), vlan("lan0.7", "lan0", 7),
         address(&web, "eth0", "10.0.0.2/8"));
    expect(&scene, "- host: link lan0.7 vlan on lan0 vlan 8 up\n"
                   "+ host: link lan0.7 vlan on lan0 vlan 7 up\n"
                   "+ web: link eth0 macvlan on lan0.7 mode bridge up\n"
                   "+ web: address 10.0.0.2/8 dev eth0\n");
}

static void what_came_from_the_host_goes_before_its_namespace(void **state)
{
    struct fact all[] = {netns(&web), macvlan(&web, "eth0", "lan0"),
                         link_on(LINK_IPVLAN, &web, "eth1", "lan1"),
                         link_on(LINK_MOVED, &web, "eth2", "lan2"),
                         address(&web, "eth2", "10.0.0.2/8")};
    struct scene scene = {0};

    (void)state;
    fill(&scene.desired, all, ARRAY_SIZE(all));
    expect(&scene, "+ web: namespace at /run/weft/netns/1\n"
                   "+ web: link eth0 macvlan on lan0 mode bridge up\n"
                   "+ web: link eth1 ipvlan on lan1 up\n"
                   "+ web: link eth2 moved from lan2 up\n"
                   "+ web: address 10.0.0.2/8 dev eth2\n");
    fill(&scene.seen, all, ARRAY_SIZE(all));
    fact_set_own(&scene.seen);
    expect(&scene, "- web: link eth2 moved from lan2 up\n"
                   "- web: link eth1 ipvlan on lan1 up\n"
                   "- web: link eth0 macvlan on lan0 mode bridge up\n"
                   "- web: namespace at /run/weft/netns/1\n");
    /* Strangers' links there end with it. */
    fill(&scene.seen, all, ARRAY_SIZE(all));
    fact_set_sort(&scene.seen);
    scene.seen.facts[0].owned = true;
    expect(&scene, "- web: namespace at /run/weft/netns/1\n");
}

static void a_moved_link_that_is_back_already_is_moved_again(void **state)
{
    struct scene scene = {0};

    (void)state;
    FILL(&scene.seen, owned(link_on(LINK_MOVED, NULL, "eth0", "lan0")));
    FILL(&scene.desired, netns(&web), link_on(LINK_MOVED, &web, "eth0", "lan0"));
    expect(&scene, "- host: link eth0 moved from lan0 up\n"
                   "+ web: namespace at /run/weft/netns/1\n"
                   "+ web: link eth0 moved from lan0 up\n");
    FILL(&scene.seen, owned(link_on(LINK_MOVED, &web, "eth0", "lan0")));
    FILL(&scene.desired, link_on(LINK_MOVED, &web, "eth0", "lan1"));
    expect(&scene, "- web: link eth0 moved from lan0 up\n"
                   "+ web: link eth0 moved from lan1 up\n");
}

static void only_the_master_of_a_borrowed_link_is_taken_back(void **state)
{
    struct fact uplink = port_of(link_of(LINK_BORROWED, NULL, "lan0"), "weft0");
    struct fact parent = link_of(LINK_BORROWED, NULL, "lan1");
    struct fact there = link_of(LINK_OTHER, NULL, "lan0");
    struct scene scene = {0};

    (void)state;
    /* In a transaction, */
    FILL(&scene.desired, uplink, parent, bridge("weft0"), macvlan(&web, "eth0", "lan1"));
    expect(&scene, "+ host: link weft0 bridge up\n"
                   "+ host: link lan1 borrowed up\n"
                   "+ host: link lan0 borrowed master weft0 up\n"
                   "+ web: link eth0 macvlan on lan1 mode bridge up\n");
    FILL(&scene.seen, uplink, parent, bridge("weft0"), macvlan(&web, "eth0", "lan1"),
         address(NULL, "lan0", "10.0.0.1/8"));
    fact_set_own(&scene.seen);
    expect(&scene, "- web: link eth0 macvlan on lan1 mode bridge up\n"
                   "- host: address 10.0.0.1/8 dev lan0\n"
                   "- host: link lan0 borrowed master weft0 up\n"
                   "- host: link weft0 bridge up\n");
    /* and when it is seen as what it is. */
    there.link.up = false;
    FILL(&scene.seen, there, owned(bridge("weft0")), address(NULL, "lan0", "10.0.0.1/8"));
    FILL(&scene.desired, uplink, bridge("weft0"));
    expect(&scene, "~ host: link lan0 borrowed master weft0 up\n");
    FILL(&scene.seen, port_of(link_of(LINK_OTHER, NULL, "lan0"), "weft0"), owned(bridge("weft0")));
    FILL(&scene.desired, uplink, bridge("weft0"));
    expect(&scene, "");
    FILL(&scene.seen, port_of(link_of(LINK_OTHER, NULL, "lan0"), "weft0"), owned(bridge("weft0")));
    FILL(&scene.desired, bridge("weft0"));
    expect(&scene, "");
}

static void what_a_bridge_and_its_port_can_do_is_changed_in_place(void **state)
{
    struct fact br = bridge("weft0"), port = veth("veth1", "weft0", &web), bare = port;
    struct scene scene = {0};

    (void)state;
    br.link.stp = br.link.vlan_aware = true;
    port.link.hairpin = true;
    port.link.vlan = 7;
    FILL(&scene.seen, bridge("weft0"), bare, peer(&web, "veth1"));
    FILL(&scene.desired, br, port, peer(&web, "veth1"));
    expect(&scene, "~ host: link weft0 bridge stp vlan-aware up\n"
                   "~ host: link veth1 veth to web:eth0 master weft0 vlan 7 hairpin up\n");
    FILL(&scene.seen, br, port, peer(&web, "veth1"));
    FILL(&scene.desired, bridge("weft0"), bare, peer(&web, "veth1"));
    expect(&scene, "");
    /* With its bridge a port loses it. */
    FILL(&scene.seen, port, peer(&web, "veth1"));
    FILL(&scene.desired, br, port, peer(&web, "veth1"));
    expect(&scene, "+ host: link weft0 bridge stp vlan-aware up\n"
                   "~ host: link veth1 veth to web:eth0 master weft0 vlan 7 hairpin up\n");
}

static void a_borrowed_port_becomes_a_trunk_in_place(void **state)
{
    struct fact uplink = port_of(link_of(LINK_BORROWED, NULL, "lan0"), "weft0");
    struct fact there = port_of(link_of(LINK_OTHER, NULL, "lan0"), "weft0"), trunk = there;
    struct fact on_vlan = port_of(vlan("lan0", "eth0", 10), "weft0");
    struct scene scene = {0};

    (void)state;
    uplink.link.trunk = trunk.link.trunk = true;
    there.link.vlan = trunk.link.vlan = 1;
    FILL(&scene.seen, there, owned(bridge("weft0")));
    FILL(&scene.desired, uplink, bridge("weft0"));
    expect(&scene, "~ host: link lan0 borrowed master weft0 vlan 1 trunk up\n");
    FILL(&scene.seen, trunk, owned(bridge("weft0")));
    FILL(&scene.desired, uplink, bridge("weft0"));
    expect(&scene, "");
    /* The id of a VLAN interface is not that of the VLAN in which it is a port. */
    FILL(&scene.seen, on_vlan, owned(bridge("weft0")));
    FILL(&scene.desired, uplink, bridge("weft0"));
    expect(&scene, "~ host: link lan0 borrowed master weft0 trunk up\n");
    /* With its bridge a port loses it. */
    FILL(&scene.seen, trunk);
    FILL(&scene.desired, uplink, bridge("weft0"));
    expect(&scene, "+ host: link weft0 bridge up\n"
                   "~ host: link lan0 borrowed master weft0 trunk up\n");
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
        cmocka_unit_test(links_come_after_what_they_lie_on),
        cmocka_unit_test(links_that_contradict_each_other_are_put_in_some_order),
        cmocka_unit_test(what_a_link_has_from_birth_is_had_by_making_it_anew),
        cmocka_unit_test(a_parent_that_is_made_anew_takes_along_what_lies_on_it),
        cmocka_unit_test(what_came_from_the_host_goes_before_its_namespace),
        cmocka_unit_test(a_moved_link_that_is_back_already_is_moved_again),
        cmocka_unit_test(only_the_master_of_a_borrowed_link_is_taken_back),
        cmocka_unit_test(what_a_bridge_and_its_port_can_do_is_changed_in_place),
        cmocka_unit_test(a_borrowed_port_becomes_a_trunk_in_place),
        cmocka_unit_test(each_operation_has_an_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
