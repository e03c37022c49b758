/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

static json_t *parse(const char *text)
{
    json_t *value = NULL;

    assert_int_equal(json_parse(text, strlen(text), &value, NULL), 0);
    return value;
}

static void parsing_and_printing(void **state)
{
    static const char text[] = "{ \"b\": [1, true, null],\n \"a\": {\"x\": \"\\u00e9\"} } ";
    _cleanup_json_ json_t *value = parse(text);
    _cleanup_json_ json_t *number = json_integer(7);
    _cleanup_free_ char *printed = json_text(value), *scalar = json_text(number);

    (void)state;
    assert_string_equal(printed, "{\"b\":[1,true,null],\"a\":{\"x\":\"\xc3\xa9\"}}");
    assert_string_equal(scalar, "7");
}

static void junk_is_not_json(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "{]",
        "{\"a\":}",
        "{\"a\":1}x",
        "nonsense",
        "{\"a\":\"\\u0000\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":99999999999999999999}",
    };
    struct weft_error err;
    json_t *value = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        assert_int_equal(json_parse(texts[i], strlen(texts[i]), &value, &err), -EINVAL);
        assert_null(value);
        assert_int_equal(err.code, WEFT_INVALID);
    }
    assert_int_equal(json_parse("{\n\"a\" 1}", 8, &value, &err), -EINVAL);
    assert_non_null(strstr(err.text, "invalid JSON at line 2, column 5: "));
    /* Only len bytes count. */
    assert_int_equal(json_parse("{}junk", 2, &value, &err), 0);
    json_decref(value);
}

static void files(void **state)
{
    char path[] = "/tmp/weft-json-XXXXXX";
    int fd = mkstemp(path);
    struct weft_error err;
    json_t *value = NULL;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\n]", 3), 3);
    assert_int_equal(json_parse_file(path, &value, &err), -EINVAL);
    assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
    assert_non_null(strstr(err.text, ": invalid JSON at line 2"));
    assert_int_equal(pwrite(fd, "[]\n", 3, 0), 3);
    assert_int_equal(json_parse_file(path, &value, &err), 0);
    assert_true(json_is_array(value));
    json_decref(value);
    close(fd);
    unlink(path);
    assert_int_equal(json_parse_file(path, &value, &err), -ENOENT);
    assert_non_null(strstr(err.text, path));
}

static void missing_and_null_leave_the_old_value(void **state)
{
    static const char *const keys[] = {"missing", "null"};
    _cleanup_json_ json_t *object = parse("{\"null\": null}");

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        _cleanup_free_ char *copy = strdup("old");
        _cleanup_strv_ strv list = NULL;
        _cleanup_(strmap_clear) struct strmap map = {0};
        struct addr addr = {.family = 77};
        const char *text = "old";
        bool truth = true;
        int64_t number = 7;
        json_t *any = object;

        assert_int_equal(strv_add(&list, "old"), 0);
        assert_int_equal(strmap_set(&map, "old", "old"), 0);
        assert_int_equal(json_get_string(object, keys[i], &text, NULL), 0);
        assert_int_equal(json_get_strdup(object, keys[i], &copy, NULL), 0);
        assert_int_equal(json_get_bool(object, keys[i], &truth, NULL), 0);
        assert_int_equal(json_get_i64(object, keys[i], &number, NULL), 0);
        assert_int_equal(json_get_object(object, keys[i], &any, NULL), 0);
        assert_int_equal(json_get_array(object, keys[i], &any, NULL), 0);
        assert_int_equal(json_get_strv(object, keys[i], &list, NULL), 0);
        assert_int_equal(json_get_strmap(object, keys[i], &map, NULL), 0);
        assert_int_equal(json_get_addr(object, keys[i], &addr, NULL), 0);
        assert_string_equal(text, "old");
        assert_string_equal(copy, "old");
        assert_true(truth);
        assert_int_equal(number, 7);
        assert_ptr_equal(any, object);
        assert_int_equal(strv_length(list), 1);
        assert_int_equal(map.count, 1);
        assert_int_equal(addr.family, 77);
    }
}

