/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/json.h"
#include "cli/ports.h"

static const char v4[] = "0.0.0.0", v6[] = "::";

/* Adds ports from first to last, at the host ports that begin with host; 0: none. */
static void add(json_t *list, const char *ip, int host, int first, int last, const char *type)
{
    for (int port = first; port <= last; port++) {
        json_t *entry = json_pack("{s:i, s:s}", "PrivatePort", port, "Type", type);

        if (ip)
            assert_int_equal(json_object_set_new(entry, "IP", json_string(ip)), 0);
        if (host)
            assert_int_equal(json_object_set_new(entry, "PublicPort",
                                                 json_integer(host + port - first)),
                             0);
        assert_int_equal(json_array_append_new(list, entry), 0);
    }
}

static void assert_summary(const json_t *list, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    ports_summary(list, &text);
    assert_string_equal(strbuf_text(&text), expected);
}

static void both_families(void **state)
{
    _cleanup_json_ json_t *list = json_array();

    (void)state;
    assert_summary(list, "");
    add(list, v6, 8080, 80, 80, "tcp");
    add(list, v4, 8080, 80, 80, "tcp");
    assert_summary(list, "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp");
}

static void ranges_are_joined(void **state)
{
    _cleanup_json_ json_t *list = json_array();

    (void)state;
    add(list, v4, 8000, 8000, 8010, "tcp");
    add(list, v6, 8000, 8000, 8010, "tcp");
    add(list, v4, 9000, 80, 82, "udp");
    add(list, NULL, 0, 90, 91, "tcp");
    assert_summary(list, "0.0.0.0:9000-9002->80-82/udp, 90-91/tcp, "
                         "0.0.0.0:8000-8010->8000-8010/tcp, [::]:8000-8010->8000-8010/tcp");
}

static void what_does_not_follow_stays_apart(void **state)
{
    _cleanup_json_ json_t *list = json_array();

    (void)state;
    add(list, v4, 81, 81, 81, "tcp");
    add(list, v4, 80, 80, 80, "udp");
    add(list, "10.0.0.1", 80, 80, 80, "tcp");
    add(list, v4, 80, 79, 79, "tcp");
    add(list, v4, 90, 80, 80, "tcp");
    assert_summary(list, "0.0.0.0:80->79/tcp, 0.0.0.0:80->80/udp, 0.0.0.0:90->80/tcp, "
                         "10.0.0.1:80->80/tcp, 0.0.0.0:81->81/tcp");
}

/* At the container's own addresses: the same port in both families. */
static void routed_ports_have_no_host_port(void **state)
{
    _cleanup_json_ json_t *list = json_array();

    (void)state;
    add(list, v4, 0, 80, 81, "tcp");
    add(list, v6, 0, 80, 81, "tcp");
    assert_summary(list, "80-81/tcp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families),
        cmocka_unit_test(ranges_are_joined),
        cmocka_unit_test(what_does_not_follow_stays_apart),
        cmocka_unit_test(routed_ports_have_no_host_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
