/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Golden tests: what networks and endpoints are in the kernel, as text.
 *
 * A case is a network, or a step that the container "shop" takes: from its first `before` endpoints
 * to all of them, or, having them all, to its published ports. Its file holds what is given before
 * the step (as commands), the facts after it, the commands that take it, and those that take it
 * back. scripts.sh runs these commands.
 *
 * The files are NAME.txt in the folder WEFT_GOLDEN; with UPDATE_GOLDEN=1 they are written anew.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/model_make.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "driver/driver.h"
#include "firewall/firewall.h"
#include "kstate/plan.h"
#include "model/publish_path.h"

#define MAX 2
#define EPHEMERAL_PORT 32768 /* where the search for a port that is left open begins */

struct golden_case {
    const char *name;
    const char *networks[MAX];
    const char *endpoints[MAX]; /* each on the network of the same index; none: a network's case */
    size_t before;
    const char *ports; /* PortBindings, or NULL */
    bool resolver;     /* names are found */
};

#define ID(prefix) "'Id': '" prefix "00000000000000000000000000000000000000000000000000000000'"
#define APP "'Name': 'app', " ID("aaaa0001")
#define POOL_V4 "{'Subnet': '172.18.0.0/16', 'Gateway': '172.18.0.1'}"
#define POOL_V6 "{'Subnet': 'fd00:18::/64', 'Gateway': 'fd00:18::1'}"
#define POOLS_V4 "'IPAM': {'Config': [" POOL_V4 "]}"
#define POOLS_DUAL "'EnableIPv6': true, 'IPAM': {'Config': [" POOL_V4 ", " POOL_V6 "]}"

#define NETWORK_V4 "{" APP ", " POOLS_V4 "}"
#define NETWORK_DUAL "{" APP ", " POOLS_DUAL "}"
#define NETWORK_INTERNAL "{" APP ", 'Internal': true, " POOLS_V4 "}"
#define NETWORK_QUIET                                                                              \
    "{" APP ", " POOLS_V4 ", 'Options': {'" OPTION_BRIDGE_NAME "': 'weft0', "                      \
    "'" OPTION_BRIDGE_MASQUERADE "': 'false'}}"
#define OPTIONS(options) ", 'Options': {" options "}"
#define MODE_V4(mode) "'" OPTION_BRIDGE_GATEWAY_MODE_IPV4 "': '" mode "'"
#define MODE_V6(mode) "'" OPTION_BRIDGE_GATEWAY_MODE_IPV6 "': '" mode "'"
#define NETWORK_MODE(mode) "{" APP ", " POOLS_DUAL OPTIONS(MODE_V4(mode) ", " MODE_V6(mode)) "}"
#define NETWORK_ISOLATED                                                                           \
    "{" APP ", 'Internal': true, " POOLS_DUAL OPTIONS(                                             \
        MODE_V4("isolated") ", " MODE_V6("isolated")) "}"
#define NETWORK_ROUTED_V6 "{" APP ", " POOLS_DUAL OPTIONS(MODE_V6("routed")) "}"
#define NETWORK_NO_ICC "{" APP ", " POOLS_V4 OPTIONS("'" OPTION_BRIDGE_ICC "': 'false'") "}"
#define NETWORK_HOST_ADDRESS                                                                       \
    "{" APP ", " POOLS_DUAL OPTIONS("'" OPTION_HOST_IPV4 "': '192.0.2.7', '" OPTION_HOST_IPV6      \
                                    "': '2001:db8::7'") "}"
#define NETWORK_UNGUARDED "{" APP ", " POOLS_V4 OPTIONS("'" OPTION_SOURCE_GUARD "': 'false'") "}"
#define NETWORK_TRUSTING                                                                           \
    "{" APP ", " POOLS_V4 OPTIONS("'" OPTION_BRIDGE_TRUSTED_INTERFACES "': 'eth1:wg0'") "}"
/* What the user has named, and what the engine has found out about it. */
#define NETWORK_BRIDGE_OPTIONS                                                                     \
    "{" APP ", " POOLS_V4 OPTIONS("'stp': 'true', 'hairpin': 'true', 'uplink': 'eth0'") "}"
#define NETWORK_ADOPTED                                                                            \
    "{" APP ", " POOLS_V4 OPTIONS("'" OPTION_BRIDGE_NAME "': 'br0'") ", 'Weft': {'Adopted': true}}"
