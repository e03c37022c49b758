/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the client is always watched, to notice that it left: for input, or when it
 * has closed its sending half, as `docker run` does at once, for priority data, which never comes
 * but lets libuv report the hang-up. Output is sent as soon as the stream has some; what the socket
 * does not take waits, and with it the stream, until it is writable.
 */

#include "api/pump.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define BLOCK_SIZE 16384 /* bytes */

struct pump {
    struct session session;
    struct api_stream *source;
    uv_poll_t poll;
    int fd;
    struct strbuf block;
    size_t sent;
    bool input_ended, output_ended;
};

static void pump_closed(uv_handle_t *handle)
{
    struct pump *p = handle->data;

    close(p->fd);
    strbuf_free(&p->block);
    free(p);
}

static void pump_end(struct session *s)
{
    struct pump *p = (struct pump *)s;

    session_remove(s);
    api_stream_free(p->source);
    uv_close((uv_handle_t *)&p->poll, pump_closed);
}

/* 1: the socket is full; 0: the stream is empty; negative: the end of either. */
static int transmit(struct pump *p)
{
    for (;;) {
        ssize_t n;

        if (p->sent == p->block.len) {
            if (p->output_ended)
                return -ENODATA;
            p->block.len = p->sent = 0;
            p->output_ended = api_stream_fill(p->source, BLOCK_SIZE, &p->block) < 0;
            if (p->block.len == 0)
                return p->output_ended ? -ENODATA : 0;
        }
        n = send(p->fd, p->block.data + p->sent, p->block.len - p->sent,
                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN)
            return 1;
        if (n < 0)
            return -errno;
        p->sent += (size_t)n;
    }
}

/* Throws input away. -EPIPE when the client has closed its connection, not only its output. */
static int drain(struct pump *p)
{
    struct pollfd state = {.fd = p->fd};
    char block[4096];
    ssize_t n = recv(p->fd, block, sizeof block, MSG_DONTWAIT);

    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return 0;
    p->input_ended = true;
    if (n < 0 || (poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR))))
        return -EPIPE;
    return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void run(struct pump *p)
{
    int r = transmit(p);
    int events = p->input_ended ? UV_PRIORITIZED : UV_READABLE;

    if (r < 0) {
        pump_end(&p->session);
        return;
    }
    if (r > 0)
        events |= UV_WRITABLE;
    uv_poll_start(&p->poll, events, on_ready);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct pump *p = poll->data;

    if (status < 0 || (events & UV_PRIORITIZED) || ((events & UV_READABLE) && drain(p) < 0))
        pump_end(&p->session);
    else
        run(p);
}

static void on_wake(void *arg)
{
    run(arg);
}

void pump_start(struct api *api, struct api_stream *s, int fd)
{
    struct pump *p = calloc(1, sizeof *p);

    if (!p || uv_poll_init(api->loop, &p->poll, fd) < 0) {
        free(p);
        close(fd);
        api_stream_free(s);
        return;
    }
    p->source = s;
    p->fd = fd;
    p->poll.data = p;
    s->wake = on_wake;
    s->wake_arg = p;
    session_add(api, &p->session);
    p->session.end = pump_end;
    run(p);
}
