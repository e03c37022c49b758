/* SPDX-License-Identifier: Apache-2.0 */

/* The kernel layer against a real kernel. Needs root; makes itself network and mount namespaces. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "kernel/kernel.h"

#define BASE_DIR "/run/weft-test"
#define NETNS_DIR BASE_DIR "/netns"

static struct kernel *k;
static struct weft_error err;

static const struct kstate_ns web = {"1111", "web", NETNS_DIR "/web", NULL};
static const struct kstate_ns db = {"2222", "db", NETNS_DIR "/db", NULL};
static const struct kstate_ns pinned = {"3333", "pinned", NETNS_DIR "/pinned", BASE_DIR "/theirs"};
static const struct kstate_ns *const known[] = {&web, &db, &pinned};

static const struct fact ruleset = {
    .kind = FACT_NFT_BASE,
    .base = {.version = "one",
             .text = "table inet weft {\n"
                     "    comment \"weft one\"\n"
                     "    set links { typeof iifname; }\n"
                     "    set same_link { typeof iifname . oifname; }\n"
                     "    set protocols { type inet_proto; }\n"
                     "    map published { type inet_proto . ipv4_addr . inet_service : "
                     "ipv4_addr . inet_service; }\n"
                     "    map published6 { type inet_proto . ipv6_addr . inet_service : "
                     "ipv6_addr . inet_service; }\n"
                     "    set fixed { type inet_service; flags constant; elements = { 53 } }\n"
                     "    set met { type ipv4_addr; flags dynamic; }\n"
                     "    set ranges { type ipv4_addr; flags interval; "
                     "elements = { 10.0.0.0/8 } }\n"
                     "    map verdicts { typeof iifname : verdict; }\n"
                     "    chain forward {\n"
                     "        type filter hook forward priority filter; policy accept;\n"
                     "        iifname @links accept\n"
                     "    }\n"
                     "}\n"},
};

/* Facts. */

static struct prefix prefix(const char *text)
{
    struct prefix p;

    assert_int_equal(prefix_parse(text, &p, NULL), 0);
    return p;
}

static struct addr addr(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(text, &a, NULL), 0);
    return a;
}

static struct mac mac(const char *text)
{
    struct mac m;

    assert_int_equal(mac_parse(text, &m, NULL), 0);
    return m;
}

static void add(struct fact_set *set, struct fact fact)
{
    assert_int_equal(fact_set_add(set, &fact), 0);
}

static void add_bridge(struct fact_set *set, const char *name, uint32_t mtu)
{
    struct fact f = {.kind = FACT_LINK,
                     .link = {.kind = LINK_BRIDGE, .up = true, .no_autoconf = true, .mtu = mtu}};

    strcpy(f.link.name, name);
    f.link.mac = mac("02:00:00:00:00:01");
    add(set, f);
}

static void add_addr(struct fact_set *set, const struct kstate_ns *ns, const char *link,
                     const char *address)
{
    struct fact f = {.kind = FACT_ADDR, .ns = ns, .addr.prefix = prefix(address)};

    strcpy(f.addr.link, link);
    add(set, f);
}

static void add_route(struct fact_set *set, const struct kstate_ns *ns, const char *destination,
                      const char *via, const char *link)
{
    struct fact f = {.kind = FACT_ROUTE, .ns = ns, .route.destination = prefix(destination)};

    if (via)
        f.route.via = addr(via);
    strcpy(f.route.link, link);
    add(set, f);
}

static void add_sysctl(struct fact_set *set, const struct kstate_ns *ns, const char *path,
                       const char *value)
{
    struct fact f = {.kind = FACT_SYSCTL, .ns = ns};

    strcpy(f.sysctl.path, path);
    strcpy(f.sysctl.value, value);
    add(set, f);
}

