/* SPDX-License-Identifier: Apache-2.0 */
#include "client/stream.h"

#include <endian.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Takes as much of the header as there is; returns how many bytes that was. */
static size_t feed_header(struct stream *s, const char *data, size_t len)
{
    size_t n = smaller(len, sizeof s->header - s->header_len);
    uint32_t size;

    memcpy(s->header + s->header_len, data, n);
    s->header_len += n;
    memcpy(&size, s->header + 4, sizeof size);
    if (s->header_len == sizeof s->header)
        s->remaining = be32toh(size);
    return n;
}

static bool header_is_valid(const struct stream *s)
{
    return s->header[0] <= STREAM_ERROR && !s->header[1] && !s->header[2] && !s->header[3];
}

int stream_feed(struct stream *s, const char *data, size_t len, stream_sink *sink, void *arg,
                struct weft_error *err)
{
    while (len > 0) {
        bool in_header = s->header_len < sizeof s->header;
        size_t n = in_header ? feed_header(s, data, len) : smaller(len, s->remaining);
        int r;

        if (in_header && s->header_len == sizeof s->header && !header_is_valid(s))
            return weft_fail(err, WEFT_INVALID, "the output stream has a frame of unknown kind %u",
                             s->header[0]);
        if (!in_header) {
            r = sink(arg, s->header[0], data, n, err);
            if (r < 0)
                return r;
            s->remaining -= (uint32_t)n;
        }
        data += n;
        len -= n;
        if (s->header_len == sizeof s->header && s->remaining == 0)
            s->header_len = 0;
    }
    return 0;
}

bool stream_is_complete(const struct stream *s)
{
    return s->header_len == 0;
}
