/* SPDX-License-Identifier: Apache-2.0 */

/* Single operations as commands. Whole scripts are in tests/golden. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kstate_make.h"

static void expect(enum op_verb verb, struct fact fact, struct fact old, const char *expected)
{
    struct op op = {.verb = verb, .fact = fact, .old = old};
    struct plan plan = {.ops = &op, .count = 1};
    _cleanup_strbuf_ struct strbuf text = {0};

    plan_explain(&plan, &text);
    assert_string_equal(strbuf_text(&text), expected);
}
#define EXPECT_ADD(added, text) expect(OP_ADD, (added), (struct fact){0}, (text))
#define EXPECT_REMOVE(removed, text) expect(OP_REMOVE, (removed), (removed), (text))

static void nothing_takes_no_commands(void **state)
{
    struct plan plan = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    (void)state;
    plan_explain(&plan, &text);
    assert_int_equal(text.len, 0);
}

static void namespaces(void **state)
{
    struct kstate_ns lab = {.id = "3", .name = "lab", .origin = "/proc/7/ns/net"};

    (void)state;
    EXPECT_ADD(netns(&web), "ip netns add web\n");
    EXPECT_REMOVE(netns(&web), "ip netns del web\n");
    EXPECT_ADD(netns(&lab), "mkdir -p /run/netns/ && touch /run/netns/lab && "
                            "mount --bind /proc/7/ns/net /run/netns/lab"
                            "  # somebody else's namespace\n");
    EXPECT_REMOVE(netns(&lab), "ip netns del lab\n");
}

static void resolvers(void **state)
{
    (void)state;
    EXPECT_ADD(resolver(&web),
               "ip netns exec web nft -f - <<'EOF'\n"
               "add table ip weft\n"
               "delete table ip weft\n"
               "table ip weft {\n"
               "    comment \"weft\"\n"
               "    chain output {\n"
               "        type filter hook output priority raw; policy accept;\n"
               "        oif != \"lo\" accept\n"
               "        ip daddr 127.0.0.11 udp dport 53 udp dport set 1011 accept\n"
               "        ip daddr 127.0.0.11 tcp dport 53 tcp dport set 1011 accept\n"
               "        ip saddr 127.0.0.11 udp sport 1011 udp sport set 53 accept\n"
               "        ip saddr 127.0.0.11 tcp sport 1011 tcp sport set 53 accept\n"
               "    }\n"
               "}\n"
               "EOF\n");
    EXPECT_REMOVE(resolver(&web), "ip netns exec web nft delete table ip weft\n");
}

static void links(void **state)
{
    struct fact br = bridge("weft0"), v = veth("veth1", "weft0", &web), p = peer(&web, "veth1");

    (void)state;
    EXPECT_ADD(br, "ip link add name weft0 group 2003134068 type bridge\n"
                   "ip link set dev weft0 up\n");
    br.link.no_autoconf = true;
    br.link.mtu = 1400;
    br.link.mac = (struct mac){{2, 0x42, 172, 17, 0, 1}};
    EXPECT_ADD(br, "ip link add name weft0 address 02:42:ac:11:00:01 group 2003134068 "
                   "type bridge\n"
                   "ip link set dev weft0 mtu 1400 addrgenmode none up\n");
    EXPECT_REMOVE(br, "ip link del dev weft0\n");
    v.link.peer_mac = p.link.mac = (struct mac){{2, 0x42, 172, 17, 0, 2}};
    EXPECT_ADD(v, "ip link add name veth1 master weft0 group 2003134068 type veth peer name eth0 "
                  "address 02:42:ac:11:00:02 netns web group 2003134068\n"
                  "ip link set dev veth1 up\n");
    p.link.mtu = 1400;
    EXPECT_ADD(p, "ip -n web link set dev eth0 mtu 1400 up\n");
    EXPECT_REMOVE(p, "ip -n web link del dev eth0\n");
    EXPECT_ADD(link_of(LINK_LOOPBACK, &web, "lo"), "ip -n web link set dev lo up\n");
    EXPECT_REMOVE(link_of(LINK_LOOPBACK, &web, "lo"), "ip -n web link set dev lo down\n");
}

static void changed_links(void **state)
{
    struct fact to = veth("veth1", "weft0", &web), from = to;

    (void)state;
    to.link.mtu = 1400;
    to.link.no_autoconf = true;
    to.link.mac = (struct mac){{2}};
    expect(OP_CHANGE, to, to, "");
    from.link.up = false;
    from.link.master[0] = '\0';
    expect(OP_CHANGE, to, from,
           "ip link set dev veth1 address 02:00:00:00:00:00 mtu 1400 master weft0 "
           "addrgenmode none up\n");
    from.link.no_autoconf = true;
    expect(OP_CHANGE, from, to, "ip link set dev veth1 nomaster down\n");
    from = to;
    from.link.no_autoconf = false;
    expect(OP_CHANGE, from, to, "ip link set dev veth1 addrgenmode eui64\n");
    from.link.mtu = to.link.mtu = 1279;
    expect(OP_CHANGE, to, from, "");
    from = to;
    to.link.mtu = 1400;
    from.link.mtu = 1500;
    expect(OP_CHANGE, to, from, "ip link set dev veth1 mtu 1400\n");
}

static void links_on_parents(void **state)
{
    struct fact mv = macvlan(&web, "eth0", "lan0"), own = macvlan(NULL, "mv0", "lan0");
    struct fact ip = link_on(LINK_IPVLAN, &web, "eth0", "lan0");

    (void)state;
    mv.link.mac = own.link.mac = (struct mac){{2}};
    mv.link.mtu = 1400;
    mv.link.no_autoconf = true;
    EXPECT_ADD(mv, "ip link add name weft-eth0 netns web link lan0 address 02:00:00:00:00:00 "
                   "mtu 1400 group 2003134068 type macvlan mode bridge\n"
                   "ip -n web link set dev weft-eth0 name eth0\n"
                   "ip -n web link set dev eth0 addrgenmode none up\n");
    EXPECT_REMOVE(mv, "ip -n web link del dev eth0\n");
    own.link.mode = LINK_MODE_PASSTHRU;
    EXPECT_ADD(own, "ip link add name mv0 link lan0 group 2003134068 type macvlan mode passthru\n"
                    "ip link set dev mv0 address 02:00:00:00:00:00 up\n");
    EXPECT_REMOVE(own, "ip link del dev mv0\n");
    ip.link.mode = LINK_MODE_L3S;
    ip.link.port_mode = LINK_MODE_PRIVATE;
    EXPECT_ADD(ip, "ip link add name weft-eth0 netns web link lan0 group 2003134068 "
                   "type ipvlan mode l3s private\n"
                   "ip -n web link set dev weft-eth0 name eth0\n"
                   "ip -n web link set dev eth0 up\n");
    EXPECT_ADD(vlan("lan0.7", "lan0", 7), "ip link add name lan0.7 link lan0 group 2003134068 "
                                          "type vlan id 7\nip link set dev lan0.7 up\n");
    EXPECT_REMOVE(vlan("lan0.7", "lan0", 7), "ip link del dev lan0.7\n");
    EXPECT_ADD(link_of(LINK_IFB, NULL, "ifb0"),
               "ip link add name ifb0 group 2003134068 type ifb\nip link set dev ifb0 up\n");
}

static void links_of_others(void **state)
{
    struct fact uplink = port_of(link_of(LINK_BORROWED, NULL, "lan0"), "weft0");
    struct fact moved = link_on(LINK_MOVED, &web, "eth0", "lan 0");
    struct fact back = link_on(LINK_MOVED, NULL, "eth0", "lan0");

    (void)state;
    uplink.link.hairpin = true;
    EXPECT_ADD(uplink, "ip link set dev lan0 master weft0 up\n"
                       "bridge link set dev lan0 hairpin on\n");
    EXPECT_REMOVE(uplink, "ip link set dev lan0 nomaster\n");
    moved.link.mtu = 1400;
    EXPECT_ADD(moved, "ip link set dev 'lan 0' netns web name eth0 group 2003134068 "
                      "alias 'weft:lan 0'\n"
                      "ip -n web link set dev eth0 mtu 1400 up\n");
    EXPECT_REMOVE(moved, "ip -n web link set dev eth0 netns $$ name 'lan 0' group 0 alias ''\n");
    EXPECT_REMOVE(back, "ip link set dev eth0 name lan0 group 0 alias ''\n");
}

static void bridges_and_their_ports(void **state)
{
    struct fact br = bridge("weft0"), port = veth("veth1", "weft0", &web), bare = port;

    (void)state;
    br.link.stp = br.link.vlan_aware = true;
    EXPECT_ADD(br, "ip link add name weft0 group 2003134068 type bridge stp_state 1 "
                   "vlan_filtering 1\nip link set dev weft0 up\n");
    expect(OP_CHANGE, br, bridge("weft0"),
           "ip link set dev weft0 type bridge stp_state 1 vlan_filtering 1\n");
    expect(OP_CHANGE, bridge("weft0"), br,
           "ip link set dev weft0 type bridge stp_state 0 vlan_filtering 0\n");
    port.link.hairpin = port.link.isolated = true;
    port.link.vlan = 7;
    expect(OP_CHANGE, port, bare,
           "bridge link set dev veth1 isolated on hairpin on\n"
           "bridge vlan del dev veth1 vid 1-4094\n"
           "bridge vlan add dev veth1 vid 7 pvid untagged\n");
    expect(OP_CHANGE, bare, port, "bridge link set dev veth1 isolated off hairpin off\n");
}

static void trunks(void **state)
{
    struct fact bare = port_of(link_of(LINK_BORROWED, NULL, "lan0"), "weft0");
    struct fact trunk = bare, in_7 = bare, in_8 = bare;

    (void)state;
    trunk.link.trunk = in_7.link.trunk = in_8.link.trunk = true;
    in_7.link.vlan = 7;
    in_8.link.vlan = 8;
    EXPECT_ADD(trunk, "ip link set dev lan0 master weft0 up\n"
                      "bridge vlan add dev lan0 vid 2-4094\n");
    EXPECT_ADD(in_7, "ip link set dev lan0 master weft0 up\n"
                     "bridge vlan del dev lan0 vid 1-4094\n"
                     "bridge vlan add dev lan0 vid 2-4094\n"
                     "bridge vlan add dev lan0 vid 7 pvid untagged\n");
    EXPECT_REMOVE(trunk, "ip link set dev lan0 nomaster\n");
    expect(OP_CHANGE, in_8, in_7,
           "bridge vlan del dev lan0 vid 1-4094\n"
           "bridge vlan add dev lan0 vid 2-4094\n"
           "bridge vlan add dev lan0 vid 8 pvid untagged\n");
    /* Only the trunk comes and goes: VLAN 1 stays as it is, another is put back. */
    bare.link.vlan = trunk.link.vlan = 1;
    expect(OP_CHANGE, trunk, bare, "bridge vlan add dev lan0 vid 2-4094\n");
    expect(OP_CHANGE, bare, trunk, "bridge vlan del dev lan0 vid 2-4094\n");
    bare.link.vlan = trunk.link.vlan = 7;
    expect(OP_CHANGE, trunk, bare,
           "bridge vlan add dev lan0 vid 2-4094\n"
           "bridge vlan add dev lan0 vid 7 pvid untagged\n");
    expect(OP_CHANGE, bare, trunk,
           "bridge vlan del dev lan0 vid 2-4094\n"
           "bridge vlan add dev lan0 vid 7 pvid untagged\n");
    /* At another bridge it comes without. */
    strcpy(bare.link.master, "weft1");
    expect(OP_CHANGE, in_7, bare,
           "ip link set dev lan0 master weft0\n"
           "bridge vlan del dev lan0 vid 1-4094\n"
           "bridge vlan add dev lan0 vid 2-4094\n"
           "bridge vlan add dev lan0 vid 7 pvid untagged\n");
}

