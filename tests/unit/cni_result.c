/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "cni/result.h"
#include "model_make.h"

static int parse(const char *text, struct cni_result **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = make_json(text);
    _cleanup_free_ char *json = json_text(doc);

    return cni_result_parse(json, strlen(json), "eth0", ret, err);
}

static struct cni_result *make_result(const char *text)
{
    struct cni_result *result = NULL;
    struct weft_error err = {0};

    if (parse(text, &result, &err) < 0)
        fail_msg("%s", err.text);
    return result;
}

/* What bridge and host-local say in version 0.4.0. */
static void the_interface_inside_counts(void **state)
{
    _cleanup_cni_result_ struct cni_result *res = make_result(
        "{'cniVersion':'0.4.0','interfaces':[{'name':'cni0','mac':'00:11:22:33:44:55'},"
        "{'name':'eth0','mac':'00:11:22:33:44:56'},"
        "{'name':'eth0','mac':'00:11:22:33:44:66','mtu':1400,'sandbox':'/run/netns/x'}],"
        "'ips':[{'version':'4','interface':0,'address':'10.9.0.1/24'},"
        "{'version':'4','interface':2,'address':'10.1.0.5/16','gateway':'10.1.0.1'},"
        "{'version':'6','interface':2,'address':'fd00::5/64'},"
        "{'version':'4','interface':2,'address':'10.1.0.6/16'}],"
        "'routes':[{'dst':'0.0.0.0/0'},{'dst':'10.7.0.0/16','gw':'10.1.0.9'},{'dst':'fd01::/16'}],"
        "'dns':{'nameservers':['10.1.0.1'],'domain':'a.test','search':['b.test','a.test'],"
        "'options':['ndots:2']}}");

    (void)state;
    assert_string_equal(prefix_text(&res->ipv4), "10.1.0.5/16");
    assert_string_equal(prefix_text(&res->ipv6), "fd00::5/64");
    assert_string_equal(addr_text(&res->gateway4), "10.1.0.1");
    assert_false(addr_is_set(&res->gateway6));
    assert_string_equal(mac_text(&res->mac), "00:11:22:33:44:66");
    assert_int_equal(res->mtu, 1400);
    assert_int_equal(res->route_count, 2);
    assert_string_equal(addr_text(&res->routes[0].via), "10.1.0.9");
    assert_string_equal(prefix_text(&res->routes[1].destination), "fd01::/16");
    assert_false(addr_is_set(&res->routes[1].via));
    assert_string_equal(res->searches[0], "a.test");
    assert_string_equal(res->searches[1], "b.test");
    assert_null(res->searches[2]);
}

/* A gateway without a route to the world is a neighbour and no more. */
static void a_gateway_is_no_default_route(void **state)
{
    _cleanup_cni_result_ struct cni_result *res = make_result(
        "{'cniVersion':'1.0.0','ips':[{'address':'10.1.0.5/16','gateway':'10.1.0.1'}]}");

    (void)state;
    assert_string_equal(prefix_text(&res->ipv4), "10.1.0.5/16");
    assert_false(addr_is_set(&res->gateway4));
}

