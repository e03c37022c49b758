/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void comparing(void **state)
{
    (void)state;
    assert_true(str_is_empty(NULL));
    assert_true(str_is_empty(""));
    assert_false(str_is_empty(" "));
    assert_true(str_equal(NULL, NULL));
    assert_false(str_equal(NULL, ""));
    assert_false(str_equal("", NULL));
    assert_true(str_equal("a", "a"));
    assert_false(str_equal("a", "A"));
    assert_true(str_starts_with("abc", ""));
    assert_true(str_starts_with("abc", "abc"));
    assert_false(str_starts_with("ab", "abc"));
}

static void copying_fits_whole_or_not_at_all(void **state)
{
    char field[4] = "old";

    (void)state;
    assert_int_equal(str_copy(field, sizeof field, "four"), -ENAMETOOLONG);
    assert_string_equal(field, "old");
    assert_int_equal(str_copy(field, sizeof field, "new"), 0);
    assert_string_equal(field, "new");
    assert_int_equal(str_copy(field, sizeof field, ""), 0);
    assert_string_equal(field, "");
}

static void printing(void **state)
{
    _cleanup_free_ char *text = str_printf("%s-%d", "veth", 7);

    (void)state;
    assert_string_equal(text, "veth-7");
}

static void integers(void **state)
{
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1x",
        "0x1",
        "1.0",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
        "11",
        "-6",
    };
    int64_t n = 0;

    (void)state;
    assert_int_equal(str_to_i64("9223372036854775807", INT64_MIN, INT64_MAX, &n), 0);
    assert_true(n == INT64_MAX);
    assert_int_equal(str_to_i64("-9223372036854775808", INT64_MIN, INT64_MAX, &n), 0);
    assert_true(n == INT64_MIN);
    assert_int_equal(str_to_i64("010", -5, 10, &n), 0);
    assert_int_equal(n, 10);
    assert_int_equal(str_to_i64("-5", -5, 10, &n), 0);
    assert_int_equal(n, -5);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(str_to_i64(bad[i], -5, 10, &n), -EINVAL);
        assert_int_equal(n, -5);
    }
    assert_int_equal(str_to_i64("9223372036854775808", INT64_MIN, INT64_MAX, &n), -EINVAL);
}

static void booleans(void **state)
{
    static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE"};
    static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE"};
    static const char *const bad[] = {"", "yes", "on", "tRUE", "2", " true", "true "};
    bool value;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        value = false;
        assert_int_equal(str_to_bool(yes[i], &value), 0);
        assert_true(value);
        assert_int_equal(str_to_bool(no[i], &value), 0);
        assert_false(value);
    }
    value = true;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(str_to_bool(bad[i], &value), -EINVAL);
    assert_true(value);
}

static void lists_grow_and_copy(void **state)
{
    _cleanup_strv_ strv list = NULL, copy = NULL;

    (void)state;
    assert_int_equal(strv_length(NULL), 0);
    assert_false(strv_contains(NULL, "a"));
    assert_int_equal(strv_copy(NULL, &copy), 0);
    assert_null(copy);
    assert_int_equal(strv_add(&list, "a"), 0);
    assert_int_equal(strv_add(&list, ""), 0);
    assert_int_equal(strv_add(&list, "a"), 0);
    assert_int_equal(strv_length(list), 3);
    assert_true(strv_contains(list, ""));
    assert_false(strv_contains(list, "b"));
    assert_int_equal(strv_copy(list, &copy), 0);
    assert_int_equal(strv_length(copy), 3);
    assert_string_equal(copy[2], "a");
    assert_ptr_not_equal(copy[2], list[2]);
    assert_null(copy[3]);
    strv_free(NULL);
}

static void maps_are_sorted_and_unique(void **state)
{
    static const char *const keys[] = {"m", "b", "z", "a", "", "y", "b.c", "B"};
    static const char *const sorted[] = {"", "B", "a", "b", "b.c", "m", "y", "z"};
    _cleanup_(strmap_clear) struct strmap m = {0};

    (void)state;
    assert_null(strmap_get(&m, "a"));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        assert_int_equal(strmap_set(&m, keys[i], keys[i]), 0);
    assert_int_equal(m.count, ARRAY_SIZE(keys));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        assert_string_equal(m.entries[i].key, sorted[i]);
        assert_string_equal(strmap_get(&m, keys[i]), keys[i]);
    }
    assert_null(strmap_get(&m, "c"));
    assert_null(strmap_get(&m, "zz"));
}

