/* SPDX-License-Identifier: Apache-2.0 */

#include "stats.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double clock_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void samples_add(struct samples *s, double ms)
{
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 256;
        s->ms = realloc(s->ms, s->capacity * sizeof *s->ms);
        if (!s->ms)
            die("out of memory");
    }
    s->ms[s->count++] = ms;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double samples_percentile(struct samples *s, double p)
{
    size_t rank = (size_t)(p / 100 * (double)s->count + 0.999999);

    qsort(s->ms, s->count, sizeof *s->ms, compare);
    return s->ms[rank ? rank - 1 : 0];
}

double samples_median(struct samples *s)
{
    return samples_percentile(s, 50);
}

void samples_clear(struct samples *s)
{
    free(s->ms);
    *s = (struct samples){0};
}

void die(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    (void)fputs("bench: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(EXIT_FAILURE);
}
