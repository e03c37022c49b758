/* SPDX-License-Identifier: Apache-2.0 */

/* Published ports as text and as lists. Which bindings they get is in firewall.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "model/publish.h"
#include "model/publish_path.h"
#include "model_make.h"

static void protocols_have_names(void **state)
{
    struct weft_error err = {0};
    uint8_t proto = 0;

    (void)state;
    assert_string_equal(publish_proto_text(IPPROTO_TCP), "tcp");
    assert_string_equal(publish_proto_text(IPPROTO_UDP), "udp");
    assert_string_equal(publish_proto_text(IPPROTO_SCTP), "sctp");
    assert_null(publish_proto_text(IPPROTO_ICMP));
    assert_int_equal(publish_proto_parse("sctp", &proto, &err), 0);
    assert_int_equal(proto, IPPROTO_SCTP);
    assert_int_equal(publish_proto_parse("TCP", &proto, &err), -EINVAL);
    assert_string_equal(err.text, "protocol \"TCP\" is none of tcp, udp and sctp");
    assert_int_equal(proto, IPPROTO_SCTP);
}

static void ports_are_read(void **state)
{
    static const struct {
        const char *text;
        uint8_t proto;
        uint16_t port;
        const char *again;
    } cases[] = {
        {"80", IPPROTO_TCP, 80, "80/tcp"},       {"80/tcp", IPPROTO_TCP, 80, "80/tcp"},
        {"1/udp", IPPROTO_UDP, 1, "1/udp"},      {"65535/sctp", IPPROTO_SCTP, 65535, "65535/sctp"},
        {"0080/udp", IPPROTO_UDP, 80, "80/udp"},
    };
    char buf[PUBLISH_PORT_TEXT_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t proto = 0;
        uint16_t port = 0;

        assert_int_equal(publish_port_parse(cases[i].text, &proto, &port, NULL), 0);
        assert_int_equal(proto, cases[i].proto);
        assert_int_equal(port, cases[i].port);
        assert_string_equal(publish_port_format(proto, port, buf), cases[i].again);
    }
}

static void bad_ports_are_refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "\"\" is not a port"},
        {"/tcp", "\"\" is not a port"},
        {"http", "\"http\" is not a port"},
        {"-80/tcp", "\"-80\" is not a port"},
        {"80-90/tcp", "\"80-90\" is not a port"},
        {" 80", "\" 80\" is not a port"},
        {"0", "port 0 is not between 1 and 65535"},
        {"65536/udp", "port 65536 is not between 1 and 65535"},
        {"99999999999999999999", "port 99999999999999999999 is not between 1 and 65535"},
        {"80/", "protocol \"\" is none of tcp, udp and sctp"},
        {"80/foo", "protocol \"foo\" is none of tcp, udp and sctp"},
        {"80/tcp/udp", "protocol \"tcp/udp\" is none of tcp, udp and sctp"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct weft_error err = {0};
        uint8_t proto = 1;
        uint16_t port = 2;

        assert_int_equal(publish_port_parse(cases[i].text, &proto, &port, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].reason);
        assert_int_equal(proto, 1);
        assert_int_equal(port, 2);
    }
}

/* The wants as "80/tcp=HOST:RANGE ". */
static void expect_wants(const struct publish_list *list, const char *expected)
{
    _cleanup_free_ char *text = strdup("");
    char port[PUBLISH_PORT_TEXT_MAX], range[PUBLISH_PORT_TEXT_MAX];

    for (size_t i = 0; i < list->count; i++) {
        const struct publish_want *want = &list->items[i].want;
        char *longer =
            str_printf("%s%s=%s:%s ", text, publish_port_format(want->proto, want->port, port),
                       addr_text(&want->host),
                       publish_range_format(want->first, want->last, range));

        free(text);
        text = longer;
        assert_int_equal(list->items[i].number, i + 1);
        assert_int_equal(list->items[i].binding_count, 0);
    }
    assert_string_equal(text, expected);
}

