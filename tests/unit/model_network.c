/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "model_make.h"

static void a_name_is_enough(void **state)
{
    _cleanup_network_ struct network *net = make_network("{'Name':'web'}");

    (void)state;
    assert_string_equal(net->name, "web");
    assert_string_equal(net->driver, "bridge");
    assert_true(net->enable_ipv4);
    assert_false(net->enable_ipv6);
    assert_string_equal(net->id, "");
    assert_int_equal(net->created, 0);
    assert_int_equal(net->pool_count, 0);
    assert_null(network_pool(net, AF_INET));
}

/* What `docker network create web` of several versions and docker-py send. */
static void empty_values_of_clients_are_fine(void **state)
{
    static const char *const docs[] = {
        "{'Name':'web','CheckDuplicate':true,'Driver':'','Scope':'','EnableIPv4':null,"
        " 'EnableIPv6':null,'IPAM':{'Driver':'default','Options':{},'Config':[]},'Internal':false,"
        " 'Attachable':false,'Ingress':false,'ConfigOnly':false,'ConfigFrom':null,'Options':{},"
        " 'Labels':{}}",
        "{'Name':'web','IPAM':{'Driver':'','Options':null,'Config':null},'Options':null,"
        " 'Labels':null,'ConfigFrom':{'Network':''},'Scope':'local'}",
        "{'Name':'web','IPAM':{'Config':[{'Subnet':null,'IPRange':'','Gateway':null,"
        " 'AuxiliaryAddresses':null}]}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
        _cleanup_network_ struct network *net = make_network(docs[i]);

        assert_string_equal(net->driver, "bridge");
        assert_true(net->enable_ipv4);
        assert_int_equal(net->pool_count, 0);
    }
}

static void pools_are_read(void **state)
{
    _cleanup_network_ struct network *net = make_network(
        "{'Name':'web','EnableIPv6':true,'IPAM':{'Config':["
        "{'Subnet':'10.5.0.0/16','IPRange':'10.5.1.0/24','Gateway':'10.5.0.254',"
        " 'AuxiliaryAddresses':{'router':'10.5.0.2','dns':'10.5.0.3'}},{'Subnet':'fd00::/64'}]}}");
    const struct pool *v4 = network_pool(net, AF_INET), *v6 = network_pool(net, AF_INET6);

    (void)state;
    assert_int_equal(net->pool_count, 2);
    assert_string_equal(prefix_text(&v4->subnet), "10.5.0.0/16");
    assert_string_equal(prefix_text(pool_area(v4)), "10.5.1.0/24");
    assert_string_equal(addr_text(&v4->gateway), "10.5.0.254");
    assert_int_equal(v4->aux_count, 2);
    assert_string_equal(pool_aux(v4, A("10.5.0.2"))->name, "router");
    assert_null(pool_aux(v4, A("10.5.0.4")));
    assert_string_equal(prefix_text(pool_area(v6)), "fd00::/64");
    assert_false(addr_is_set(&v6->gateway));
    assert_ptr_equal(network_pool_of(net, A("fd00::7")), v6);
    assert_null(network_pool_of(net, A("10.6.0.1")));
    assert_null(network_pool_of(net, &(struct addr){0}));
}