#define NETWORK_ADOPTED_FOUND                                                                      \
    "{" APP ", " POOLS_V4 OPTIONS("'" OPTION_BRIDGE_NAME                                           \
                                  "': 'br0'") ", 'Weft': {'Adopted': true, "                       \
                                              "'FoundGateways': ['172.18.0.0/16']}}"
#define NETWORK_VLAN_AWARE "{" APP ", " POOLS_V4 OPTIONS("'vlan_aware': 'true'") "}"
#define NETWORK_TRUNK "{" APP ", " POOLS_V4 OPTIONS("'vlan_aware': 'true', 'uplink': 'eth0'") "}"
#define ACCESS_V4                                                                                  \
    "'IPAM': {'Config': [{'Subnet': '172.18.0.0/16', 'Gateway': '172.18.0.1', "                    \
    "'AuxiliaryAddresses': {'host': '172.18.255.254'}}]}"
#define ACCESS_DUAL                                                                                \
    "'EnableIPv6': true, 'IPAM': {'Config': [{'Subnet': '172.18.0.0/16', 'Gateway': "              \
    "'172.18.0.1', 'AuxiliaryAddresses': {'host': '172.18.255.254'}}, {'Subnet': 'fd00:18::/64', " \
    "'Gateway': 'fd00:18::1', 'AuxiliaryAddresses': {'host': 'fd00:18::ff'}}]}"
#define MACVLAN(more) "{" APP ", 'Driver': 'macvlan', " more "}"
#define IPVLAN(more) "{" APP ", 'Driver': 'ipvlan', " more "}"
#define PARENT "'parent': 'eth0'"
#define VLAN_PARENT "'parent': 'eth0.10'"
#define MADE_PARENT ", 'Weft': {'MadeParent': true}"
#define NETWORK_MACVLAN MACVLAN(POOLS_DUAL OPTIONS(PARENT))
#define NETWORK_MACVLAN_ACCESS MACVLAN(ACCESS_DUAL OPTIONS(PARENT))
#define NETWORK_MACVLAN_VLAN MACVLAN(POOLS_V4 OPTIONS(VLAN_PARENT) MADE_PARENT)
#define NETWORK_MACVLAN_ALONE MACVLAN(ACCESS_V4 MADE_PARENT)
#define NETWORK_MACVLAN_VEPA                                                                       \
    MACVLAN(POOLS_V4 OPTIONS(PARENT ", 'macvlan_mode': 'vepa', '" OPTION_MTU "': '1400'"))
#define NETWORK_IPVLAN_L2 IPVLAN(POOLS_DUAL OPTIONS(PARENT ", 'ipvlan_flag': 'private'"))
#define NETWORK_IPVLAN_L3                                                                          \
    IPVLAN("'IPAM': {'Config': [{'Subnet': '172.18.0.0/16'}]}" OPTIONS(PARENT                      \
                                                                       ", 'ipvlan_mode': 'l3'"))
/* Dual-stack, with a small MTU. */
#define NETWORK_DB                                                                                 \
    "{'Name': 'db', " ID("bbbb0002") ", 'EnableIPv6': true, "                                      \
                                     "'Options': {'" OPTION_MTU "': '1400'}, 'IPAM': {'Config': [" \
                                     "{'Subnet': '10.9.0.0/24', 'Gateway': '10.9.0.254'}, "        \
                                     "{'Subnet': 'fd00:9::/64', 'Gateway': 'fd00:9::fe'}]}}"

#define ETH0 ID("c0ffee11") ", 'IfName': 'eth0', 'IPv4': '172.18.0.2'"
#define ETH0_MAC ", 'Mac': '02:42:ac:12:00:02'"
#define ENDPOINT_V4 "{" ETH0 ETH0_MAC "}"
#define ENDPOINT_DUAL "{" ETH0 ", 'IPv6': 'fd00:18::2'" ETH0_MAC "}"
#define ENDPOINT_WISHES                                                                            \
    "{" ETH0 ", 'Mac': '0a:11:22:33:44:55', 'Want': {"                                             \
    "'IPAMConfig': {'LinkLocalIPs': ['169.254.7.7']}, 'DriverOpts': {'" OPTION_ENDPOINT_SYSCTLS    \
    "': 'net.ipv4.conf.IFNAME.log_martians=1,net.ipv4.conf.IFNAME.forwarding=0'}}}"
