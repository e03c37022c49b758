/* SPDX-License-Identifier: Apache-2.0 */
#include "api/socket_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct socket_stream {
    struct api_stream stream;
    uv_poll_t poll; /* while there is nothing to read */
    int fd;
};

static void on_readable(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    struct socket_stream *s = poll->data;

    uv_poll_stop(poll);
    api_stream_wake(&s->stream);
}

static int socket_read(struct api_stream *stream, size_t max, struct strbuf *out)
{
    struct socket_stream *s = (struct socket_stream *)stream;
    char block[4096];
    ssize_t n = read(s->fd, block, max < sizeof block ? max : sizeof block);

    if (n > 0) {
        strbuf_add(out, block, (size_t)n);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        uv_poll_start(&s->poll, UV_READABLE, on_readable);
        return 0;
    }
    return -ENODATA;
}

static void socket_closed(uv_handle_t *handle)
{
    struct socket_stream *s = handle->data;

    close(s->fd);
    free(s);
}

static void socket_free(struct api_stream *stream)
{
    struct socket_stream *s = (struct socket_stream *)stream;

    uv_close((uv_handle_t *)&s->poll, socket_closed);
}

int socket_stream_new(struct api *api, int fd, struct api_stream **ret, struct weft_error *err)
{
    static const struct api_stream_ops ops = {socket_read, socket_free};
    struct socket_stream *s = calloc(1, sizeof *s);
    int r = s ? uv_poll_init(api->loop, &s->poll, fd) : -ENOMEM;

    if (r < 0) {
        free(s);
        close(fd);
        return weft_fail_errno(err, r, "cannot watch a socket");
    }
    s->stream.ops = &ops;
    s->poll.data = s;
    s->fd = fd;
    *ret = &s->stream;
    return 0;
}