static void some_addresses_are_no_hosts(void **state)
{
    static const struct {
        const char *subnet, *addr;
        bool usable;
    } cases[] = {
        {"10.5.0.0/24", "10.5.0.0", false},  {"10.5.0.0/24", "10.5.0.255", false},
        {"10.5.0.0/24", "10.5.0.1", true},   {"10.5.0.0/24", "10.6.0.1", false},
        {"10.5.0.0/31", "10.5.0.0", true},   {"10.5.0.0/31", "10.5.0.1", true},
        {"10.5.0.9/32", "10.5.0.9", true},   {"fd00::/64", "fd00::", false},
        {"fd00::/64", "fd00::1", true},      {"fd00::/64", "fd00::ffff:ffff:ffff:ffff", true},
        {"fd00::2/127", "fd00::2", true},    {"fd00::/64", "10.5.0.1", false},
        {"10.5.0.0/16", "10.5.0.255", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pool pool = {.subnet = *P(cases[i].subnet)};

        assert_int_equal(pool_is_usable(&pool, A(cases[i].addr)), cases[i].usable);
    }
}

static void options_may_say_the_families(void **state)
{
    static const struct {
        const char *doc;
        bool ipv4, ipv6;
    } cases[] = {
        {"{'Name':'web','Options':{'com.docker.network.enable_ipv6':'true'}}", true, true},
        {"{'Name':'web','Options':{'com.docker.network.enable_ipv4':'0',"
         "'com.docker.network.enable_ipv6':'1'}}",
         false, true},
        {"{'Name':'web','EnableIPv4':true,'Options':{'com.docker.network.enable_ipv4':'false'}}",
         true, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_network_ struct network *net = make_network(cases[i].doc);

        assert_int_equal(net->enable_ipv4, cases[i].ipv4);
        assert_int_equal(net->enable_ipv6, cases[i].ipv6);
    }
}

static void options_are_kept(void **state)
{
    _cleanup_network_ struct network *net = make_network(
        "{'Name':'web','Internal':true,'Options':{'com.docker.network.bridge.name':'br-web',"
        "'com.docker.network.bridge.enable_ip_masquerade':'false',"
        "'com.docker.network.bridge.gateway_mode_ipv4':'isolated',"
        "'com.docker.network.bridge.host_binding_ipv4':'127.0.0.1',"
        "'com.docker.network.bridge.trusted_host_interfaces':'eth0:wg0',"
        "'com.docker.network.container_iface_prefix':'twelve-chars',"
        "'com.docker.network.host_ipv6':'fd00::1',"
        "'com.docker.network.driver.mtu':'68','weft.source_guard':'false','my.own':'anything'}}");

    (void)state;
    assert_string_equal(network_option(net, OPTION_BRIDGE_NAME), "br-web");
    assert_string_equal(network_option(net, "my.own"), "anything");
    assert_null(network_option(net, OPTION_BRIDGE_ICC));
    assert_false(network_option_bool(net, OPTION_SOURCE_GUARD, true));
    assert_false(network_option_bool(net, OPTION_BRIDGE_MASQUERADE, true));
    assert_true(network_option_bool(net, OPTION_BRIDGE_ICC, true));
    assert_false(network_option_bool(net, OPTION_BRIDGE_ICC, false));
}

static void gateway_modes_are_told_by_family(void **state)
{
    static const struct {
        const char *text;
        enum gateway_mode mode;
    } modes[] = {
        {"nat", GATEWAY_NAT},
        {"nat-unprotected", GATEWAY_NAT_UNPROTECTED},
        {"routed", GATEWAY_ROUTED},
        {"isolated", GATEWAY_ISOLATED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        _cleanup_free_ char *text =
            str_printf("{'Name':'web','Internal':true,'Options':{"
                       "'com.docker.network.bridge.gateway_mode_ipv6':'%s'}}",
                       modes[i].text);
        _cleanup_network_ struct network *net = make_network(text);

        assert_int_equal(network_gateway_mode(net, AF_INET6), modes[i].mode);
        assert_int_equal(network_gateway_mode(net, AF_INET), GATEWAY_NAT);
    }
}

static void a_stored_document_comes_back(void **state)
{
    static const char text[] =
        "{'Name':'web','Id':'" TEST_ID "','Created':'2026-01-02T03:04:05.123456789Z',"
        "'Scope':'local','Driver':'bridge','EnableIPv4':true,'EnableIPv6':true,"
        "'IPAM':{'Driver':'default','Options':{'a':'b'},'Config':["
        "{'Subnet':'10.5.0.0/16','IPRange':'10.5.1.0/24','Gateway':'10.5.0.1',"
        "'AuxiliaryAddresses':{'router':'10.5.0.2'}},"
        "{'Subnet':'fd00::/64','Gateway':'fd00::1'}]},"
        "'Internal':true,'Attachable':true,'Ingress':false,'ConfigFrom':{'Network':''},"
        "'ConfigOnly':false,'Options':{'com.docker.network.driver.mtu':'1400'},"
        "'Labels':{'x':'y'},'Weft':{'Link':'br-0123456789','Mtu':1400,'Predefined':true}}";
    _cleanup_json_ json_t *doc = make_json(text);
    _cleanup_network_ struct network *net = make_network(text);
    _cleanup_json_ json_t *again = network_to_json(net);

    (void)state;
    assert_true(json_equal(doc, again));
    assert_string_equal(net->id, TEST_ID);
    assert_string_equal(net->link, "br-0123456789");
    assert_int_equal(net->mtu, 1400);
    assert_true(net->predefined);
    assert_true(net->created > 0);
}

struct refusal {
    const char *doc, *text;
    enum weft_code code;
};

static void check_refusals(const struct refusal *cases, size_t count, const char *before,
                           const char *after)
{
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *text = str_printf("%s%s%s", before, cases[i].doc, after);
        _cleanup_json_ json_t *doc = make_json(text);
        struct network *net = NULL;
        struct weft_error err = {0};

        assert_true(network_from_json(doc, &net, &err) < 0);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(err.code, cases[i].code ? cases[i].code : WEFT_INVALID);
        assert_null(net);
        assert_true(network_from_json(doc, &net, NULL) < 0);
    }
}

static void bad_requests_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"[]", "a network must be a JSON object", 0},
        {"{}", "a network needs a name", 0},
        {"{'Name':''}", "a network needs a name", 0},
        {"{'Name':7}", "Name must be a string", 0},
        {"{'Name':'-x'}", "invalid network name \"-x\": only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed",
         0},
        {"{'Name':'web','Internal':'yes'}", "Internal must be a boolean", 0},
        {"{'Name':'web','Labels':{'a':1}}", "Labels must map strings to strings: \"a\" does not",
         0},
        {"{'Name':'web','Id':'abc'}", "Id \"abc\" of network web is not an id", 0},
        {"{'Name':'web','Created':'soon'}", "Created \"soon\" of network web is not a time", 0},
        {"{'Name':'web','EnableIPv4':false}", "network web has neither IPv4 nor IPv6", 0},
        {"{'Name':'web','Ingress':true}",
         "network web cannot be an ingress network: there is no swarm", 0},
        {"{'Name':'web','ConfigOnly':true}",
         "network web uses config-only networks, which weft does not have", WEFT_UNSUPPORTED},
        {"{'Name':'web','ConfigFrom':{'Network':'base'}}",
         "network web uses config-only networks, which weft does not have", WEFT_UNSUPPORTED},
        {"{'Name':'web','Scope':'swarm'}",
         "network web cannot have scope swarm: this host is in no swarm", WEFT_FORBIDDEN},
        {"{'Name':'web','Scope':'global'}", "scope \"global\" of network web is unknown", 0},
        {"{'Name':'web','IPAM':[]}", "IPAM must be an object", 0},
        {"{'Name':'web','IPAM':{'Config':['x']}}",
         "network web: IPAM.Config must be an array of objects", 0},
        {"{'Name':'web','Weft':{'Link':'a/b'}}", "\"a/b\" is not a valid interface name", 0},
        {"{'Name':'web','Weft':{'Mtu':-1}}", "Mtu of network web must be from 0 to 65535", 0},
    };

    (void)state;
    check_refusals(cases, ARRAY_SIZE(cases), "", "");
}

