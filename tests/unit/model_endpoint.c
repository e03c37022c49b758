/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/endpoint.h"
#include "model_make.h"

static void nothing_wanted_is_fine(void **state)
{
    static const char *const docs[] = {
        "{}",
        "{'IPAMConfig':null,'Links':null,'Aliases':[],'MacAddress':'','DriverOpts':null}",
        "{'IPAMConfig':{'IPv4Address':'','LinkLocalIPs':null},'NetworkID':'x','IPAddress':'y'}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
        _cleanup_json_ json_t *doc = make_json(docs[i]), *empty = json_object();
        struct endpoint_want want = {0};

        assert_int_equal(endpoint_want_from_json(doc, &want, NULL), 0);
        _cleanup_json_ json_t *again = endpoint_want_to_json(&want);
        assert_true(json_equal(again, empty));
        endpoint_want_clear(&want);
    }
    assert_int_equal(endpoint_want_from_json(NULL, &(struct endpoint_want){0}, NULL), 0);
    assert_int_equal(endpoint_want_from_json(json_null(), &(struct endpoint_want){0}, NULL), 0);
}

static void wishes_come_back(void **state)
{
    _cleanup_json_ json_t *doc = make_json(
        "{'IPAMConfig':{'IPv4Address':'10.5.0.7','IPv6Address':'fd00::7',"
        "'LinkLocalIPs':['169.254.3.4','fe80::5']},'Links':['db:sql'],'Aliases':['a','b'],"
        "'MacAddress':'02:42:0a:05:00:07','GwPriority':-3,"
        "'DriverOpts':{'com.docker.network.endpoint.ifname':'wan0',"
        "'com.docker.network.endpoint.sysctls':'net.ipv4.conf.IFNAME.log_martians=1,"
        "net.ipv6.conf.IFNAME.accept_ra=0','foo':'bar','weft.source_guard':'false'}}");
    struct endpoint_want want = {0};

    (void)state;
    assert_int_equal(endpoint_want_from_json(doc, &want, NULL), 0);
    assert_string_equal(addr_text(&want.ipv4), "10.5.0.7");
    assert_string_equal(addr_text(&want.ipv6), "fd00::7");
    assert_int_equal(want.link_local_count, 2);
    assert_string_equal(mac_text(&want.mac), "02:42:0a:05:00:07");
    assert_true(strv_contains(want.aliases, "b"));
    assert_int_equal(want.gw_priority, -3);
    _cleanup_json_ json_t *again = endpoint_want_to_json(&want);
    assert_true(json_equal(doc, again));
    endpoint_want_clear(&want);
}

