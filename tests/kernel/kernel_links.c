/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds of links against a real kernel: made, observed, mended, changed and removed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "kernel_host.h"

static struct fact link_of(enum link_kind kind, const struct kstate_ns *ns, const char *name,
                           const char *parent)
{
    struct fact f = {.kind = FACT_LINK,
                     .ns = ns,
                     .link = {.kind = kind, .up = true, .no_autoconf = true}};

    strcpy(f.link.name, name);
    strcpy(f.link.parent, parent);
    return f;
}

static struct fact netns(const struct kstate_ns *ns)
{
    return (struct fact){.kind = FACT_NETNS, .ns = ns};
}

static struct fact macvlan(const struct kstate_ns *ns, const char *name, const char *parent,
                           const char *address)
{
    struct fact f = link_of(LINK_MACVLAN, ns, name, parent);

    f.link.mode = LINK_MODE_BRIDGE;
    f.link.mac = mac(address);
    return f;
}

/* A link of somebody else's, with a name that links of containers have, too. */
static void make_parent(void)
{
    run("ip link add eth0 address 02:00:00:00:00:11 up type veth "
        "peer name outside address 02:00:00:00:00:12 && ip link set outside up");
}

static void drop_parent(void)
{
    run("ip link del eth0");
}

static void macvlan_facts(struct fact_set *set)
{
    add(set, netns(&web));
    add(set, netns(&db));
    add(set, macvlan(&web, "eth0", "eth0", "02:00:00:00:00:02"));
    add(set, macvlan(&db, "eth0", "eth0", "02:00:00:00:00:03"));
    add(set, macvlan(NULL, "mv-host", "eth0", "02:00:00:00:00:01"));
    add_addr(set, &web, "eth0", "10.9.0.2/24");
    add_addr(set, &db, "eth0", "10.9.0.3/24");
    add_addr(set, NULL, "mv-host", "10.9.0.1/32");
    add_route(set, NULL, "10.9.0.2/32", NULL, "mv-host");
    add_route(set, &web, "0.0.0.0/0", "10.9.0.254", "eth0");
}

/* Whether a command succeeds here. */
static bool can(const char *command)
{
    _cleanup_strbuf_ struct strbuf line = {0};

    strbuf_printf(&line, "{ %s; } >&- 2>&-", command);
    return system(strbuf_text(&line)) == 0;
}

/* What this kernel cannot, another one is asked (tests/vm), and that one has to be able to. */
static void need(const char *what, const char *command, const char *undo)
{
    if (!can(command)) {
        print_message("this kernel has no %s\n", what);
        if (getenv("WEFT_VM"))
            fail();
        skip();
    }
    run(undo);
}

static void assert_connects(const char *from, const char *to)
{
    _cleanup_strbuf_ struct strbuf command = {0};

    strbuf_printf(&command,
                  "nsenter --net=" NETNS_DIR "/%s python3 -c \"import socket\n"
                  "try: socket.create_connection(('%s', 9), 2)\n"
                  "except ConnectionRefusedError: pass\"",
                  from, to);
    run(strbuf_text(&command));
}

/* Where they are mounted is not compared, and routes to link-local addresses come when it pleases
 * the kernel. */
static bool is_incidental(const struct fact *f)
{
    return f->kind == FACT_NETNS ||
           (f->kind == FACT_ROUTE && addr_is_link_local(&f->route.destination.addr));
}

/* What is there of web, db and the host, wherever the namespaces are mounted. */
static char *picture(const char *dir)
{
    _cleanup_strbuf_ struct strbuf web_path = {0}, db_path = {0};
    _cleanup_fact_set_ struct fact_set seen = {0}, none = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct kstate_ns spaces[] = {web, db};

    strbuf_printf(&web_path, "%s/web", dir);
    strbuf_printf(&db_path, "%s/db", dir);
    spaces[0].path = strbuf_text(&web_path);
    spaces[1].path = strbuf_text(&db_path);
    ok(kernel_observe(k, (const struct kstate_ns *[]){&spaces[0], &spaces[1]}, 2, &none, &seen,
                      &err));
    fact_set_sort(&seen);
    for (size_t i = 0; i < seen.count; i++)
        if (!is_incidental(&seen.facts[i])) {
            fact_print(&seen.facts[i], &text);
            strbuf_puts(&text, "\n");
        }
    return strbuf_take(&text);
}

