/* SPDX-License-Identifier: Apache-2.0 */

/* The elements by which published ports, and what surrounds them, appear in the ruleset. Whole
 * networks and endpoints are in tests/golden. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/strbuf.h"
#include "firewall/firewall.h"
#include "model/publish_path.h"
#include "model_make.h"

#include <linux/netfilter.h> /* behind <netinet/in.h> */

#define HOST_PORT 8080
#define IPV4 "10.1.0.2"
#define IPV6 "fd00:1::2"

static const struct firewall_host stock_host; /* without br_netfilter */

/* A sandbox on one network. */
struct world {
    struct network *net;
    struct endpoint *ep;
    struct sandbox sandbox;
};

/* mode4, mode6: gateway modes, "" for a family that the network lacks. more: further options. */
static void world_make(struct world *world, const char *mode4, const char *mode6, const char *more)
{
    bool any = *mode4 || *mode6;
    _cleanup_free_ char *network =
        str_printf("{'Name': 'web', 'EnableIPv4': %s, 'EnableIPv6': %s, 'Weft': {'Link': 'br-web'},"
                   " 'Options': {'" OPTION_BRIDGE_GATEWAY_MODE_IPV4 "': '%s',"
                   " '" OPTION_BRIDGE_GATEWAY_MODE_IPV6 "': '%s'%s}, 'IPAM': {'Config': [%s%s%s]}}",
                   *mode4 || !any ? "true" : "false", *mode6 ? "true" : "false",
                   *mode4 ? mode4 : "nat", *mode6 ? mode6 : "nat", more,
                   *mode4 ? "{'Subnet': '10.1.0.0/24', 'Gateway': '10.1.0.1'}" : "",
                   *mode4 && *mode6 ? ", " : "",
                   *mode6 ? "{'Subnet': 'fd00:1::/64', 'Gateway': 'fd00:1::1'}" : "");
    _cleanup_free_ char *endpoint =
        str_printf("{'Id': '" TEST_ID "', 'IPv4': '%s', 'IPv6': '%s', 'Mac': '02:42:0a:01:00:02'}",
                   *mode4 ? IPV4 : "", *mode6 ? IPV6 : "");

    memset(world, 0, sizeof *world);
    world->net = make_network(network);
    world->ep = make_endpoint(endpoint, world->net);
    assert_int_equal(sandbox_add_endpoint(&world->sandbox, world->ep), 0);
}

static void world_clear(struct world *world)
{
    endpoint_free(world->ep);
    network_free(world->net);
    free(world->sandbox.endpoints);
}

