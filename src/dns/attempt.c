/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "dns/flight.h"

#define TURNS_PER_EVENT 16 /* datagrams or pieces; what is left is reported again */
#define STREAMS_MAX 128    /* they may hold 64 KiB each */
#define FRAME_HEAD 2       /* octets of the length in front of a message: RFC 1035, 4.2.2 */

static struct attempt *attempt_of(struct watch *watch)
{
    return (struct attempt *)((char *)watch - offsetof(struct attempt, watch));
}

static struct dns_forwarder *forwarder_of(const struct attempt *a)
{
    return a->flight->u->f;
}

static const struct dns_server *server_of(const struct attempt *a)
{
    return &a->flight->u->servers[a->server].server;
}

static int control(const struct attempt *a, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = (void *)&a->watch};

    return epoll_ctl(forwarder_of(a)->epoll, operation, a->watch.fd, &event) < 0 ? -errno : 0;
}

/* The query as this attempt sends it. Returns its length. */
static size_t make_query(const struct attempt *a, uint8_t buf[static DNS_EXCHANGE_MAX])
{
    const struct flight *flight = a->flight;
    size_t length = flight->wire_length;

    memcpy(buf, flight->wire, length);
    dns_put16(buf, a->id);
    if (a->plain)
        length = dns_exchange_plain(buf, DNS_HEADER_SIZE + flight->question.name.length + 4);
    return length;
}

static enum dns_verdict judge(const struct attempt *a, const uint8_t *msg, size_t length,
                              struct dns_response *ret)
{
    const struct question *question = &a->flight->question;
    const struct dns_asked asked = {
        .id = a->id,
        .name = &question->name,
        .type = question->type,
        .class = question->class,
        .question_end = DNS_HEADER_SIZE + question->name.length + 4,
        .plain = a->plain,
        .tcp = a->tcp,
    };

    return dns_exchange_judge(&asked, msg, length, ret);
}

/* ---- UDP ---- */

