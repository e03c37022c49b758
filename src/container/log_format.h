/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The k8s-file log format of conmon, one record a line:
 *
 *   2026-01-02T03:04:05.123456789+00:00 stdout F a whole line, or the last piece of one
 *   2026-01-02T03:04:05.123456789+00:00 stderr P a piece that the line goes on after
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

#define LOG_HEAD_MAX 64 /* longest "TIME STREAM F " */

enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2 }; /* Docker's numbers */

struct log_record {
    int64_t time; /* ns since the epoch */
    enum log_stream stream;
    bool partial;
    const char *text; /* in the line that was parsed; len bytes, without the newline */
    size_t len;
};

/* Parses a line of len bytes, without its newline. 0 or -EINVAL. */
int log_record_parse(const char *line, size_t len, struct log_record *ret);

struct log_style {
    bool timestamps, multiplexed;
    bool in_line[3]; /* by stream: its last record was partial */
};

/* Appends the record as a client is to see it: with a header of Docker's if multiplexed, with the
 * time in front of a line's first piece if timestamps are asked for. */
void log_record_write(const struct log_record *record, struct log_style *style, struct strbuf *out);