static void bad_pools_are_refused(void **state)
{
    static const struct refusal cases[] = {
        {"{'Subnet':'10.5.0'}", "network web: Subnet: \"10.5.0\" is not a prefix (address/length)",
         0},
        {"{'Subnet':'10.5.0.3/24'}",
         "subnet 10.5.0.3/24 of network web has host bits set: did you mean 10.5.0.0/24?", 0},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.6.0.1'}",
         "gateway 10.6.0.1 of network web is outside its subnet 10.5.0.0/24", 0},
        {"{'Subnet':'10.5.0.0/24','Gateway':'fd00::1'}",
         "gateway fd00::1 of network web is outside its subnet 10.5.0.0/24", 0},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.1/24'}",
         "network web: Gateway: \"10.5.0.1/24\" is not an IP address", 0},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.0'}",
         "gateway 10.5.0.0 of network web is the network address of subnet 10.5.0.0/24", 0},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.255'}",
         "gateway 10.5.0.255 of network web is the broadcast address of subnet 10.5.0.0/24", 0},
        {"{'Subnet':'10.5.0.0/24','IPRange':'10.5.0.9/28'}",
         "range 10.5.0.9/28 of network web has host bits set: did you mean 10.5.0.0/28?", 0},
        {"{'Subnet':'10.5.0.0/24','IPRange':'10.5.0.0/16'}",
         "range 10.5.0.0/16 of network web is outside its subnet 10.5.0.0/24", 0},
        {"{'Subnet':'10.5.0.0/24','IPRange':'10.6.0.0/28'}",
         "range 10.6.0.0/28 of network web is outside its subnet 10.5.0.0/24", 0},
        {"{'IPRange':'10.5.0.0/28'}", "network web: its range needs a subnet", 0},
        {"{'Gateway':'10.5.0.1'}", "network web: its gateway needs a subnet", 0},
        {"{'AuxiliaryAddresses':{'a':'10.5.0.2'}}",
         "network web: its auxiliary address needs a subnet", 0},
        {"{'Subnet':'10.5.0.0/24','AuxiliaryAddresses':{'a':'10.5.0'}}",
         "network web: auxiliary address a: \"10.5.0\" is not an IP address", 0},
        {"{'Subnet':'10.5.0.0/24','AuxiliaryAddresses':{'a':'10.6.0.2'}}",
         "auxiliary address 10.6.0.2 of network web is outside its subnet 10.5.0.0/24", 0},
        {"{'Subnet':'10.5.0.0/24','AuxiliaryAddresses':{'a':'10.5.0.2','b':'10.5.0.2'}}",
         "auxiliary address 10.5.0.2 of network web has two names, a and b", 0},
        {"{'Subnet':'10.5.0.0/24','Gateway':'10.5.0.2','AuxiliaryAddresses':{'a':'10.5.0.2'}}",
         "auxiliary address 10.5.0.2 of network web is its gateway", 0},
        {"{'Subnet':'10.5.0.0/32'}",
         "pool 10.5.0.0/32 of network web has no address for an endpoint", 0},
        {"{'Subnet':'10.5.0.0/30','AuxiliaryAddresses':{'a':'10.5.0.2'}}",
         "pool 10.5.0.0/30 of network web has no address for an endpoint", 0},
        {"{'Subnet':'10.5.0.0/24','IPRange':'10.5.0.0/32','Gateway':'10.5.0.1'}",
         "pool 10.5.0.0/32 of network web has no address for an endpoint", 0},
        {"{'Subnet':'10.5.0.0/24'},{'Subnet':'10.5.0.128/25'}",
         "subnets 10.5.0.0/24 and 10.5.0.128/25 of network web overlap", 0},
        {"{'Subnet':'fd00::/64'}", "subnet fd00::/64 of network web is IPv6, which is not enabled",
         0},
        {"{'Subnet':'224.1.0.0/24'}",
         "subnet 224.1.0.0/24 of network web overlaps 224.0.0.0/4, which is multicast", 0},
        {"{'Subnet':'127.1.0.0/24'}",
         "subnet 127.1.0.0/24 of network web overlaps 127.0.0.0/8, which is loopback", 0},
        {"{'Subnet':'0.0.0.0/0'}",
         "subnet 0.0.0.0/0 of network web overlaps 0.0.0.0/8, which is \"this network\"", 0},
    };

    (void)state;
    check_refusals(cases, ARRAY_SIZE(cases), "{'Name':'web','IPAM':{'Config':[", "]}}");
}