static void run_script(struct fact_set *before, struct fact_set *after)
{
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_strbuf_ struct strbuf text = {0};
    FILE *f = popen("sh -eu", "we");

    assert_non_null(f);
    diff(before, after, &plan);
    plan_explain(&plan, &text);
    fputs(strbuf_text(&text), f);
    if (pclose(f) != 0)
        fail_msg("%s", strbuf_text(&text));
}

/* Made, unmade, and the same with the explained script; each failure on the way leaves no trace. */
static void assert_comes_and_goes(struct fact_set *all)
{
    _cleanup_fact_set_ struct fact_set none = {0};
    _cleanup_plan_ struct plan plan = {0}, back = {0};
    unsigned step = getenv("WEFT_VM") ? 3 : 1; /* where all takes ten times as long */
    _cleanup_free_ char *before = picture(NETNS_DIR), *there = NULL, *scripted = NULL,
                        *after = NULL;

    diff(&none, all, &plan);
    for (unsigned nth = 1; nth <= plan.count; nth += step) {
        kernel_set_fault(k, KERNEL_FAULT_FAIL, nth);
        assert_int_equal(kernel_apply(k, &plan, &err), -EIO);
        after = picture(NETNS_DIR);
        assert_string_equal(after, before);
        free(TAKE_PTR(after));
    }
    kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
    ok(kernel_apply(k, &plan, &err));
    assert_holds(all);
    there = picture(NETNS_DIR);
    diff(all, &none, &back);
    ok(kernel_apply(k, &back, &err));
    after = picture(NETNS_DIR);
    assert_string_equal(after, before);
    free(TAKE_PTR(after));

    run_script(&none, all);
    scripted = picture("/run/netns");
    assert_string_equal(scripted, there);
    run_script(all, &none);
    after = picture("/run/netns");
    assert_string_equal(after, before);
}

/* After the command something is wrong, and mended. */
static void assert_mended(struct fact_set *all, const char *command)
{
    run(command);
    if (mend(all) == 0)
        fail_msg("nothing was wrong after: %s", command);
}

/* ---- macvlan ---- */

static void test_macvlans_come_and_go(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0};

    (void)state;
    make_parent();
    macvlan_facts(&all);
    assert_comes_and_goes(&all);
    drop_parent();
}

static void test_macvlans_carry_packets(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    make_parent();
    macvlan_facts(&all);
    change(&none, &all);
    assert_connects("web", "10.9.0.3");
    assert_connects("web", "10.9.0.1");
    /* Their MACs are free again at once. */
    for (int i = 0; i < 3; i++) {
        change(&all, &none);
        change(&none, &all);
    }
    assert_connects("db", "10.9.0.2");
    change(&all, &none);
    drop_parent();
}

static void test_macvlans_are_mended(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    make_parent();
    run("ip link add other type ifb");
    macvlan_facts(&all);
    change(&none, &all);
    assert_mended(&all, "ip link del mv-host");
    assert_mended(&all, "nsenter --net=" NETNS_DIR "/web ip link del eth0");
    assert_mended(&all, "nsenter --net=" NETNS_DIR "/web ip link set eth0 down");
    assert_mended(&all, "ip link set mv-host type macvlan mode private");
    assert_mended(&all, "ip link del mv-host && "
                        "ip link add mv-host link other group 2003134068 type macvlan mode bridge");
    /* A crash between birth and naming. */
    assert_mended(&all, "ip link add weft-eth0 link eth0 netns " NETNS_DIR
                        "/web group 2003134068 type macvlan");
    assert_mended(&all, "umount " NETNS_DIR "/web && rm " NETNS_DIR "/web && sleep 0.3");
    run("ip link del other");
    change(&all, &none);
    drop_parent();
}

static void test_every_mode_is_kept(void **state)
{
    static const enum link_mode modes[] = {LINK_MODE_BRIDGE, LINK_MODE_PRIVATE, LINK_MODE_VEPA,
                                           LINK_MODE_PASSTHRU};

    (void)state;
    make_parent();
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
        struct fact f = macvlan(&web, "eth0", "eth0", "02:00:00:00:00:02");
        _cleanup_strbuf_ struct strbuf command = {0};

        f.link.mode = modes[i];
        f.link.mtu = 1400;
        add(&all, netns(&web));
        add(&all, f);
        change(&none, &all);
        assert_holds(&all);
        strbuf_printf(&command,
                      "nsenter --net=" NETNS_DIR "/web ip -d link show eth0 | tr '\\n' ' ' | "
                      "grep -q 'mtu 1400.*macvlan mode %s '",
                      link_mode_name(modes[i]));
        run(strbuf_text(&command));
        change(&all, &none);
    }
    drop_parent();
}

