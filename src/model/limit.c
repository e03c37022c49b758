/* SPDX-License-Identifier: Apache-2.0 */
#include "model/limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/network.h"

#define KIBI 1024.0
#define MEBI (1024 * KIBI)
#define GIBI (1024 * MEBI)
#define TEBI (1024 * GIBI)

struct unit {
    const char *name;
    double factor;
};

/* tc(8), "RATES": bits per second. */
static const struct unit rate_units[] = {
    {"", 1},
    {"bit", 1},
    {"kbit", 1e3},
    {"mbit", 1e6},
    {"gbit", 1e9},
    {"tbit", 1e12},
    {"kibit", KIBI},
    {"mibit", MEBI},
    {"gibit", GIBI},
    {"tibit", TEBI},
    {"bps", 8},
    {"kbps", 8 * 1e3},
    {"mbps", 8 * 1e6},
    {"gbps", 8 * 1e9},
    {"tbps", 8 * 1e12},
    {"kibps", 8 * KIBI},
    {"mibps", 8 * MEBI},
    {"gibps", 8 * GIBI},
    {"tibps", 8 * TEBI},
};

/* tc(8), "SIZES": bytes. */
static const struct unit burst_units[] = {
    {"", 1},
    {"b", 1},
    {"k", KIBI},
    {"kb", KIBI},
    {"m", MEBI},
    {"mb", MEBI},
    {"g", GIBI},
    {"gb", GIBI},
    {"kbit", KIBI / 8},
    {"mbit", MEBI / 8},
    {"gbit", GIBI / 8},
};

/* Digits, perhaps a point and more digits, then a unit. Not all that strtod(3) knows is a number
 * here: no sign, no "inf", no exponent. 0 or -EINVAL. */
static int parse(const char *text, const struct unit *units, size_t count, double *ret)
{
    static const char digits[] = "0123456789";
    size_t whole = strspn(text, digits), fraction = 0;
    const char *unit = text + whole;

    if (*unit == '.') {
        fraction = strspn(unit + 1, digits);
        if (fraction == 0)
            return -EINVAL;
        unit += 1 + fraction;
    }
    if (whole == 0)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(unit, units[i].name) != 0)
            continue;
        *ret = strtod(text, NULL) * units[i].factor;
        return 0;
    }
    return -EINVAL;
}

int rate_parse(const char *text, uint64_t *ret, struct weft_error *err)
{
    double rate;

    if (parse(text, rate_units, ARRAY_SIZE(rate_units), &rate) < 0)
        return weft_fail(err, WEFT_INVALID,
                         "\"%s\" is not a rate: a number with bit, kbit, mbit or gbit, or with "
                         "bps, kbps or mbps for bytes",
                         text);
    if (rate < (double)LIMIT_RATE_MIN || rate > (double)LIMIT_RATE_MAX)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a rate from 8kbit to 1tbit", text);
    /* The kernel counts bytes. */
    *ret = (uint64_t)rate / 8 * 8;
    return 0;
}

int burst_parse(const char *text, uint32_t *ret, struct weft_error *err)
{
    double burst;

    if (parse(text, burst_units, ARRAY_SIZE(burst_units), &burst) < 0)
        return weft_fail(err, WEFT_INVALID,
                         "\"%s\" is not a burst: a number of bytes, or with k, m or g", text);
    if (burst < 1 || burst > UINT32_MAX)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a burst from 1 byte to 4 GiB", text);
    *ret = (uint32_t)burst;
    return 0;
}

const char *rate_format(uint64_t rate, char buf[static LIMIT_TEXT_MAX])
{
    static const char *const names[] = {"bit", "kbit", "mbit", "gbit", "tbit"};
    size_t i = 0;

    for (; rate && rate % 1000 == 0 && i + 1 < ARRAY_SIZE(names); i++)
        rate /= 1000;
    (void)snprintf(buf, LIMIT_TEXT_MAX, "%" PRIu64 "%s", rate, names[i]);
    return buf;
}

const char *burst_format(uint32_t burst, char buf[static LIMIT_TEXT_MAX])
{
    static const char *const names[] = {"b", "kb", "mb", "gb"};
    size_t i = 0;

    for (; burst && burst % 1024 == 0 && i + 1 < ARRAY_SIZE(names); i++)
        burst /= 1024;
    (void)snprintf(buf, LIMIT_TEXT_MAX, "%" PRIu32 "%s", burst, names[i]);
    return buf;
}

static uint32_t default_burst(uint64_t rate)
{
    uint64_t burst = rate / 8 / 100;

    if (burst < LIMIT_BURST_DEFAULT_MIN)
        return LIMIT_BURST_DEFAULT_MIN;
    return burst < UINT32_MAX ? (uint32_t)burst : UINT32_MAX;
}

static int read_limit(const struct strmap *options, const char *rate_key, const char *burst_key,
                      struct limit *ret, struct weft_error *err)
{
    const char *rate = strmap_get(options, rate_key), *burst = strmap_get(options, burst_key);
    struct limit limit = {0};
    int r;

    if (!rate && burst)
        return weft_fail(err, WEFT_INVALID, "%s is given without %s", burst_key, rate_key);
    *ret = limit;
    if (!rate)
        return 0;
    r = rate_parse(rate, &limit.rate, err);
    if (r == 0 && burst)
        r = burst_parse(burst, &limit.burst, err);
    if (r < 0)
        return r;
    if (!burst)
        limit.burst = default_burst(limit.rate);
    if (limit.burst > limit.rate / 8 * LIMIT_BURST_SECONDS)
        return weft_fail(err, WEFT_INVALID, "%s %s at %s %s lasts longer than %d seconds",
                         burst_key, burst, rate_key, rate, LIMIT_BURST_SECONDS);
    *ret = limit;
    return 0;
}

int limits_read(const struct strmap *options, struct limits *ret, struct weft_error *err)
{
    int r = read_limit(options, OPTION_INGRESS_RATE, OPTION_INGRESS_BURST, &ret->ingress, err);

    if (r < 0)
        return r;
    return read_limit(options, OPTION_EGRESS_RATE, OPTION_EGRESS_BURST, &ret->egress, err);
}
