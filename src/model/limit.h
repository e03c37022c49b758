/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Limits: the most that an endpoint gets (ingress) and sends (egress), as its options say them, in
 * the spelling of tc(8).
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

/* Bits per second. Below and above there is nothing that a token bucket could keep. */
#define LIMIT_RATE_MIN UINT64_C(8000)
#define LIMIT_RATE_MAX UINT64_C(1000000000000)
/* So long may a full bucket last: the kernel keeps its depth as a time, in 32 bits. */
#define LIMIT_BURST_SECONDS 240
/* The burst where none is given: what passes in 10 ms, as tc-tbf(8) recommends for a timer of
 * 100 Hz, but never less than so many bytes: the largest packet that the kernel makes of a stream,
 * 64 KiB with all its headers, then goes through whole. */
#define LIMIT_BURST_DEFAULT_MIN 81920

struct limit {
    uint64_t rate;  /* bits per second, a multiple of 8; 0: none */
    uint32_t burst; /* bytes; 0 where there is no rate */
};
struct limits {
    struct limit ingress, egress;
};

/* A number, which may have a fraction, and a unit, in any case: bit (the default), kbit, mbit,
 * gbit, tbit (thousands), kibit … (of 1024), bps, kbps …, kibps … (bytes). From LIMIT_RATE_MIN to
 * LIMIT_RATE_MAX. 0 or -EINVAL. */
int rate_parse(const char *text, uint64_t *ret, struct weft_error *err);
/* Likewise: b (the default, bytes), k, kb, m, mb, g, gb, and kbit, mbit, gbit, all of 1024. More
 * than 0. 0 or -EINVAL. */
int burst_parse(const char *text, uint32_t *ret, struct weft_error *err);

/* Short and exact: "10mbit", "1500bit"; "64kb", "1514b". */
#define LIMIT_TEXT_MAX 24
const char *rate_format(uint64_t rate, char buf[static LIMIT_TEXT_MAX]);
const char *burst_format(uint32_t burst, char buf[static LIMIT_TEXT_MAX]);

/* The limits among an endpoint's driver options (model/network.h), defaults filled in. Refuses a
 * burst without a rate, and one that lasts longer than LIMIT_BURST_SECONDS. 0 or -EINVAL. */
int limits_read(const struct strmap *options, struct limits *ret, struct weft_error *err);
static inline bool limits_are_set(const struct limits *limits)
{
    return limits->ingress.rate || limits->egress.rate;
}