#define ENDPOINT_NO_MAC "{" ETH0 "}"
#define ENDPOINT_DUAL_NO_MAC "{" ETH0 ", 'IPv6': 'fd00:18::2'}"
#define ENDPOINT_VLAN "{" ETH0 ETH0_MAC ", 'Want': {'DriverOpts': {'vlan': '10'}}}"
#define ENDPOINT_DB(priority)                                                                      \
    "{" ID("c0ffee22") ", 'IfName': 'eth1', 'IPv4': '10.9.0.1', 'IPv6': 'fd00:9::1', "             \
                       "'Mac': '02:42:0a:09:00:01', 'Want': {'GwPriority': " #priority "}}"

#define PORTS                                                                                      \
    "{'80/tcp': [{'HostPort': '8080'}], '53/udp': [{'HostIp': '127.0.0.1', 'HostPort': '53'}]}"
#define PORTS_ADDRESS                                                                              \
    "{'80/tcp': [{'HostIp': '192.0.2.1', 'HostPort': '80'}, {'HostIp': '0.0.0.0', 'HostPort': "    \
    "'81'}, {'HostIp': '2001:db8::1', 'HostPort': '80'}, {'HostIp': '::1', 'HostPort': '82'}]}"
#define PORTS_RANGE                                                                                \
    "{'80/tcp': [{'HostPort': '8080-8082'}], '81/tcp': [{'HostPort': '8080-8082'}], "              \
    "'82/sctp': [], '83/tcp': []}"

