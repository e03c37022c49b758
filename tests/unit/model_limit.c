/* SPDX-License-Identifier: Apache-2.0 */

/* Rates and bursts in the spelling of tc(8). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "model/limit.h"
#include "model/network.h"

static void rates(void **state)
{
    static const struct {
        const char *text;
        uint64_t rate;
    } cases[] = {
        {"10000", 10000},           {"8kbit", 8000},      {"10mbit", 10000000},
        {"10Mbit", 10000000},       {"1.5mbit", 1500000}, {"1gbit", 1000000000},
        {"1tbit", 1000000000000},   {"64kibit", 65536},   {"1mibit", 1048576},
        {"1000bps", 8000},          {"1kbps", 8000},      {"1mibps", 8388608},
        {"10001bit", 10000}, /* whole bytes */
        {"12.5gbps", 100000000000},
    };
    uint64_t rate;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(rate_parse(cases[i].text, &rate, NULL), 0);
        assert_int_equal(rate, cases[i].rate);
    }
}

static void no_rates(void **state)
{
    static const char *const cases[] = {
        "",      "0",        "0mbit",  "-1mbit", "+1mbit", "mbit",      "10 mbit",
        "10mb",  "10mbit ",  "inf",    "nan",    "1e9",    "0x100",     "7999",
        "2tbit", "1..5mbit", ".5mbit", "5.mbit", "many",   "1.2.3mbit", "10%",
    };
    uint64_t rate = 1;
    char huge[400];

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct weft_error err = {0};

        assert_int_equal(rate_parse(cases[i], &rate, &err), -EINVAL);
        assert_int_equal(err.code, WEFT_INVALID);
        assert_non_null(strstr(err.text, cases[i]));
    }
    memset(huge, '9', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_int_equal(rate_parse(huge, &rate, NULL), -EINVAL);
    assert_int_equal(rate, 1);
}

static void bursts(void **state)
{
    static const struct {
        const char *text;
        uint32_t burst;
    } cases[] = {
        {"1514", 1514},  {"1514b", 1514},   {"32k", 32768},   {"32kb", 32768},
        {"32KB", 32768}, {"1.5m", 1572864}, {"1mb", 1048576}, {"1gb", 1073741824},
        {"8kbit", 1024}, {"1mbit", 131072}, {"1", 1},         {"4294967295", UINT32_MAX},
    };
    static const char *const refused[] = {"", "0", "-1", "0.5", "4g", "k", "1tb", "10mbps", "1 k"};
    uint32_t burst;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(burst_parse(cases[i].text, &burst, NULL), 0);
        assert_int_equal(burst, cases[i].burst);
    }
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(burst_parse(refused[i], &burst, NULL), -EINVAL);
}

static void what_is_shown_can_be_read(void **state)
{
    static const uint64_t rates[] = {8000, 8008, 1500000, 10000000, 1000000000, LIMIT_RATE_MAX};
    static const uint32_t bursts[] = {1, 1514, 1024, 81920, 1048576, UINT32_MAX};
    char text[LIMIT_TEXT_MAX];
    uint64_t rate;
    uint32_t burst;

    (void)state;
    assert_string_equal(rate_format(10000000, text), "10mbit");
    assert_string_equal(rate_format(1500000, text), "1500kbit");
    assert_string_equal(rate_format(8008, text), "8008bit");
    assert_string_equal(burst_format(81920, text), "80kb");
    assert_string_equal(burst_format(1514, text), "1514b");
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        assert_int_equal(rate_parse(rate_format(rates[i], text), &rate, NULL), 0);
        assert_int_equal(rate, rates[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bursts); i++) {
        assert_int_equal(burst_parse(burst_format(bursts[i], text), &burst, NULL), 0);
        assert_int_equal(burst, bursts[i]);
    }
}

/* Options as pairs of words, up to a NULL. */
static int read_options(const char *const words[], struct limits *ret, struct weft_error *err)
{
    struct strmap options = {0};
    int r;

    for (; *words; words += 2)
        assert_int_equal(strmap_set(&options, words[0], words[1]), 0);
    r = limits_read(&options, ret, err);
    strmap_clear(&options);
    return r;
}
#define READ(limits, err, ...) read_options((const char *const[]){__VA_ARGS__, NULL}, limits, err)

static void limits(void **state)
{
    struct weft_error err = {0};
    struct limits l;

    (void)state;
    assert_int_equal(READ(&l, &err, "my.own", "5"), 0);
    assert_false(limits_are_set(&l));

    assert_int_equal(READ(&l, &err, OPTION_INGRESS_RATE, "10mbit"), 0);
    assert_true(limits_are_set(&l));
    assert_int_equal(l.ingress.rate, 10000000);
    assert_int_equal(l.ingress.burst, LIMIT_BURST_DEFAULT_MIN);
    assert_int_equal(l.egress.rate, 0);
    assert_int_equal(l.egress.burst, 0);

    /* What passes in 10 ms. */
    assert_int_equal(READ(&l, &err, OPTION_EGRESS_RATE, "1gbit"), 0);
    assert_int_equal(l.egress.burst, 1250000);
    assert_int_equal(l.ingress.rate, 0);

    assert_int_equal(READ(&l, &err, OPTION_EGRESS_RATE, "1gbit", OPTION_EGRESS_BURST, "64k"), 0);
    assert_int_equal(l.egress.burst, 65536);
}

static void impossible_limits(void **state)
{
    struct weft_error err = {0};
    struct limits l;

    (void)state;
    assert_int_equal(READ(&l, &err, OPTION_INGRESS_BURST, "64k"), -EINVAL);
    assert_non_null(
        strstr(err.text, OPTION_INGRESS_BURST " is given without " OPTION_INGRESS_RATE));
    assert_int_equal(READ(&l, &err, OPTION_EGRESS_BURST, "64k", OPTION_INGRESS_RATE, "1mbit"),
                     -EINVAL);
    assert_int_equal(READ(&l, &err, OPTION_INGRESS_RATE, "0"), -EINVAL);
    assert_int_equal(READ(&l, &err, OPTION_INGRESS_RATE, "8kbit", OPTION_INGRESS_BURST, "1m"),
                     -EINVAL);
    assert_non_null(strstr(err.text, "lasts longer than 240 seconds"));
    assert_int_equal(READ(&l, &err, OPTION_INGRESS_RATE, "8kbit", OPTION_INGRESS_BURST, "234k"), 0);
    assert_int_equal(READ(&l, &err, OPTION_INGRESS_RATE, "8kbit"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),  cmocka_unit_test(no_rates),
        cmocka_unit_test(bursts), cmocka_unit_test(what_is_shown_can_be_read),
        cmocka_unit_test(limits), cmocka_unit_test(impossible_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
