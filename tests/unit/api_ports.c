/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "api/port_filter.h"
#include "api/port_json.h"
#include "base/json.h"

static struct sandbox sb;

static struct publish_binding binding(const char *host, uint16_t port)
{
    struct publish_binding b = {.host_port = port};

    assert_int_equal(addr_parse(host, &b.host, NULL), 0);
    return b;
}

/* Published at 8080 in both families; at the container's own address; nowhere. */
static int setup(void **state)
{
    static const struct publish_want wants[] = {
        {.proto = IPPROTO_TCP, .port = 80, .first = 8080, .last = 8090},
        {.proto = IPPROTO_UDP, .port = 53},
        {.proto = IPPROTO_TCP, .port = 443},
    };
    struct publish *items;

    (void)state;
    sb = (struct sandbox){.active = true};
    for (size_t i = 0; i < ARRAY_SIZE(wants); i++)
        assert_int_equal(publish_list_add(&sb.publishes, &wants[i]), 0);
    items = sb.publishes.items;
    items[0].bindings[0] = binding("0.0.0.0", 8081);
    items[0].bindings[1] = binding("::", 8081);
    items[0].binding_count = 2;
    items[1].bindings[0] = binding("::", 0);
    items[1].binding_count = 1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    publish_list_clear(&sb.publishes);
    return 0;
}

/* value is taken. */
static void assert_json(json_t *value, const char *expected)
{
    _cleanup_json_ json_t *owned = value;
    _cleanup_free_ char *text = json_text(owned);

    assert_string_equal(text, expected);
}

static json_t *map(void)
{
    char port[] = "90/tcp", published[] = "80/tcp", *exposed[] = {port, published, NULL};

    return port_map_json(&sb, exposed);
}

static json_t *list(void)
{
    _cleanup_json_ json_t *ports = map();

    return port_list_json(ports);
}

static void inspect(void **state)
{
    (void)state;
    assert_json(map(), "{\"90/tcp\":null,"
                       "\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8081\"},"
                       "{\"HostIp\":\"::\",\"HostPort\":\"8081\"}],"
                       "\"53/udp\":[{\"HostIp\":\"::\",\"HostPort\":\"\"}],"
                       "\"443/tcp\":null}");
}

static void assert_printed(const struct publish *items, size_t count, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    port_map_print(items, count, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

static void single_ports(void **state)
{
    struct publish twice[2] = {sb.publishes.items[0], sb.publishes.items[0]};

    (void)state;
    assert_printed(NULL, 0, "{}");
    assert_printed(sb.publishes.items, 3,
                   "{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8081\"},"
                   "{\"HostIp\":\"::\",\"HostPort\":\"8081\"}],"
                   "\"53/udp\":[{\"HostIp\":\"::\",\"HostPort\":\"\"}],\"443/tcp\":null}");
    twice[0].binding_count = 1;
    twice[1].bindings[0] = binding("127.0.0.1", 9);
    twice[1].binding_count = 1;
    assert_printed(twice, 2,
                   "{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8081\"},"
                   "{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"9\"}]}");
}

static void summary(void **state)
{
    (void)state;
    assert_json(list(), "[{\"PrivatePort\":90,\"Type\":\"tcp\"},"
                        "{\"IP\":\"0.0.0.0\",\"PrivatePort\":80,\"PublicPort\":8081,"
                        "\"Type\":\"tcp\"},"
                        "{\"IP\":\"::\",\"PrivatePort\":80,\"PublicPort\":8081,\"Type\":\"tcp\"},"
                        "{\"IP\":\"::\",\"PrivatePort\":53,\"Type\":\"udp\"},"
                        "{\"PrivatePort\":443,\"Type\":\"tcp\"}]");
}

static void nothing_is_open_of_what_does_not_run(void **state)
{
    (void)state;
    sb.active = false;
    assert_json(map(), "{}");
    sb.active = true;
    sb.kind = SANDBOX_HOST;
    assert_json(map(), "{}");
    assert_json(port_map_json(NULL, NULL), "{}");
}

static void wishes(void **state)
{
    _cleanup_json_ json_t *config = json_pack("{s:{s:{}}}", "ExposedPorts", "90/tcp");

    (void)state;
    assert_json(port_bindings_json(&sb),
                "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080-8090\"}],"
                "\"53/udp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}],"
                "\"443/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}");
    assert_int_equal(port_expose(config, &sb), 0);
    assert_json(json_incref(config),
                "{\"ExposedPorts\":{\"90/tcp\":{},\"80/tcp\":{},\"53/udp\":{},\"443/tcp\":{}}}");
    assert_json(port_bindings_json(NULL), "{}");
}

static struct filters parse(const char *key, const char *value)
{
    static const char *const known[] = {"publish", "expose", NULL};
    _cleanup_free_ char *text = str_printf("{\"%s\":[\"%s\"]}", key, value);
    struct filters f = {0};

    assert_int_equal(filters_parse(text, known, &f, NULL), 0);
    return f;
}

static void filters_match(void **state)
{
    static const struct {
        const char *key, *value;
        bool matches;
    } cases[] = {
        {"publish", "8081", true},
        {"publish", "8081/tcp", true},
        {"publish", "8081/udp", false},
        {"publish", "80", false},
        {"publish", "8000-8081", true},
        {"publish", "8082-9000", false},
        {"expose", "80", true},
        {"expose", "90/tcp", true},
        {"expose", "53/udp", true},
        {"expose", "53", false},
        {"expose", "85-95/tcp", true},
        {"expose", "8081", false},
        {"expose", "1-65535/sctp", false},
    };
    _cleanup_json_ json_t *ports = list();

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct filters f = parse(cases[i].key, cases[i].value);

        assert_int_equal(port_filters_check(&f, NULL), 0);
        if (port_filters_match(&f, ports) != cases[i].matches)
            fail_msg("%s=%s", cases[i].key, cases[i].value);
        filters_clear(&f);
    }
}

static void filters_are_checked(void **state)
{
    static const char *const bad[] = {"",    "http", "0",         "65536",   "90-80", "80-",
                                      "-80", "80/x", "80/tcp-90", "8080:80", "1-2-3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct filters f = parse("publish", bad[i]);
        struct weft_error err = {0};

        if (port_filters_check(&f, &err) != -EINVAL)
            fail_msg("publish=%s", bad[i]);
        assert_non_null(strstr(err.text, "invalid filter 'publish="));
        filters_clear(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(inspect, setup, teardown),
        cmocka_unit_test_setup_teardown(single_ports, setup, teardown),
        cmocka_unit_test_setup_teardown(summary, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_open_of_what_does_not_run, setup, teardown),
        cmocka_unit_test_setup_teardown(wishes, setup, teardown),
        cmocka_unit_test_setup_teardown(filters_match, setup, teardown),
        cmocka_unit_test(filters_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