static void addresses_and_routes(void **state)
{
    struct fact a = route(&web, "0.0.0.0/0", "10.0.0.1", "eth0");
    struct fact b = route(&web, "::/0", "fd00::1", "eth1");
    struct fact c = {.kind = FACT_ROUTE, .route = {.link = "weft0", .metric = 7}};

    (void)state;
    EXPECT_ADD(address(&web, "eth0", "10.0.0.2/8"), "ip -n web addr add 10.0.0.2/8 dev eth0\n");
    EXPECT_ADD(address(NULL, "a", "fd00::2/64"), "ip addr add fd00::2/64 dev a nodad\n");
    EXPECT_REMOVE(address(NULL, "a", "fd00::2/64"), "ip addr del fd00::2/64 dev a\n");
    EXPECT_ADD(a, "ip -n web route add default via 10.0.0.1 dev eth0 proto 119\n");
    EXPECT_REMOVE(a, "ip -n web route del default via 10.0.0.1 dev eth0 proto 119\n");
    expect(OP_CHANGE, b, b, "ip -n web -6 route replace default via fd00::1 dev eth1 proto 119\n");
    assert_int_equal(prefix_parse("10.0.0.0/8", &c.route.destination, NULL), 0);
    EXPECT_ADD(c, "ip route add 10.0.0.0/8 dev weft0 metric 7 proto 119\n");
}