static void small_pools_that_suffice_are_fine(void **state)
{
    static const char *const pools[] = {
        "{'Subnet':'10.5.0.0/31'}",
        "{'Subnet':'10.5.0.0/30'}",
        "{'Subnet':'10.5.0.0/24','IPRange':'10.5.0.9/32','Gateway':'10.5.0.1'}",
        "{'Subnet':'fd00::/127'}",
        "{'Subnet':'fd00::/16'}",
        "{'Subnet':'10.5.0.0/24'},{'Subnet':'10.6.0.0/24'}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
        _cleanup_free_ char *text =
            str_printf("{'Name':'web','EnableIPv6':true,'IPAM':{'Config':[%s]}}", pools[i]);
        _cleanup_network_ struct network *net = make_network(text);

        assert_true(net->pool_count > 0);
    }
}

static void bad_options_are_refused(void **state)
{
#define OPTION "option com.docker.network."
    static const struct refusal cases[] = {
        {"bridge.nmae':'x'", OPTION "bridge.nmae of network web is unknown", 0},
        {"bridge.enable_icc':'yes'",
         OPTION "bridge.enable_icc of network web: \"yes\" is neither true nor false", 0},
        {"enable_ipv6':''", OPTION "enable_ipv6 of network web: \"\" is neither true nor false", 0},
        {"driver.mtu':'67'",
         OPTION "driver.mtu of network web: \"67\" is not a number from 68 to 65535", 0},
        {"driver.mtu':'65536'",
         OPTION "driver.mtu of network web: \"65536\" is not a number from 68 to 65535", 0},
        {"driver.mtu':'1500b'",
         OPTION "driver.mtu of network web: \"1500b\" is not a number from 68 to 65535", 0},
        {"bridge.name':'sixteen-letters!'",
         OPTION "bridge.name of network web: \"sixteen-letters!\" is not a valid interface name",
         0},
        {"container_iface_prefix':'thirteen-char'",
         OPTION "container_iface_prefix of network web: \"thirteen-char\" is longer than 12"
                " characters",
         0},
        {"container_iface_prefix':'a/b'",
         OPTION "container_iface_prefix of network web: \"a/b\" is not a valid interface name", 0},
        {"bridge.gateway_mode_ipv6':'nut'",
         OPTION "bridge.gateway_mode_ipv6 of network web: \"nut\" is none of nat, nat-unprotected,"
                " routed and isolated",
         0},
        {"bridge.gateway_mode_ipv4':'isolated'",
         "gateway mode isolated of network web needs an internal network", 0},
        {"bridge.host_binding_ipv4':'fd00::1'",
         OPTION "bridge.host_binding_ipv4 of network web: fd00::1 is not an IPv4 address", 0},
        {"host_ipv4':'0.0.0.0'",
         OPTION "host_ipv4 of network web: 0.0.0.0 is not an address that a host has", 0},
        {"host_ipv6':'ff02::1'",
         OPTION "host_ipv6 of network web: ff02::1 is not an address that a host has", 0},
        {"bridge.gateway_mode_ipv6':'isolated'",
         "gateway mode isolated of network web needs an internal network", 0},
        {"driver.mtu':'1500','weft.source_gaurd':'true'",
         "option weft.source_gaurd of network web is unknown", 0},
        {"driver.mtu':'1500','weft.source_guard':'off'",
         "option weft.source_guard of network web: \"off\" is neither true nor false", 0},
        {"host_ipv6':'10.0.0.1'",
         OPTION "host_ipv6 of network web: 10.0.0.1 is not an IPv6 address", 0},
        {"bridge.trusted_host_interfaces':'eth0:'",
         OPTION "bridge.trusted_host_interfaces of network web: \"\" is not a valid interface name",
         0},
        {"driver.mtu':'1279','com.docker.network.enable_ipv6':'true'",
         "MTU 1279 of network web is too small: IPv6 needs 1280", 0},
    };

    (void)state;
    check_refusals(cases, ARRAY_SIZE(cases), "{'Name':'web','Options':{'com.docker.network.", "}}");
}

