/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a connection (RFC 7766) carries messages, each behind its length. Queries
 * are answered as they come, those that are forwarded as their answers come; the id tells which is
 * which. What has been read of a message that is not whole yet, and answers that have not been sent
 * yet, are kept in buffers which exist only then. While too much waits to be sent, or too many
 * queries are being forwarded, nothing is read, and what has been read waits too.
 *
 * Whoever neither sends a whole message nor takes all of its answers for DNS_STREAM_PATIENCE_MS is
 * cut off. All have the same patience, so the list of connections is in the order of their ends.
 *
 * The answer of a forwarded query only goes into the buffer; what follows from it happens when the
 * loop finds that the connection can be written to.
 */

#include "dns/stream.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "dns/owner.h"

#define ACCEPTS_PER_EVENT 16
#define READ_MAX 4096 /* octets a turn of the loop */
#define TICK_MS 500
#define PREFIX 2 /* the length before each message: RFC 1035, 4.2.2 */

struct buffer {
    uint8_t *data;
    size_t length;
};

struct dns_stream {
    uv_poll_t poll;
    TAILQ_ENTRY(dns_stream) link;
    uint64_t deadline; /* by uv_now() */
    struct dns_owner *owner;
    int fd;
    uint8_t role;
    bool ended;  /* the client has nothing more to say */
    bool failed; /* to be closed */
    int events;  /* that are being waited for */
    unsigned asking;
    union dns_peer peer;
    struct buffer in, out;
    struct dns_pending_list pending;
};

struct forwarded {
    struct dns_pending pending;
    struct dns_stream *stream;
};

/* A turn's: what was left over and what has been read; an answer. */
static uint8_t scratch[PREFIX + DNS_MESSAGE_MAX + READ_MAX];
static uint8_t answer[DNS_MESSAGE_MAX];

/* ---- the end ---- */

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

static void buffer_free(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

static void end(struct dns_stream *s)
{
    struct dns_daemon *d = s->owner->daemon;

    dns_pending_cancel_all(&s->pending);
    TAILQ_REMOVE(&d->streams, s, link);
    d->stream_count--;
    s->owner->stream_count--;
    (void)uv_poll_stop(&s->poll);
    (void)close(TAKE_FD(s->fd));
    buffer_free(&s->in);
    buffer_free(&s->out);
    uv_close((uv_handle_t *)&s->poll, free_handle);
}

void dns_streams_end(struct dns_daemon *d, const struct dns_owner *owner)
{
    struct dns_stream *next;

    for (struct dns_stream *s = TAILQ_FIRST(&d->streams); s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->owner == owner)
            end(s);
    }
}

/* ---- the tick ---- */

static void tick(uv_timer_t *timer)
{
    struct dns_daemon *d = timer->data;
    struct dns_stream *s;
    struct dns_listener *l;

    while ((s = TAILQ_FIRST(&d->streams)) && s->deadline <= uv_now(d->loop))
        end(s);
    while ((l = LIST_FIRST(&d->paused))) {
        LIST_REMOVE(l, link_paused);
        l->paused = false;
        (void)dns_listener_watch(l);
    }
    if (TAILQ_EMPTY(&d->streams))
        uv_timer_stop(timer);
}

static void need_tick(struct dns_daemon *d)
{
    if (!uv_is_active((uv_handle_t *)&d->tick))
        uv_timer_start(&d->tick, tick, TICK_MS, TICK_MS);
}

int dns_streams_open(struct dns_daemon *d)
{
    d->tick.data = d;
    return uv_timer_init(d->loop, &d->tick);
}

void dns_streams_close(struct dns_daemon *d)
{
    if (d->tick.data)
        uv_close((uv_handle_t *)&d->tick, NULL);
    d->tick.data = NULL;
}

void dns_stream_pause(struct dns_listener *l)
{
    struct dns_daemon *d = l->owner->daemon;

    if (l->paused)
        return;
    (void)uv_poll_stop(&l->poll);
    l->paused = true;
    LIST_INSERT_HEAD(&d->paused, l, link_paused);
    need_tick(d);
}

/* ---- output ---- */

/* It did what it is expected to. */
static void be_patient(struct dns_stream *s)
{
    struct dns_daemon *d = s->owner->daemon;

    s->deadline = uv_now(d->loop) + DNS_STREAM_PATIENCE_MS;
    TAILQ_REMOVE(&d->streams, s, link);
    TAILQ_INSERT_TAIL(&d->streams, s, link);
}

static void send_later(struct dns_stream *s, const uint8_t *msg, size_t length)
{
    uint8_t *grown = realloc(s->out.data, s->out.length + PREFIX + length);

    if (!grown) {
        s->failed = true;
        return;
    }
    s->out.data = grown;
    dns_put16(grown + s->out.length, (uint16_t)length);
    memcpy(grown + s->out.length + PREFIX, msg, length);
    s->out.length += PREFIX + length;
}

static void flush(struct dns_stream *s)
{
    ssize_t n;

    if (s->out.length == 0)
        return;
    n = send(s->fd, s->out.data, s->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        s->failed = s->failed || (errno != EAGAIN && errno != EINTR);
        return;
    }
    s->out.length -= (size_t)n;
    if (s->out.length > 0) {
        memmove(s->out.data, s->out.data + n, s->out.length);
        return;
    }
    buffer_free(&s->out);
    be_patient(s);
}

/* ---- queries ---- */

static void ready(uv_poll_t *poll, int status, int events);

static void watch(struct dns_stream *s, int events)
{
    if (events != s->events && uv_poll_start(&s->poll, events, ready) == 0)
        s->events = events;
}

