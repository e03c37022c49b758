/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "container/container.h"
#include "container/exec.h"

static json_t *parse(const char *text)
{
    json_t *doc;
    struct weft_error err = {0};

    if (json_parse(text, strlen(text), &doc, &err) < 0)
        fail_msg("%s", err.text);
    return doc;
}

static struct container *make(const char *text)
{
    _cleanup_json_ json_t *doc = parse(text);
    struct container *c;
    struct weft_error err = {0};

    if (container_from_json(doc, &c, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static void test_create_body(void **state)
{
    _cleanup_container_ struct container *c =
        make("{\"Hostname\":\"h\",\"Tty\":true,\"Cmd\":[\"a\",\"b\"],\"Entrypoint\":\"e\",\"Env\":["
             "\"K=v\"],\"Labels\":{\"l\":\"1\"},\"StopTimeout\":0,\"StopSignal\":\"INT\","
             "\"Unknown\":1,\"HostConfig\":{\"NetworkMode\":\"web\",\"Binds\":[\"/a:/b:ro\"],"
             "\"CapAdd\":[\"NET_ADMIN\"],\"Sysctls\":{\"net.ipv4.ip_forward\":\"1\"},"
             "\"ExtraHosts\":[\"x:2001:db8::1\",\"y:host-gateway\"],\"Memory\":0,\"Devices\":[],"
             "\"RestartPolicy\":{\"Name\":\"no\"},\"Annotations\":{\"weft.rootfs\":\"/tmp\"}}}");

    (void)state;
    assert_string_equal(c->config.hostname, "h");
    assert_true(c->config.tty);
    assert_int_equal(strv_length(c->config.cmd), 2);
    assert_string_equal(c->config.entrypoint[0], "e");
    assert_string_equal(strmap_get(&c->config.labels, "l"), "1");
    assert_int_equal(c->config.stop_timeout, 0);
    assert_string_equal(c->config.network_mode, "web");
    assert_string_equal(c->config.rootfs, "/tmp");
    assert_string_equal(c->id, "");
}

static void test_ports(void **state)
{
    _cleanup_container_ struct container *c =
        make("{\"Cmd\":[\"a\"],\"ExposedPorts\":{\"80\":{},\"53/udp\":{},\"80/tcp\":{}},"
             "\"HostConfig\":{\"PublishAllPorts\":true,\"PortBindings\":{\"80/tcp\":[{\"HostIp\":"
             "\"\",\"HostPort\":\"8080\"},{\"HostIp\":\"127.0.0.1\"}]}}}");
    _cleanup_container_ struct container *again = NULL;
    _cleanup_json_ json_t *doc = NULL, *host = container_host_config_json(c);

    (void)state;
    assert_int_equal(strv_length(c->config.exposed), 2);
    assert_string_equal(c->config.exposed[0], "80/tcp");
    assert_string_equal(c->config.exposed[1], "53/udp");
    assert_true(c->config.publish_all);
    assert_int_equal(c->config.port_bindings.count, 2);
    assert_int_equal(c->config.port_bindings.items[0].want.first, 8080);

    /* The bindings are the sandbox's to keep. */
    id_generate(c->id);
    doc = container_to_json(c);
    assert_int_equal(container_from_json(doc, &again, NULL), 0);
    assert_int_equal(strv_length(again->config.exposed), 2);
    assert_true(again->config.publish_all);
    assert_int_equal(again->config.port_bindings.count, 0);
    assert_null(json_object_get(host, "PortBindings"));
}

static void test_absent_is_default(void **state)
{
    _cleanup_container_ struct container *c =
        make("{\"Cmd\":[\"a\"],\"Env\":null,\"StopTimeout\":null,\"HostConfig\":{\"Binds\":null}}");

    (void)state;
    assert_int_equal(c->config.stop_timeout, -1);
    assert_null(c->config.rootfs);
    assert_null(c->config.hostname);
    assert_int_equal(strv_length(c->config.binds), 0);
}

static void refuse(const char *text, enum weft_code code, const char *reason)
{
    _cleanup_json_ json_t *doc = parse(text);
    struct container *c = NULL;
    struct weft_error err = {0};

    assert_true(container_from_json(doc, &c, &err) < 0);
    assert_null(c);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, reason))
        fail_msg("\"%s\" where \"%s\" was expected", err.text, reason);
}

static void refuse_host(const char *host, const char *reason)
{
    _cleanup_free_ char *text = str_printf("{\"Cmd\":[\"a\"],\"HostConfig\":{%s}}", host);

    refuse(text, WEFT_INVALID, reason);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("[]", WEFT_INVALID, "must be a JSON object");
    refuse("{}", WEFT_INVALID, "no command specified");
    refuse("{\"Cmd\":[]}", WEFT_INVALID, "no command specified");
    refuse("{\"Cmd\":[1]}", WEFT_INVALID, "Cmd");
    refuse("{\"Cmd\":[\"a\"],\"Tty\":\"yes\"}", WEFT_INVALID, "Tty must be a boolean");
    refuse("{\"Cmd\":[\"a\"],\"Env\":[\"=v\"]}", WEFT_INVALID, "invalid environment variable: =v");
    refuse("{\"Cmd\":[\"a\"],\"WorkingDir\":\"x\"}", WEFT_INVALID, "not an absolute path");
    refuse("{\"Cmd\":[\"a\"],\"StopSignal\":\"FOO\"}", WEFT_INVALID, "\"FOO\" is not a signal");
    refuse("{\"Cmd\":[\"a\"],\"StopTimeout\":-5}", WEFT_INVALID, "negative");
    refuse_host("\"Sysctls\":{\"kernel.panic\":\"1\"}", "\"kernel.panic\"");
    refuse_host("\"NetworkMode\":\"host\",\"Sysctls\":{\"net.core.somaxconn\":\"1\"}",
                "host's network");
    refuse_host("\"NetworkMode\":\"container:\"", "container's name");
    refuse_host("\"Binds\":[\"data:/x\"]", "absolute");
    refuse_host("\"Binds\":[\"/x\"]", "SOURCE:TARGET");
    refuse_host("\"Binds\":[\"/x:/\"]", "not the root");
    refuse_host("\"Binds\":[\"/x:/y:rwx\"]", "unknown mode \"rwx\"");
    refuse_host("\"Dns\":[\"name\"]", "\"name\" is not an IP address");
    refuse_host("\"ExtraHosts\":[\"x\"]", "NAME:ADDRESS");
    refuse_host("\"ExtraHosts\":[\"x:y\"]", "not an IP address");
    refuse_host("\"Links\":[\"a:b:c\"]", "\"a:b:c\": want NAME:ALIAS");
    refuse_host("\"Links\":[\"a:\"]", "want NAME:ALIAS");
    refuse_host("\"Links\":[\"\"]", "want NAME:ALIAS");
    refuse_host("\"CapAdd\":[\"FLY\"]", "\"FLY\" is not a capability");
    refuse_host("\"CapDrop\":[\"FLY\"]", "\"FLY\" is not a capability");
    refuse_host("\"Annotations\":{\"weft.rootfs\":\"tmp\"}", "not an absolute path");
    refuse_host("\"Annotations\":{\"weft.rootfs\":\"/no/such\"}", "not an existing directory");
    refuse("{\"Cmd\":[\"a\"],\"ExposedPorts\":{\"0/tcp\":{}}}", WEFT_INVALID, "ExposedPorts");
    refuse("{\"Cmd\":[\"a\"],\"ExposedPorts\":{\"80/x\":{}}}", WEFT_INVALID, "\"x\"");
    refuse("{\"Cmd\":[\"a\"],\"ExposedPorts\":[\"80\"]}", WEFT_INVALID, "ExposedPorts");
    refuse_host("\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"9-8\"}]}", "9-8");
    refuse_host("\"PortBindings\":[]", "PortBindings must be an object");
    refuse("{\"Cmd\":[\"a\"],\"HostConfig\":{\"Memory\":1}}", WEFT_UNSUPPORTED,
           "HostConfig.Memory is not supported");
    refuse("{\"Cmd\":[\"a\"],\"HostConfig\":{\"PidMode\":\"host\"}}", WEFT_UNSUPPORTED, "PidMode");
    refuse("{\"Cmd\":[\"a\"],\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\"}}}",
           WEFT_UNSUPPORTED, "RestartPolicy");
}

/* What is stored comes back the same, even if its root is gone by then. */
static void test_store_and_load(void **state)
{
    _cleanup_container_ struct container *c =
        make("{\"Cmd\":[\"a\"],\"StopTimeout\":3,\"HostConfig\":{\"AutoRemove\":true,\"Annotations"
             "\":{\"weft.rootfs\":\"/tmp\"},\"CapDrop\":[\"ALL\"]}}");
    _cleanup_container_ struct container *again = NULL;
    _cleanup_json_ json_t *doc = NULL, *second = NULL;
    struct weft_error err = {0};

    (void)state;
    id_generate(c->id);
    strcpy(c->sandbox_id, c->id);
    c->name = strdup("web");
    c->created = 1700000000123456789;
    c->status = CONTAINER_EXITED;
    c->started = 1700000001000000000;
    c->finished = 1700000002500000000;
    c->exit_code = 137;
    c->error = strdup("went wrong");
    free(c->config.rootfs);
    c->config.rootfs = strdup("/gone/by/now");
    doc = container_to_json(c);
    if (container_from_json(doc, &again, &err) < 0)
        fail_msg("%s", err.text);
    second = container_to_json(again);
    assert_true(json_equal(doc, second));
    assert_string_equal(again->name, "web");
    assert_int_equal(again->status, CONTAINER_EXITED);
    assert_true(again->created == c->created && again->finished == c->finished);
    assert_string_equal(again->error, "went wrong");
    assert_string_equal(again->config.rootfs, "/gone/by/now");
    assert_true(again->config.auto_remove);
}

/* Docker shows links in another form than it takes them in, and takes that form, too. */
static void test_links(void **state)
{
    _cleanup_json_ json_t *doc = NULL, *host = NULL;
    _cleanup_container_ struct container *c = NULL, *again = NULL;
    _cleanup_json_ json_t *stored = NULL;
    struct weft_error err = {0};

    (void)state;
    doc = json_loads("{\"Cmd\":[\"a\"],\"HostConfig\":{\"Links\":"
                     "[\"db:database\",\"cache\",\"/mail:/web/smtp\"]}}",
                     0, NULL);
    assert_int_equal(container_from_json(doc, &c, &err), 0);
    assert_int_equal(strv_length(c->config.links), 3);
    assert_string_equal(c->config.links[0], "db:database");
    assert_string_equal(c->config.links[1], "cache:cache");
    assert_string_equal(c->config.links[2], "mail:smtp");
    c->name = strdup("web");
    id_generate(c->id);
    memcpy(c->sandbox_id, c->id, sizeof c->id);
    host = container_host_config_json(c);
    assert_string_equal(json_string_value(json_array_get(json_object_get(host, "Links"), 0)),
                        "/db:/web/database");
    stored = container_to_json(c);
    assert_int_equal(container_from_json(stored, &again, &err), 0);
    assert_int_equal(strv_length(again->config.links), 3);
    assert_string_equal(again->config.links[2], "mail:smtp");
}

static void test_signals(void **state)
{
    static const struct {
        const char *text;
        int signo;
    } good[] = {{"SIGTERM", SIGTERM}, {"term", SIGTERM},    {"15", 15},
                {"Kill", SIGKILL},    {"sigusr1", SIGUSR1}, {"RTMIN+3", 0}};
    static const char *const bad[] = {"",    "FOO", "0",        "-1",     "65",
                                      "15x", "SIG", "RTMIN+99", "RTMIN-1"};
    int signo;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        assert_int_equal(signal_parse(good[i].text, &signo, NULL), 0);
        assert_int_equal(signo, good[i].signo ? good[i].signo : SIGRTMIN + 3);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(signal_parse(bad[i], &signo, NULL), -EINVAL);
}

static void test_exec_body(void **state)
{
    _cleanup_json_ json_t *doc = parse("{\"Cmd\":[\"a\"],\"Tty\":true,\"AttachStdin\":true}");
    _cleanup_json_ json_t *empty = parse("{}");
    struct exec_config config;

    (void)state;
    assert_int_equal(exec_config_from_json(doc, &config, NULL), 0);
    assert_true(config.tty && config.attach_stdin && !config.attach_stdout);
    exec_config_clear(&config);
    assert_int_equal(exec_config_from_json(empty, &config, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_body), cmocka_unit_test(test_absent_is_default),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_store_and_load),
        cmocka_unit_test(test_links),       cmocka_unit_test(test_signals),
        cmocka_unit_test(test_exec_body),   cmocka_unit_test(test_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
