/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Reads a container's log (conmon's k8s-file format: `TIME STREAM F|P TEXT`) and follows it while
 * the container lives.
 *
 * A reader is pull-and-notify: log_reader_read gives what there is; when it gives nothing and the
 * log is followed, the callback says when to call it again.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/error.h"
#include "base/strbuf.h"

struct log_options {
    bool out, err; /* which streams */
    bool follow;
    bool timestamps;
    bool multiplexed;     /* Docker's 8-byte stream header before each chunk (API: attach, "Stream
                             format"); off for a tty */
    int64_t since, until; /* ns since the epoch; 0: no bound */
    int64_t tail;         /* last lines; −1: all */
};

struct log_reader;
typedef void log_ready_fn(void *arg);

/* Opens STATE_DIR/containers/ID/log; a log that does not exist yet is empty; one that is to be
 * followed is made, for conmon to append to. The file stays readable after its removal. ready is
 * called from the loop, never from within the call. */
int log_reader_open(uv_loop_t *loop, const char *path, const struct log_options *options,
                    log_ready_fn *ready, void *arg, struct log_reader **ret,
                    struct weft_error *err);
/* Appends at most about max bytes to out. 1: there may be more now; 0: wait for ready; -ENODATA:
 * the end (never while following an unfinished log). */
int log_reader_read(struct log_reader *r, size_t max, struct strbuf *out);
/* The container has ended: what is left is read, then comes the end. A log that is not followed is
 * finished from the start. */
void log_reader_finish(struct log_reader *r);
/* The loop must run on until the handles are closed. NULL is fine. */
void log_reader_free(struct log_reader *r);
