/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Docker's multiplexed stream ("Stream format" of POST /containers/{id}/attach, API v1.48): what a
 * container without a terminal writes arrives as frames of an 8-byte header, {stream, 0, 0, 0,
 * big-endian length}, and that many bytes.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum stream_id {
    STREAM_STDIN,  /* never sent, shown on standard output if it is */
    STREAM_STDOUT, /* descriptor 1 */
    STREAM_STDERR, /* descriptor 2 */
    STREAM_ERROR,  /* the daemon's own words, last */
};

/* Takes one piece of one stream. 0 or -errno, which stream_feed passes on. */
typedef int stream_sink(void *arg, enum stream_id id, const char *data, size_t len,
                        struct weft_error *err);

/* Where the parser is between two calls. Zero-initialise. */
struct stream {
    uint8_t header[8];
    size_t header_len;
    uint32_t remaining; /* of the frame's body */
};

/* Takes the next len bytes, cut anywhere. Returns 0, -EINVAL for a header that is none, or what
 * sink returned. */
int stream_feed(struct stream *s, const char *data, size_t len, stream_sink *sink, void *arg,
                struct weft_error *err);
/* Whether the bytes so far end between two frames, as a complete stream does. */
bool stream_is_complete(const struct stream *s);
