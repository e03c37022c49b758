/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "container/bundle.h"
#include "container/failure.h"

/* A root file system with users. */
static char root[] = "/tmp/weft-bundle-XXXXXX";

static void put(const char *name, const char *text)
{
    _cleanup_free_ char *path = str_printf("%s/etc/%s", root, name);

    assert_int_equal(file_write_in_place(path, text, strlen(text), 0644, NULL), 0);
}

static int make_root(void **state)
{
    _cleanup_free_ char *etc = NULL;

    (void)state;
    if (!mkdtemp(root))
        return -1;
    etc = str_printf("%s/etc", root);
    if (dir_make(etc, 0755, NULL) < 0)
        return -1;
    put("passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\n");
    put("group", "root:x:0:\nweb:x:34:\nadm:x:4:web,other\naudio:x:29:web\n");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    return dir_remove(root, NULL);
}

static const struct runtime_network on_network = {.netns = "/run/ns",
                                                  .hosts = "",
                                                  .resolv_conf = "",
                                                  .hostname = "name"};
static const struct runtime_network on_host = {.hosts = "", .resolv_conf = "", .hostname = "name"};

static int try_bundle(const char *body, const struct runtime_network *net, json_t **ret,
                      struct weft_error *err)
{
    _cleanup_container_ struct container *c = NULL;
    _cleanup_json_ json_t *doc = NULL;

    if (json_parse(body, strlen(body), &doc, err) < 0 || container_from_json(doc, &c, err) < 0)
        fail_msg("%s", err->text);
    strcpy(c->id, "id");
    return bundle_config(&(struct bundle){c, net, root, "/files"}, ret, err);
}

static json_t *bundle(const char *body, const struct runtime_network *net)
{
    json_t *config;
    struct weft_error err = {0};

    if (try_bundle(body, net, &config, &err) < 0)
        fail_msg("%s", err.text);
    return config;
}

/* The text of what a dotted path leads to. */
static void expect(const json_t *doc, const char *path, const char *want)
{
    _cleanup_free_ char *copy = strdup(path), *got = NULL;
    char *rest = copy;

    for (char *key; (key = strsep(&rest, "."));)
        doc = json_object_get(doc, key);
    got = doc ? json_text(doc) : strdup("nothing");
    if (strcmp(got, want) != 0)
        fail_msg("%s is %s, not %s", path, got, want);
}

static const json_t *mount_on(const json_t *config, const char *target)
{
    const json_t *found = NULL, *mount;
    size_t i;

    json_array_foreach (json_object_get(config, "mounts"), i, mount)
        if (strcmp(json_string_value(json_object_get(mount, "destination")), target) == 0)
            found = mount;
    return found;
}

static bool has(const json_t *list, const char *text)
{
    const json_t *value;
    size_t i;

    json_array_foreach (list, i, value)
        if (strcmp(json_string_value(value), text) == 0)
            return true;
    return false;
}

static void test_process(void **state)
{
    _cleanup_json_ json_t *config =
        bundle("{\"Entrypoint\":[\"e\"],\"Cmd\":[\"a\",\"b\"],\"Tty\":true,\"User\":\"web\","
               "\"WorkingDir\":\"/w\",\"Env\":[\"A=1\",\"PATH=/p\",\"HOSTNAME\"]}",
               &on_network);

    (void)state;
    expect(config, "process.args", "[\"e\",\"a\",\"b\"]");
    expect(config, "process.cwd", "\"/w\"");
    expect(config, "process.terminal", "true");
    expect(config, "process.env", "[\"PATH=/p\",\"TERM=xterm\",\"HOME=/srv\",\"A=1\"]");
    expect(config, "process.user", "{\"uid\":33,\"gid\":34,\"additionalGids\":[4,29]}");
    expect(config, "root.readonly", "false");
    expect(config, "hostname", "\"name\"");
}

static void expect_user(const char *user, const char *want)
{
    _cleanup_free_ char *body = str_printf("{\"Cmd\":[\"a\"],\"User\":\"%s\"}", user);
    _cleanup_json_ json_t *config = bundle(body, &on_network);

    expect(config, "process.user", want);
}

static void refuse_user(const char *user, const char *reason)
{
    _cleanup_free_ char *body = str_printf("{\"Cmd\":[\"a\"],\"User\":\"%s\"}", user);
    json_t *config;
    struct weft_error err = {0};

    assert_int_equal(try_bundle(body, &on_network, &config, &err), -EINVAL);
    assert_string_equal(err.text, reason);
}

static void test_users(void **state)
{
    (void)state;
    expect_user("", "{\"uid\":0,\"gid\":0,\"additionalGids\":[]}");
    expect_user("33", "{\"uid\":33,\"gid\":34,\"additionalGids\":[4,29]}");
    expect_user("web:adm", "{\"uid\":33,\"gid\":4,\"additionalGids\":[]}");
    expect_user("1000:1001", "{\"uid\":1000,\"gid\":1001,\"additionalGids\":[]}");
    expect_user("1000", "{\"uid\":1000,\"gid\":0,\"additionalGids\":[]}");
    refuse_user("foo", "unable to find user foo: no matching entries in passwd file");
    refuse_user("web:foo", "unable to find group foo: no matching entries in group file");
    refuse_user("-1", "unable to find user -1: no matching entries in passwd file");
}