static int udp_send(const struct attempt *a)
{
    uint8_t query[DNS_EXCHANGE_MAX];
    size_t length = make_query(a, query);

    if (send(a->watch.fd, query, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    /* A full queue loses datagrams as the network does. */
    return errno == EAGAIN || errno == ENOBUFS ? 0 : -errno;
}

static void udp_ready(struct watch *watch, uint32_t events)
{
    struct attempt *a = attempt_of(watch);
    struct dns_forwarder *f = forwarder_of(a);

    (void)events;
    for (int i = 0; i < TURNS_PER_EVENT; i++) {
        struct dns_response response;
        enum dns_verdict verdict;
        ssize_t length =
            dns_pool_receive(watch->fd, server_of(a), f->port, f->received, sizeof f->received);

        if (length == -EAGAIN)
            return;
        if (length < 0) {
            flight_failed(a, (int)length);
            return;
        }
        verdict = judge(a, f->received, (size_t)length, &response);
        if (verdict != DNS_IGNORE) {
            flight_judged(a, verdict, f->received, (size_t)length, &response);
            return;
        }
    }
}

/* ---- TCP ---- */

/* Sends what is left of the query. 0, also if there will be more to send, or -errno. */
static int tcp_write(struct attempt *a)
{
    uint8_t buf[FRAME_HEAD + DNS_EXCHANGE_MAX];
    size_t length = make_query(a, buf + FRAME_HEAD);
    ssize_t sent;

    dns_put16(buf, (uint16_t)length);
    length += FRAME_HEAD;
    sent = send(a->watch.fd, buf + a->written, length - a->written, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    a->written += (uint16_t)sent;
    return a->written == length ? control(a, EPOLL_CTL_MOD, EPOLLIN) : 0;
}

/* Reads a piece: 1 when a message is whole, 0, or -errno. */
static int tcp_read(struct attempt *a)
{
    size_t room;
    uint8_t *to = dns_frame_room(&a->frame, &room);
    ssize_t length;

    if (!to)
        return -ENOMEM;
    length = recv(a->watch.fd, to, room, MSG_DONTWAIT);
    if (length < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (length == 0)
        return -ECONNRESET;
    return dns_frame_add(&a->frame, (size_t)length);
}

/* A message is there. Whether the attempt still goes on. */
static bool tcp_take(struct attempt *a)
{
    struct dns_frame frame = a->frame;
    struct dns_response response;
    enum dns_verdict verdict = judge(a, frame.msg, frame.length, &response);

    a->frame = (struct dns_frame){0};
    if (verdict != DNS_IGNORE)
        flight_judged(a, verdict, frame.msg, frame.length, &response);
    dns_frame_clear(&frame);
    return verdict == DNS_IGNORE;
}

static void tcp_ready(struct watch *watch, uint32_t events)
{
    struct attempt *a = attempt_of(watch);
    int status;

    if ((events & EPOLLOUT) && !(events & EPOLLIN)) {
        status = tcp_write(a);
        if (status < 0)
            flight_failed(a, status);
        return;
    }
    for (int i = 0; i < TURNS_PER_EVENT; i++) {
        status = tcp_read(a);
        if (status == -EAGAIN)
            return;
        if (status < 0) {
            flight_failed(a, status);
            return;
        }
        if (status > 0 && !tcp_take(a))
            return;
    }
}

/* ---- attempts ---- */

/* Gets a socket and sends. 0, -EAGAIN when there is no socket at the moment, or -errno. */
static int ask(struct attempt *a)
{
    struct dns_forwarder *f = forwarder_of(a);
    int status = random_take(f, &a->id, sizeof a->id);
    int fd;

    if (status < 0)
        return status;
    fd = dns_pool_connect(&a->flight->u->pool, server_of(a), f->port, a->tcp);
    if (fd < 0)
        return fd;
    a->watch.fd = fd;
    a->watch.ready = a->tcp ? tcp_ready : udp_ready;
    a->sent = uv_hrtime();
    status = control(a, EPOLL_CTL_ADD, a->tcp ? EPOLLOUT : EPOLLIN);
    return status < 0 || a->tcp ? status : udp_send(a);
}

static void wait_begin(struct attempt *a)
{
    struct dns_forwarder *f = forwarder_of(a);

    TAILQ_INSERT_TAIL(&f->waiting, a, turn);
    a->waiting = true;
    a->flight->u->waiting++;
    uv_timer_start(&f->wake, attempt_wake, 0, 0);
}

static void wait_end(struct attempt *a)
{
    TAILQ_REMOVE(&forwarder_of(a)->waiting, a, turn);
    a->waiting = false;
    a->flight->u->waiting--;
}

int attempt_start(struct flight *flight, uint8_t server, bool tcp, bool plain)
{
    struct dns_upstreams *u = flight->u;
    struct attempt *a;
    int status;

    if (tcp && u->f->streams >= STREAMS_MAX)
        return -ENOBUFS;
    a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->watch.fd = -1;
    a->flight = flight;
    a->server = server;
    a->tcp = tcp;
    a->plain = plain;
    TAILQ_INSERT_TAIL(&flight->attempts, a, link);
    u->f->streams += tcp;
    /* Nobody gets in front of those that wait. */
    status = u->waiting > 0 ? -EAGAIN : ask(a);
    if (status == -EAGAIN) {
        wait_begin(a);
        return 0;
    }
    if (status < 0)
        attempt_end(a);
    return status;
}

void attempt_resend(struct attempt *a)
{
    if (a->tcp || a->waiting)
        return;
    a->resent = true;
    /* An error will be reported at the socket, or nothing is lost but this one. */
    (void)udp_send(a);
}

void attempt_end(struct attempt *a)
{
    struct dns_upstreams *u = a->flight->u;

    if (a->waiting)
        wait_end(a);
    if (a->watch.fd >= 0) {
        (void)control(a, EPOLL_CTL_DEL, 0);
        dns_pool_release(&u->pool, a->watch.fd);
        if (u->waiting > 0)
            uv_timer_start(&u->f->wake, attempt_wake, 0, 0);
    }
    u->f->streams -= a->tcp;
    TAILQ_REMOVE(&a->flight->attempts, a, link);
    dns_frame_clear(&a->frame);
    free(a);
}

void attempt_wake(uv_timer_t *timer)
{
    struct dns_forwarder *f = timer->data;
    struct attempt *next;

    for (struct attempt *a = TAILQ_FIRST(&f->waiting); a; a = next) {
        int status = ask(a);

        next = TAILQ_NEXT(a, turn);
        if (status == -EAGAIN)
            continue;
        wait_end(a);
        if (status == 0) {
            flight_asked(a->flight);
            continue;
        }
        flight_failed(a, status);
        /* Any of the others may be gone. */
        next = TAILQ_FIRST(&f->waiting);
    }
}