static void sysctls(void **state)
{
    struct fact dotted = sysctl_of(&web, "net/ipv4/conf/eth0.10/rp_filter", "2");

    (void)state;
    EXPECT_ADD(sysctl_of(NULL, "net/ipv4/ip_forward", "1"), "sysctl -w net.ipv4.ip_forward=1\n");
    EXPECT_ADD(sysctl_of(NULL, "net/a", "1 2"), "sysctl -w 'net.a=1 2'\n");
    EXPECT_ADD(dotted, "ip netns exec web sysctl -w net/ipv4/conf/eth0.10/rp_filter=2\n");
    EXPECT_REMOVE(dotted, "# net/ipv4/conf/eth0.10/rp_filter stays as it is\n");
}

static void rulesets(void **state)
{
    struct fact map = map_element(80, "10.0.0.1", 8080), moved = map_element(80, "10.0.0.2", 8080);

    (void)state;
    EXPECT_ADD(
        base("1"),
        "nft list table inet weft >/dev/null 2>&1 || nft -f - <<'EOF'\ntable inet weft {\n}\nEOF\n");
    expect(OP_CHANGE, base("2"), base("1"),
           "{ cat <<'EOF'; for chain in before after; do "
           "nft list chain inet weft $chain 2>/dev/null; done; } | nft -f -\n"
           "add table inet weft\ndelete table inet weft\n"
           "add table bridge weft\ndelete table bridge weft\n"
           "table inet weft {\n}\nEOF\n");
    EXPECT_REMOVE(base("1"), "nft delete table inet weft\nnft delete table bridge weft\n");
    EXPECT_ADD(element("links", "a"), "nft add element inet weft links '{ \"a\" }'\n");
    EXPECT_REMOVE(element("links", "a"), "nft delete element inet weft links '{ \"a\" }'\n");
    expect(OP_CHANGE, moved, map,
           "nft 'delete element inet weft published { tcp . 80 : 10.0.0.1 . 8080 }; "
           "add element inet weft published { tcp . 80 : 10.0.0.2 . 8080 }'\n");
}