static void expect_facts(struct fact_set *facts, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    fact_set_print(facts, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

/* ---- every cell of publishing ---- */

/* A line of the table: where a port is published that is asked for at host, in each of nine kinds
 * of networks. A cell has a letter for each family: d  translated (dnat)     r  left to the relay
 * o  open at the sandbox's address     -  none
 */
#define KINDS 9
static const char *const kinds[KINDS][2] = {
    {"", ""},          {"", "nat"},    {"", "routed"},    {"nat", ""},          {"nat", "nat"},
    {"nat", "routed"}, {"routed", ""}, {"routed", "nat"}, {"routed", "routed"},
};

struct line {
    const char *host;
    const char *binding; /* option host_binding_ipv4, or NULL */
    const char *cells[KINDS];
};

/* clang-format off */
static const struct line tcp_lines[] = {
    /*                     IPv4  none  none  none  nat   nat   nat   rtd   rtd   rtd
     *                     IPv6  none  nat   rtd   none  nat   rtd   none  nat   rtd */
    {"",            NULL,        {"--", "rd", "-o", "dr", "dd", "do", "o-", "od", "oo"}},
    {"0.0.0.0",     NULL,        {"--", "r-", "--", "d-", "d-", "d-", "o-", "o-", "o-"}},
    {"192.0.2.1",   NULL,        {"--", "r-", "--", "d-", "d-", "d-", "o-", "o-", "o-"}},
    {"127.0.0.1",   NULL,        {"--", "r-", "--", "d-", "d-", "d-", "--", "--", "--"}},
    {"::",          NULL,        {"--", "-d", "-o", "-r", "-d", "-o", "--", "-d", "-o"}},
    {"2001:db8::1", NULL,        {"--", "-d", "-o", "-r", "-d", "-o", "--", "-d", "-o"}},
    {"::1",         NULL,        {"--", "-r", "--", "-r", "-r", "--", "--", "-r", "--"}},
    {"",            "0.0.0.0",   {"--", "rd", "-o", "dr", "dd", "do", "o-", "od", "oo"}},
    {"",            "192.0.2.1", {"--", "r-", "--", "d-", "d-", "d-", "o-", "o-", "o-"}},
    {"",            "127.0.0.1", {"--", "r-", "--", "d-", "d-", "d-", "--", "--", "--"}},
    {"::",          "127.0.0.1", {"--", "-d", "-o", "-r", "-d", "-o", "--", "-d", "-o"}},
};
/* What is left to the relay is lost to SCTP. */
static const struct line sctp_lines[] = {
    {"",            NULL,        {"--", "-d", "-o", "d-", "dd", "do", "o-", "od", "oo"}},
    {"192.0.2.1",   NULL,        {"--", "--", "--", "d-", "d-", "d-", "o-", "o-", "o-"}},
    {"::1",         NULL,        {"--", "--", "--", "--", "--", "--", "--", "--", "--"}},
};
/* clang-format on */

/* The line that fact_print has for a cell's letter, or nothing. */
static void expect_element(char letter, int family, const char *host, const char *proto,
                           struct strbuf *out)
{
    int digit = family == AF_INET6 ? 6 : 4;
    const char *to = family == AF_INET6 ? IPV6 : IPV4;
    bool any = str_is_empty(host) || str_equal(host, "0.0.0.0") || str_equal(host, "::");
    _cleanup_free_ char *at = any ? NULL : str_printf("%s . ", host);

    switch (letter) {
    case 'd':
        strbuf_printf(out, "host: element publish%d%s %s%s . 8080 : %s . 80\n", digit,
                      any ? "_any" : "", any ? "" : at, proto, to);
        break;
    case 'r':
        if (any)
            strbuf_printf(out, "host: element relayed_any ipv%d . %s . 8080\n", digit, proto);
        else
            strbuf_printf(out, "host: element relayed%d %s%s . 8080\n", digit, at, proto);
        break;
    case 'o':
        strbuf_printf(out, "host: element open%d %s . %s . 80\n", digit, to, proto);
        break;
    default:
        assert_int_equal(letter, '-');
    }
}

/* Facts come sorted by set and key. */
static void expect_cell(const char *cell, const char *host, const char *proto, struct strbuf *out)
{
    _cleanup_strbuf_ struct strbuf ipv4 = {0}, ipv6 = {0};

    expect_element(cell[0], AF_INET, host, proto, &ipv4);
    expect_element(cell[1], AF_INET6, host, proto, &ipv6);
    if (strcmp(strbuf_text(&ipv4), strbuf_text(&ipv6)) > 0) {
        strbuf_puts(out, strbuf_text(&ipv6));
        strbuf_puts(out, strbuf_text(&ipv4));
    } else {
        strbuf_puts(out, strbuf_text(&ipv4));
        strbuf_puts(out, strbuf_text(&ipv6));
    }
}

static struct publish make_publish(const struct world *world, const char *host, uint8_t proto)
{
    struct publish p = {.want = {.proto = proto, .port = 80}};

    if (*host)
        p.want.host = make_addr(host);
    p.binding_count = (uint8_t)publish_bindings(&world->sandbox, &p.want, HOST_PORT, p.bindings);
    assert_int_equal(publish_needs_host_port(&world->sandbox, &p.want),
                     publish_host_port(p.bindings, p.binding_count) == HOST_PORT);
    return p;
}

static void check_cell(const struct line *line, const char *cell, const char *mode4,
                       const char *mode6, uint8_t proto)
{
    _cleanup_free_ char *more =
        line->binding ? str_printf(", '" OPTION_BRIDGE_HOST_BINDING_IPV4 "': '%s'", line->binding)
                      : strdup("");
    const char *host = *line->host || !line->binding ? line->host : line->binding;
    _cleanup_fact_set_ struct fact_set facts = {0};
    _cleanup_strbuf_ struct strbuf expected = {0};
    struct world world;

    world_make(&world, mode4, mode6, more);
    struct publish p = make_publish(&world, line->host, proto);
    assert_int_equal(p.binding_count, (cell[0] != '-') + (cell[1] != '-'));
    assert_int_equal(firewall_render_publish(&stock_host, &world.sandbox, &p, &facts), 0);
    expect_cell(cell, host, publish_proto_text(proto), &expected);
    expect_facts(&facts, strbuf_text(&expected));
    world_clear(&world);
}

static void check_lines(const struct line *lines, size_t count, uint8_t proto, const char *nat)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < KINDS; k++) {
            const char *mode4 = kinds[k][0], *mode6 = kinds[k][1];

            check_cell(&lines[i], lines[i].cells[k], str_equal(mode4, "nat") ? nat : mode4,
                       str_equal(mode6, "nat") ? nat : mode6, proto);
        }
    }
}