static void scalars(void **state)
{
    _cleanup_json_ json_t *object =
        parse("{\"s\": \"text\", \"e\": \"\", \"t\": true, \"f\": false,"
              " \"n\": -9223372036854775808, \"o\": {}, \"a\": []}");
    _cleanup_free_ char *copy = strdup("old");
    const char *text = NULL;
    bool truth = false;
    int64_t number = 0;
    json_t *any = NULL;

    (void)state;
    assert_int_equal(json_get_string(object, "s", &text, NULL), 0);
    assert_string_equal(text, "text");
    assert_int_equal(json_get_string(object, "e", &text, NULL), 0);
    assert_string_equal(text, "");
    assert_int_equal(json_get_strdup(object, "e", &copy, NULL), 0);
    assert_string_equal(copy, "old");
    assert_int_equal(json_get_strdup(object, "s", &copy, NULL), 0);
    assert_string_equal(copy, "text");
    assert_int_equal(json_get_bool(object, "t", &truth, NULL), 0);
    assert_true(truth);
    assert_int_equal(json_get_bool(object, "f", &truth, NULL), 0);
    assert_false(truth);
    assert_int_equal(json_get_i64(object, "n", &number, NULL), 0);
    assert_true(number == INT64_MIN);
    assert_int_equal(json_get_object(object, "o", &any, NULL), 0);
    assert_true(json_is_object(any));
    assert_int_equal(json_get_array(object, "a", &any, NULL), 0);
    assert_true(json_is_array(any));
}

static void a_wrong_type_is_named(void **state)
{
    _cleanup_json_ json_t *object =
        parse("{\"Name\": 1, \"Internal\": \"true\", \"MTU\": 1.0, \"IPAM\": [], \"Config\": {}}");
    struct weft_error err;
    const char *text = "old";
    bool truth = true;
    int64_t number = 7;
    json_t *any = NULL;

    (void)state;
    assert_int_equal(json_get_string(object, "Name", &text, &err), -EINVAL);
    assert_string_equal(err.text, "Name must be a string");
    assert_string_equal(text, "old");
    assert_int_equal(json_get_bool(object, "Internal", &truth, &err), -EINVAL);
    assert_string_equal(err.text, "Internal must be a boolean");
    assert_int_equal(json_get_i64(object, "MTU", &number, &err), -EINVAL);
    assert_string_equal(err.text, "MTU must be an integer");
    assert_int_equal(json_get_object(object, "IPAM", &any, &err), -EINVAL);
    assert_string_equal(err.text, "IPAM must be an object");
    assert_int_equal(json_get_array(object, "Config", &any, &err), -EINVAL);
    assert_string_equal(err.text, "Config must be an array");
    assert_int_equal(err.code, WEFT_INVALID);
    assert_null(any);
}

static void lists(void **state)
{
    _cleanup_json_ json_t *object = parse(
        "{\"Good\": [\"a\", \"\", \"b\"], \"Empty\": [], \"Bad\": [\"a\", 1], \"Text\": \"a\"}");
    _cleanup_strv_ strv list = NULL;
    struct weft_error err;

    (void)state;
    assert_int_equal(json_get_strv(object, "Good", &list, &err), 0);
    assert_int_equal(strv_length(list), 3);
    assert_string_equal(list[2], "b");
    assert_int_equal(json_get_strv(object, "Bad", &list, &err), -EINVAL);
    assert_string_equal(err.text, "Bad must be an array of strings");
    assert_int_equal(json_get_strv(object, "Text", &list, &err), -EINVAL);
    assert_string_equal(err.text, "Text must be an array");
    assert_int_equal(strv_length(list), 3);
    assert_int_equal(json_get_strv(object, "Empty", &list, &err), 0);
    assert_int_equal(strv_length(list), 0);
}