static void reply_forwarded(struct dns_pending *p, const uint8_t *msg, size_t length,
                            enum dns_source source _unused_)
{
    struct dns_stream *s = ((struct forwarded *)p)->stream;

    s->asking--;
    send_later(s, msg, length);
    watch(s, s->events | UV_WRITABLE);
}

static void forward(struct dns_stream *s, const struct dns_asked *q)
{
    struct forwarded *f = calloc(1, sizeof *f);

    if (!f) {
        s->failed = true;
        return;
    }
    f->pending.reply = reply_forwarded;
    f->stream = s;
    s->asking++;
    dns_ask(s->owner->daemon, q, &f->pending, &s->pending);
}

static void take_query(struct dns_stream *s, const uint8_t *msg, size_t length)
{
    struct dns_asked q = {.scope = dns_scope_of(s->owner, s->role, &s->peer),
                          .msg = msg,
                          .length = length,
                          .tcp = true,
                          .time = time_now(),
                          .arrived = uv_hrtime()};
    ssize_t n = dns_answer(s->owner->daemon, &q, answer, sizeof answer);

    if (n > 0)
        send_later(s, answer, (size_t)n);
    else if (n < 0)
        forward(s, &q);
    else
        s->failed = true; /* what is no query is not followed by one */
}

static bool is_busy(const struct dns_stream *s)
{
    return s->failed || s->asking >= DNS_STREAM_ASKING_MAX || s->out.length > DNS_STREAM_UNSENT_MAX;
}

/* Takes the whole messages out of the scratch's `length` octets; keeps the rest. */
static void take_messages(struct dns_stream *s, size_t length)
{
    size_t at = 0;

    while (!is_busy(s) && length - at >= PREFIX) {
        size_t size = dns_get16(scratch + at);

        if (length - at - PREFIX < size)
            break;
        take_query(s, scratch + at + PREFIX, size);
        at += PREFIX + size;
    }
    if (at > 0)
        be_patient(s);
    buffer_free(&s->in);
    if (at == length)
        return;
    s->in.data = malloc(length - at);
    if (!s->in.data) {
        s->failed = true;
        return;
    }
    memcpy(s->in.data, scratch + at, length - at);
    s->in.length = length - at;
}

/* Adds what the socket has to the scratch's `length` octets. Returns how many there are then. */
static size_t read_more(struct dns_stream *s, size_t length)
{
    ssize_t n = recv(s->fd, scratch + length, READ_MAX, MSG_DONTWAIT);

    if (n > 0)
        return length + (size_t)n;
    if (n == 0)
        s->ended = true;
    else if (errno != EAGAIN && errno != EINTR)
        s->failed = true;
    return length;
}

static bool has_whole_message(const struct dns_stream *s)
{
    return s->in.length >= PREFIX && s->in.length - PREFIX >= dns_get16(s->in.data);
}

/* A turn: sends, takes what waits, reads, sends. */
static void turn(struct dns_stream *s, bool readable)
{
    size_t length = s->in.length;

    flush(s);
    if (!is_busy(s) && (readable || has_whole_message(s))) {
        if (length > 0)
            memcpy(scratch, s->in.data, length);
        /* Only then: so the leftovers are never more than a message and what one read brings. */
        if (!has_whole_message(s))
            length = read_more(s, length);
        take_messages(s, length);
        flush(s);
    }
    /* A client may shut its side down and wait for what it asked. */
    if (s->ended && s->asking == 0 && s->out.length == 0 && !has_whole_message(s))
        s->failed = true;
}

static int events_wanted(const struct dns_stream *s)
{
    int events = 0;

    if (!s->ended && !is_busy(s))
        events |= UV_READABLE;
    if (s->out.length > 0 || (!is_busy(s) && has_whole_message(s)))
        events |= UV_WRITABLE;
    return events;
}

static void ready(uv_poll_t *poll, int status, int events)
{
    struct dns_stream *s = poll->data;

    if (status == 0)
        turn(s, events & UV_READABLE);
    if (status < 0 || s->failed)
        end(s);
    else
        watch(s, events_wanted(s));
}

/* ---- connections ---- */

static void start(struct dns_listener *l, int fd, const union dns_peer *peer)
{
    struct dns_daemon *d = l->owner->daemon;
    struct dns_stream *s = calloc(1, sizeof *s);
    const int yes = 1;

    if (!s || uv_poll_init(d->loop, &s->poll, fd) < 0) {
        free(s);
        (void)close(fd);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    s->poll.data = s;
    s->fd = fd;
    s->owner = l->owner;
    s->role = l->role;
    s->peer = *peer;
    LIST_INIT(&s->pending);
    TAILQ_INSERT_TAIL(&d->streams, s, link);
    d->stream_count++;
    s->owner->stream_count++;
    be_patient(s);
    need_tick(d);
    watch(s, UV_READABLE);
}

static bool is_full(const struct dns_owner *owner)
{
    return owner->stream_count >= DNS_STREAMS_OF_OWNER_MAX ||
           owner->daemon->stream_count >= DNS_STREAMS_MAX;
}

void dns_stream_accept(struct dns_listener *l)
{
    for (int i = 0; i < ACCEPTS_PER_EVENT; i++) {
        union dns_peer peer = {0};
        socklen_t size = sizeof peer;
        int fd = accept4(l->fd, &peer.sa, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && errno == EAGAIN)
            return;
        /* Out of descriptors or memory, mostly; the connection waits. */
        if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
            return dns_stream_pause(l);
        if (fd < 0)
            continue;
        if (is_full(l->owner))
            (void)close(fd);
        else
            start(l, fd, &peer);
    }
}
