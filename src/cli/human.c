/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/human.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "client/url.h"

#define SECOND INT64_C(1000000000)
#define MINUTE (60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* Up to `below` seconds, a duration is told in `unit`s; one of them has words of its own. */
static const struct {
    int64_t below;
    int64_t unit;
    const char *one;
    const char *many;
} scales[] = {
    {MINUTE, 1, "1 second", "seconds"},
    {HOUR, MINUTE, "About a minute", "minutes"},
    {2 * DAY, HOUR, "About an hour", "hours"},
    {14 * DAY, DAY, NULL, "days"},
    {60 * DAY, 7 * DAY, NULL, "weeks"},
    {2 * 365 * (int64_t)DAY, 30 * DAY, NULL, "months"},
    {INT64_MAX, 365 * (int64_t)DAY, NULL, "years"},
};

const char *human_duration(int64_t seconds, char buf[static HUMAN_TEXT_MAX])
{
    size_t scale = 0;
    int64_t count;

    if (seconds < 1)
        return "Less than a second";
    if (seconds >= HOUR) /* from here on, to the nearest hour */
        seconds = (seconds + HOUR / 2) / HOUR * HOUR;
    while (seconds >= scales[scale].below)
        scale++;
    count = seconds / scales[scale].unit;
    if (count == 1 && scales[scale].one)
        return scales[scale].one;
    snprintf(buf, HUMAN_TEXT_MAX, "%" PRId64 " %s", count, scales[scale].many);
    return buf;
}

const char *human_time(int64_t seconds, char buf[static HUMAN_TEXT_MAX])
{
    time_t when = (time_t)seconds;
    struct tm local;

    if (!localtime_r(&when, &local) ||
        strftime(buf, HUMAN_TEXT_MAX, "%Y-%m-%d %H:%M:%S %z %Z", &local) == 0)
        buf[0] = '\0';
    return buf;
}

/* Go's time.ParseDuration without a sign: numbers, each with a unit. */
static int parse_duration(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        double length;
    } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
    double total = 0;

    while (*text) {
        char *end;
        double number = strtod(text, &end);
        size_t len = strspn(end, "nmush"), i = 0;

        if (end == text || strspn(text, "0123456789.") != (size_t)(end - text))
            return -EINVAL;
        while (i < ARRAY_SIZE(units) &&
               (strlen(units[i].name) != len || memcmp(units[i].name, end, len) != 0))
            i++;
        if (i == ARRAY_SIZE(units))
            return -EINVAL;
        total += number * units[i].length;
        text = end + len;
    }
    if (total > (double)INT64_MAX / 2)
        return -EINVAL;
    *ret = (int64_t)total;
    return 0;
}

int human_parse_time(const char *option, const char *text, int64_t now,
                     char buf[static HUMAN_TEXT_MAX], struct weft_error *err)
{
    int64_t when, ago;

    if (*text && parse_duration(text, &ago) == 0)
        when = now - ago;
    else if (time_parse(text, &when) < 0)
        return weft_fail(err, WEFT_INVALID,
                         "--%s takes a time like 2026-01-02T15:04:05Z or 10m, not \"%s\"", option,
                         text);
    snprintf(buf, HUMAN_TEXT_MAX, "%" PRId64 ".%09" PRId64, when / SECOND, when % SECOND);
    return 0;
}

int url_time(struct strbuf *url, const char *key, const char *text, struct weft_error *err)
{
    char time[HUMAN_TEXT_MAX];
    int r;

    if (!text)
        return 0;
    r = human_parse_time(key, text, time_now(), time, err);
    if (r == 0)
        url_query(url, key, time);
    return r;
}
