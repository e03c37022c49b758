/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/filters.h"
#include "base/time.h"

static const char *const known[] = {"name", "id", "label", "dangling", "until", "type", NULL};

static struct filters parse(const char *text)
{
    struct filters f = {0};
    struct weft_error err = {0};

    if (filters_parse(text, known, &f, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return f;
}

static void expect_bad(const char *text, const char *sentence)
{
    struct filters f = {0};
    struct weft_error err = {0};

    assert_int_equal(filters_parse(text, known, &f, &err), -EINVAL);
    assert_int_equal(err.code, WEFT_INVALID);
    assert_non_null(strstr(err.text, sentence));
    assert_int_equal(f.count, 0);
}

static void test_forms(void **state _unused_)
{
    static const char *const nothing[] = {
        NULL, "", "{}", "{\"name\":{}}", "{\"name\":[]}", "{\"name\":{\"x\":false}}"};
    struct filters f;

    for (size_t i = 0; i < ARRAY_SIZE(nothing); i++) {
        f = parse(nothing[i]);
        assert_null(filters_values(&f, "name"));
        assert_true(filters_equal(&f, "name", "web"));
        filters_clear(&f);
    }
    f = parse("{\"name\":{\"a\":true,\"b\":true}, \"id\":[\"c\"]}");
    assert_int_equal(strv_length(filters_values(&f, "name")), 2);
    assert_true(strv_contains(filters_values(&f, "name"), "b"));
    assert_string_equal(filters_values(&f, "id")[0], "c");
    filters_clear(&f);
}

static void test_malformed(void **state _unused_)
{
    expect_bad("{\"colour\":[\"x\"]}", "invalid filter 'colour'");
    expect_bad("{\"name\":[\"x\"],\"colour\":{}}", "invalid filter 'colour'");
    expect_bad("{", "invalid filters: invalid JSON at line 1");
    expect_bad("[]", "must be a JSON object");
    expect_bad("{\"name\":\"x\"}", "'name'");
    expect_bad("{\"name\":[1]}", "'name'");
    expect_bad("{\"name\":{\"x\":1}}", "'name'");
}

static void test_equal(void **state _unused_)
{
    struct filters f = parse("{\"name\":[\"web\",\"db\"]}");

    assert_true(filters_equal(&f, "name", "db"));
    assert_false(filters_equal(&f, "name", "dba"));
    assert_true(filters_equal(&f, "id", "whatever"));
    filters_clear(&f);
}

static void test_search(void **state _unused_)
{
    struct filters f = parse("{\"name\":[\"^we\",\"b$\",\"[\",\"x{9}\"]}");

    assert_true(filters_search(&f, "name", "webs"));
    assert_true(filters_search(&f, "name", "db"));
    assert_true(filters_search(&f, "name", "["));
    assert_false(filters_search(&f, "name", "awe"));
    assert_false(filters_search(&f, "name", "xxxxxxxxx"));
    filters_clear(&f);
}

static void test_ref(void **state _unused_)
{
    struct filters f = parse("{\"id\":[\"0a1b\",\"web\"]}");

    assert_true(filters_ref(&f, "id", "0a1b2c", "other"));
    assert_true(filters_ref(&f, "id", "ffff", "web"));
    assert_false(filters_ref(&f, "id", "0a1", "we"));
    filters_clear(&f);
}

static void test_labels(void **state _unused_)
{
    struct strmap labels = {0};
    struct filters f;

    assert_int_equal(strmap_set(&labels, "tier", "front"), 0);
    assert_int_equal(strmap_set(&labels, "empty", ""), 0);
    f = parse("{\"label\":[\"tier=front\",\"empty\"]}");
    assert_true(filters_labels(&f, "label", &labels));
    filters_clear(&f);
    f = parse("{\"label\":[\"tier=front\",\"missing\"]}");
    assert_false(filters_labels(&f, "label", &labels));
    filters_clear(&f);
    f = parse("{\"label\":[\"tier=back\"]}");
    assert_false(filters_labels(&f, "label", &labels));
    filters_clear(&f);
    f = parse("{\"label\":[\"tie\"]}");
    assert_false(filters_labels(&f, "label", &labels));
    filters_clear(&f);
    strmap_clear(&labels);
}

static void test_bool(void **state _unused_)
{
    struct weft_error err = {0};
    struct filters f = parse("{\"dangling\":[\"true\"]}");
    bool value = false;

    assert_int_equal(filters_bool(&f, "dangling", &value, &err), 0);
    assert_true(value);
    filters_clear(&f);
    f = parse("{\"dangling\":[\"maybe\"]}");
    assert_int_equal(filters_bool(&f, "dangling", &value, &err), -EINVAL);
    assert_string_equal(err.text, "invalid filter 'dangling=maybe'");
    filters_clear(&f);
}

static void test_check(void **state _unused_)
{
    static const char *const types[] = {"custom", "builtin", NULL};
    struct weft_error err = {0};
    struct filters f = parse("{\"type\":[\"custom\",\"odd\"]}");

    assert_int_equal(filters_check(&f, "type", types, &err), -EINVAL);
    assert_string_equal(err.text, "invalid filter 'type=odd'");
    assert_int_equal(filters_check(&f, "name", types, &err), 0);
    filters_clear(&f);
}

static void expect_ago(const char *text, int64_t seconds)
{
    struct weft_error err = {0};
    struct filters f = parse(text);
    int64_t until = 0, now = time_now();

    assert_int_equal(filters_time(&f, "until", &until, &err), 0);
    assert_in_range((now - until) / 1000000000 + 1, seconds, seconds + 1);
    filters_clear(&f);
}

static void test_time(void **state _unused_)
{
    struct weft_error err = {0};
    struct filters f = parse("{\"until\":[\"1700000000\"]}");
    int64_t until = 0;

    assert_int_equal(filters_time(&f, "until", &until, &err), 0);
    assert_true(until == INT64_C(1700000000000000000));
    filters_clear(&f);
    expect_ago("{\"until\":[\"10m\"]}", 600);
    expect_ago("{\"until\":[\"1h30m\"]}", 5400);
    expect_ago("{\"until\":[\"1.5h\"]}", 5400);
    f = parse("{\"until\":[\"soon\"]}");
    assert_int_equal(filters_time(&f, "until", &until, &err), -EINVAL);
    filters_clear(&f);
    f = parse("{\"until\":[\"10m5\"]}");
    assert_int_equal(filters_time(&f, "until", &until, &err), -EINVAL);
    filters_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_equal), cmocka_unit_test(test_search),
        cmocka_unit_test(test_ref),   cmocka_unit_test(test_labels),
        cmocka_unit_test(test_bool),  cmocka_unit_test(test_check),
        cmocka_unit_test(test_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