static void a_result_may_be_about_nothing(void **state)
{
    _cleanup_cni_result_ struct cni_result *res = make_result("{}");

    (void)state;
    assert_false(prefix_is_set(&res->ipv4));
    assert_false(mac_is_set(&res->mac));
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *doc, *sentence;
    } cases[] = {
        {"[]", "it is not a JSON object"},
        {"{'cniVersion':'0.2.0'}", "its cniVersion is \"0.2.0\""},
        {"{'ips':{}}", "ips must be an array"},
        {"{'ips':[7]}", "ips: it is not an object"},
        {"{'ips':[{}]}", "ips: address is missing"},
        {"{'ips':[{'address':'10.0.0.1/24','interface':1}],'interfaces':[{}]}",
         "ips: address 10.0.0.1/24 has interface 1, of 1"},
        {"{'ips':[{'address':'10.0.0.1/24','gateway':'fd00::1'}]}",
         "ips: address 10.0.0.1/24 has gateway fd00::1, of the other family"},
        {"{'interfaces':[7]}", "interfaces must be an array of objects"},
        {"{'interfaces':[{'name':'eth0','sandbox':'/x','mtu':-1}]}",
         "interface eth0: mtu -1 is none"},
        {"{'routes':[{}]}", "routes: dst is missing"},
        {"{'dns':{'nameservers':7}}", "dns: nameservers must be an array"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cni_result *res = NULL;
        struct weft_error err = {0};

        assert_int_equal(parse(cases[i].doc, &res, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].sentence);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const cases[] = {
        "{'ips':[{'address':'10.0.0.1'}]}",
        "{'ips':[{'address':'10.0.0.1/33'}]}",
        "{'ips':[{'address':'10.0.0.1/24','gateway':'x'}]}",
        "{'routes':[{'dst':'default'}]}",
        "{'routes':[{'dst':'10.0.0.0/8','gw':'x'}]}",
        "{'interfaces':[{'name':'eth0','sandbox':'/x','mac':'x'}]}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cni_result *res = NULL;
        struct weft_error err = {0};

        assert_int_equal(parse(cases[i], &res, &err), -EINVAL);
    }
}

static void garbage_is_refused(void **state)
{
    struct cni_result *res = NULL;
    struct weft_error err = {0};

    (void)state;
    assert_int_equal(cni_result_parse("", 0, "eth0", &res, &err), -EINVAL);
    assert_string_equal(err.text, "it is empty");
    assert_int_equal(cni_result_parse("hello", 5, "eth0", &res, &err), -EINVAL);
    assert_non_null(strstr(err.text, "invalid JSON at line 1"));
}

static void versions_are_read(void **state)
{
    static const char text[] = "{\"cniVersion\":\"1.0.0\",\"supportedVersions\":"
                               "[\"0.3.1\",\"0.4.0\",\"1.0.0\",7]}";
    unsigned versions;

    (void)state;
    assert_int_equal(cni_versions_parse(text, strlen(text), &versions, NULL), 0);
    assert_int_equal(versions, 1 << CNI_0_4_0 | 1 << CNI_1_0_0);
    assert_int_equal(cni_versions_parse("[]", 2, &versions, NULL), -EINVAL);
    assert_int_equal(cni_versions_parse("", 0, &versions, NULL), -EINVAL);
}

static void failures_are_told(void **state)
{
    static const struct {
        const char *out, *err;
        int status, signo;
        enum weft_code code;
        const char *sentence;
    } cases[] = {
        {"{\"cniVersion\":\"1.0.0\",\"code\":7,\"msg\":\"Invalid Configuration\","
         "\"details\":\"too small\\nindeed\"}",
         "", 1, 0, WEFT_INVALID, "error 7: Invalid Configuration: too small indeed"},
        {"{\"code\":11,\"msg\":\"busy\"}", "noise", 1, 0, WEFT_EXHAUSTED, "error 11: busy"},
        {"{\"code\":50}", "", 1, 0, WEFT_EXHAUSTED, "error 50: no message"},
        {"{\"code\":100,\"msg\":\"x\"}", "", 1, 0, WEFT_INTERNAL, "error 100: x"},
        {"", "first\nno such file\n\n", 2, 0, WEFT_INTERNAL,
         "it ended with status 2: no such file"},
        {"garbage", "", 3, 0, WEFT_INTERNAL, "it ended with status 3 and said nothing"},
        {"", "", 0, SIGSEGV, WEFT_INTERNAL, "signal 11 ended it"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct cni_failure failure = {
            .out = cases[i].out,
            .out_length = strlen(cases[i].out),
            .err = cases[i].err,
            .status = cases[i].status,
            .signo = cases[i].signo,
        };
        struct weft_error err = {0};

        assert_true(cni_failure(&failure, &err) < 0);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.text, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interface_inside_counts),
        cmocka_unit_test(a_gateway_is_no_default_route),
        cmocka_unit_test(a_result_may_be_about_nothing),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(versions_are_read),
        cmocka_unit_test(failures_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