static void assert_refused(struct fact_set *all, int errnum, const char *says)
{
    _cleanup_fact_set_ struct fact_set none = {0};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_free_ char *before = picture(NETNS_DIR), *after = NULL;

    diff(&none, all, &plan);
    assert_int_equal(kernel_apply(k, &plan, &err), -errnum);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    after = picture(NETNS_DIR);
    assert_string_equal(after, before);
}

static void test_refusals_leave_no_trace(void **state)
{
    _cleanup_fact_set_ struct fact_set lost = {0}, passthru = {0};
    struct fact f = macvlan(&web, "eth0", "eth0", "02:00:00:00:00:02");

    (void)state;
    add(&lost, netns(&web));
    add(&lost, f);
    assert_refused(&lost, ENODEV, "link eth0");
    make_parent();
    run("ip link add first link eth0 type macvlan");
    f.link.mode = LINK_MODE_PASSTHRU;
    add(&passthru, netns(&web));
    add(&passthru, f);
    assert_refused(&passthru, EINVAL, "type macvlan mode passthru");
    drop_parent();
}

/* ---- links on links ---- */

/* A macvlan on a port-less bridge, and one on an ifb: all weft's own. */
static void test_parents_come_first_and_go_last(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, parent = {0}, none = {0};
    struct fact ifb = link_of(LINK_IFB, NULL, "dm-test", "");

    (void)state;
    ifb.link.mac = mac("02:00:00:00:00:09");
    add_bridge(&all, "zz-test", 0);
    add(&all, ifb);
    add(&all, macvlan(NULL, "aa-test", "zz-test", "02:00:00:00:00:02"));
    add(&all, netns(&web));
    add(&all, macvlan(&web, "eth0", "dm-test", "02:00:00:00:00:03"));
    add(&all, macvlan(&web, "eth1", "zz-test", "02:00:00:00:00:04"));
    add_addr(&all, &web, "eth1", "10.9.1.2/24");
    assert_comes_and_goes(&all);

    /* With its parent a macvlan goes, wherever it is. */
    change(&none, &all);
    assert_mended(&all, "ip link del dm-test");
    assert_mended(&all, "ip link del zz-test");
    add(&parent, ifb);
    change(&all, &parent);
    assert_holds(&parent);
    change(&parent, &none);
}

static void test_vlans(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, none = {0};
    struct fact vlan = link_of(LINK_VLAN, NULL, "eth0.10", "eth0"), port = vlan;

    (void)state;
    make_parent();
    need("802.1q", "ip link add link eth0 name x type vlan id 10", "ip link del x");
    vlan.link.vlan = 10;
    add(&all, vlan);
    add(&all, netns(&web));
    add(&all, macvlan(&web, "eth0", "eth0.10", "02:00:00:00:00:02"));
    /* A VLAN on a bridge that has a VLAN as its port. */
    add_bridge(&all, "br-test", 0);
    port.link.vlan = 11;
    strcpy(port.link.name, "eth0.11");
    strcpy(port.link.master, "br-test");
    add(&all, port);
    vlan.link.vlan = 12;
    strcpy(vlan.link.name, "a.12");
    strcpy(vlan.link.parent, "br-test");
    vlan.link.up = false;
    add(&all, vlan);
    assert_comes_and_goes(&all);
    change(&none, &all);
    assert_mended(&all, "ip link del eth0.10");
    assert_mended(&all, "ip link del br-test");
    assert_mended(&all, "ip link del eth0.10 && "
                        "ip link add link eth0 name eth0.10 group 2003134068 type vlan id 7");
    change(&all, &none);
    drop_parent();
}

/* ---- ipvlan ---- */

static struct fact ipvlan(const struct kstate_ns *ns, const char *name, enum link_mode mode,
                          enum link_mode port_mode)
{
    struct fact f = link_of(LINK_IPVLAN, ns, name, "eth0");

    f.link.mode = mode;
    f.link.port_mode = port_mode;
    return f;
}

