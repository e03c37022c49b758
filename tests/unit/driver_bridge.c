/* SPDX-License-Identifier: Apache-2.0 */

/* What drivers decide and refuse. The facts that they render are in tests/golden. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/strbuf.h"
#include "driver/driver.h"
#include "driver/on_parent.h"
#include "firewall/firewall.h"
#include "model_make.h"

#define SUBNET "'IPAM': {'Config': [{'Subnet': '172.18.0.0/16', 'Gateway': '172.18.0.1'}]}"
#define NETWORK(more) "{'Name': 'web', 'Id': '" TEST_ID "', " SUBNET more "}"

static void expect_prepared(const char *doc, uint32_t default_mtu, const char *link, unsigned mtu)
{
    _cleanup_network_ struct network *net = make_network(doc);
    struct weft_error err = {0};

    if (driver_bridge.prepare_network(net, default_mtu, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(net->link, link);
    assert_int_equal(net->mtu, mtu);
}

static void a_network_gets_a_link_and_an_mtu(void **state)
{
    (void)state;
    expect_prepared(NETWORK(""), 0, "br-0123456789ab", 0);
    expect_prepared(NETWORK(""), 1500, "br-0123456789ab", 0);
    expect_prepared(NETWORK(""), 1400, "br-0123456789ab", 1400);
    expect_prepared(NETWORK(""), 65536, "br-0123456789ab", 65535);
    expect_prepared(NETWORK(", 'Options': {'" OPTION_MTU "': '9000', '" OPTION_BRIDGE_NAME
                            "': 'weft0'}"),
                    1400, "weft0", 9000);
    expect_prepared(NETWORK(", 'Options': {'" OPTION_MTU "': '1500'}"), 1400, "br-0123456789ab", 0);
}

static void parents_are_taken_apart(void **state)
{
    static const struct {
        const char *name, *lower, *rest;
        unsigned id;
    } cases[] = {
        {"eth0", NULL, NULL, 0},
        {"eth0.10", "eth0", "10", 10},
        {"eth0.", NULL, NULL, 0},
        {".10", NULL, NULL, 0},
        {"eth0.10.20", "eth0.10", "20", 20},
        {"eth0.0", "eth0", "0", 0},
        {"eth0.4094", "eth0", "4094", 4094},
        {"eth0.4095", "eth0", "4095", 0},
        {"eth0.x", "eth0", "x", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char lower[IFNAMSIZ];
        const char *rest = parent_split(cases[i].name, lower);

        assert_int_equal(rest != NULL, cases[i].rest != NULL);
        if (rest) {
            assert_string_equal(rest, cases[i].rest);
            assert_string_equal(lower, cases[i].lower);
        }
        assert_int_equal(parent_vlan(cases[i].name), cases[i].id);
    }
}

static void a_network_lies_on_its_parent(void **state)
{
    static const struct {
        const char *driver, *options, *parent;
        bool internal;
        unsigned mtu;
    } cases[] = {
        {"macvlan", "'parent': 'eth0'", "eth0", false, 0},
        {"ipvlan", "'parent': 'eth0.10', '" OPTION_MTU "': '1500'", "eth0.10", false, 1500},
        {"macvlan", "", "dm-0123456789ab", true, 0},
        {"ipvlan", "'parent': ''", "dm-0123456789ab", true, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *text = str_printf(NETWORK(", 'Driver': '%s', 'Options': {%s}"),
                                               cases[i].driver, cases[i].options);
        _cleanup_network_ struct network *net = make_network(text);
        struct weft_error err = {0};

        assert_int_equal(driver_find(net->driver)->prepare_network(net, 9000, &err), 0);
        assert_string_equal(net->parent, cases[i].parent);
        assert_string_equal(net->link, "");
        assert_int_equal(net->internal, cases[i].internal);
        assert_int_equal(net->mtu, cases[i].mtu);
        assert_false(network_publishes(net));
        assert_false(network_has_gateway(net, &net->pools[0]));
    }
}

static int check_endpoint(const char *network, const char *endpoint, struct weft_error *err)
{
    _cleanup_network_ struct network *net = make_network(network);
    _cleanup_json_ json_t *doc = make_json(endpoint);
    struct endpoint_want want = {0};

    assert_int_equal(endpoint_want_from_json(doc, &want, err), 0);
    int r = driver_find(net->driver)->check_endpoint(net, &want, err);
    endpoint_want_clear(&want);
    return r;
}

static void an_endpoint_s_wishes_are_checked(void **state)
{
    static const char *const refused[] = {
        "{'IPAMConfig': {'IPv6Address': 'fd00::7'}}",
        "{'DriverOpts': {'" OPTION_ENDPOINT_SYSCTLS
        "': 'net.ipv4.conf.IFNAME.a_name_that_is_too_long_for_any_sysctl_of_the_kernel=1'}}",
        "{'DriverOpts': {'" OPTION_ENDPOINT_SYSCTLS
        "': 'net.ipv4.conf.IFNAME.rp_filter=a_value_that_is_too_long'}}",
    };
    struct weft_error err = {0};

    (void)state;
    assert_int_equal(check_endpoint(NETWORK(""), "{}", &err), 0);
    assert_int_equal(check_endpoint(NETWORK(""), "{'IPAMConfig': {'IPv4Address': '172.18.0.7'}}",
                                    &err),
                     0);
    assert_int_equal(check_endpoint(NETWORK(""),
                                    "{'DriverOpts': {'" OPTION_ENDPOINT_SYSCTLS
                                    "': 'net.ipv4.conf.IFNAME.rp_filter=2,"
                                    "net.ipv6.conf.IFNAME.accept_ra=0'}}",
                                    &err),
                     0);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(check_endpoint(NETWORK(""), refused[i], &err), -EINVAL);
}

static void wishes_must_be_the_driver_s(void **state)
{
#define ON(driver, options) NETWORK(", 'Driver': '" driver "', 'Options': {" options "}")
    static const struct {
        const char *network, *endpoint, *text;
    } cases[] = {
        {ON("bridge", ""), "{'DriverOpts': {'vlan': '4095'}}",
         "option vlan of the endpoint on network web: \"4095\" is not a number from 1 to 4094"},
        {ON("bridge", ""), "{'DriverOpts': {'vlan': '10'}}",
         "VLAN 10 asked for, but network web does not know VLANs: it needs option vlan_aware"},
        {ON("macvlan", "'parent': 'eth0'"), "{'DriverOpts': {'vlan': '10'}}",
         "option vlan of the endpoint on network web is none of macvlan networks"},
        {ON("macvlan", "'parent': 'eth0'"), "{'DriverOpts': {'color': 'red'}}",
         "option color of the endpoint on network web is unknown"},
        {ON("macvlan", "'parent': 'eth0'"), "{'IPAMConfig': {'IPv6Address': 'fd00::7'}}",
         "address fd00::7 asked for, but network web has no IPv6"},
        {ON("macvlan", "'parent': 'eth0', 'macvlan_mode': 'passthru'"),
         "{'MacAddress': '02:00:00:00:00:01'}",
         "MAC 02:00:00:00:00:01 asked for, but network web is passed through: its endpoint has the "
         "MAC of the parent eth0"},
        {ON("ipvlan", "'parent': 'eth0'"), "{'MacAddress': '02:00:00:00:00:01'}",
         "MAC 02:00:00:00:00:01 asked for, but endpoints on network web all have the MAC of the "
         "parent eth0"},
        {ON("bridge", "'vlan_aware': 'true'"), "{'DriverOpts': {'vlan': '10'}}", NULL},
        {ON("bridge", ""), "{'DriverOpts': {'color': 'red'}}", NULL},
        {ON("macvlan", "'parent': 'eth0'"), "{'MacAddress': '02:00:00:00:00:01'}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_network_ struct network *net = make_network(cases[i].network);
        _cleanup_json_ json_t *doc = make_json(cases[i].endpoint);
        const struct driver_ops *driver = driver_find(net->driver);
        struct endpoint_want want = {0};
        struct weft_error err = {0};

        assert_int_equal(driver->prepare_network(net, 1500, &err), 0);
        assert_int_equal(endpoint_want_from_json(doc, &want, &err), 0);
        assert_int_equal(driver->check_endpoint(net, &want, &err), cases[i].text ? -EINVAL : 0);
        assert_string_equal(err.text, cases[i].text ? cases[i].text : "");
        endpoint_want_clear(&want);
    }
}

static void sysctls_of_a_dotted_interface_stay_whole(void **state)
{
    _cleanup_network_ struct network *net = make_network(NETWORK(
        ", 'Options': {'" OPTION_ENDPOINT_SYSCTLS "': 'net.ipv4.conf.IFNAME.rp_filter=2'}"));
    struct endpoint ep = {.network = net, .id = TEST_ID, .ifname = "eth0.10"};
    struct kstate_ns ns = {.id = "1", .name = "web"};
    _cleanup_fact_set_ struct fact_set facts = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    (void)state;
    assert_int_equal(driver_bridge.render_endpoint(&ep, &ns, &facts), 0);
    fact_set_print(&facts, &text);
    assert_non_null(
        strstr(strbuf_text(&text), "web: sysctl net/ipv4/conf/eth0.10/rp_filter = 2\n"));
}

static void drivers_are_found_by_name(void **state)
{
    (void)state;
    assert_ptr_equal(driver_find("bridge"), &driver_bridge);
    assert_ptr_equal(driver_find("host"), &driver_host);
    assert_ptr_equal(driver_find("null"), &driver_null);
    assert_ptr_equal(driver_find("macvlan"), &driver_macvlan);
    assert_ptr_equal(driver_find("somebody/plugin:1"), &driver_remote);
    assert_null(driver_find(""));
    assert_true(driver_bridge.has_pools && !driver_bridge.single);
    assert_true(!driver_host.has_pools && driver_host.single);
}

static void host_and_null_put_nothing_into_the_kernel(void **state)
{
    static const char *const docs[] = {"{'Name': 'host', 'Driver': 'host'}",
                                       "{'Name': 'none', 'Driver': 'null'}"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
        _cleanup_network_ struct network *net = make_network(docs[i]);
        const struct driver_ops *driver = driver_find(net->driver);
        struct endpoint ep = {.network = net};
        struct weft_error err = {0};
        _cleanup_fact_set_ struct fact_set facts = {0};

        assert_int_equal(driver->prepare_network(net, 1400, &err), 0);
        assert_int_equal(driver->render_network(net, &facts), 0);
        assert_int_equal(driver->render_endpoint(&ep, NULL, &facts), 0);
        assert_int_equal(driver->render_gateway(&ep, AF_INET, NULL, &facts), 0);
        assert_int_equal(firewall_render_network(net, &facts), 0);
        assert_int_equal(facts.count, 0);
        assert_int_equal(check_endpoint(docs[i], "{}", &err), 0);
        assert_int_equal(check_endpoint(docs[i], "{'IPAMConfig': {'IPv4Address': '172.18.0.7'}}",
                                        &err),
                         -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_gets_a_link_and_an_mtu),
        cmocka_unit_test(parents_are_taken_apart),
        cmocka_unit_test(a_network_lies_on_its_parent),
        cmocka_unit_test(wishes_must_be_the_driver_s),
        cmocka_unit_test(an_endpoint_s_wishes_are_checked),
        cmocka_unit_test(sysctls_of_a_dotted_interface_stay_whole),
        cmocka_unit_test(drivers_are_found_by_name),
        cmocka_unit_test(host_and_null_put_nothing_into_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
