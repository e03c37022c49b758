/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Streams: bytes that come in their own time (logs, events, the end of a container).
 *
 * A source fills in a struct api_stream as its first member. Whoever reads it — the HTTP server
 * (api_stream_reply) or a pump into a hijacked connection (pump.h) — owns it, reads until there is
 * nothing, and reads again when it has been woken.
 */

#include <stddef.h>

#include "api/request.h"

struct api_stream;

struct api_stream_ops {
    /* Appends about max bytes or less. 1: there may be more; 0: api_stream_wake() will tell;
     * -ENODATA: this was the end. */
    int (*read)(struct api_stream *s, size_t max, struct strbuf *out);
    void (*free)(struct api_stream *s);
};

struct api_stream {
    const struct api_stream_ops *ops;
    void (*wake)(void *arg); /* the reader's */
    void *wake_arg;
};

/* For sources: there is something to read. Not from within ops->read. */
void api_stream_wake(struct api_stream *s);
/* Reads until there is a byte or a reason why not; like ops->read otherwise. */
int api_stream_fill(struct api_stream *s, size_t max, struct strbuf *out);
void api_stream_free(struct api_stream *s);

/* Answers with what the stream yields, chunk by chunk, while the client listens. s is taken, also
 * on failure. The headers are sent at once. */
int api_stream_reply(struct request *rq, const char *content_type, struct api_stream *s,
                     struct weft_error *err);
