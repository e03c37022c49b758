/* SPDX-License-Identifier: Apache-2.0 */

/* What a plugin's answers amount to. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "plugin/plugin.h"

static void assert_refused(long status, const char *body, size_t length, enum weft_code code,
                           const char *says)
{
    struct weft_error err = {0};
    json_t *answer = NULL;
    _cleanup_json_ json_t *clean = NULL;

    assert_true(plugin_parse_answer(status, body, length, &answer, &err) < 0);
    assert_null(answer);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, says))
        assert_string_equal(err.text, says);
    /* One line of UTF-8, whatever the plugin says. */
    clean = json_string(err.text);
    assert_non_null(clean);
    assert_null(strchr(err.text, '\n'));
}
#define refused(status, body, code, says)                                                          \
    assert_refused((status), (body), sizeof(body) - 1, (code), (says))

static void test_good(void **state _unused_)
{
    static const char body[] = "{\"Err\": \"\", \"Error\": null, \"Gateway\": \"10.0.0.1\"}\n";
    _cleanup_json_ json_t *answer = NULL;

    assert_int_equal(plugin_parse_answer(200, body, strlen(body), &answer, NULL), 0);
    assert_string_equal(json_string_value(json_object_get(answer, "Gateway")), "10.0.0.1");
}

static void test_empty(void **state _unused_)
{
    for (int i = 0; i < 2; i++) {
        _cleanup_json_ json_t *answer = NULL;
        const char *body = i ? " \r\n" : "";

        assert_int_equal(plugin_parse_answer(200, body, strlen(body), &answer, NULL), 0);
        assert_int_equal(json_object_size(answer), 0);
    }
}

static void test_errors(void **state _unused_)
{
    refused(200, "{\"Err\": \"no more\"}", WEFT_INTERNAL, "no more");
    refused(200, "{\"Error\": \"no more\"}", WEFT_INTERNAL, "no more");
    refused(500, "{\"Err\": \"no more\"}", WEFT_INTERNAL, "no more");
    refused(200, "{\"Err\": {\"code\": 7}}", WEFT_INTERNAL, "{\"code\":7}");
    refused(500, "the disk is full\n", WEFT_INTERNAL, "HTTP status 500: the disk is full");
    refused(503, "", WEFT_INTERNAL, "HTTP status 503");
    refused(302, "{}", WEFT_INTERNAL, "HTTP status 302");
    refused(204, "", WEFT_INTERNAL, "HTTP status 204");
}

static void test_unknown_method(void **state _unused_)
{
    struct weft_error err = {0};
    json_t *answer = NULL;

    assert_int_equal(plugin_parse_answer(404, "", 0, &answer, &err), -EOPNOTSUPP);
    refused(404, "404 page not found\n", WEFT_UNSUPPORTED, "404 page not found");
    refused(404, "{\"Err\": \"what?\"}", WEFT_UNSUPPORTED, "what?");
}

static void test_garbage(void **state _unused_)
{
    refused(200, "<html>", WEFT_INTERNAL, "invalid JSON");
    refused(200, "<html>", WEFT_INTERNAL, "<html>");
    refused(200, "{\"a\": 1} {\"b\": 2}", WEFT_INTERNAL, "invalid JSON");
    refused(200, "{\"a\": ", WEFT_INTERNAL, "invalid JSON");
    refused(200, "[]", WEFT_INTERNAL, "no JSON object");
    refused(200, "null", WEFT_INTERNAL, "invalid JSON");
    refused(200, "\x00\xff\xfe\x01 binary", WEFT_INTERNAL, "binary");
    refused(500, "\x1b[31mred\x1b[0m \xc3\xa4 \xc3", WEFT_INTERNAL, "\xc3\xa4 ?");
}

/* Only as much of it as a sentence bears, not cut within a letter. */
static void test_long(void **state _unused_)
{
    char body[2000];

    for (size_t i = 0; i < sizeof body; i++)
        body[i] = i % 2 ? '\xa4' : '\xc3';
    assert_refused(500, body, sizeof body, WEFT_INTERNAL, "HTTP status 500: \xc3\xa4");
    assert_refused(500, body + 1, sizeof body - 1, WEFT_INTERNAL, "HTTP status 500: ?\xc3\xa4");
}

static void test_deep(void **state _unused_)
{
    static char body[8192];

    memset(body, '[', sizeof body);
    assert_refused(200, body, sizeof body, WEFT_INTERNAL, "invalid JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),    cmocka_unit_test(test_empty),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_unknown_method),
        cmocka_unit_test(test_garbage), cmocka_unit_test(test_long),
        cmocka_unit_test(test_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