static void add_veth(struct fact_set *set, const struct kstate_ns *ns, const char *name,
                     const char *inner_mac, uint32_t mtu)
{
    struct fact f = {.kind = FACT_LINK,
                     .link = {.kind = LINK_VETH,
                              .up = true,
                              .no_autoconf = true,
                              .master = "br-test",
                              .mtu = mtu,
                              .peer_ns = ns,
                              .peer_name = "eth0"}};
    struct fact inner = {.kind = FACT_LINK,
                         .ns = ns,
                         .link = {.name = "eth0",
                                  .kind = LINK_VETH_PEER,
                                  .up = true,
                                  .no_autoconf = true,
                                  .mtu = mtu}};
    struct fact lo = {.kind = FACT_LINK,
                      .ns = ns,
                      .link = {.name = "lo", .kind = LINK_LOOPBACK, .up = true}};

    strcpy(f.link.name, name);
    f.link.peer_mac = mac(inner_mac);
    inner.link.mac = f.link.peer_mac;
    strcpy(inner.link.peer_name, name);
    add(set, f);
    add(set, inner);
    add(set, lo);
}

static struct fact elem_links(const char *name)
{
    struct fact f = {.kind = FACT_NFT_ELEM, .elem = {.set = "links"}};

    f.elem.key[0].type = NFT_FIELD_IFNAME;
    strcpy(f.elem.key[0].ifname, name);
    return f;
}

static struct fact elem_published(const char *host, uint16_t port, const char *to, uint16_t to_port)
{
    struct fact f = {.kind = FACT_NFT_ELEM};
    struct nft_field *key = f.elem.key, *data = f.elem.data;

    strcpy(f.elem.set, addr(host).family == AF_INET ? "published" : "published6");
    key[0] = (struct nft_field){.type = NFT_FIELD_PROTO, .number = 6};
    key[1] = (struct nft_field){.type = NFT_FIELD_ADDR, .addr = addr(host)};
    key[2] = (struct nft_field){.type = NFT_FIELD_PORT, .number = port};
    data[0] = (struct nft_field){.type = NFT_FIELD_ADDR, .addr = addr(to)};
    data[1] = (struct nft_field){.type = NFT_FIELD_PORT, .number = to_port};
    return f;
}

/* A network and the ruleset. */
static void network_facts(struct fact_set *set)
{
    add_sysctl(set, NULL, "net/ipv4/ip_forward", "1");
    add(set, ruleset);
    add_bridge(set, "br-test", 1400);
    add_addr(set, NULL, "br-test", "10.9.0.1/24");
    add_addr(set, NULL, "br-test", "fd09::1/64");
    add(set, elem_links("br-test"));
}

/* An endpoint on it, with a namespace of its own. */
static void endpoint_facts(struct fact_set *set)
{
    add(set, (struct fact){.kind = FACT_NETNS, .ns = &web});
    add_sysctl(set, &web, "net/ipv4/ping_group_range", "0\t100");
    add_veth(set, &web, "vethweb", "02:00:00:00:00:02", 1400);
    add_addr(set, &web, "eth0", "10.9.0.2/24");
    add_addr(set, &web, "eth0", "fd09::2/64");
    add_route(set, &web, "0.0.0.0/0", "10.9.0.1", "eth0");
    add_route(set, &web, "::/0", "fd09::1", "eth0");
    add_route(set, &web, "10.77.0.0/16", NULL, "eth0");
    add(set, elem_published("192.0.2.1", 8080, "10.9.0.2", 80));
    add(set, elem_published("2001:db8::1", 8080, "fd09::2", 80));
}

/* Doing. */

static void diff(struct fact_set *before, struct fact_set *after, struct plan *plan)
{
    fact_set_own(before);
    assert_int_equal(plan_diff(before, after, plan), 0);
}

static void ok(int r)
{
    if (r < 0)
        fail_msg("%s", err.text);
}

static void change(struct fact_set *before, struct fact_set *after)
{
    _cleanup_plan_ struct plan plan = {0};

    diff(before, after, &plan);
    ok(kernel_apply(k, &plan, &err));
}

static void observe(const struct fact_set *desired, struct fact_set *ret)
{
    ok(kernel_observe(k, known, ARRAY_SIZE(known), desired, ret, &err));
}

static char *snapshot(const struct fact_set *desired)
{
    _cleanup_fact_set_ struct fact_set seen = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    observe(desired, &seen);
    fact_set_print(&seen, &text);
    return strbuf_take(&text);
}

