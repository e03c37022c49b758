/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_PER_S 1000000000
#define GO_ZERO_TIME "0001-01-01T00:00:00Z"

int64_t time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

const char *time_format(int64_t ns, char buf[static TIME_TEXT_MAX])
{
    int64_t fraction = ns % NS_PER_S;
    time_t seconds = ns / NS_PER_S;
    struct tm tm;
    size_t len;

    if (ns == 0)
        return strcpy(buf, GO_ZERO_TIME);
    if (fraction < 0) {
        fraction += NS_PER_S;
        seconds--;
    }
    gmtime_r(&seconds, &tm);
    len = strftime(buf, TIME_TEXT_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
    if (fraction) {
        len += (size_t)snprintf(buf + len, TIME_TEXT_MAX - len, ".%09d", (int)fraction);
        while (buf[len - 1] == '0')
            len--;
    }
    strcpy(buf + len, "Z");
    return buf;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The parsers below move *s past what they read, or return false. */

static bool take_char(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static bool take_number(const char **s, int digits, int min, int max, int *ret)
{
    *ret = 0;
    for (; digits > 0; digits--, (*s)++) {
        if (!is_digit(**s))
            return false;
        *ret = *ret * 10 + (**s - '0');
    }
    return *ret >= min && *ret <= max;
}

/* Nothing, or a dot and digits; those beyond nanoseconds do not count. */
static bool take_fraction(const char **s, int64_t *ret_ns)
{
    int64_t unit = NS_PER_S;

    *ret_ns = 0;
    if (!take_char(s, '.'))
        return true;
    if (!is_digit(**s))
        return false;
    for (; is_digit(**s); (*s)++) {
        unit /= 10;
        *ret_ns += unit * (**s - '0');
    }
    return true;
}

/* The day's start in seconds since the epoch. */
static bool take_date(const char **s, int64_t *ret)
{
    int year, month, day;
    struct tm tm;

    if (!take_number(s, 4, 0, 9999, &year) || !take_char(s, '-') ||
        !take_number(s, 2, 1, 12, &month) || !take_char(s, '-') || !take_number(s, 2, 1, 31, &day))
        return false;
    tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    *ret = timegm(&tm);
    return tm.tm_mday == day; /* else the month is shorter, and timegm() went on to the next */
}

/* "hh:mm:ss"; second 60 is a leap second. */
static bool take_clock(const char **s, int64_t *ret)
{
    int hour, minute, second;

    if (!take_number(s, 2, 0, 23, &hour) || !take_char(s, ':') ||
        !take_number(s, 2, 0, 59, &minute) || !take_char(s, ':') ||
        !take_number(s, 2, 0, 60, &second))
        return false;
    *ret = hour * 3600 + minute * 60 + second;
    return true;
}

/* Nothing or "Z": UTC; "+hh:mm", "-hh:mm": seconds east of it. */
static bool take_offset(const char **s, int64_t *ret)
{
    int sign = **s == '-' ? -1 : 1, hours, minutes;

    *ret = 0;
    if (!**s || take_char(s, 'Z') || take_char(s, 'z'))
        return true;
    if (!(take_char(s, '+') || take_char(s, '-')) || !take_number(s, 2, 0, 23, &hours) ||
        !take_char(s, ':') || !take_number(s, 2, 0, 59, &minutes))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool take_rfc3339(const char **s, int64_t *ret_s, int64_t *ret_ns)
{
    int64_t date, clock, offset;

    if (!take_date(s, &date) || !(take_char(s, 'T') || take_char(s, 't')) ||
        !take_clock(s, &clock) || !take_fraction(s, ret_ns) || !take_offset(s, &offset))
        return false;
    *ret_s = date + clock - offset;
    return true;
}

static bool take_epoch(const char **s, int64_t *ret_s, int64_t *ret_ns)
{
    char *end;

    if (!is_digit(**s))
        return false;
    *ret_s = strtoll(*s, &end, 10);
    *s = end;
    return take_fraction(s, ret_ns);
}

int time_parse(const char *text, int64_t *ret)
{
    bool is_date = strchr(text, '-') != NULL;
    int64_t seconds, fraction, ns;

    if (strcmp(text, GO_ZERO_TIME) == 0) {
        *ret = 0;
        return 0;
    }
    if (!(is_date ? take_rfc3339 : take_epoch)(&text, &seconds, &fraction) || *text)
        return -EINVAL;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &ns) || __builtin_add_overflow(ns, fraction, &ns))
        return -EINVAL;
    *ret = ns;
    return 0;
}
