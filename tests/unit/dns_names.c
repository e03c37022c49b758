/* SPDX-License-Identifier: Apache-2.0 */

/* From the model to the messages that weft-dns is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>

#include "engine/dns.h"
#include "model_make.h"

#define ID_A "a123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B "b123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_C "c123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* A container with endpoints; the sandbox is its own. */
struct world {
    struct network *nets[3];
    struct endpoint *eps[3];
    size_t count;
    struct sandbox sandbox;
    struct container container;
};

static void world_init(struct world *w)
{
    *w = (struct world){.sandbox = {.name = (char *)"web", .active = true}};
    memcpy(w->sandbox.id, TEST_ID, sizeof TEST_ID);
    memcpy(w->container.id, TEST_ID, sizeof TEST_ID);
    w->container.config.hostname = (char *)"0123456789ab";
}

static struct endpoint *world_join(struct world *w, const char *network, const char *id,
                                   const char *endpoint)
{
    struct network *net = make_network(network);
    struct endpoint *ep = make_endpoint(endpoint, net);

    memcpy(net->id, id, ID_TEXT_MAX);
    ep->sandbox = &w->sandbox;
    assert_int_equal(sandbox_add_endpoint(&w->sandbox, ep), 0);
    w->nets[w->count] = net;
    w->eps[w->count++] = ep;
    return ep;
}

static void world_clear(struct world *w)
{
    for (size_t i = 0; i < w->count; i++) {
        endpoint_free(w->eps[i]);
        network_free(w->nets[i]);
    }
    free(w->sandbox.endpoints);
    publish_list_clear(&w->sandbox.publishes);
    strv_free(w->container.config.exposed);
    strv_free(w->container.config.dns);
}
#define _cleanup_world_ _cleanup_(world_clear)

#define NET(name, more)                                                                            \
    "{'Name': '" name "', 'Driver': 'bridge', 'Link': 'br-" name "'" more                          \
    ", 'IPAM': {'Config': [{'Subnet': '10.1.0.0/24', 'Gateway': '10.1.0.1'}]}}"
#define EP "{'Id': '" TEST_ID "', 'IfName': 'eth0', 'IPv4': '10.1.0.5', 'Want': {}}"

static const char *no_target(void *arg _unused_, const char *ref _unused_)
{
    return NULL;
}

static void link_of(struct network *net, const char *link)
{
    assert_int_equal(str_copy(net->link, sizeof net->link, link), 0);
}

static void test_who_has_names(void **state _unused_)
{
    _cleanup_world_ struct world w;
    struct endpoint *ep;

    world_init(&w);
    ep = world_join(&w, NET("front", ""), ID_A, EP);
    link_of(ep->network, "br0");
    assert_true(sandbox_has_resolver(&w.sandbox));
    w.sandbox.kind = SANDBOX_FOREIGN;
    assert_true(sandbox_has_names(&w.sandbox));
    assert_false(sandbox_has_resolver(&w.sandbox));
    w.sandbox.kind = SANDBOX_HOST;
    assert_false(sandbox_has_names(&w.sandbox));
    w.sandbox.kind = SANDBOX_CONTAINER;
    ep->network->predefined = true;
    assert_false(sandbox_has_names(&w.sandbox));
    ep->network->predefined = false;
    w.sandbox.active = false;
    assert_false(sandbox_has_names(&w.sandbox));
}