static void test_ipvlans(void **state)
{
    static const enum link_mode modes[] = {LINK_MODE_L2, LINK_MODE_L3, LINK_MODE_L3S};
    static const enum link_mode flags[] = {LINK_MODE_BRIDGE, LINK_MODE_PRIVATE, LINK_MODE_VEPA};

    (void)state;
    make_parent();
    need("ipvlan", "ip link add link eth0 name x type ipvlan", "ip link del x");
    for (size_t i = 0; i < ARRAY_SIZE(modes) * ARRAY_SIZE(flags); i++) {
        _cleanup_fact_set_ struct fact_set all = {0}, none = {0};
        enum link_mode mode = modes[i / 3], flag = flags[i % 3];

        add(&all, netns(&web));
        add(&all, netns(&db));
        add(&all, ipvlan(&web, "eth0", mode, flag));
        add(&all, ipvlan(&db, "eth0", mode, flag));
        add_addr(&all, &web, "eth0", "10.9.0.2/24");
        add_addr(&all, &db, "eth0", "10.9.0.3/24");
        if (mode != LINK_MODE_L2)
            add_route(&all, &web, "0.0.0.0/0", NULL, "eth0");
        if (i == 0)
            assert_comes_and_goes(&all);
        change(&none, &all);
        assert_holds(&all);
        if (flag == LINK_MODE_BRIDGE)
            assert_connects("web", "10.9.0.3");
        if (i == 0)
            assert_mended(&all, "nsenter --net=" NETNS_DIR "/db ip link del eth0");
        change(&all, &none);
    }
    drop_parent();
}

/* ---- links of others ---- */

static struct fact borrowed(const char *name, const char *master)
{
    struct fact f = link_of(LINK_BORROWED, NULL, name, "");

    f.link.no_autoconf = false;
    strcpy(f.link.master, master);
    return f;
}

static void test_a_borrowed_link_is_given_back(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, none = {0};

    (void)state;
    run("ip link add lan0 up type veth peer name lan1");
    add_bridge(&all, "br-test", 0);
    add(&all, borrowed("lan0", "br-test"));
    assert_comes_and_goes(&all);
    change(&none, &all);
    assert_mended(&all, "ip link set lan0 nomaster");
    assert_mended(&all, "ip link set lan0 down");
    assert_mended(&all, "ip link del br-test");
    change(&all, &none);
    run("ip -o link show lan0 | grep UP | grep -vq master");
    run("ip link del lan0");
    assert_refused(&all, ENODEV, "lan0");
}

static void test_a_strangers_port_is_left_alone(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, none = {0};

    (void)state;
    add_bridge(&all, "br-test", 0);
    change(&none, &all);
    run("ip link add vm0 master br-test type veth peer name vm1");
    assert_holds(&all);
    run("ip link del vm0");
    change(&all, &none);
}

static struct fact moved(const struct kstate_ns *ns, const char *name, const char *from)
{
    struct fact f = link_of(LINK_MOVED, ns, name, from);

    f.link.mtu = 1400;
    return f;
}

static void test_a_moved_link_is_given_back(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, empty = {0}, none = {0};

    (void)state;
    run("ip link add lan0 address 02:00:00:00:00:07 mtu 1400 type veth "
        "peer name lan1 address 02:00:00:00:00:08");
    make_parent();
    add(&all, netns(&web));
    add(&all, moved(&web, "eth0", "lan0"));
    add_addr(&all, &web, "eth0", "10.9.0.2/24");
    assert_comes_and_goes(&all);
    run("ip -d link show lan0 | grep -q 'group default' && ! ip link show lan0 | grep -q alias");

    /* The namespace stays. */
    add(&empty, netns(&web));
    change(&none, &all);
    run("nsenter --net=" NETNS_DIR "/web ip link show eth0 | grep -q 'alias weft:lan0'");
    change(&all, &empty);
    run("ip link show lan0 | grep -q default");
    change(&empty, &all);
    assert_mended(&all, "nsenter --net=" NETNS_DIR "/web ip link set eth0 down");
    /* weftd has been killed, and nobody wants the link any more. */
    assert_int_equal(mend(&none), 2);
    run("ip link show lan0 | grep -q default");
    run("ip link del lan0");
    drop_parent();
    assert_refused(&all, ENODEV, "link lan0");
}

static void test_a_returning_link_finds_its_name_taken(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, none = {0};

    (void)state;
    run("ip link add lan0 mtu 1400 type veth peer name lan1");
    make_parent();
    add(&all, netns(&web));
    add(&all, moved(&web, "eth0", "lan0"));
    change(&none, &all);
    run("ip link add lan0 type ifb");
    change(&all, &none);
    run("ip -br link show type veth | grep -q '^dev[0-9]@lan1' && ip link del lan1 && ip link del lan0");
    drop_parent();
}

/* A network card outlives its namespace: the kernel puts it into the host with weft's mark on it.
 */
