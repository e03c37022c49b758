/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "cli/port_spec.h"

static struct weft_error err;

/* The specs, divided by spaces. */
static strv split(const char *line)
{
    _cleanup_free_ char *copy = strdup(line);
    strv words = NULL;
    char *rest = NULL;

    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        assert_int_equal(strv_add(&words, word), 0);
    return words;
}

static void assert_json(const char *line, const json_t *value, const char *expected)
{
    _cleanup_free_ char *text = json_text(value);

    if (strcmp(text, expected) != 0)
        fail_msg("%s: %s where %s was expected", line, text, expected);
}

static void specs_become_bindings(void **state)
{
    static const struct {
        const char *specs, *bindings;
    } good[] = {
        {"80", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
        {":80", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
        {"8080:80", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}"},
        {"53/udp", "{\"53/udp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
        {"1:65535/SCTP", "{\"65535/sctp\":[{\"HostIp\":\"\",\"HostPort\":\"1\"}]}"},
        {"127.0.0.1:8080:80", "{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]}"},
        {"127.0.0.1::80", "{\"80/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"\"}]}"},
        {"0.0.0.0:8080:80", "{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}]}"},
        {"[::1]:8080:80", "{\"80/tcp\":[{\"HostIp\":\"::1\",\"HostPort\":\"8080\"}]}"},
        {"[::]::80/udp", "{\"80/udp\":[{\"HostIp\":\"::\",\"HostPort\":\"\"}]}"},
        {"[2001:db8::1]:8000-8001:80-81",
         "{\"80/tcp\":[{\"HostIp\":\"2001:db8::1\",\"HostPort\":\"8000\"}],"
         "\"81/tcp\":[{\"HostIp\":\"2001:db8::1\",\"HostPort\":\"8001\"}]}"},
        {"80-81", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}],"
                  "\"81/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
        {"8000-8010:80", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8000-8010\"}]}"},
        {"8000-8000:80", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8000\"}]}"},
        {"8080:80 9090:80 80/udp", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"},"
                                   "{\"HostIp\":\"\",\"HostPort\":\"9090\"}],"
                                   "\"80/udp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}]}"},
        {"", "{}"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_json_ json_t *bindings = NULL;
        _cleanup_strv_ strv specs = split(good[i].specs);

        assert_int_equal(port_specs_bindings(specs, &bindings, NULL), 0);
        assert_json(good[i].specs, bindings, good[i].bindings);
    }
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *spec, *reason;
    } bad[] = {
        {"", "there is no port of the container"},
        {"/tcp", "there is no port of the container"},
        {"8080:", "there is no port of the container"},
        {"127.0.0.1:8080:", "there is no port of the container"},
        {"80/", "there is no protocol after the /"},
        {"80/http", "protocol \"http\" is none of tcp, udp and sctp"},
        {"80/tcp/udp", "\"80/tcp\" is not a port"},
        {"0", "port 0 is not between 1 and 65535"},
        {"65536", "port 65536 is not between 1 and 65535"},
        {"99999999999999999999:80", "port 99999999999999999999 is not between 1 and 65535"},
        {"0:80", "port 0 is not between 1 and 65535"},
        {"http:80", "\"http\" is not a port"},
        {"+80", "\"+80\" is not a port"},
        {"80 ", "\"80 \" is not a port"},
        {"90-80", "range 90-80 is reversed"},
        {"8010-8000:80", "range 8010-8000 is reversed"},
        {"80-", "range \"80-\" lacks its end"},
        {"-80", "range \"-80\" lacks its beginning"},
        {"8000-:80", "range \"8000-\" lacks its end"},
        {"80-90-95", "\"90-95\" is not a port"},
        {"8000-8002:80-81", "3 host ports cannot lead to 2 ports of the container"},
        {"8000:80-81", "1 host ports cannot lead to 2 ports of the container"},
        {":8080:80", "there is no address before the first colon"},
        {"::80", "there is no address before the first colon"},
        {"[]:8080:80", "there is no address before the first colon"},
        {"localhost:8080:80", "\"localhost\" is not an IP address"},
        {"10.0.0:8080:80", "\"10.0.0\" is not an IP address"},
        {"[::g]:8080:80", "\"::g\" is not an IP address"},
        {"::1:8080:80", "an IPv6 address needs brackets: [::1]"},
        {"[::1:8080:80", "the bracket before the address is not closed"},
        {"[::1]:80", "the address is to be followed by a colon, host ports or none, and another "
                     "colon"},
        {"10.0.0.1:80", "\"10.0.0.1\" is not a port"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_free_ char *sentence = str_printf("\"%s\": %s", bad[i].spec, bad[i].reason);
        struct port_spec spec = {.first = 7};

        assert_int_equal(port_spec_parse(bad[i].spec, &spec, &err), -EINVAL);
        assert_string_equal(err.text, sentence);
        assert_int_equal(spec.first, 7);
    }
}

static void one_bad_spec_spoils_all(void **state)
{
    _cleanup_strv_ strv specs = split("80 x");
    json_t *bindings = NULL;

    (void)state;
    assert_int_equal(port_specs_bindings(specs, &bindings, &err), -EINVAL);
    assert_string_equal(err.text, "\"x\": \"x\" is not a port");
    assert_null(bindings);
}

static void exposed_ports(void **state)
{
    _cleanup_strv_ strv specs = split("80 90-91/udp 80/tcp"), published = split("8080:80");
    _cleanup_json_ json_t *exposed = NULL;

    (void)state;
    assert_int_equal(port_specs_exposed(specs, &exposed, NULL), 0);
    assert_json("exposed", exposed, "{\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}");
    assert_int_equal(port_specs_exposed(published, &exposed, &err), -EINVAL);
    assert_string_equal(err.text, "\"8080:80\": this is for a port of the container alone: "
                                  "PORT[-END][/PROTOCOL]");
}

/* As many as there are. */
static void all_ports(void **state)
{
    _cleanup_strv_ strv specs = split("1-65535:1-65535/udp");
    _cleanup_json_ json_t *bindings = NULL;

    (void)state;
    assert_int_equal(port_specs_bindings(specs, &bindings, NULL), 0);
    assert_int_equal(json_object_size(bindings), 65535);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specs_become_bindings),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(one_bad_spec_spoils_all),
        cmocka_unit_test(exposed_ports),
        cmocka_unit_test(all_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
