/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Carries a process' standard streams over a client's socket.
 *
 * There is one buffer each way. A source is read only when the buffer is empty, and the buffer is
 * emptied only as fast as the sink takes it: so a reader that does not read stops the writer, and
 * memory stays the same.
 */

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"

struct stream;
typedef void stream_end_fn(void *arg);

struct stream_fds {
    int client;   /* a stream socket; −1: there is no reader, output is dropped */
    int in;       /* takes what the client sends; −1: that is dropped */
    int out, err; /* the process' output; −1: none */
};

/*
 * Begins. multiplexed: each piece of output is preceded by Docker's eight-byte header (stream 1 or
 * 2, three zeros, length in network order; API, "Attach to a container"). The client's end of
 * writing closes in. The descriptors are the stream's if this succeeds. SIGPIPE must be ignored.
 */
int stream_new(uv_loop_t *loop, const struct stream_fds *fds, bool multiplexed, stream_end_fn *end,
               void *arg, struct stream **ret, struct weft_error *err);
/* The process has ended: what is left of its output goes to the client, then end is called, from
 * the loop. Descendants of it that still hold its output open are not waited for. */
void stream_finish(struct stream *s);
/* Closes the descriptors. NULL is fine. */
void stream_free(struct stream *s);