static void test_a_link_whose_namespace_ended_gets_its_name_back(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0};

    (void)state;
    run("ip link add eth7 group 2003134068 type ifb && ip link set eth7 alias weft:lan0");
    assert_int_equal(mend(&none), 1);
    run("ip link show lan0 | grep -q 'group default' && ip link del lan0");
}

/* ---- bridges and ports ---- */

static void ported(struct fact_set *all, bool hairpin, uint16_t vlan)
{
    size_t first = all->count;

    endpoint_facts(all);
    for (size_t i = first; i < all->count; i++) {
        struct fact_link *link = &all->facts[i].link;

        if (all->facts[i].kind == FACT_LINK && link->kind == LINK_VETH) {
            link->hairpin = hairpin;
            link->vlan = vlan;
        }
    }
}

static void test_bridge_options(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, none = {0}, plain = {0};

    (void)state;
    network_facts(&all);
    for (size_t i = 0; i < all.count; i++)
        if (all.facts[i].kind == FACT_LINK)
            all.facts[i].link.stp = true;
    ported(&all, true, 0);
    network_facts(&plain);
    ported(&plain, false, 0);
    change(&none, &all);
    assert_holds(&all);
    run("ip -d link show br-test | grep -q 'stp_state 1'");
    run("bridge -d link show dev vethweb | grep -q 'hairpin on'");
    assert_mended(&all, "ip link set br-test type bridge stp_state 0");
    assert_mended(&all, "bridge link set dev vethweb hairpin off");
    assert_mended(&all, "ip link set vethweb nomaster");
    assert_mended(&all, "ip link del br-test");
    change(&all, &none);
    change(&none, &plain);
    change(&plain, &all);
    assert_holds(&all);
    change(&all, &none);
}

static void need_vlan_aware_bridges(void)
{
    need("bridges with VLANs",
         "ip link add x type bridge vlan_filtering 1 && bridge vlan add dev x vid 2 self",
         "ip link del x");
}

static void test_vlan_aware_bridges(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, other = {0}, none = {0};

    (void)state;
    need_vlan_aware_bridges();
    network_facts(&all);
    network_facts(&other);
    all.facts[2].link.vlan_aware = other.facts[2].link.vlan_aware = true;
    ported(&all, false, 7);
    ported(&other, false, 8);
    change(&none, &all);
    assert_holds(&all);
    run("test \"$(bridge -j vlan show dev vethweb | grep -o '\"vlan\":[0-9]*')\" = '\"vlan\":7'");
    run("bridge vlan show dev vethweb | grep -q '7 PVID Egress Untagged'");
    assert_mended(&all, "bridge vlan add dev vethweb vid 9 pvid untagged");
    assert_mended(&all, "ip link set vethweb nomaster");
    assert_mended(&all, "ip link set br-test type bridge vlan_filtering 0");
    assert_mended(&all, "ip link del br-test");
    change(&all, &other);
    assert_holds(&other);
    run("test \"$(bridge -j vlan show dev vethweb | grep -o '\"vlan\":[0-9]*')\" = '\"vlan\":8'");
    change(&other, &none);
    assert_holds(&none);
}

/* A bridge that is aware of VLANs, and a borrowed port of it. */
static void trunk_facts(struct fact_set *set, bool is_trunk, uint16_t vlan)
{
    struct fact port = borrowed("lan0", "br-test");
    size_t first = set->count;

    add_bridge(set, "br-test", 0);
    set->facts[first].link.vlan_aware = true;
    port.link.trunk = is_trunk;
    port.link.vlan = vlan;
    add(set, port);
}

/* The port's VLANs as words: each, or a range's first and last, its flags, and ";". */
static void assert_vlans(const char *desired)
{
    _cleanup_strbuf_ struct strbuf command = {0};

    strbuf_printf(&command,
                  "test \"$(bridge -compressvlans vlan show dev lan0 | tr -s '\\t ' '  ' | "
                  "sed -E '1d; s/^(lan0)? //; s/ *$/;/' | tr -d '\\n')\" = '%s'",
                  desired);
    run(strbuf_text(&command));
}

static void test_trunks(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0}, none = {0};

    (void)state;
    need_vlan_aware_bridges();
    run("ip link add lan0 up type veth peer name lan1");
    trunk_facts(&all, true, 0);
    assert_comes_and_goes(&all);
    change(&none, &all);
    assert_vlans("1 PVID Egress Untagged;2-4094;");
    assert_mended(&all, "bridge vlan del dev lan0 vid 4094");
    assert_mended(&all, "bridge vlan add dev lan0 vid 2 untagged");
    assert_mended(&all, "ip link set lan0 nomaster");
    assert_mended(&all, "ip link del br-test");
    assert_vlans("1 PVID Egress Untagged;2-4094;");
    change(&all, &none);
    run("ip link del lan0");
}