static void test_names_of_a_container(void **state _unused_)
{
    static const char *const expected[] = {"web", "www", "0123456789ab", "ha", "ha.corp.test"};
    _cleanup_world_ struct world w;
    _cleanup_dns_names_ struct dns_message m = {0};
    struct endpoint *ep;

    world_init(&w);
    w.container.config.hostname = (char *)"ha";
    w.container.config.domainname = (char *)"corp.test";
    ep = world_join(&w, NET("front", ""), ID_A,
                    "{'Id': '" TEST_ID "', 'IfName': 'eth0', 'IPv4': '10.1.0.5',"
                    " 'Want': {'Aliases': ['www', 'web', 'not..a-name', 'www']}}");
    assert_int_equal(dns_names_of_endpoint(ep, &w.container, &m), 0);
    assert_string_equal(m.endpoint.network, ID_A);
    assert_string_equal(m.endpoint.sandbox, TEST_ID);
    assert_string_equal(addr_text(&m.endpoint.ipv4), "10.1.0.5");
    assert_false(addr_is_set(&m.endpoint.ipv6));
    assert_int_equal(strv_length(m.endpoint.names), 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(m.endpoint.names[i], expected[i]);
}

static void test_an_attached_one_has_no_host_name(void **state _unused_)
{
    _cleanup_world_ struct world w;
    _cleanup_dns_names_ struct dns_message m = {0};
    struct endpoint *ep;

    world_init(&w);
    ep = world_join(&w, NET("front", ""), ID_A, EP);
    assert_int_equal(dns_names_of_endpoint(ep, NULL, &m), 0);
    assert_int_equal(strv_length(m.endpoint.names), 1);
    assert_string_equal(m.endpoint.names[0], "web");
    assert_int_equal(m.endpoint.port_count, 0);
}

static void test_ports_are_exposed_or_published_once(void **state _unused_)
{
    _cleanup_world_ struct world w;
    _cleanup_dns_names_ struct dns_message m = {0};
    struct publish_want wants[] = {{.proto = IPPROTO_UDP, .port = 53},
                                   {.proto = IPPROTO_TCP, .port = 80},
                                   {.proto = IPPROTO_TCP, .port = 80, .first = 8080, .last = 8080}};
    struct endpoint *ep;

    world_init(&w);
    ep = world_join(&w, NET("front", ""), ID_A, EP);
    assert_int_equal(strv_add(&w.container.config.exposed, "443/tcp"), 0);
    assert_int_equal(strv_add(&w.container.config.exposed, "80/tcp"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        assert_int_equal(publish_list_add(&w.sandbox.publishes, &wants[i]), 0);
    assert_int_equal(dns_names_of_endpoint(ep, &w.container, &m), 0);
    assert_int_equal(m.endpoint.port_count, 3);
    assert_int_equal(m.endpoint.ports[0].port, 80);
    assert_int_equal(m.endpoint.ports[1].port, 443);
    assert_int_equal(m.endpoint.ports[2].port, 53);
    assert_int_equal(m.endpoint.ports[2].proto, IPPROTO_UDP);
}

static void test_thousands_of_ports_are_cut(void **state _unused_)
{
    _cleanup_world_ struct world w;
    _cleanup_dns_names_ struct dns_message m = {0};
    _cleanup_dns_batch_ struct dns_batch batch = {0};
    struct endpoint *ep;

    world_init(&w);
    ep = world_join(&w, NET("front", ""), ID_A, EP);
    for (int i = 1; i < 60000; i++)
        assert_int_equal(publish_list_add(&w.sandbox.publishes,
                                          &(struct publish_want){.proto = IPPROTO_TCP,
                                                                 .port = (uint16_t)i}),
                         0);
    assert_int_equal(dns_names_of_endpoint(ep, &w.container, &m), 0);
    assert_int_equal(m.endpoint.port_count, DNS_PORTS_MAX);
    assert_int_equal(dns_batch_add(&batch, &m), 0);
}

static void test_networks_nearest_first(void **state _unused_)
{
    _cleanup_world_ struct world w;
    _cleanup_dns_names_ struct dns_message m = {0};

    world_init(&w);
    link_of(world_join(&w, NET("inner", ", 'Internal': true"), ID_A, EP)->network, "br0");
    link_of(world_join(&w, NET("zone", ""), ID_B, EP)->network, "br1");
    link_of(world_join(&w, NET("area", ""), ID_C, EP)->network, "br2");
    assert_int_equal(dns_names_of_sandbox(&w.sandbox, &w.container, no_target, NULL, &m), 0);
    assert_int_equal(strv_length(m.sandbox.networks), 3);
    assert_string_equal(m.sandbox.networks[0], ID_C);
    assert_string_equal(m.sandbox.networks[1], ID_B);
    assert_string_equal(m.sandbox.networks[2], ID_A);
    assert_true(m.sandbox.forwards);
    dns_names_clear(&m);
    w.eps[0]->want.gw_priority = 1;
    w.nets[1]->predefined = true;
    w.nets[2]->internal = true;
    assert_int_equal(dns_names_of_sandbox(&w.sandbox, &w.container, no_target, NULL, &m), 0);
    assert_int_equal(strv_length(m.sandbox.networks), 2);
    assert_string_equal(m.sandbox.networks[0], ID_A);
    assert_true(m.sandbox.forwards); /* by the default bridge */
    dns_names_clear(&m);
    w.nets[1]->internal = true;
    assert_int_equal(dns_names_of_sandbox(&w.sandbox, &w.container, no_target, NULL, &m), 0);
    assert_false(m.sandbox.forwards);
}

static const char *db_target(void *arg _unused_, const char *ref)
{
    return strcmp(ref, "d0d0") == 0 ? "database" : NULL;
}

static void test_links_and_servers(void **state _unused_)
{
    _cleanup_world_ struct world w;
    _cleanup_dns_names_ struct dns_message m = {0};

    world_init(&w);
    link_of(world_join(&w, NET("front", ""), ID_A,
                       "{'Id': '" TEST_ID "', 'IfName': 'eth0', 'IPv4': '10.1.0.5',"
                       " 'Want': {'Links': ['d0d0:db', 'later']}}")
                ->network,
            "br0");
    assert_int_equal(strv_add(&w.container.config.dns, "192.0.2.9"), 0);
    assert_int_equal(strv_add(&w.container.config.dns, "2001:db8::9"), 0);
    assert_int_equal(dns_names_of_sandbox(&w.sandbox, &w.container, db_target, NULL, &m), 0);
    assert_int_equal(m.sandbox.link_count, 2);
    assert_string_equal(m.sandbox.links[0].network, ID_A);
    assert_string_equal(m.sandbox.links[0].target, "database");
    assert_string_equal(m.sandbox.links[0].alias, "db");
    assert_string_equal(m.sandbox.links[1].target, "later");
    assert_string_equal(m.sandbox.links[1].alias, "later");
    assert_int_equal(m.sandbox.server_count, 2);
    assert_int_equal(m.sandbox.servers[1].addr.family, AF_INET6);
}

static void test_the_host_on_a_network(void **state _unused_)
{
    struct network *net = make_network(NET("front", ""));
    struct network *silent = make_network(
        NET("back", ", 'Internal': true, 'Options': {'" OPTION_BRIDGE_INHIBIT_IPV4 "': 'true'}"));
    _cleanup_dns_names_ struct dns_message m = {0};

    link_of(net, "br0");
    link_of(silent, "br1");
    assert_int_equal(dns_names_of_network(net, &m), 0);
    assert_string_equal(m.network.name, "front");
    assert_true(m.network.forwards);
    assert_string_equal(addr_text(&m.network.ipv4), "10.1.0.1");
    assert_false(addr_is_set(&m.network.ipv6));
    assert_int_equal(m.network.subnet_count, 1);
    assert_string_equal(prefix_text(&m.network.subnets[0]), "10.1.0.0/24");
    dns_names_clear(&m);
    assert_int_equal(dns_names_of_network(silent, &m), 0);
    assert_false(m.network.forwards);
    assert_false(addr_is_set(&m.network.ipv4));
    network_free(net);
    network_free(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_has_names),
        cmocka_unit_test(test_names_of_a_container),
        cmocka_unit_test(test_an_attached_one_has_no_host_name),
        cmocka_unit_test(test_ports_are_exposed_or_published_once),
        cmocka_unit_test(test_thousands_of_ports_are_cut),
        cmocka_unit_test(test_networks_nearest_first),
        cmocka_unit_test(test_links_and_servers),
        cmocka_unit_test(test_the_host_on_a_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
