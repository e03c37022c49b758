/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Times as people write and read them. */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

#define HUMAN_TEXT_MAX 64

/* "About a minute", "3 hours": docker's words for a length of time in seconds. */
const char *human_duration(int64_t seconds, char buf[static HUMAN_TEXT_MAX]);
/* "2026-01-02 03:04:05 +0000 UTC", local time, of seconds since the epoch. */
const char *human_time(int64_t seconds, char buf[static HUMAN_TEXT_MAX]);

/*
 * The value of --since or --until: RFC 3339, seconds since the epoch, or how long before now
 * (nanoseconds) as Go writes it ("1h30m", "42s"). Writes "seconds.nanoseconds", which the API
 * takes. 0 or -EINVAL.
 */
int human_parse_time(const char *option, const char *text, int64_t now,
                     char buf[static HUMAN_TEXT_MAX], struct weft_error *err);
/* Adds the query "key=TIME" for --key, if text is not NULL. 0 or -EINVAL. */
int url_time(struct strbuf *url, const char *key, const char *text, struct weft_error *err);