static void a_port_is_published_where_it_can_be(void **state)
{
    (void)state;
    check_lines(tcp_lines, ARRAY_SIZE(tcp_lines), IPPROTO_TCP, "nat");
    check_lines(tcp_lines, ARRAY_SIZE(tcp_lines), IPPROTO_UDP, "nat");
    check_lines(tcp_lines, ARRAY_SIZE(tcp_lines), IPPROTO_TCP, "nat-unprotected");
    check_lines(sctp_lines, ARRAY_SIZE(sctp_lines), IPPROTO_SCTP, "nat");
}

static void an_inactive_or_internal_sandbox_publishes_nothing(void **state)
{
    struct world world;

    (void)state;
    world_make(&world, "nat", "nat", "");
    world.net->internal = true;
    assert_int_equal(make_publish(&world, "", IPPROTO_TCP).binding_count, 0);
    world.net->internal = false;
    assert_int_equal(make_publish(&world, "", IPPROTO_TCP).binding_count, 2);
    world.ep->ipv4 = world.ep->ipv6 = (struct addr){0};
    assert_int_equal(make_publish(&world, "", IPPROTO_TCP).binding_count, 0);
    world_clear(&world);
}

static void each_family_goes_through_its_own_network(void **state)
{
    struct world v4, v6;
    _cleanup_fact_set_ struct fact_set facts = {0};

    (void)state;
    world_make(&v4, "nat", "", "");
    world_make(&v6, "", "routed", "");
    assert_int_equal(sandbox_add_endpoint(&v4.sandbox, v6.ep), 0);
    struct publish p = make_publish(&v4, "", IPPROTO_TCP);
    assert_int_equal(firewall_render_publish(&stock_host, &v4.sandbox, &p, &facts), 0);
    expect_facts(&facts, "host: element open6 fd00:1::2 . tcp . 80\n"
                         "host: element publish4_any tcp . 8080 : 10.1.0.2 . 80\n");
    world_clear(&v4);
    world_clear(&v6);
}

static void trusted_links_reach_the_port_itself(void **state)
{
    static const struct {
        const char *host, *expected;
    } cases[] = {
        {"192.0.2.1", "host: element publish4 192.0.2.1 . tcp . 8080 : 10.1.0.2 . 80\n"
                      "host: element trusted4 \"eth1\" . 10.1.0.2 . tcp . 80\n"
                      "host: element trusted4 \"eth2\" . 10.1.0.2 . tcp . 80\n"},
        {"127.0.0.1", "host: element publish4 127.0.0.1 . tcp . 8080 : 10.1.0.2 . 80\n"},
        {"::", "host: element open6 fd00:1::2 . tcp . 80\n"},
    };
    struct world world;

    (void)state;
    world_make(&world, "nat", "routed", ", '" OPTION_BRIDGE_TRUSTED_INTERFACES "': 'eth1:eth2'");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct publish p = make_publish(&world, cases[i].host, IPPROTO_TCP);
        _cleanup_fact_set_ struct fact_set facts = {0};

        assert_int_equal(firewall_render_publish(&stock_host, &world.sandbox, &p, &facts), 0);
        expect_facts(&facts, cases[i].expected);
    }
    world_clear(&world);
}

static void neighbours_are_relayed_where_bridged_frames_are_filtered(void **state)
{
    static const struct firewall_host host = {.filters_bridged_ipv4 = true};
    static const struct {
        const char *host;
        uint8_t proto;
        const char *expected;
    } cases[] = {
        {"", IPPROTO_TCP,
         "host: element publish4_any tcp . 8080 : 10.1.0.2 . 80\n"
         "host: element publish6_any tcp . 8080 : fd00:1::2 . 80\n"
         "host: element relayed_any ipv4 . tcp . 8080\n"},
        {"192.0.2.1", IPPROTO_UDP,
         "host: element publish4 192.0.2.1 . udp . 8080 : 10.1.0.2 . 80\n"
         "host: element relayed4 192.0.2.1 . udp . 8080\n"},
        {"127.0.0.1", IPPROTO_TCP,
         "host: element publish4 127.0.0.1 . tcp . 8080 : 10.1.0.2 . 80\n"},
        {"0.0.0.0", IPPROTO_SCTP, "host: element publish4_any sctp . 8080 : 10.1.0.2 . 80\n"},
    };
    struct world world;

    (void)state;
    world_make(&world, "nat", "nat", "");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct publish p = make_publish(&world, cases[i].host, cases[i].proto);
        _cleanup_fact_set_ struct fact_set facts = {0};

        assert_int_equal(firewall_render_publish(&host, &world.sandbox, &p, &facts), 0);
        expect_facts(&facts, cases[i].expected);
    }
    world_clear(&world);
}

