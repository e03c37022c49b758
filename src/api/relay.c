/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: two sides, each with a buffer of what it has yet to write. A side is read
 * while the other's buffer is empty and written while its own is not. The end of input on one side
 * is passed on as the end of output on the other. All ends when both have ended, or one fails or is
 * closed altogether: libuv reports a hang-up to those who wait for priority data (see pump.c).
 */

#include "api/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/strbuf.h"

#define BLOCK_SIZE 16384 /* bytes */

struct side {
    struct relay *relay;
    struct side *other;
    uv_poll_t poll;
    int fd;
    struct strbuf pending; /* to be written to fd, from offset on */
    size_t offset;
    bool read_ended, write_ended;
};

struct relay {
    struct session session;
    struct side sides[2];
    unsigned open_handles;
};

static void side_closed(uv_handle_t *handle)
{
    struct side *side = handle->data;
    struct relay *relay = side->relay;

    close(side->fd);
    strbuf_free(&side->pending);
    if (--relay->open_handles == 0)
        free(relay);
}

static void relay_end(struct session *s)
{
    struct relay *relay = (struct relay *)s;

    session_remove(s);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&relay->sides[i].poll, side_closed);
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
        r = transmit(&side->relay->sides[i]);
    if (r < 0 || (side->write_ended && side->other->write_ended)) {
        relay_end(&side->relay->session);
        return;
    }
    arm(side);
    arm(side->other);
}

static int open_sides(struct api *api, struct relay *relay)
{
    for (size_t i = 0; i < 2; i++) {
        struct side *side = &relay->sides[i];
        int r = uv_poll_init(api->loop, &side->poll, side->fd);

        if (r < 0)
            return r;
        side->poll.data = side;
        side->relay = relay;
        side->other = &relay->sides[1 - i];
        relay->open_handles++;
    }
    return 0;
}

int relay_new(struct api *api, int fd, const void *data, size_t len)
{
    _cleanup_close_ int client = fd;
    _cleanup_free_ struct relay *relay = calloc(1, sizeof *relay);
    int pair[2], r;

    if (!relay)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return -errno;
    relay->sides[0].fd = client;
    relay->sides[1].fd = pair[0];
    strbuf_add(&relay->sides[1].pending, data, len);
    r = relay->sides[1].pending.failed ? -ENOMEM : open_sides(api, relay);
    if (r < 0) {
        strbuf_free(&relay->sides[1].pending);
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    (void)TAKE_FD(client);
    session_add(api, &relay->session);
    relay->session.end = relay_end;
    arm(&relay->sides[0]);
    arm(&TAKE_PTR(relay)->sides[1]);
    return pair[1];
}
