/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Durations, and what is said of many of them. */

#include <stddef.h>

/* The monotonic clock, in milliseconds. */
double clock_ms(void);

/* Durations in milliseconds. Zero-initialise. */
struct samples {
    double *ms;
    size_t count, capacity;
};
void samples_add(struct samples *s, double ms);
/* The smallest sample that p of 100 are not above (nearest rank); sorts. There must be one. */
double samples_percentile(struct samples *s, double p);
double samples_median(struct samples *s);
void samples_clear(struct samples *s);

/* Ends the program with a sentence: a benchmark has nothing to mend. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
