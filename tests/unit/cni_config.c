/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "cni/config.h"
#include "model_make.h"

static struct cni_config *make_config(const char *text)
{
    _cleanup_json_ json_t *doc = make_json(text);
    struct cni_config *config = NULL;
    struct weft_error err = {0};

    if (cni_config_parse(doc, "fallback", &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

static void check_request(const struct cni_config *c, size_t plugin,
                          const struct cni_request *request, const char *expected)
{
    _cleanup_json_ json_t *want = make_json(expected);
    _cleanup_json_ json_t *got = cni_config_request(c, plugin, request);
    _cleanup_free_ char *text = json_text(got);

    if (!json_equal(want, got))
        fail_msg("%s instead of %s", text, expected);
}

static void one_plugin_is_a_list_of_one(void **state)
{
    _cleanup_cni_config_ struct cni_config *c =
        make_config("{'cniVersion':'0.4.0','name':'lan','type':'ptp','mtu':1400,"
                    " 'ipam':{'type':'host-local'}}");

    (void)state;
    assert_string_equal(c->name, "lan");
    assert_int_equal(c->plugin_count, 1);
    assert_int_equal(c->version, CNI_0_4_0);
    assert_string_equal(cni_plugin_type(c, 0), "ptp");
    assert_string_equal(cni_plugin_ipam_type(c, 0), "host-local");
    check_request(c, 0, &(struct cni_request){0},
                  "{'cniVersion':'0.4.0','name':'lan','type':'ptp','mtu':1400,"
                  " 'ipam':{'type':'host-local'}}");
}

static void the_highest_version_counts(void **state)
{
    _cleanup_cni_config_ struct cni_config *c =
        make_config("{'cniVersion':'1.0.0','cniVersions':['0.3.1','0.4.0','1.1.0','2.0.0'],"
                    " 'name':'n','plugins':[{'type':'x'}]}");

    (void)state;
    assert_int_equal(c->version, CNI_1_1_0);
    assert_int_equal(c->versions, 7);
}

static void a_type_alone_is_of_every_version(void **state)
{
    _cleanup_cni_config_ struct cni_config *c = NULL;

    (void)state;
    assert_int_equal(cni_config_of_type("ptp", "lan", &c, NULL), 0);
    assert_int_equal(c->versions, 7);
    assert_string_equal(cni_plugin_type(c, 0), "ptp");
    assert_null(cni_plugin_ipam_type(c, 0));
}

static void flags_are_booleans_or_were_strings(void **state)
{
    _cleanup_cni_config_ struct cni_config *c = make_config(
        "{'cniVersion':'0.4.0','disableCheck':'true','disableGC':true,'plugins':[{'type':'x'}]}");

    (void)state;
    assert_true(c->disable_check);
    assert_true(c->disable_gc);
    assert_string_equal(c->name, "fallback");
}

static void a_plugin_is_told_what_it_takes(void **state)
{
    _cleanup_cni_config_ struct cni_config *c = make_config(
        "{'cniVersion':'1.1.0','name':'n','plugins':["
        "{'type':'a','capabilities':{'ips':true,'mac':false},'cni.dev/x':1,'prevResult':{}},"
        "{'type':'b','args':{'labels':{}},'capabilities':{'mac':true},'runtimeConfig':{'mac':''}}]}");
    _cleanup_json_ json_t *said = make_json("{'ips':['10.0.0.2'],'mac':'02:00:00:00:00:01'}");
    _cleanup_json_ json_t *previous = make_json("{'ips':[]}");
    _cleanup_json_ json_t *attachments = make_json("[{'containerID':'c','ifname':'eth0'}]");

    (void)state;
    assert_true(cni_config_takes(c, "mac"));
    assert_false(cni_config_takes(c, "portMappings"));
    check_request(c, 0, &(struct cni_request){.capabilities = said},
                  "{'cniVersion':'1.1.0','name':'n','type':'a',"
                  " 'runtimeConfig':{'ips':['10.0.0.2']}}");
    check_request(c, 1, &(struct cni_request){.capabilities = said, .prev_result = previous},
                  "{'cniVersion':'1.1.0','name':'n','type':'b','args':{'labels':{}},"
                  " 'runtimeConfig':{'mac':'02:00:00:00:00:01'},'prevResult':{'ips':[]}}");
    check_request(c, 1, &(struct cni_request){.valid_attachments = attachments},
                  "{'cniVersion':'1.1.0','name':'n','type':'b','args':{'labels':{}},"
                  " 'cni.dev/valid-attachments':[{'containerID':'c','ifname':'eth0'}]}");
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *doc, *sentence;
    } cases[] = {
        {"[]", "it is not a JSON object"},
        {"{}", "it has neither type, as a plugin's, nor plugins, as a list"},
        {"{'type':'x'}", "cniVersion is missing"},
        {"{'cniVersion':'0.3.1','type':'x'}",
         "it is written for CNI 0.3.1, and weft speaks 0.4.0, 1.0.0 and 1.1.0"},
        {"{'cniVersions':['0.1.0'],'type':'x'}",
         "it is written for CNI versions that are not named, and weft speaks 0.4.0, 1.0.0 and "
         "1.1.0"},
        {"{'cniVersion':1,'type':'x'}", "cniVersion must be a string"},
        {"{'cniVersions':[1],'type':'x'}", "cniVersions must be an array of strings"},
        {"{'cniVersion':'1.0.0','name':'-a','type':'x'}",
         "name \"-a\" is not made of letters, digits, '_', '.' and '-'"},
        {"{'cniVersion':'1.0.0','name':'a/b','type':'x'}",
         "name \"a/b\" is not made of letters, digits, '_', '.' and '-'"},
        {"{'cniVersion':'1.0.0','plugins':[]}", "plugins is empty"},
        {"{'cniVersion':'1.0.0','plugins':{}}", "plugins must be an array"},
        {"{'cniVersion':'1.0.0','plugins':[{}]}", "plugin 1: type is missing"},
        {"{'cniVersion':'1.0.0','plugins':[{'type':'a'},7]}", "plugin 2: it is not an object"},
        {"{'cniVersion':'1.0.0','type':'../x'}",
         "plugin 1: type \"../x\" is not the name of a program"},
        {"{'cniVersion':'1.0.0','type':'..'}",
         "plugin 1: type \"..\" is not the name of a program"},
        {"{'cniVersion':'1.0.0','type':'x','ipam':{'type':'/bin/sh'}}",
         "plugin 1: ipam.type \"/bin/sh\" is not the name of a program"},
        {"{'cniVersion':'1.0.0','type':'x','capabilities':{'ips':1}}",
         "plugin 1: capability ips must be a boolean"},
        {"{'cniVersion':'1.0.0','type':'x','disableCheck':'perhaps'}",
         "disableCheck must be a boolean"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_json_ json_t *doc = make_json(cases[i].doc);
        struct cni_config *c = NULL;
        struct weft_error err = {0};

        assert_int_equal(cni_config_parse(doc, "n", &c, &err), -EINVAL);
        assert_string_equal(err.text, cases[i].sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_plugin_is_a_list_of_one),
        cmocka_unit_test(the_highest_version_counts),
        cmocka_unit_test(a_type_alone_is_of_every_version),
        cmocka_unit_test(flags_are_booleans_or_were_strings),
        cmocka_unit_test(a_plugin_is_told_what_it_takes),
        cmocka_unit_test(nonsense_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