static const struct golden_case cases[] = {
    {"network-v4", {NETWORK_V4}, {NULL}, 0, NULL, false},
    {"network-dual", {NETWORK_DUAL}, {NULL}, 0, NULL, false},
    {"network-internal", {NETWORK_INTERNAL}, {NULL}, 0, NULL, false},
    {"network-no-masquerade", {NETWORK_QUIET}, {NULL}, 0, NULL, false},
    {"network-mtu", {NETWORK_DB}, {NULL}, 0, NULL, false},
    {"network-unprotected", {NETWORK_MODE("nat-unprotected")}, {NULL}, 0, NULL, false},
    {"network-routed", {NETWORK_MODE("routed")}, {NULL}, 0, NULL, false},
    {"network-isolated", {NETWORK_ISOLATED}, {NULL}, 0, NULL, false},
    {"network-no-icc", {NETWORK_NO_ICC}, {NULL}, 0, NULL, false},
    {"network-host-address", {NETWORK_HOST_ADDRESS}, {NULL}, 0, NULL, false},
    {"endpoint-v4", {NETWORK_V4}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-dual", {NETWORK_DUAL}, {ENDPOINT_DUAL}, 0, NULL, false},
    {"endpoint-internal", {NETWORK_INTERNAL}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-wishes", {NETWORK_V4}, {ENDPOINT_WISHES}, 0, NULL, false},
    {"endpoint-second",
     {NETWORK_DUAL, NETWORK_DB},
     {ENDPOINT_DUAL, ENDPOINT_DB(-1)},
     1,
     NULL,
     false},
    {"endpoint-gateway-move",
     {NETWORK_DUAL, NETWORK_DB},
     {ENDPOINT_DUAL, ENDPOINT_DB(1)},
     1,
     NULL,
     false},
    {"endpoint-no-icc", {NETWORK_NO_ICC}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-unguarded", {NETWORK_UNGUARDED}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-resolver", {NETWORK_V4}, {ENDPOINT_V4}, 0, NULL, true},
    {"network-bridge-options", {NETWORK_BRIDGE_OPTIONS}, {NULL}, 0, NULL, false},
    {"network-adopted", {NETWORK_ADOPTED}, {NULL}, 0, NULL, false},
    {"network-adopted-found", {NETWORK_ADOPTED_FOUND}, {NULL}, 0, NULL, false},
    {"network-vlan-aware", {NETWORK_VLAN_AWARE}, {NULL}, 0, NULL, false},
    {"network-trunk", {NETWORK_TRUNK}, {NULL}, 0, NULL, false},
    {"endpoint-bridge-options", {NETWORK_BRIDGE_OPTIONS}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-adopted", {NETWORK_ADOPTED_FOUND}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-vlan", {NETWORK_VLAN_AWARE}, {ENDPOINT_VLAN}, 0, NULL, false},
    {"network-macvlan-access", {NETWORK_MACVLAN_ACCESS}, {NULL}, 0, NULL, false},
    {"network-macvlan-vlan", {NETWORK_MACVLAN_VLAN}, {NULL}, 0, NULL, false},
    {"network-macvlan-alone", {NETWORK_MACVLAN_ALONE}, {NULL}, 0, NULL, false},
    {"endpoint-macvlan", {NETWORK_MACVLAN}, {ENDPOINT_DUAL}, 0, NULL, true},
    {"endpoint-macvlan-access", {NETWORK_MACVLAN_ACCESS}, {ENDPOINT_DUAL}, 0, NULL, false},
    {"endpoint-macvlan-vlan", {NETWORK_MACVLAN_VLAN}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-macvlan-alone", {NETWORK_MACVLAN_ALONE}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-macvlan-vepa", {NETWORK_MACVLAN_VEPA}, {ENDPOINT_V4}, 0, NULL, false},
    {"endpoint-ipvlan-l2", {NETWORK_IPVLAN_L2}, {ENDPOINT_DUAL_NO_MAC}, 0, NULL, false},
    {"endpoint-ipvlan-l3", {NETWORK_IPVLAN_L3}, {ENDPOINT_NO_MAC}, 0, NULL, false},
    {"publish-v4", {NETWORK_V4}, {ENDPOINT_V4}, 1, PORTS, false},
    {"publish-macvlan", {NETWORK_MACVLAN_ACCESS}, {ENDPOINT_DUAL}, 0, PORTS, false},
    {"publish-dual", {NETWORK_DUAL}, {ENDPOINT_DUAL}, 1, PORTS, false},
    {"publish-address", {NETWORK_DUAL}, {ENDPOINT_DUAL}, 1, PORTS_ADDRESS, false},
    {"publish-relayed", {NETWORK_V4}, {ENDPOINT_V4}, 1, PORTS_ADDRESS, false},
    {"publish-routed", {NETWORK_MODE("routed")}, {ENDPOINT_DUAL}, 1, PORTS, false},
    {"publish-half-routed", {NETWORK_ROUTED_V6}, {ENDPOINT_DUAL}, 1, PORTS, false},
    {"publish-trusted", {NETWORK_TRUSTING}, {ENDPOINT_V4}, 1, PORTS, false},
    {"publish-range", {NETWORK_V4}, {ENDPOINT_V4}, 1, PORTS_RANGE, false},
    {"publish-move", {NETWORK_DUAL, NETWORK_DB}, {ENDPOINT_DUAL, ENDPOINT_DB(1)}, 1, PORTS, false},
};

/* The model of a case. */
struct world {
    struct network *networks[MAX];
    struct endpoint *endpoints[MAX];
    size_t network_count, endpoint_count;
};

static void must(int r)
{
    assert_int_equal(r, 0);
}

static const struct driver_ops *driver_of(const struct network *net)
{
    return driver_find(net->driver);
}

static void make_world(const struct golden_case *c, struct world *ret)
{
    for (size_t i = 0; i < MAX && c->networks[i]; i++) {
        ret->networks[i] = make_network(c->networks[i]);
        must(driver_of(ret->networks[i])->prepare_network(ret->networks[i], 1500, NULL));
        ret->network_count++;
    }
    for (size_t i = 0; i < MAX && c->endpoints[i]; i++) {
        _cleanup_json_ json_t *doc = make_json(c->endpoints[i]);

        must(endpoint_from_json(doc, &ret->endpoints[i], NULL));
        ret->endpoints[i]->network = ret->networks[i];
        ret->endpoint_count++;
    }
}

static void clear_world(struct world *world)
{
    for (size_t i = 0; i < MAX; i++) {
        endpoint_free(world->endpoints[i]);
        network_free(world->networks[i]);
    }
}

static void render_networks(const struct world *world, struct fact_set *out)
{
    for (size_t i = 0; i < world->network_count; i++) {
        must(driver_of(world->networks[i])->render_network(world->networks[i], out));
        must(firewall_render_network(world->networks[i], out));
    }
}

static bool is_taken(const struct sandbox *sb, const struct publish *p)
{
    for (const struct publish *other = sb->publishes.items; other < p; other++)
        for (size_t i = 0; i < other->binding_count; i++)
            for (size_t j = 0; j < p->binding_count; j++)
                if (other->want.proto == p->want.proto &&
                    other->bindings[i].host_port == p->bindings[j].host_port &&
                    addr_equal(&other->bindings[i].host, &p->bindings[j].host))
                    return true;
    return false;
}

/* As the engine does: the first port that is free. */
static const struct firewall_host stock_host; /* without br_netfilter */

static void choose_host_port(const struct sandbox *sb, struct publish *p)
{
    uint16_t port = p->want.first ? p->want.first : EPHEMERAL_PORT;

    do {
        p->binding_count = (uint8_t)publish_bindings(sb, &p->want, port++, p->bindings);
    } while (publish_needs_host_port(sb, &p->want) && is_taken(sb, p));
}

static void render_ports(struct sandbox *sb, const char *ports, struct fact_set *out)
{
    _cleanup_json_ json_t *doc = make_json(ports);

    must(publish_from_port_bindings(doc, &sb->publishes, NULL));
    for (size_t i = 0; i < sb->publishes.count; i++) {
        choose_host_port(sb, &sb->publishes.items[i]);
        must(firewall_render_publish(&stock_host, sb, &sb->publishes.items[i], out));
    }
    publish_list_clear(&sb->publishes);
}

static void render_gateways(const struct sandbox *sb, const struct kstate_ns *ns,
                            struct fact_set *out)
{
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        const struct endpoint *ep = sandbox_gateway_endpoint(sb, families[i]);

        if (ep)
            must(driver_of(ep->network)->render_gateway(ep, families[i], ns, out));
    }
}

/* The container with the first `count` endpoints and its ports (or NULL); without any endpoints
 * there is none. */
static void render_container(const struct golden_case *c, const struct world *world, size_t count,
                             const char *ports, struct fact_set *out)
{
    static const struct kstate_ns ns = {.id = "1", .name = "shop", .path = "/run/weft/netns/1"};
    struct fact stack = {.kind = FACT_NETNS, .ns = &ns};
    struct fact loopback = {.kind = FACT_LINK,
                            .ns = &ns,
                            .link = {.name = "lo", .kind = LINK_LOOPBACK, .up = true}};
    struct fact resolver = {.kind = FACT_RESOLVER, .ns = &ns};
    struct sandbox sandbox = {0};

    if (count == 0)
        return;
    must(fact_set_add(out, &stack));
    must(fact_set_add(out, &loopback));
    if (c->resolver)
        must(fact_set_add(out, &resolver));
    for (size_t i = 0; i < count; i++) {
        struct endpoint *ep = world->endpoints[i];

        must(sandbox_add_endpoint(&sandbox, ep));
        must(driver_of(ep->network)->render_endpoint(ep, &ns, out));
        if (*ep->network->link)
            must(firewall_render_endpoint(ep, out));
    }
    render_gateways(&sandbox, &ns, out);
    if (ports)
        render_ports(&sandbox, ports, out);
    free(sandbox.endpoints);
}

static void explain_step(const char *title, struct fact_set *from, struct fact_set *to,
                         struct strbuf *out)
{
    _cleanup_plan_ struct plan plan = {0};

    fact_set_own(from);
    must(plan_diff(from, to, &plan));
    strbuf_printf(out, "== %s\n", title);
    plan_explain(&plan, out);
}

static void render_case(const struct golden_case *c, struct strbuf *out)
{
    _cleanup_fact_set_ struct fact_set nothing = {0}, given = {0}, before = {0}, after = {0};
    struct world world = {0};

    make_world(c, &world);
    if (world.endpoint_count > 0) {
        const char *ports_before = c->before < world.endpoint_count ? c->ports : NULL;

        render_networks(&world, &given);
        render_container(c, &world, c->before, ports_before, &given);
        render_container(c, &world, c->before, ports_before, &before);
        render_container(c, &world, world.endpoint_count, c->ports, &after);
        explain_step("given", &nothing, &given, out);
    } else {
        render_networks(&world, &after);
    }
    strbuf_puts(out, "== facts\n");
    fact_set_print(&after, out);
    explain_step("do", &before, &after, out);
    explain_step("undo", &after, &before, out);
    clear_world(&world);
}

static void matches_its_file(void **state)
{
    const struct golden_case *c = *state;
    const char *folder = getenv("WEFT_GOLDEN");
    _cleanup_free_ char *path = str_printf("%s/%s.txt", folder ? folder : ".", c->name);
    _cleanup_free_ char *golden = NULL;
    _cleanup_strbuf_ struct strbuf text = {0};
    struct weft_error err = {0};

    render_case(c, &text);
    if (getenv("UPDATE_GOLDEN"))
        must(file_write_atomic(path, strbuf_text(&text), text.len, 0644, &err));
    if (file_read(path, 1 << 20, &golden, NULL, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(strbuf_text(&text), golden);
}

int main(void)
{
    struct CMUnitTest tests[ARRAY_SIZE(cases)];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = matches_its_file,
            .initial_state = (void *)&cases[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
