/* SPDX-License-Identifier: Apache-2.0 */

/* Where plugins are looked for, and what their files say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/file.h"
#include "plugin/plugin.h"

#define RUN "/run/docker/plugins"
#define ETC "/etc/docker/plugins"
#define LIB "/usr/lib/docker/plugins"

static char root[] = "/tmp/weft-plugin-XXXXXX";

static void path_of(const char *path, char buf[static 256])
{
    char *end;

    (void)snprintf(buf, 256, "%s%s", root, path);
    end = strrchr(buf, '/');
    *end = '\0';
    assert_int_equal(dir_make(buf, 0755, NULL), 0);
    *end = '/';
}

static void write_file(const char *path, const char *text)
{
    char buf[256];

    path_of(path, buf);
    assert_int_equal(file_write_atomic(buf, text, strlen(text), 0644, NULL), 0);
}

static void make_socket(const char *path)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char buf[256];

    path_of(path, buf);
    assert_int_equal(str_copy(address.sun_path, sizeof address.sun_path, buf), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
}

static int begin(void **state _unused_)
{
    return dir_make(root, 0755, NULL);
}

static int end(void **state _unused_)
{
    return dir_remove(root, NULL);
}

/* The name has a socket at path, below the root. */
static void assert_socket(const char *name, const char *path)
{
    _cleanup_plugin_address_ struct plugin_address found = {0};
    struct weft_error err = {0};
    int r = plugin_find(root, name, &found, &err);

    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    assert_non_null(found.socket);
    assert_string_equal(found.socket + (str_starts_with(found.socket, root) ? strlen(root) : 0),
                        path);
}

static void assert_url(const char *name, const char *url)
{
    _cleanup_plugin_address_ struct plugin_address found = {0};
    struct weft_error err = {0};

    (void)plugin_find(root, name, &found, &err);
    assert_string_equal(err.text, "");
    assert_null(found.socket);
    assert_string_equal(found.url, url);
}

static void assert_refused(const char *name, enum weft_code code, const char *says)
{
    _cleanup_plugin_address_ struct plugin_address found = {0};
    struct weft_error err = {0};

    assert_true(plugin_find(root, name, &found, &err) < 0);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, says))
        assert_string_equal(err.text, says);
    assert_null(found.url);
}

static void test_order(void **state _unused_)
{
    assert_refused("p", WEFT_NOT_FOUND, "plugin p not found");
    write_file(LIB "/p.json", "{\"Addr\": \"tcp://192.0.2.1:1\"}");
    assert_url("p", "http://192.0.2.1:1");
    write_file(LIB "/p.spec", "tcp://192.0.2.1:2");
    assert_url("p", "http://192.0.2.1:2");
    write_file(ETC "/p/p.json", "{\"Addr\": \"tcp://192.0.2.1:3\"}");
    assert_url("p", "http://192.0.2.1:3");
    write_file(ETC "/p.json", "{\"Addr\": \"tcp://192.0.2.1:4\"}");
    assert_url("p", "http://192.0.2.1:4");
    write_file(ETC "/p/p.spec", "tcp://192.0.2.1:5");
    assert_url("p", "http://192.0.2.1:5");
    write_file(ETC "/p.spec", "tcp://192.0.2.1:6");
    assert_url("p", "http://192.0.2.1:6");
    make_socket(RUN "/p/p.sock");
    assert_socket("p", RUN "/p/p.sock");
    make_socket(RUN "/p.sock");
    assert_socket("p", RUN "/p.sock");
}

static void test_what_is_no_socket(void **state _unused_)
{
    write_file(RUN "/p.sock", "");
    assert_refused("p", WEFT_NOT_FOUND, "there is no p.sock in " RUN);
    make_socket(RUN "/p/p.sock");
    assert_socket("p", RUN "/p/p.sock");
}

static void test_names(void **state _unused_)
{
    write_file("/etc/secret.spec", "tcp://192.0.2.1:1");
    assert_refused("../../secret", WEFT_INVALID, "../../secret");
    assert_refused("vendor/plugin:latest", WEFT_INVALID, "vendor/plugin:latest");
    assert_refused("", WEFT_INVALID, "");
    assert_refused(".", WEFT_INVALID, ".");
}