static void setting_replaces(void **state)
{
    _cleanup_(strmap_clear) struct strmap m = {0};

    (void)state;
    assert_int_equal(strmap_set(&m, "k", "one"), 0);
    assert_int_equal(strmap_set(&m, "k", "two"), 0);
    assert_int_equal(m.count, 1);
    assert_string_equal(strmap_get(&m, "k"), "two");
    /* Even by a piece of itself. */
    assert_int_equal(strmap_set(&m, "k", strmap_get(&m, "k") + 1), 0);
    assert_string_equal(strmap_get(&m, "k"), "wo");
}

static void map_copies_are_deep(void **state)
{
    _cleanup_(strmap_clear) struct strmap m = {0}, copy = {0};

    (void)state;
    assert_int_equal(strmap_copy(&m, &copy), 0);
    assert_int_equal(copy.count, 0);
    assert_int_equal(strmap_set(&m, "a", "1"), 0);
    assert_int_equal(strmap_set(&m, "b", "2"), 0);
    assert_int_equal(strmap_copy(&m, &copy), 0);
    strmap_clear(&m);
    assert_int_equal(m.count, 0);
    assert_int_equal(copy.count, 2);
    assert_string_equal(strmap_get(&copy, "b"), "2");
}

static void ids(void **state)
{
    char id[ID_TEXT_MAX], other[ID_TEXT_MAX];

    (void)state;
    id_generate(other);
    for (int i = 0; i < 2000; i++) { /* about seven would have twelve decimal digits first */
        id_generate(id);
        assert_true(id_is_valid(id));
        assert_true(strspn(id, "0123456789") < ID_SHORT);
        assert_string_not_equal(id, other);
    }
    id[63] = 'g';
    assert_false(id_is_valid(id));
    id[63] = 'A';
    assert_false(id_is_valid(id));
    id[63] = '\0';
    assert_false(id_is_valid(id));
    assert_false(id_is_valid(""));
    assert_false(id_is_valid("00000000000000000000000000000000000000000000000000000000000000000"));
}

static void names(void **state)
{
    static const char *const good[] = {"a", "0", "my_net-1.x", "A-", "9..__--"};
    static const char *const bad[] = {"",    "-a",  ".a",  "_a",       "a b",
                                      "a/b", "a:b", "a\n", "\xc3\xa9", "a\xc3\xa9"};
    struct weft_error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(name_check("network", good[i], &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(name_check("network", bad[i], &err), -EINVAL);
        assert_int_equal(err.code, WEFT_INVALID);
        assert_non_null(strstr(err.text, "invalid network name"));
        assert_non_null(strstr(err.text, bad[i]));
    }
}

static void interface_names(void **state)
{
    static const char *const good[] = {"a",   "eth0", "eth0.100", "fifteen-bytes-x",
                                       "...", "a@b",  "\xc3\xa9"};
    static const char *const bad[] = {
        "",    ".",     "..",    "sixteen-bytes-xx", "a/b",   "a:1", "a b", "a\tb",
        "a\n", "a\x01", "a\x7f", "\xc3\xa0",         "eth%d",
    };
    struct weft_error err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(ifname_check(good[i], &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(ifname_check(bad[i], &err), -EINVAL);
        assert_non_null(strstr(err.text, "interface name"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing),
        cmocka_unit_test(copying_fits_whole_or_not_at_all),
        cmocka_unit_test(printing),
        cmocka_unit_test(integers),
        cmocka_unit_test(booleans),
        cmocka_unit_test(lists_grow_and_copy),
        cmocka_unit_test(maps_are_sorted_and_unique),
        cmocka_unit_test(setting_replaces),
        cmocka_unit_test(map_copies_are_deep),
        cmocka_unit_test(ids),
        cmocka_unit_test(names),
        cmocka_unit_test(interface_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