/* ---- the rest ---- */

static void others_chains_get_two_rules_each(void **state)
{
    static const struct nft_chain chains[] = {
        {.family = NFPROTO_INET,
         .table = "firewalld",
         .name = "filter_FORWARD",
         .ends_in_drop = true},
        {.family = NFPROTO_IPV4, .table = "filter", .name = "FORWARD"},
    };
    _cleanup_fact_set_ struct fact_set facts = {0};

    (void)state;
    assert_int_equal(firewall_render_accepts(NULL, 0, &facts), 0);
    assert_int_equal(facts.count, 0);
    assert_int_equal(firewall_render_accepts(chains, ARRAY_SIZE(chains), &facts), 0);
    assert_true(facts.facts[0].accept.chain.ends_in_drop);
    expect_facts(&facts, "host: accept from weft in firewalld filter_FORWARD\n"
                         "host: accept to weft in firewalld filter_FORWARD\n"
                         "host: accept from weft in filter FORWARD\n"
                         "host: accept to weft in filter FORWARD\n");
}

static void ports_are_closed_by_default_in_both_families(void **state)
{
    _cleanup_fact_set_ struct fact_set facts = {0};

    (void)state;
    assert_int_equal(firewall_render_default_deny(&facts), 0);
    expect_facts(&facts, "host: element default_deny ipv4\nhost: element default_deny ipv6\n");
}

static void the_guard_can_be_turned_off(void **state)
{
    static const struct {
        const char *network, *endpoint;
        bool guarded;
    } cases[] = {
        {NULL, NULL, true},   {"false", NULL, false}, {NULL, "false", false},
        {"true", NULL, true}, {"false", "1", true},   {"1", "f", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_fact_set_ struct fact_set facts = {0};
        struct world world;

        world_make(&world, "nat", "", "");
        if (cases[i].network)
            strmap_set(&world.net->options, OPTION_SOURCE_GUARD, cases[i].network);
        if (cases[i].endpoint)
            strmap_set(&world.ep->want.driver_opts, OPTION_SOURCE_GUARD, cases[i].endpoint);
        assert_int_equal(firewall_render_endpoint(world.ep, &facts), 0);
        assert_int_equal(facts.count, cases[i].guarded ? 2 : 0);
        world_clear(&world);
    }
}

static void a_network_without_a_link_has_no_elements(void **state)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    struct world world;

    (void)state;
    world_make(&world, "nat", "nat", "");
    world.net->link[0] = '\0';
    assert_int_equal(firewall_render_network(world.net, &facts), 0);
    assert_int_equal(firewall_render_endpoint(world.ep, &facts), 0);
    assert_int_equal(facts.count, 0);
    world_clear(&world);
}

static void the_ruleset_carries_its_version(void **state)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    char comment[64];

    (void)state;
    assert_int_equal(firewall_render_base(&facts), 0);
    assert_int_equal(facts.count, 1);
    assert_int_equal(strlen(facts.facts[0].base.version), 16);
    (void)snprintf(comment, sizeof comment, "comment \"weft %s\"", facts.facts[0].base.version);
    assert_non_null(strstr(facts.facts[0].base.text, comment));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_published_where_it_can_be),
        cmocka_unit_test(an_inactive_or_internal_sandbox_publishes_nothing),
        cmocka_unit_test(each_family_goes_through_its_own_network),
        cmocka_unit_test(trusted_links_reach_the_port_itself),
        cmocka_unit_test(neighbours_are_relayed_where_bridged_frames_are_filtered),
        cmocka_unit_test(others_chains_get_two_rules_each),
        cmocka_unit_test(ports_are_closed_by_default_in_both_families),
        cmocka_unit_test(the_guard_can_be_turned_off),
        cmocka_unit_test(a_network_without_a_link_has_no_elements),
        cmocka_unit_test(the_ruleset_carries_its_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