static void short_options_belong_to_drivers(void **state)
{
    static const struct refusal cases[] = {
        {"macvlan','Options':{'parnet':'eth0'}", "option parnet of network web is unknown", 0},
        {"macvlan','Options':{'ipvlan_mode':'l2'}",
         "option ipvlan_mode of network web is none of macvlan networks", 0},
        {"ipvlan','Options':{'mac_from':'name'}",
         "option mac_from of network web is none of ipvlan networks", 0},
        {"ipvlan','Options':{'com.docker.network.bridge.enable_icc':'true'}",
         "option com.docker.network.bridge.enable_icc of network web is none of ipvlan networks",
         0},
        {"macvlan','Options':{'weft.source_guard':'false'}",
         "option weft.source_guard of network web is none of macvlan networks", 0},
        {"macvlan','Options':{'macvlan_mode':'passthrough'}",
         "option macvlan_mode of network web: \"passthrough\" is none of bridge, private, vepa and "
         "passthru",
         0},
        {"macvlan','Options':{'parent':'a/b'}",
         "option parent of network web: \"a/b\" is not a valid interface name", 0},
        {"macvlan','Options':{'mac_from':'ip'}",
         "option mac_from of network web: \"ip\" is none of address, name and random", 0},
        {"ipvlan','Options':{'ipvlan_mode':'l4'}",
         "option ipvlan_mode of network web: \"l4\" is none of l2, l3 and l3s", 0},
        {"ipvlan','Options':{'ipvlan_flag':'passthru'}",
         "option ipvlan_flag of network web: \"passthru\" is none of bridge, private and vepa", 0},
        {"bridge','Options':{'stp':'yes'}",
         "option stp of network web: \"yes\" is neither true nor false", 0},
        {"bridge','Options':{'uplink':''}",
         "option uplink of network web: \"\" is not a valid interface name", 0},
        {"bridge','Options':{'vlan_aware':'2'}",
         "option vlan_aware of network web: \"2\" is neither true nor false", 0},
    };
    static const char *const fine[] = {
        "{'Name':'web','Options':{'parent':'a/b','whatever':'x'}}",
        "{'Name':'web','Driver':'vendor/plugin','Options':{'stp':'maybe','parent':'a/b'}}",
        "{'Name':'web','Driver':'macvlan','Options':{'parent':''}}",
        "{'Name':'web','Driver':'macvlan','Options':{'parent':'eth0.10','macvlan_mode':'vepa'}}",
        "{'Name':'web','Driver':'macvlan','Options':{'mac_from':'name','host_access':'true'}}",
        "{'Name':'web','Driver':'ipvlan','Options':{'parent':'eth0','ipvlan_mode':'l3s'}}",
    };

    (void)state;
    check_refusals(cases, ARRAY_SIZE(cases), "{'Name':'web','Driver':'", "}");
    for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
        network_free(make_network(fine[i]));
}

