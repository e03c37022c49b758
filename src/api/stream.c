/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the server asks for bytes by calling read_content(). When the source has
 * none, the connection is suspended, and the source's wake resumes it. The server does not look at
 * suspended connections, so whether the client is still there is watched here: a peer that closes
 * its end, or only its sending half, has lost interest (as net/http of Go, and so Docker, sees it).
 */

#include "api/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/reply.h"

#define BLOCK_SIZE 16384 /* bytes: what is asked of a source at once */

struct content {
    struct api_stream *source;
    struct request *rq;
    struct strbuf block; /* what was read, and of it … */
    size_t sent;         /* … what the server has got */
    bool ended, gone;
    uv_poll_t *watch; /* NULL until the first wait */
};

void api_stream_wake(struct api_stream *s)
{
    if (s->wake)
        s->wake(s->wake_arg);
}

int api_stream_fill(struct api_stream *s, size_t max, struct strbuf *out)
{
    int r;

    do
        r = s->ops->read(s, max, out);
    while (r > 0 && out->len == 0 && !out->failed);
    return out->failed ? -ENODATA : r;
}

void api_stream_free(struct api_stream *s)
{
    if (s)
        s->ops->free(s);
}

static void resume(void *arg)
{
    struct content *content = arg;

    request_resume(content->rq);
}

static void on_disconnect(uv_poll_t *watch, int status _unused_, int events _unused_)
{
    struct content *content = watch->data;

    uv_poll_stop(watch);
    content->gone = true;
    request_resume(content->rq);
}

static void watch_closed(uv_handle_t *watch)
{
    free(watch);
}

/* Without memory nobody notices that the client left until the next byte is sent. */
static void watch_client(struct content *content)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(content->rq->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    uv_poll_t *watch = calloc(1, sizeof *watch);

    if (!watch || uv_poll_init(content->rq->api->loop, watch, info->connect_fd) < 0) {
        free(watch);
        return;
    }
    watch->data = content;
    uv_poll_start(watch, UV_DISCONNECT, on_disconnect);
    content->watch = watch;
}

static ssize_t read_content(void *arg, uint64_t position _unused_, char *buf, size_t max)
{
    struct content *content = arg;
    size_t n;

    if (content->gone)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (content->sent == content->block.len && !content->ended) {
        content->block.len = content->sent = 0;
        content->ended = api_stream_fill(content->source, BLOCK_SIZE, &content->block) < 0;
    }
    n = content->block.len - content->sent;
    if (n == 0 && content->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        if (!content->watch)
            watch_client(content);
        request_suspend(content->rq);
        return 0;
    }
    if (n > max)
        n = max;
    memcpy(buf, content->block.data + content->sent, n);
    content->sent += n;
    return (ssize_t)n;
}

static void free_content(void *arg)
{
    struct content *content = arg;

    if (content->watch)
        uv_close((uv_handle_t *)content->watch, watch_closed);
    api_stream_free(content->source);
    strbuf_free(&content->block);
    free(content);
}

int api_stream_reply(struct request *rq, const char *content_type, struct api_stream *s,
                     struct weft_error *err)
{
    struct content *content = calloc(1, sizeof *content);
    struct MHD_Response *response;

    if (!content) {
        api_stream_free(s);
        return weft_oom(err);
    }
    content->source = s;
    content->rq = rq;
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_SIZE, read_content,
                                                 content, free_content);
    if (!response) {
        free_content(content);
        return weft_oom(err);
    }
    s->wake = resume;
    s->wake_arg = content;
    /* However long it takes: neither the wait nor a slow reader is idleness. The connection ends
     * with the answer, so that it need not be undone. */
    MHD_set_connection_option(rq->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0U);
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_NO) {
        MHD_destroy_response(response);
        return weft_oom(err);
    }
    return reply_response(rq, MHD_HTTP_OK, content_type, response, err);
}
