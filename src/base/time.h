/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Wall-clock times as nanoseconds since the epoch, and their RFC 3339 text as Docker prints it. */

#include <stdint.h>

#define TIME_TEXT_MAX 40

/* CLOCK_REALTIME now. */
int64_t time_now(void);
/* "2026-01-02T03:04:05.123456789Z", without trailing zeros (Go's RFC3339Nano); 0 prints as Go's
 * zero time, "0001-01-01T00:00:00Z". */
const char *time_format(int64_t ns, char buf[static TIME_TEXT_MAX]);
#define time_text(ns) time_format((ns), (char[TIME_TEXT_MAX]){0})
/* Parses RFC 3339 with optional fraction and offset (none: UTC), Go's zero time (as 0), or decimal
 * seconds since the epoch with optional fraction. 0 or -EINVAL. */
int time_parse(const char *text, int64_t *ret);