static void maps(void **state)
{
    _cleanup_json_ json_t *object =
        parse("{\"Labels\": {\"z\": \"1\", \"a\": \"\"}, \"Bad\": {\"a\": \"1\", \"n\": 1},"
              " \"List\": [], \"Empty\": {}}");
    _cleanup_(strmap_clear) struct strmap map = {0};
    struct weft_error err;

    (void)state;
    assert_int_equal(strmap_set(&map, "old", "old"), 0);
    assert_int_equal(json_get_strmap(object, "Labels", &map, &err), 0);
    assert_int_equal(map.count, 2);
    assert_string_equal(map.entries[0].key, "a");
    assert_string_equal(strmap_get(&map, "z"), "1");
    assert_int_equal(json_get_strmap(object, "Bad", &map, &err), -EINVAL);
    assert_string_equal(err.text, "Bad must map strings to strings: \"n\" does not");
    assert_int_equal(json_get_strmap(object, "List", &map, &err), -EINVAL);
    assert_string_equal(err.text, "List must be an object");
    assert_int_equal(map.count, 2);
    assert_int_equal(json_get_strmap(object, "Empty", &map, &err), 0);
    assert_int_equal(map.count, 0);
}

static void addresses(void **state)
{
    _cleanup_json_ json_t *object =
        parse("{\"Gateway\": \"fd00::1\", \"Empty\": \"\", \"Bad\": \"10.0.0\", \"Number\": 10}");
    struct addr addr = {0};
    struct weft_error err;

    (void)state;
    assert_int_equal(json_get_addr(object, "Empty", &addr, &err), 0);
    assert_false(addr_is_set(&addr));
    assert_int_equal(json_get_addr(object, "Gateway", &addr, &err), 0);
    assert_string_equal(addr_text(&addr), "fd00::1");
    assert_int_equal(json_get_addr(object, "Bad", &addr, &err), -EINVAL);
    assert_string_equal(err.text, "Bad: \"10.0.0\" is not an IP address");
    assert_int_equal(json_get_addr(object, "Number", &addr, &err), -EINVAL);
    assert_string_equal(err.text, "Number must be a string");
    assert_string_equal(addr_text(&addr), "fd00::1");
}

static void unknown_keys_are_refused(void **state)
{
    static const char *const known[] = {"Name", "Driver", NULL};
    _cleanup_json_ json_t *good = parse("{\"Driver\": null}");
    _cleanup_json_ json_t *bad = parse("{\"Name\": 1, \"foo\": 2}");
    _cleanup_json_ json_t *empty = parse("{}");
    struct weft_error err;

    (void)state;
    assert_int_equal(json_check_keys(good, known, &err), 0);
    assert_int_equal(json_check_keys(empty, known, &err), 0);
    assert_int_equal(json_check_keys(bad, known, &err), -EINVAL);
    assert_string_equal(err.text, "unknown key \"foo\"");
}

static void assert_text(json_t *taken, const char *expected)
{
    _cleanup_json_ json_t *value = taken;
    _cleanup_free_ char *text = json_text(value);

    assert_string_equal(text, expected);
}

static void building(void **state)
{
    _cleanup_strv_ strv list = NULL;
    _cleanup_(strmap_clear) struct strmap map = {0};
    struct addr addr;

    (void)state;
    assert_text(json_from_strv(NULL), "[]");
    assert_text(json_from_strmap(&map), "{}");
    assert_text(json_from_addr(&(struct addr){0}), "\"\"");
    assert_int_equal(strv_add(&list, "a\"b"), 0);
    assert_int_equal(strv_add(&list, ""), 0);
    assert_int_equal(strmap_set(&map, "k", "v"), 0);
    assert_int_equal(strmap_set(&map, "a", ""), 0);
    assert_int_equal(addr_parse("10.0.0.1", &addr, NULL), 0);
    assert_text(json_from_strv(list), "[\"a\\\"b\",\"\"]");
    assert_text(json_from_strmap(&map), "{\"a\":\"\",\"k\":\"v\"}");
    assert_text(json_from_addr(&addr), "\"10.0.0.1\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_and_printing),
        cmocka_unit_test(junk_is_not_json),
        cmocka_unit_test(files),
        cmocka_unit_test(missing_and_null_leave_the_old_value),
        cmocka_unit_test(scalars),
        cmocka_unit_test(a_wrong_type_is_named),
        cmocka_unit_test(lists),
        cmocka_unit_test(maps),
        cmocka_unit_test(addresses),
        cmocka_unit_test(unknown_keys_are_refused),
        cmocka_unit_test(building),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