static void assert_same_snapshot(const struct fact_set *desired, const char *before)
{
    _cleanup_free_ char *now = snapshot(desired);

    assert_string_equal(now, before);
}

/* The kernel has all of it, and nothing of weft's besides. */
static void assert_holds(struct fact_set *desired)
{
    _cleanup_fact_set_ struct fact_set seen = {0};
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    observe(desired, &seen);
    assert_int_equal(plan_diff(&seen, desired, &plan), 0);
    plan_explain(&plan, &text);
    assert_string_equal(strbuf_text(&text), "");
}

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* What a command prints. */
static char *output(const char *command)
{
    FILE *f = popen(command, "re");
    _cleanup_strbuf_ struct strbuf text = {0};
    char line[512];

    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        strbuf_puts(&text, line);
    pclose(f);
    return strbuf_take(&text);
}

static int set_up(void **state)
{
    (void)state;
    ok(kernel_open(&k, &err));
    return 0;
}

/* Heals to nothing: every test leaves the host as it was. */
static int tear_down(void **state)
{
    _cleanup_fact_set_ struct fact_set seen = {0}, none = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
    observe(&none, &seen);
    assert_int_equal(plan_diff(&seen, &none, &plan), 0);
    assert_int_equal(kernel_apply_lenient(k, &plan), 0);
    assert_holds(&none);
    run("echo 0 >/proc/sys/net/ipv4/ip_forward");
    kernel_close(k);
    return 0;
}

/* Tests. */

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
    _cleanup_free_ char *text = NULL;

    (void)state;
    pair.elem.key[0] = (struct nft_field){.type = NFT_FIELD_IFNAME, .ifname = "fifteen-letters"};
    pair.elem.key[1] = pair.elem.key[0];
    proto.elem.key[0] = (struct nft_field){.type = NFT_FIELD_PROTO, .number = 17};
    add(&all, ruleset);
    add(&all, elem_links("br-test"));
    add(&all, pair);
    add(&all, proto);
    add(&all, elem_published("192.0.2.1", 65535, "10.9.0.2", 1));
    add(&all, elem_published("2001:db8::1", 443, "fd09::2", 8443));
    change(&none, &all);
    assert_holds(&all);
    text = output("nft list table inet weft");
    assert_non_null(strstr(text, "\"fifteen-letters\" . \"fifteen-letters\""));
    assert_non_null(strstr(text, "elements = { udp }"));
    assert_non_null(strstr(text, "tcp . 192.0.2.1 . 65535 : 10.9.0.2 . 1 "));
    assert_non_null(strstr(text, "tcp . 2001:db8::1 . 443 : fd09::2 . 8443 "));

    /* More than one transaction holds. */
    for (size_t i = 0; i < all.count; i++)
        add(&more, all.facts[i]);
    for (uint16_t port = 1; port <= 3000; port++)
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

static void test_a_flushed_ruleset_is_noticed(void **state)
{
    static const char *const commands[] = {"nft flush table inet weft", "nft flush ruleset",
                                           "nft delete table inet weft"};
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    add(&all, ruleset);
    add(&all, elem_links("br-test"));
    change(&none, &all);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        _cleanup_fact_set_ struct fact_set seen = {0};
        _cleanup_plan_ struct plan plan = {0};

        run(commands[i]);
        observe(&all, &seen);
        assert_int_equal(plan_diff(&seen, &all, &plan), 0);
        assert_int_equal(plan.count, 2);
        ok(kernel_apply(k, &plan, &err));
        assert_holds(&all);
    }
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