static void bad_combinations_on_a_parent_are_refused(void **state)
{
#define HOST "'IPAM':{'Config':[{'Subnet':'10.5.0.0/24','AuxiliaryAddresses':{'host':'10.5.0.9'}}]}"
    static const struct refusal cases[] = {
        {"macvlan','Options':{'macvlan_mode':'passthru'}",
         "macvlan_mode passthru of network web needs a parent to pass through to", 0},
        {"macvlan','Options':{'macvlan_mode':'private','host_access':'true'}",
         "the host can have no access to network web: in macvlan_mode private nobody reaches its "
         "endpoints directly",
         0},
        {"macvlan','Options':{'macvlan_mode':'private'}," HOST,
         "the host can have no access to network web: in macvlan_mode private nobody reaches its "
         "endpoints directly",
         0},
        {"ipvlan','Options':{'ipvlan_flag':'private','host_access':'true'}",
         "the host can have no access to network web: with ipvlan_flag private nobody reaches its "
         "endpoints directly",
         0},
        {"ipvlan','Options':{'ipvlan_mode':'l3'},'IPAM':{'Driver':'dhcp'}",
         "network web cannot have addresses by DHCP: in ipvlan_mode l3 nothing is broadcast", 0},
    };

    (void)state;
    check_refusals(cases, ARRAY_SIZE(cases), "{'Name':'web','Driver':'", "}");
    network_free(make_network("{'Name':'web','Driver':'macvlan'," HOST
                              ",'Options':{'macvlan_mode':'private','host_access':'false'}}"));
}