static void test_addresses(void **state _unused_)
{
    static const struct {
        const char *text, *url; /* NULL: the path is a socket's */
    } good[] = {
        {"unix:///run/p.sock", NULL},
        {"  unix:///run/p.sock\r\n", NULL},
        {"tcp://[2001:db8::1]:80", "http://[2001:db8::1]:80"},
        {"http://plugin.example", "http://plugin.example"},
        {"https://plugin.example:8443/docker/plugin", "https://plugin.example:8443"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        write_file(ETC "/p.spec", good[i].text);
        if (good[i].url)
            assert_url("p", good[i].url);
        else
            assert_socket("p", "/run/p.sock");
    }
}

static void test_bad_addresses(void **state _unused_)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "begins with none of"},
        {"/run/p.sock", "begins with none of"},
        {"npipe:////./pipe/p", "begins with none of"},
        {"unix://", "must be absolute"},
        {"unix://p.sock", "must be absolute"},
        {"unix:///run/"
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
         "xxxxxxxxxxxxxxxx",
         "too long"},
        {"tcp://", "no host and port"},
        {"tcp:///p", "no host and port"},
        {"tcp://user@192.0.2.1:1", "no host and port"},
        {"tcp://192.0.2.1:1 tcp://192.0.2.1:2", "no host and port"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        write_file(ETC "/p.spec", bad[i].text);
        assert_refused("p", WEFT_INVALID, bad[i].says);
        assert_refused("p", WEFT_INVALID, ETC "/p.spec: ");
    }
}

static void test_tls(void **state _unused_)
{
    _cleanup_plugin_address_ struct plugin_address found = {0};

    write_file(ETC "/p.json",
               "{\"Name\": \"p\", \"Addr\": \"https://192.0.2.1:1\", \"TLSConfig\": {\"CAFile\": "
               "\"/ca.pem\", \"CertFile\": \"/cert.pem\", \"KeyFile\": \"/key.pem\", "
               "\"InsecureSkipVerify\": false}}");
    assert_int_equal(plugin_find(root, "p", &found, NULL), 0);
    assert_string_equal(found.ca, "/ca.pem");
    assert_string_equal(found.cert, "/cert.pem");
    assert_string_equal(found.key, "/key.pem");
    assert_false(found.insecure);
}

/* As docker has it: only a CAFile makes the server be verified. */
static void test_who_is_verified(void **state _unused_)
{
    static const struct {
        const char *tls;
        bool insecure;
    } cases[] = {
        {"null", true},
        {"{}", true},
        {"{\"CertFile\": \"/c\", \"KeyFile\": \"/k\"}", true},
        {"{\"CAFile\": \"/ca\"}", false},
        {"{\"CAFile\": \"/ca\", \"InsecureSkipVerify\": true}", true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_plugin_address_ struct plugin_address found = {0};
        char text[256];

        (void)snprintf(text, sizeof text, "{\"Addr\": \"https://192.0.2.1\", \"TLSConfig\": %s}",
                       cases[i].tls);
        write_file(ETC "/p.json", text);
        assert_int_equal(plugin_find(root, "p", &found, NULL), 0);
        assert_int_equal(found.insecure, cases[i].insecure);
    }
}

static void test_bad_json(void **state _unused_)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "p.json"},
        {"[]", "must be a JSON object"},
        {"{}", "begins with none of"},
        {"{\"Addr\": 1}", "Addr must be a string"},
        {"{\"Addr\": \"tcp://h:1\", \"TLSConfig\": 1}", "TLSConfig must be an object"},
        {"{\"Addr\": \"tcp://h:1\", \"TLSConfig\": {}}", "begins with https://"},
        {"{\"Addr\": \"unix:///s\", \"TLSConfig\": {}}", "begins with https://"},
        {"{\"Addr\": \"https://h\", \"TLSConfig\": {\"CertFile\": \"/c\"}}",
         "CertFile and KeyFile"},
        {"{\"Addr\": \"https://h\", \"TLSConfig\": {\"KeyFile\": \"/c\"}}", "CertFile and KeyFile"},
        {"{\"Addr\": \"https://h\", \"TLSConfig\": {\"CAFile\": true}}", "CAFile must be a string"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        write_file(ETC "/p.json", bad[i].text);
        assert_refused("p", WEFT_INVALID, bad[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_socket, begin, end),
        cmocka_unit_test_setup_teardown(test_names, begin, end),
        cmocka_unit_test_setup_teardown(test_addresses, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_addresses, begin, end),
        cmocka_unit_test_setup_teardown(test_tls, begin, end),
        cmocka_unit_test_setup_teardown(test_who_is_verified, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_json, begin, end),
    };

    if (!mkdtemp(root))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