static void port_bindings_are_read(void **state)
{
    static const struct {
        const char *doc, *wants;
    } cases[] = {
        {"null", ""},
        {"{}", ""},
        {"{'80/tcp':null}", "80/tcp=: "},
        {"{'80/tcp':[]}", "80/tcp=: "},
        {"{'80/tcp':[{}]}", "80/tcp=: "},
        {"{'80/tcp':[null]}", "80/tcp=: "},
        {"{'80/tcp':[{'HostIp':'','HostPort':''}]}", "80/tcp=: "},
        {"{'80/tcp':[{'HostPort':'0'}]}", "80/tcp=: "},
        {"{'80':[{'HostPort':'8080'}]}", "80/tcp=:8080 "},
        {"{'80/tcp':[{'HostIp':'0.0.0.0','HostPort':'8080-8090'}]}", "80/tcp=0.0.0.0:8080-8090 "},
        {"{'80/tcp':[{'HostPort':'8080-8080'}]}", "80/tcp=:8080 "},
        {"{'53/udp':[{'HostIp':'::1','HostPort':'1'}],'53/tcp':[{'HostIp':'::','HostPort':'65535'}]}",
         "53/udp=::1:1 53/tcp=:::65535 "},
        {"{'80/tcp':[{'HostIp':'127.0.0.1','HostPort':'80'},{'HostIp':'10.0.0.1','HostPort':'80'}"
         ",{'HostPort':'81'}]}",
         "80/tcp=127.0.0.1:80 80/tcp=10.0.0.1:80 80/tcp=:81 "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_publish_list_ struct publish_list list = {0};
        _cleanup_json_ json_t *doc = json_pack("{s:o}", "doc", json_null());
        struct weft_error err = {0};

        if (!str_equal(cases[i].doc, "null"))
            json_object_set_new(doc, "doc", make_json(cases[i].doc));
        if (publish_from_port_bindings(json_object_get(doc, "doc"), &list, &err) < 0)
            fail_msg("%s", err.text);
        expect_wants(&list, cases[i].wants);
    }
}

static void bad_port_bindings_are_refused(void **state)
{
#define HOST_PORT(text) "{'80/tcp':[{'HostPort':'" text "'}]}"
    static const struct {
        const char *doc, *reason;
    } cases[] = {
        {"[]", "PortBindings must be an object"},
        {"{'80/foo':[]}", "PortBindings: protocol \"foo\" is none of tcp, udp and sctp"},
        {"{'70000/tcp':[]}", "PortBindings: port 70000 is not between 1 and 65535"},
        {"{'80/tcp':{}}", "the bindings of 80/tcp must be an array"},
        {"{'80/tcp':['8080']}", "a binding of 80/tcp must be an object"},
        {"{'80/tcp':[{'HostPort':8080}]}", "HostPort must be a string"},
        {HOST_PORT("70000"), "port 70000 of 80/tcp is not between 1 and 65535"},
        {HOST_PORT("0-9"), "port 0 of 80/tcp is not between 1 and 65535"},
        {HOST_PORT("90-80"), "range 90-80 of 80/tcp is reversed"},
        {HOST_PORT("90-70000"), "port 70000 of 80/tcp is not between 1 and 65535"},
        {HOST_PORT("90-"), "\"\" of 80/tcp is not a port"},
        {HOST_PORT("-90"), "\"\" of 80/tcp is not a port"},
        {HOST_PORT("80-85-90"), "\"85-90\" of 80/tcp is not a port"},
        {HOST_PORT("http"), "\"http\" of 80/tcp is not a port"},
        {"{'80/tcp':[{'HostIp':'localhost'}]}",
         "port 80/tcp: HostIp: \"localhost\" is not an IP address"},
        {"{'80/tcp':[{'HostIp':'[::1]'}]}", "port 80/tcp: HostIp: \"[::1]\" is not an IP address"},
        {"{'80/tcp':[{'HostIp':'10.0.0.1/24'}]}",
         "port 80/tcp: HostIp: \"10.0.0.1/24\" is not an IP address"},
        {"{'80/tcp':[{'HostIp':'224.0.0.1'}]}",
         "port 80/tcp: HostIp 224.0.0.1 is not an address that a host has"},
        {"{'80/tcp':[{'HostIp':'::ffff:127.0.0.1'}]}",
         "port 80/tcp: HostIp ::ffff:127.0.0.1 is not an address that a host has"},
        {"{'80/tcp':[{'HostIp':'::1','HostPort':'80'},{'HostIp':'0::1','HostPort':'80'}]}",
         "port 80/tcp is asked for twice, at host address ::1 and port 80"},
        {"{'80/tcp':[{},{'HostPort':'0'}]}",
         "port 80/tcp is asked for twice, at any host address and any port"},
        {"{'80':[{'HostPort':'1'}],'81':[],'80/tcp':[{'HostPort':'1'}]}",
         "port 80/tcp is asked for twice, at any host address and port 1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_publish_list_ struct publish_list list = {0};
        _cleanup_json_ json_t *doc = make_json(cases[i].doc);
        struct weft_error err = {0};

        assert_int_equal(publish_list_add(&list, &(struct publish_want){IPPROTO_TCP, .port = 1}),
                         0);
        assert_int_equal(publish_from_port_bindings(doc, &list, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].reason);
        expect_wants(&list, "1/tcp=: ");
    }
}

static void port_bindings_come_back(void **state)
{
    _cleanup_json_ json_t *doc = make_json(
        "{'80/tcp':[{'HostIp':'','HostPort':'8080'},{'HostIp':'127.0.0.1','HostPort':'81-90'}],"
        "'53/udp':[{'HostIp':'::','HostPort':''}]}");
    _cleanup_publish_list_ struct publish_list list = {0};

    (void)state;
    assert_int_equal(publish_from_port_bindings(doc, &list, NULL), 0);
    _cleanup_json_ json_t *again = publish_to_port_bindings(list.items, list.count);
    assert_true(json_equal(doc, again));
}

static void a_list_grows(void **state)
{
    _cleanup_publish_list_ struct publish_list list = {0};
    struct publish_want want = {.proto = IPPROTO_UDP};

    (void)state;
    for (unsigned i = 1; i <= 5000; i++) {
        want.port = (uint16_t)i;
        assert_int_equal(publish_list_add(&list, &want), 0);
    }
    assert_int_equal(list.count, 5000);
    assert_int_equal(list.items[4999].want.port, 5000);
    assert_int_equal(list.items[4999].number, 5000);
    list.count = 0;
    assert_int_equal(publish_list_add(&list, &want), 0);
    assert_int_equal(list.items[0].number, 1);
    publish_list_clear(&list);
    assert_null(list.items);
    assert_int_equal(list.count + list.capacity, 0);
}

static void a_port_is_held_where_it_is_bound(void **state)
{
    static const struct {
        struct {
            const char *host;
            uint16_t port;
        } bindings[2];
        size_t count;
        const char *host;
        uint16_t port;
    } cases[] = {
        {{{NULL, 0}}, 0, "", 0},
        {{{"0.0.0.0", 80}, {"::", 80}}, 2, "", 80},
        {{{"0.0.0.0", 80}, {"::", 0}}, 2, "0.0.0.0", 80},
        {{{"0.0.0.0", 0}, {"::", 80}}, 2, "::", 80},
        {{{"0.0.0.0", 0}, {"::", 0}}, 2, "", 0},
        {{{"10.0.0.1", 80}}, 1, "10.0.0.1", 80},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct publish_binding bindings[2] = {0};

        for (size_t j = 0; j < cases[i].count; j++)
            bindings[j] = (struct publish_binding){make_addr(cases[i].bindings[j].host),
                                                   cases[i].bindings[j].port};
        struct addr host = publish_hold_host(bindings, cases[i].count);
        assert_string_equal(addr_text(&host), cases[i].host);
        assert_int_equal(publish_host_port(bindings, cases[i].count), cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocols_have_names),
        cmocka_unit_test(ports_are_read),
        cmocka_unit_test(bad_ports_are_refused),
        cmocka_unit_test(port_bindings_are_read),
        cmocka_unit_test(bad_port_bindings_are_refused),
        cmocka_unit_test(port_bindings_come_back),
        cmocka_unit_test(a_list_grows),
        cmocka_unit_test(a_port_is_held_where_it_is_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