static void the_host_s_own_address_is_told(void **state)
{
    static const char pools[] =
        "'EnableIPv6':true,'IPAM':{'Config':["
        "{'Subnet':'10.5.0.0/24','AuxiliaryAddresses':{'nas':'10.5.0.8','host':'10.5.0.9'}},"
        "{'Subnet':'fd00::/64','AuxiliaryAddresses':{'host':'fd00::9'}}]}";
    static const struct {
        const char *driver, *options;
        bool has_access;
    } cases[] = {
        {"macvlan", "", true},
        {"ipvlan", "", true},
        {"bridge", "", false},
        {"macvlan", "'host_access':'false'", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text =
            str_printf("{'Name':'web','Id':'" TEST_ID "','Driver':'%s','Options':{%s},%s}",
                       cases[i].driver, cases[i].options, pools);
        _cleanup_network_ struct network *net = make_network(text);
        struct addr ipv4 = network_access_addr(net, AF_INET);
        struct addr ipv6 = network_access_addr(net, AF_INET6);
        char link[IFNAMSIZ];

        assert_int_equal(network_has_access(net), cases[i].has_access);
        assert_string_equal(addr_text(&ipv4), cases[i].has_access ? "10.5.0.9" : "");
        assert_string_equal(addr_text(&ipv6), cases[i].has_access ? "fd00::9" : "");
        network_access_link(net, link);
        assert_string_equal(link + 1, "v-0123456789ab");
        assert_int_equal(link[0], cases[i].driver[0]);
    }
}

static void long_names_are_refused(void **state)
{
    char name[NETWORK_NAME_MAX + 2] = {0};
    struct network *net = NULL;
    struct weft_error err = {0};

    (void)state;
    memset(name, 'n', sizeof name - 1);
    _cleanup_json_ json_t *doc = json_pack("{s:s}", "Name", name);
    assert_int_equal(network_from_json(doc, &net, &err), -EINVAL);
    assert_non_null(strstr(err.text, "longer than 255 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_is_enough),
        cmocka_unit_test(empty_values_of_clients_are_fine),
        cmocka_unit_test(pools_are_read),
        cmocka_unit_test(some_addresses_are_no_hosts),
        cmocka_unit_test(options_may_say_the_families),
        cmocka_unit_test(options_are_kept),
        cmocka_unit_test(gateway_modes_are_told_by_family),
        cmocka_unit_test(a_stored_document_comes_back),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(bad_pools_are_refused),
        cmocka_unit_test(small_pools_that_suffice_are_fine),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(short_options_belong_to_drivers),
        cmocka_unit_test(bad_combinations_on_a_parent_are_refused),
        cmocka_unit_test(the_host_s_own_address_is_told),
        cmocka_unit_test(long_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