static void test_a_namespace_of_somebody_else_is_pinned(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    struct netns_identity theirs, ours, host;

    (void)state;
    run("touch " BASE_DIR "/theirs && unshare --net=" BASE_DIR "/theirs true");
    network_facts(&all);
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &pinned});
    add_veth(&all, &pinned, "vethpin", "02:00:00:00:00:04", 1400);
    change(&none, &all);
    assert_holds(&all);
    ok(kernel_netns_identify(pinned.origin, &theirs, &err));
    ok(kernel_netns_identify(pinned.path, &ours, &err));
    ok(kernel_netns_identify_host(k, &host, &err));
    assert_memory_equal(&theirs, &ours, sizeof ours);
    assert_memory_not_equal(&theirs, &host, sizeof host);
    change(&all, &none);
    ok(kernel_netns_identify(pinned.origin, &theirs, &err));
    run("umount " BASE_DIR "/theirs && rm " BASE_DIR "/theirs");

    assert_int_equal(kernel_netns_identify(pinned.path, &ours, &err), -ENOENT);
    assert_int_equal(err.code, WEFT_NOT_FOUND);
    assert_true(kernel_netns_identify("/etc/passwd", &ours, &err) < 0);
    assert_int_equal(err.code, WEFT_INVALID);
    assert_true(kernel_netns_identify("/proc/self/ns/mnt", &ours, &err) < 0);
    assert_int_equal(err.code, WEFT_INVALID);
}

static void test_sweeping_keeps_what_is_kept(void **state)
{
    static const struct kstate_ns *const keep[] = {&db};
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    struct netns_identity id;

    (void)state;
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &web});
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &db});
    change(&none, &all);
    run("touch " NETNS_DIR "/stale");
    run("mount --bind " NETNS_DIR "/web " NETNS_DIR "/web"); /* one mount on another */
    ok(kernel_netns_sweep(NETNS_DIR, keep, ARRAY_SIZE(keep), &err));
    assert_int_not_equal(access(web.path, F_OK), 0);
    assert_int_not_equal(access(NETNS_DIR "/stale", F_OK), 0);
    ok(kernel_netns_identify(db.path, &id, &err));
    ok(kernel_netns_sweep(BASE_DIR "/nowhere", keep, ARRAY_SIZE(keep), &err));
}

static void test_the_thread_comes_back_to_the_host(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0}, seen = {0};
    struct stat before, after;

    (void)state;
    assert_int_equal(stat("/proc/thread-self/ns/net", &before), 0);
    network_facts(&all);
    endpoint_facts(&all);
    change(&none, &all);
    observe(&all, &seen);
    assert_int_equal(stat("/proc/thread-self/ns/net", &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
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

static void test_a_namespace_is_made_once(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    _cleanup_plan_ struct plan plan = {0};

    (void)state;
    run("mkdir -p " NETNS_DIR " && touch " NETNS_DIR "/web"); /* of a crash before the mount */
    add(&all, (struct fact){.kind = FACT_NETNS, .ns = &web});
    diff(&none, &all, &plan);
    ok(kernel_apply(k, &plan, &err));
    assert_holds(&all);
    assert_int_equal(kernel_apply(k, &plan, &err), -EEXIST);
    assert_holds(&all);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_what_was_applied_is_observed),
        TEST(test_packets_pass),
        TEST(test_a_failure_anywhere_leaves_no_trace),
        TEST(test_a_crash_anywhere_is_healed),
        TEST(test_a_refusal_is_in_the_kernels_words),
        TEST(test_extended_acknowledgements_are_passed_on),
        TEST(test_what_is_gone_need_not_be_removed),
        TEST(test_links_are_changed_in_place),
        TEST(test_a_failed_change_is_changed_back),
        TEST(test_leniency_does_the_rest),
        TEST(test_elements_of_every_type),
        TEST(test_a_refused_ruleset_says_why),
        TEST(test_a_flushed_ruleset_is_noticed),
        TEST(test_a_bridge_keeps_its_mtu_without_ports),
        TEST(test_two_endpoints_of_one_network),
        TEST(test_a_namespace_of_somebody_else_is_pinned),
        TEST(test_sweeping_keeps_what_is_kept),
        TEST(test_a_namespace_is_made_once),
        TEST(test_the_thread_comes_back_to_the_host),
        TEST(test_questions_about_the_host),
        TEST(test_dumps_survive_a_busy_host),
    };

    if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        perror("cannot make a host to test on");
        return 77; /* meson: skipped */
    }
    if (mount("test", "/run", "tmpfs", 0, NULL) < 0 || dir_make(BASE_DIR, 0755, &err) < 0) {
        perror("cannot prepare " BASE_DIR);
        return 77;
    }
    log_set_level(LOG_LEVEL_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