#define CHAINS                                                                                     \
    "table inet weft {\n\n    # chain no {\n    chain before {\n    }\n    chain forward {\n"      \
    "        type filter hook forward priority filter; policy accept;\n    }\n}\n"                 \
    "table bridge weft {\n    set guarded {\n        type ifname\n    }\n    chain other {\n    }\n}\n"

static void a_ruleset_is_put_right_in_place(void **state)
{
    struct fact to = base("1");

    (void)state;
    to.base.text = CHAINS;
    expect(OP_CHANGE, to, tampered("1"),
           "nft -f - <<'EOF'\n" CHAINS "flush chain inet weft forward\n"
           "flush chain bridge weft other\n" CHAINS "EOF\n");
}

static void elements_of_the_bridge_family(void **state)
{
    struct fact fact = guard_element("veth1", "fe80::42:acff:fe11:2");

    (void)state;
    EXPECT_ADD(fact, "nft add element bridge weft target6 '{ \"veth1\" . 02:00:00:00:00:07 . "
                     "0xfe800000000000000042acfffe110002 }'\n");
    strcpy(fact.elem.set, "source6");
    EXPECT_REMOVE(fact, "nft delete element bridge weft source6 '{ \"veth1\" . "
                        "02:00:00:00:00:07 . fe80::42:acff:fe11:2 }'\n");
}