static void bad_wishes_are_refused(void **state)
{
#define SYSCTL(value) "{'DriverOpts':{'com.docker.network.endpoint.sysctls':'" value "'}}"
#define BAD_SYSCTL(value)                                                                          \
    "option com.docker.network.endpoint.sysctls of the endpoint: \"" value                         \
    "\" does not have the form net.X.Y.IFNAME.KEY=VALUE"
    static const struct {
        const char *doc, *text;
    } cases[] = {
        {"[]", "an endpoint's settings must be a JSON object"},
        {"{'IPAMConfig':{'IPv4Address':'10.5'}}", "IPv4Address: \"10.5\" is not an IP address"},
        {"{'IPAMConfig':{'IPv4Address':'fd00::7'}}", "IPv4Address fd00::7 is not an IPv4 address"},
        {"{'IPAMConfig':{'IPv6Address':'10.5.0.7'}}",
         "IPv6Address 10.5.0.7 is not an IPv6 address"},
        {"{'IPAMConfig':{'LinkLocalIPs':['169.254.0.1','10.5.0.7']}}",
         "link-local address 10.5.0.7 is in neither 169.254.0.0/16 nor fe80::/64"},
        {"{'IPAMConfig':{'LinkLocalIPs':['fe80:1::1']}}",
         "link-local address fe80:1::1 is in neither 169.254.0.0/16 nor fe80::/64"},
        {"{'IPAMConfig':{'LinkLocalIPs':['x']}}", "\"x\" is not an IP address"},
        {"{'MacAddress':'02:42'}", "\"02:42\" is not a MAC address"},
        {"{'MacAddress':'01:00:5e:00:00:01'}",
         "MAC address 01:00:5e:00:00:01 is a multicast address"},
        {"{'Aliases':'a'}", "Aliases must be an array"},
        {"{'GwPriority':'high'}", "GwPriority must be an integer"},
        {"{'DriverOpts':{'com.docker.network.endpoint.ifname':'a b'}}",
         "option com.docker.network.endpoint.ifname of the endpoint: \"a b\" is not a valid"
         " interface name"},
        {"{'DriverOpts':{'com.docker.network.endpoint.name':'x'}}",
         "option com.docker.network.endpoint.name of the endpoint is unknown"},
        {"{'DriverOpts':{'weft.guard':'x'}}", "option weft.guard of the endpoint is unknown"},
        {"{'DriverOpts':{'weft.source_guard':'no'}}",
         "option weft.source_guard of the endpoint: \"no\" is neither true nor false"},
        {"{'DriverOpts':{'com.docker.network.bridge.name':'x'}}",
         "option com.docker.network.bridge.name of the endpoint is unknown"},
        {SYSCTL(""), BAD_SYSCTL("")},
        {SYSCTL("kernel.x.y.IFNAME.z=1"), BAD_SYSCTL("kernel.x.y.IFNAME.z=1")},
        {SYSCTL("net.ipv4.conf.eth0.forwarding=1"), BAD_SYSCTL("net.ipv4.conf.eth0.forwarding=1")},
        {SYSCTL("net.ipv4.conf.IFNAME.x="), BAD_SYSCTL("net.ipv4.conf.IFNAME.x=")},
        {SYSCTL("net.ipv4.conf.IFNAME.x"), BAD_SYSCTL("net.ipv4.conf.IFNAME.x")},
        {SYSCTL("net.ipv4.conf.IFNAME=1"), BAD_SYSCTL("net.ipv4.conf.IFNAME=1")},
        {SYSCTL("net.ipv4..IFNAME.x=1"), BAD_SYSCTL("net.ipv4..IFNAME.x=1")},
        {SYSCTL("net.ipv4.conf/../x.IFNAME.x=1"), BAD_SYSCTL("net.ipv4.conf/../x.IFNAME.x=1")},
        {SYSCTL("net.ipv4.conf.IFNAME.a.b=1"), BAD_SYSCTL("net.ipv4.conf.IFNAME.a.b=1")},
        {SYSCTL("net.ipv4.conf.IFNAME.x=1,"), BAD_SYSCTL("")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *doc = make_json(cases[i].doc);
        struct endpoint_want want = {0}, zero = {0};
        struct weft_error err = {0};

        assert_true(endpoint_want_from_json(doc, &want, &err) < 0);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(err.code, WEFT_INVALID);
        assert_memory_equal(&want, &zero, sizeof zero);
    }
}

static void a_stored_endpoint_comes_back(void **state)
{
    static const char *const docs[] = {
        "{'Id':'" TEST_ID "','IfName':'eth0','IPv4':'10.5.0.7','IPv6':'fd00::7',"
        "'Mac':'02:42:0a:05:00:07','Want':{'Aliases':['a']}}",
        "{'Id':'" TEST_ID "','IfName':'','IPv4':'','IPv6':'','Mac':'','Want':{}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
        _cleanup_json_ json_t *doc = make_json(docs[i]);
        _cleanup_endpoint_ struct endpoint *ep = NULL;
        char link[IFNAMSIZ];

        assert_int_equal(endpoint_from_json(doc, &ep, NULL), 0);
        _cleanup_json_ json_t *again = endpoint_to_json(ep);
        assert_true(json_equal(doc, again));
        assert_null(ep->network);
        endpoint_host_link(ep, link);
        assert_string_equal(link, "veth0123456");
    }
}

static void bad_stored_endpoints_are_refused(void **state)
{
    static const char *const docs[] = {
        "[]",
        "{}",
        "{'Id':'" TEST_ID "','IPv4':'fd00::1'}",
        "{'Id':'" TEST_ID "','IfName':'more-than-fifteen'}",
        "{'Id':'" TEST_ID "','Want':{'MacAddress':'x'}}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(docs); i++) {
        _cleanup_json_ json_t *doc = make_json(docs[i]);
        struct endpoint *ep = NULL;
        struct weft_error err = {0};

        assert_true(endpoint_from_json(doc, &ep, &err) < 0);
        assert_null(ep);
        assert_true(err.text[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_wanted_is_fine),
        cmocka_unit_test(wishes_come_back),
        cmocka_unit_test(bad_wishes_are_refused),
        cmocka_unit_test(a_stored_endpoint_comes_back),
        cmocka_unit_test(bad_stored_endpoints_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
