/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: two sides, each with a buffer of what it has yet to write. A side is read
 * while the other's buffer is empty and written while its own is not. The end of input on one side
 * is passed on as the end of output on the other. All ends when both have ended, or one fails or is
 * closed altogether: libuv reports a hang-up to those who wait for priority data (see pump.c).
 */

#include "api/prepend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/strbuf.h"

#define BLOCK_SIZE 16384 /* bytes */

struct side {
    struct prepend *prepend;
    struct side *other;
    uv_poll_t poll;
    int fd;
    struct strbuf pending; /* to be written to fd, from offset on */
    size_t offset;
    bool read_ended, write_ended;
};

struct prepend {
    struct session session;
    struct side sides[2];
    unsigned open_handles;
};

static void side_closed(uv_handle_t *handle)
{
    struct side *side = handle->data;
    struct prepend *prepend = side->prepend;

    close(side->fd);
    strbuf_free(&side->pending);
    if (--prepend->open_handles == 0)
        free(prepend);
}

static void prepend_end(struct session *s)
{
    struct prepend *prepend = (struct prepend *)s;

    session_remove(s);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&prepend->sides[i].poll, side_closed);
}

static int receive(struct side *side)
{
    struct strbuf *out = &side->other->pending;
    char block[BLOCK_SIZE];
    ssize_t n = recv(side->fd, block, sizeof block, MSG_DONTWAIT);

    if (n > 0)
        strbuf_add(out, block, (size_t)n);
    if (n == 0)
        side->read_ended = true;
    if (out->failed || (n < 0 && errno != EAGAIN && errno != EINTR))
        return -EIO;
    return 0;
}

static int transmit(struct side *side)
{
    size_t left = side->pending.len - side->offset;
    ssize_t n =
        left ? send(side->fd, side->pending.data + side->offset, left, MSG_DONTWAIT | MSG_NOSIGNAL)
             : 0;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -EIO;
    side->offset += (size_t)n;
    if (side->offset < side->pending.len)
        return 0;
    side->pending.len = side->offset = 0;
    if (side->other->read_ended && !side->write_ended) {
        side->write_ended = true;
        shutdown(side->fd, SHUT_WR);
    }
    return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void arm(struct side *side)
{
    int events = 0;

    if (side->other->pending.len == 0)
        events |= side->read_ended ? UV_PRIORITIZED : UV_READABLE;
    if (side->pending.len > 0)
        events |= UV_WRITABLE;
    if (events)
        uv_poll_start(&side->poll, events, on_ready);
    else
        uv_poll_stop(&side->poll);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct side *side = poll->data;
    int r = (events & UV_PRIORITIZED) ? -EPIPE : status;

    if (r == 0 && (events & UV_READABLE))
        r = receive(side);
    for (size_t i = 0; r == 0 && i < 2; i++)
        r = transmit(&side->prepend->sides[i]);
    if (r < 0 || (side->write_ended && side->other->write_ended)) {
        prepend_end(&side->prepend->session);
        return;
    }
    arm(side);
    arm(side->other);
}

static int open_sides(struct api *api, struct prepend *prepend)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &prepend->sides[i];
        int r = uv_poll_init(api->loop, &side->poll, side->fd);

        if (r < 0)
            return r;
        side->poll.data = side;
        side->prepend = prepend;
        side->other = &prepend->sides[1 - i];
        prepend->open_handles++;
    }
    return 0;
}

int prepend_new(struct api *api, int fd, const void *data, size_t len)
{
    _cleanup_close_ int client = fd;
    _cleanup_free_ struct prepend *prepend = calloc(1, sizeof *prepend);
    int pair[2], r;

    if (!prepend)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    prepend->sides[0].fd = client;
    prepend->sides[1].fd = pair[0];
    strbuf_add(&prepend->sides[1].pending, data, len);
    r = prepend->sides[1].pending.failed ? -ENOMEM : open_sides(api, prepend);
    if (r < 0) {
        strbuf_free(&prepend->sides[1].pending);
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    (void)TAKE_FD(client);
    session_add(api, &prepend->session);
    prepend->session.end = prepend_end;
    arm(&prepend->sides[0]);
    arm(&TAKE_PTR(prepend)->sides[1]);
    return pair[1];
}
