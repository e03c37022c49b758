/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"

#define S INT64_C(1000000000)

static void printing_as_go_does(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0001-01-01T00:00:00Z"},
        {1, "1970-01-01T00:00:00.000000001Z"},
        {S, "1970-01-01T00:00:01Z"},
        {S + 500000000, "1970-01-01T00:00:01.5Z"},
        {S + 120000, "1970-01-01T00:00:01.00012Z"},
        {-1, "1969-12-31T23:59:59.999999999Z"},
        {-S, "1969-12-31T23:59:59Z"},
        {951782400 * S, "2000-02-29T00:00:00Z"},
        {1767323045 * S + 123456789, "2026-01-02T03:04:05.123456789Z"},
        {INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
        {INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t back = 42;

        assert_string_equal(time_text(cases[i].ns), cases[i].text);
        if (cases[i].ns == INT64_MIN) /* its whole seconds alone do not fit */
            continue;
        assert_int_equal(time_parse(cases[i].text, &back), 0);
        assert_true(back == cases[i].ns);
    }
}

static void parsing(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"2026-01-02T03:04:05Z", 1767323045 * S},
        {"2026-01-02t03:04:05z", 1767323045 * S},
        {"2026-01-02T03:04:05", 1767323045 * S},
        {"2026-01-02T03:04:05.25", 1767323045 * S + 250000000},
        {"2026-01-02T05:34:05+02:30", 1767323045 * S},
        {"2026-01-01T23:04:05.000000001-04:00", 1767323045 * S + 1},
        {"2026-01-02T03:04:05.1234567899999Z", 1767323045 * S + 123456789},
        {"2024-02-29T00:00:00Z", 1709164800 * S},
        {"2016-12-31T23:59:60Z", 1483228800 * S},
        {"1970-01-01T00:00:00Z", 0},
        {"0", 0},
        {"1767323045", 1767323045 * S},
        {"1767323045.123456789", 1767323045 * S + 123456789},
        {"1.5", S + 500000000},
        {"9223372036.854775807", INT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        int64_t ns = 42;

        assert_int_equal(time_parse(cases[i].text, &ns), 0);
        assert_true(ns == cases[i].ns);
    }
}

static void junk_is_no_time(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "now",
        "1.",
        ".5",
        "-1",
        "+1",
        "1e9",
        "0x10",
        "1 ",
        " 1",
        "1.5.5",
        "9223372036.854775808",
        "9223372037",
        "99999999999999999999",
        "2026-01-02",
        "2026-01-02T03:04Z",
        "2026-1-2T03:04:05Z",
        "26-01-02T03:04:05Z",
        "2026-13-02T03:04:05Z",
        "2026-00-02T03:04:05Z",
        "2026-01-32T03:04:05Z",
        "2026-01-00T03:04:05Z",
        "2026-02-29T03:04:05Z",
        "2026-04-31T03:04:05Z",
        "2026-01-02T24:04:05Z",
        "2026-01-02T03:60:05Z",
        "2026-01-02T03:04:61Z",
        "2026-01-02 03:04:05Z",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05ZZ",
        "2026-01-02T03:04:05+2",
        "2026-01-02T03:04:05+0200",
        "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05+02:60",
        "2026-01-02T03:04:05Z ",
        "2300-01-01T00:00:00Z",
        "1600-01-01T00:00:00Z",
        "0001-01-01T00:00:01Z",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int64_t ns = 42;

        assert_int_equal(time_parse(texts[i], &ns), -EINVAL);
        assert_int_equal(ns, 42);
    }
}

static void now_is_after_this_was_written(void **state)
{
    int64_t now = time_now(), back;

    (void)state;
    assert_true(now > 1767323045 * S);
    assert_int_equal(time_parse(time_text(now), &back), 0);
    assert_true(back == now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printing_as_go_does),
        cmocka_unit_test(parsing),
        cmocka_unit_test(junk_is_no_time),
        cmocka_unit_test(now_is_after_this_was_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