static void test_a_trunk_has_a_vlan_of_its_own(void **state)
{
    _cleanup_fact_set_ struct fact_set in_7 = {0}, in_8 = {0}, none = {0};

    (void)state;
    need_vlan_aware_bridges();
    run("ip link add lan0 up type veth peer name lan1");
    trunk_facts(&in_7, true, 7);
    trunk_facts(&in_8, true, 8);
    change(&none, &in_7);
    assert_holds(&in_7);
    assert_vlans("2-6;7 PVID Egress Untagged;8-4094;");
    change(&in_7, &in_8);
    assert_holds(&in_8);
    assert_vlans("2-7;8 PVID Egress Untagged;9-4094;");
    change(&in_8, &none);
    run("ip link del lan0");
}

static void test_a_trunk_that_fails_is_taken_back(void **state)
{
    static const uint16_t vlans[] = {1, 7};
    static const char *const shown[] = {"1 PVID Egress Untagged;", "7 PVID Egress Untagged;"};

    (void)state;
    need_vlan_aware_bridges();
    run("ip link add lan0 up type veth peer name lan1");
    for (size_t i = 0; i < ARRAY_SIZE(vlans); i++) {
        _cleanup_fact_set_ struct fact_set none = {0}, bare = {0}, trunk = {0};
        _cleanup_plan_ struct plan plan = {0};

        trunk_facts(&bare, false, vlans[i]);
        change(&none, &bare);
        trunk_facts(&trunk, true, vlans[i]);
        add(&trunk, netns(&web));
        add(&trunk, macvlan(&web, "eth0", "missing", "02:00:00:00:00:02"));
        diff(&bare, &trunk, &plan);
        assert_int_equal(kernel_apply(k, &plan, &err), -ENODEV);
        assert_vlans(shown[i]);
        change(&bare, &none);
    }
    run("ip link del lan0");
}

static void test_a_kernel_whose_bridges_have_no_vlans_says_so(void **state)
{
    _cleanup_fact_set_ struct fact_set all = {0};

    (void)state;
    if (can("ip link add x type bridge vlan_filtering 1 && bridge vlan add dev x vid 2 self")) {
        run("ip link del x");
        print_message("this kernel's bridges have VLANs\n");
        skip();
    }
    (void)can("ip link del x");
    add_bridge(&all, "br-test", 0);
    all.facts[0].link.vlan_aware = true;
    assert_refused(&all, EOPNOTSUPP, "vlan_filtering 1");
}

/* Strangers' links that a test left when it failed or was skipped. */
static int clean_up(void **state)
{
    (void)!system("test -n \"$(ip -o link show type veth; ip -o link show type ifb; ip netns)\" || "
                  "exit 0; for link in eth0 eth7 lan0 lan1 other x vm0; do ip link del $link; done "
                  "2>&-; for ns in web db; do ip netns del $ns; done 2>&-");
    return tear_down(state);
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LINK_TEST(test_vlans),
        LINK_TEST(test_ipvlans),
        LINK_TEST(test_vlan_aware_bridges),
        LINK_TEST(test_trunks),
        LINK_TEST(test_a_trunk_has_a_vlan_of_its_own),
        LINK_TEST(test_a_trunk_that_fails_is_taken_back),
        LINK_TEST(test_macvlans_come_and_go),
        LINK_TEST(test_macvlans_carry_packets),
        LINK_TEST(test_macvlans_are_mended),
        LINK_TEST(test_every_mode_is_kept),
        LINK_TEST(test_refusals_leave_no_trace),
        LINK_TEST(test_parents_come_first_and_go_last),
        LINK_TEST(test_a_borrowed_link_is_given_back),
        LINK_TEST(test_a_strangers_port_is_left_alone),
        LINK_TEST(test_a_moved_link_is_given_back),
        LINK_TEST(test_a_returning_link_finds_its_name_taken),
        LINK_TEST(test_a_link_whose_namespace_ended_gets_its_name_back),
        LINK_TEST(test_bridge_options),
        LINK_TEST(test_a_kernel_whose_bridges_have_no_vlans_says_so),
    };

    return make_host() ? cmocka_run_group_tests(tests, NULL, NULL) : SKIPPED;
}
