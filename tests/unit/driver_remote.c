/* SPDX-License-Identifier: Apache-2.0 */

/* What a plugin's network comes to in the kernel. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "driver/driver.h"
#include "model_make.h"

#define NETWORK                                                                                    \
    "{'Name': 'net', 'Id': '" TEST_ID "', 'Driver': 'plug', 'IPAM': {'Driver': 'plug', 'Config': " \
    "[{'Subnet': '10.7.0.0/24', 'Gateway': '10.7.0.1'}]}}"
#define ENDPOINT(given)                                                                            \
    "{'Id': '" TEST_ID "', 'IfName': 'plug0', 'IPv4': '10.7.0.2', 'Mac': '02:00:00:00:00:07', "    \
    "'Given': {" given "}}"

static const struct kstate_ns ns = {.id = "a", .name = "a", .path = "/run/weft/netns/a"};

static void expect(const char *endpoint, const char *facts)
{
    _cleanup_network_ struct network *net = make_network(NETWORK);
    _cleanup_endpoint_ struct endpoint *ep = make_endpoint(endpoint, net);
    _cleanup_fact_set_ struct fact_set set = {0};
    _cleanup_strbuf_ struct strbuf text = {0};

    assert_ptr_equal(driver_find("plug"), &driver_remote);
    assert_int_equal(driver_remote.render_network(net, &set), 0);
    assert_int_equal(set.count, 0);
    assert_int_equal(driver_remote.render_endpoint(ep, &ns, &set), 0);
    assert_int_equal(driver_remote.render_gateway(ep, AF_INET, &ns, &set), 0);
    assert_int_equal(driver_remote.render_gateway(ep, AF_INET6, &ns, &set), 0);
    fact_set_print(&set, &text);
    assert_string_equal(strbuf_text(&text), facts);
}

static void a_link_is_moved(void **state _unused_)
{
    expect(ENDPOINT("'Link': 'pc0', 'Gateway4': '10.7.0.9', 'IPv4Len': 16, 'Mtu': 1400, "
                    "'Routes': [{'Destination': '198.51.100.0/24', 'Via': '10.7.0.8'}]"),
           "a: link plug0 moved from pc0 mac 02:00:00:00:00:07 mtu 1400 no-autoconf up\n"
           "a: address 10.7.0.2/16 dev plug0\n"
           "a: route 0.0.0.0/0 via 10.7.0.9 dev plug0\n"
           "a: route 198.51.100.0/24 via 10.7.0.8 dev plug0\n");
}

/* The pool's gateway is none, if the plugin does not say so. */
static void no_gateway_no_route(void **state _unused_)
{
    expect(ENDPOINT("'Link': 'pc0'"),
           "a: link plug0 moved from pc0 mac 02:00:00:00:00:07 no-autoconf up\n"
           "a: address 10.7.0.2/24 dev plug0\n");
}

/* A driver need not make a link. */
static void no_link_nothing(void **state _unused_)
{
    expect(ENDPOINT("'Gateway4': '10.7.0.9'"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_moved),
        cmocka_unit_test(no_gateway_no_route),
        cmocka_unit_test(no_link_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