static void isolated_ports(void **state)
{
    struct fact plain = veth("veth1", "weft0", &web), port = isolated(plain), stray = plain;

    (void)state;
    stray.link.master[0] = '\0';
    EXPECT_ADD(port, "ip link add name veth1 master weft0 group 2003134068 type veth peer name "
                     "eth0 netns web group 2003134068\n"
                     "ip link set dev veth1 up\n"
                     "bridge link set dev veth1 isolated on\n");
    expect(OP_CHANGE, port, plain, "bridge link set dev veth1 isolated on\n");
    expect(OP_CHANGE, plain, port, "bridge link set dev veth1 isolated off\n");
    expect(OP_CHANGE, port, stray,
           "ip link set dev veth1 master weft0\nbridge link set dev veth1 isolated on\n");
    expect(OP_CHANGE, stray, port, "ip link set dev veth1 nomaster\n");
}

static void accept_rules(void **state)
{
    struct fact theirs = accept_to(NFPROTO_INET, "theirs", "forward", true);
    struct fact v4 = accept_to(NFPROTO_IPV4, "filter", "FORWARD", true);
    struct fact v6 = accept_to(NFPROTO_IPV6, "mangle", "FORWARD", false);

    (void)state;
    EXPECT_ADD(theirs, "nft 'insert rule inet theirs forward oifgroup 2003134068 counter accept "
                       "comment \"weft\"'\n");
    EXPECT_REMOVE(theirs, "nft -a list chain inet theirs forward | "
                          "sed -n 's/.*oifgroup .* comment \"weft\" # handle //p' | "
                          "xargs -rn1 nft delete rule inet theirs forward handle\n");
    theirs.accept.chain.ends_in_drop = theirs.accept.outgoing = false;
    EXPECT_ADD(theirs, "nft 'add rule inet theirs forward iifgroup 2003134068 counter accept "
                       "comment \"weft\"'\n");
    EXPECT_ADD(v4, "iptables -I FORWARD -m devgroup --dst-group 0x77656674 "
                   "-m comment --comment weft -j ACCEPT\n");
    EXPECT_REMOVE(v4, "iptables -D FORWARD -m devgroup --dst-group 0x77656674 "
                      "-m comment --comment weft -j ACCEPT\n");
    EXPECT_ADD(v6, "ip6tables -t mangle -A FORWARD -m devgroup --dst-group 0x77656674 "
                   "-m comment --comment weft -j ACCEPT\n");
}

static void odd_names_are_quoted(void **state)
{
    (void)state;
    EXPECT_REMOVE(bridge("a b;c"), "ip link del dev 'a b;c'\n");
    EXPECT_REMOVE(bridge("up"), "ip link del dev up\n");
}

static void a_description_is_one_line(void **state)
{
    static const struct {
        enum op_verb verb;
        const char *text;
    } cases[] = {
        {OP_ADD, "nft -f base.nft  # tables inet weft and bridge weft"},
        {OP_CHANGE, "nft -f base.nft  # tables inet weft and bridge weft"},
        {OP_REMOVE, "nft delete table inet weft"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct op op = {.verb = cases[i].verb, .fact = base("1"), .old = base("1")};
        _cleanup_strbuf_ struct strbuf text = {0};

        op_describe(&op, &text);
        assert_string_equal(strbuf_text(&text), cases[i].text);
    }
    struct op op = {.verb = OP_ADD, .fact = bridge("weft0")};
    _cleanup_strbuf_ struct strbuf text = {0};
    op_describe(&op, &text);
    assert_string_equal(strbuf_text(&text), "ip link add name weft0 group 2003134068 type bridge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_takes_no_commands),
        cmocka_unit_test(namespaces),
        cmocka_unit_test(resolvers),
        cmocka_unit_test(links),
        cmocka_unit_test(changed_links),
        cmocka_unit_test(links_on_parents),
        cmocka_unit_test(links_of_others),
        cmocka_unit_test(bridges_and_their_ports),
        cmocka_unit_test(trunks),
        cmocka_unit_test(addresses_and_routes),
        cmocka_unit_test(sysctls),
        cmocka_unit_test(rulesets),
        cmocka_unit_test(a_ruleset_is_put_right_in_place),
        cmocka_unit_test(elements_of_the_bridge_family),
        cmocka_unit_test(isolated_ports),
        cmocka_unit_test(accept_rules),
        cmocka_unit_test(odd_names_are_quoted),
        cmocka_unit_test(a_description_is_one_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