static void test_capabilities(void **state)
{
    _cleanup_json_ json_t *usual = bundle("{\"Cmd\":[\"a\"]}", &on_network);
    _cleanup_json_ json_t *changed = bundle(
        "{\"Cmd\":[\"a\"],\"HostConfig\":{\"CapAdd\":[\"net_admin\"],\"CapDrop\":[\"CAP_CHOWN\"]}}",
        &on_network);
    _cleanup_json_ json_t *one =
        bundle("{\"Cmd\":[\"a\"],\"HostConfig\":{\"CapDrop\":[\"ALL\"],\"CapAdd\":[\"NET_RAW\"]}}",
               &on_network);
    const json_t *set;

    (void)state;
    set = json_object_get(json_object_get(json_object_get(usual, "process"), "capabilities"),
                          "bounding");
    assert_int_equal(json_array_size(set), 14);
    assert_true(has(set, "CAP_CHOWN") && !has(set, "CAP_NET_ADMIN"));
    set = json_object_get(json_object_get(json_object_get(changed, "process"), "capabilities"),
                          "effective");
    assert_true(!has(set, "CAP_CHOWN") && has(set, "CAP_NET_ADMIN"));
    expect(one, "process.capabilities.permitted", "[\"CAP_NET_RAW\"]");
}

static void test_mounts(void **state)
{
    _cleanup_json_ json_t *config =
        bundle("{\"Cmd\":[\"a\"],\"HostConfig\":{\"ReadonlyRootfs\":true,\"Binds\":[\"/s:/d:ro\","
               "\"/s:/etc/hosts\"]}}",
               &on_network);

    (void)state;
    expect(config, "root.readonly", "true");
    expect(mount_on(config, "/etc/resolv.conf"), "source", "\"/files/resolv.conf\"");
    expect(mount_on(config, "/etc/hostname"), "source", "\"/files/hostname\"");
    expect(mount_on(config, "/etc/hosts"), "source", "\"/s\"");
    expect(mount_on(config, "/d"), "options", "[\"rbind\",\"rprivate\",\"ro\"]");
    assert_true(has(json_object_get(mount_on(config, "/sys"), "options"), "ro"));
}

static void test_namespaces(void **state)
{
    _cleanup_json_ json_t *own = bundle("{\"Cmd\":[\"a\"],\"Domainname\":\"d\",\"HostConfig\":{"
                                        "\"Sysctls\":{\"net.core.somaxconn\":\"9\"}}}",
                                        &on_network);
    _cleanup_json_ json_t *host = bundle("{\"Cmd\":[\"a\"]}", &on_host);

    (void)state;
    expect(own, "linux.namespaces",
           "[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},"
           "{\"type\":\"network\",\"path\":\"/run/ns\"}]");
    expect(own, "linux.sysctl",
           "{\"net.ipv4.ip_unprivileged_port_start\":\"0\",\"net.ipv4.ping_group_range\":\"0 "
           "2147483647\",\"kernel.domainname\":\"d\",\"net.core.somaxconn\":\"9\"}");
    expect(host, "linux.namespaces",
           "[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]");
    expect(host, "linux.sysctl", "{}");
    expect(own, "linux.cgroupsPath", "\"/weft/id\"");
}

static void test_privileged(void **state)
{
    _cleanup_json_ json_t *config =
        bundle("{\"Cmd\":[\"a\"],\"HostConfig\":{\"Privileged\":true}}", &on_network);

    (void)state;
    expect(config, "linux.maskedPaths", "[]");
    expect(config, "linux.readonlyPaths", "[]");
    expect(config, "linux.resources.devices", "[{\"allow\":true,\"access\":\"rwm\"}]");
    assert_true(has(json_object_get(mount_on(config, "/sys"), "options"), "rw"));
}

static void test_failures(void **state)
{
    static const struct {
        const char *output, *text;
        enum weft_code code;
    } cases[] = {
        {"{\"data\": -1, \"message\": \"{\\\"level\\\":\\\"warning\\\",\\\"msg\\\":\\\"w\\\"}\\n"
         "{\\\"level\\\":\\\"error\\\",\\\"msg\\\":\\\"runc create failed: unable to start "
         "container process: exec: \\\\\\\"x\\\\\\\": executable file not found in $PATH\\\"}\\n\"}\n",
         "w: exec: \"x\": executable file not found in $PATH", WEFT_INVALID},
        {"{\"data\": -1}\n", "w: it gave no reason", WEFT_INTERNAL},
        {"[conmon:e]: bad flag\n", "w: [conmon:e]: bad flag", WEFT_INTERNAL},
        {"", "w: it gave no reason", WEFT_INTERNAL},
        {"{\"data\": -1, \"message\": \"exec: \\\"/x\\\": permission denied\"}\n",
         "w: exec: \"/x\": permission denied", WEFT_INVALID},
    };
    struct weft_error err = {0};

    (void)state;
    assert_int_equal(conmon_result("[conmon:w]: x\n{\"data\": 77}\n", "w", &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(conmon_result(cases[i].output, "w", &err) < 0);
        assert_string_equal(err.text, cases[i].text);
        assert_int_equal(err.code, cases[i].code);
    }
    assert_int_equal(runtime_failure_code("exec: \"x\": executable file not found in $PATH"), 127);
    assert_int_equal(runtime_failure_code("exec: \"x\": permission denied"), 126);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process),      cmocka_unit_test(test_users),
        cmocka_unit_test(test_capabilities), cmocka_unit_test(test_mounts),
        cmocka_unit_test(test_namespaces),   cmocka_unit_test(test_privileged),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, make_root, remove_root);
}
