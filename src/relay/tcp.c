/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a connection has two sides, the client's socket and one to the target. What
 * one side has received is looked at (MSG_PEEK), sent to the other, and only as much as the other
 * took is then taken from the first (MSG_TRUNC discards without copying). So nothing is ever
 * buffered here: a slow reader fills its side's send queue, then the other's receive queue, whose
 * window closes, and that is what slows the sender down. The end of input is passed on as the end
 * of output, so half-closed connections work; when both have ended, all is closed. An error on
 * either side resets the other.
 *
 * The sockets are watched edge-triggered for everything, once and for all: each event moves what
 * can be moved both ways. A side that is not through after its share is put at the end of the
 * queue, by asking for its events again. The client's socket is watched only when the target has
 * answered: until then its bytes wait, and shutting down a socket that is still connecting would
 * give it up.
 */

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "relay/endpoint.h"
#include "relay/state.h"

#define ACCEPTS_PER_EVENT 16
#define CHUNKS_PER_EVENT 4
#define ALL_EVENTS (EPOLLIN | EPOLLOUT | EPOLLET)

struct side {
    struct watch watch;
    struct connection *connection;
    bool ended; /* its input did, and the other's output has been shut down */
};

struct connection {
    struct stream stream;
    bool connected;
    struct side client, target;
};

static void set_int(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

/* ---- bytes ---- */

static void connection_end(struct relay *r, struct connection *c)
{
    stream_remove(&c->stream);
    watch_close(r, &c->client.watch);
    watch_close(r, &c->target.watch);
    r->connections--;
    free(c);
}

/* For both sides it ends with a reset. */
static void connection_reset(struct relay *r, struct stream *stream)
{
    const struct linger none = {.l_onoff = 1};
    struct connection *c = (struct connection *)stream;

    (void)setsockopt(c->client.watch.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)setsockopt(c->target.watch.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    connection_end(r, c);
}

/* One chunk. 1: there may be more; 0: that was all for now; -errno. */
static int move_chunk(struct relay *r, struct side *from, struct side *to)
{
    ssize_t seen = recv(from->watch.fd, r->scratch, sizeof r->scratch, MSG_PEEK), sent;

    if (seen < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (seen == 0) {
        from->ended = true;
        return shutdown(to->watch.fd, SHUT_WR) < 0 ? -errno : 0;
    }
    sent = send(to->watch.fd, r->scratch, (size_t)seen, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN ? 0 : -errno;
    if (recv(from->watch.fd, NULL, (size_t)sent, MSG_TRUNC) != sent)
        return -EIO;
    return sent == seen;
}

/* 0 or -errno. */
static int move(struct relay *r, struct side *from, struct side *to)
{
    int status = 1;

    for (int i = 0; status > 0 && !from->ended; i++) {
        if (i == CHUNKS_PER_EVENT) {
            watch_change(r, &from->watch, ALL_EVENTS);
            return 0;
        }
        status = move_chunk(r, from, to);
    }
    return status < 0 ? status : 0;
}

/* The target accepted (1), has not answered yet (0), or will not (-errno). */
static int finish_connect(struct relay *r, struct connection *c, uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        return -ECONNREFUSED;
    if (!(events & EPOLLOUT))
        return 0;
    c->connected = true;
    return watch_add(r, &c->client.watch, ALL_EVENTS) < 0 ? -ENOMEM : 1;
}

static void side_ready(struct relay *r, struct watch *watch, uint32_t events)
{
    struct connection *c = ((struct side *)watch)->connection;
    int status = c->connected ? 1 : finish_connect(r, c, events);

    if (status == 0)
        return;
    /* To the client first: a target that answers, then resets, is still heard. */
    if (status > 0)
        status = move(r, &c->target, &c->client);
    if (status == 0)
        status = move(r, &c->client, &c->target);
    if (status < 0)
        connection_reset(r, &c->stream);
    else if (c->client.ended && c->target.ended)
        connection_end(r, c);
}

/* ---- connections ---- */

static bool is_full(struct relay *r, const struct port *port)
{
    bool full = r->connections >= r->limits.connections ||
                port->stream_count >= r->limits.connections_of_port;

    if (full && relay_may_warn(r))
        log_warning("port %s: %u connections are relayed for it, %u for all: no more", port->name,
                    port->stream_count, r->connections);
    return full;
}

/* A socket on its way to where the port leads a client of this family, or -errno. */
static int start_connect(const struct port *port, uint8_t family)
{
    _cleanup_close_ int fd = -1;
    union endpoint target;
    struct addr host;
    socklen_t len;

    if (!target_choose(&port->target, family, &host))
        return -EADDRNOTAVAIL;
    fd = socket(host.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    len = endpoint_make(&target, &host, port->target.port);
    /* Whatever local port it gets: that it can still be published (hold.c). */
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (fd < 0 || (connect(fd, &target.sa, len) < 0 && errno != EINPROGRESS))
        return -errno;
    return TAKE_FD(fd);
}

static void side_init(struct side *side, struct connection *c, int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    side->connection = c;
    side->watch = (struct watch){side_ready, fd};
}

/* Relays for the client, whose socket it takes; or closes it. */
static void connection_open(struct relay *r, struct port *port, int client_fd, uint8_t family)
{
    _cleanup_close_ int client = client_fd, target = -1;
    struct connection *c;

    if (is_full(r, port))
        return;
    target = start_connect(port, family);
    c = target < 0 ? NULL : calloc(1, sizeof *c);
    if (!c)
        return;
    c->stream.end = connection_reset;
    side_init(&c->client, c, TAKE_FD(client));
    side_init(&c->target, c, TAKE_FD(target));
    stream_add(port, &c->stream);
    r->connections++;
    if (watch_add(r, &c->target.watch, ALL_EVENTS) < 0)
        connection_reset(r, &c->stream);
}

/* ---- the listening socket ---- */

static void pause_accepting(struct relay *r, struct port *port, int errnum)
{
    if (relay_may_warn(r))
        log_warning("port %s: cannot accept connections for now: %s", port->name, strerror(errnum));
    port->paused = true;
    watch_change(r, &port->watch, 0);
    relay_need_tick(r);
}

void tcp_resume(struct relay *r, struct port *port)
{
    port->paused = false;
    watch_change(r, &port->watch, EPOLLIN);
}

void tcp_ready(struct relay *r, struct watch *watch, uint32_t events _unused_)
{
    struct port *port = (struct port *)watch;

    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        union endpoint client;
        socklen_t len = sizeof client;
        int fd = accept4(watch->fd, &client.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            connection_open(r, port, fd, endpoint_host(&client).family);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return pause_accepting(r, port, errno);
        else if (errno == EAGAIN)
            return;
    }
}
