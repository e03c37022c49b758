/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the listening socket is there before the process is, so weftd connects at
 * once and writes all there is to say into the connection; the process reads it when it has come
 * up. Nothing of this blocks the loop. What is waited for is the answer to a SYNC, for a moment:
 * until then a query may still be answered as before. While it is waited for, other messages may
 * arrive: they are kept, and handled from the loop, for what they set off may want to change the
 * model.
 *
 * A connection on which anything fails is not repaired: the process is replaced. One that dies as
 * soon as it lives is given a while.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"
#include "engine/dns.h"

#define GREETING_MS 200
#define SEND_MS 1000 /* for a process to make room in its socket */
#define PATIENCE_MS                                                                                \
    1000             /* for a SYNC that was not answered in time, before the process is replaced */
#define SOON_MS 1000 /* a death so soon after the start is a failure to start */
#define BUFFER_OCTETS (8 << 20)
#define TURN_BATCHES 64 /* that are handled in one turn of the loop */

struct dns_heard {
    struct dns_heard *next;
    struct dns_inbox inbox;
};

static void restart(struct dns *d);

/* ---- handles ---- */

static void handle_closed(uv_handle_t *handle)
{
    free(handle);
}

static int timer_new(struct dns *d, uv_timer_t **ret)
{
    *ret = calloc(1, sizeof **ret);
    if (!*ret)
        return -ENOMEM;
    uv_timer_init(d->engine->loop, *ret);
    (*ret)->data = d;
    return 0;
}

static void timer_free(uv_timer_t **timer)
{
    if (*timer)
        uv_close((uv_handle_t *)TAKE_PTR(*timer), handle_closed);
}

/* ---- the connection ---- */

static int connect_to(const struct dns *d, struct weft_error *err)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    int size = BUFFER_OCTETS;
    int r = dns_process_address(d, &address, err);

    if (r < 0)
        return r;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return weft_fail_errno(err, errno, "cannot connect to %s", d->path);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    return TAKE_FD(fd);
}

static int send_batch(struct dns *d)
{
    int r = dns_batch_send(&d->batch, d->fd, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (r == -EAGAIN && dns_wait(d->fd, POLLOUT, dns_now() + SEND_MS))
        r = dns_batch_send(&d->batch, d->fd, MSG_DONTWAIT | MSG_NOSIGNAL);
    return r;
}

void dns_link_flush(struct dns *d)
{
    int r;

    if (d->fd < 0 || d->broken)
        return;
    r = send_batch(d);
    if (r < 0) {
        log_warning("cannot write to " DNS_PROGRAM ": %s", strerror(-r));
        d->broken = true;
    }
}

void dns_link_send(struct dns *d, const struct dns_message *m)
{
    int r;

    if (d->fd < 0 || d->broken)
        return;
    r = dns_batch_add(&d->batch, m);
    if (r == -ENOBUFS) {
        dns_link_flush(d);
        r = d->broken ? 0 : dns_batch_add(&d->batch, m);
    }
    if (r < 0)
        log_error("a name cannot be told to " DNS_PROGRAM ": %s", strerror(-r));
}

static void say_hello(struct dns *d)
{
    struct dns_message hello = {.type = DNS_MSG_HELLO, .hello.version = WEFT_VERSION};

    dns_link_send(d, &hello);
}

/* ---- what it says ---- */

static void note_synced(struct dns *d, uint32_t number)
{
    d->sync_done = number;
    if (d->sync_done != d->sync_sent)
        return;
    d->overdue = false;
    uv_timer_stop(d->patience);
}

static void handle(struct dns *d, struct dns_message *m)
{
    switch (m->type) {
    case DNS_MSG_HELLO:
        if (strcmp(m->hello.version, WEFT_VERSION) != 0)
            log_error(DNS_PROGRAM " is of version %s, weftd of " WEFT_VERSION, m->hello.version);
        break;
    case DNS_MSG_SYNCED:
        note_synced(d, m->number);
        break;
    default:
        dns_ask_handle(d, m);
    }
}

/* Handles a batch; what it sets off may bring the connection to an end. */
static void handle_all(struct dns *d, struct dns_inbox *in)
{
    unsigned connection = d->connection;
    struct dns_message m;
    int r = 0;

    while (d->connection == connection && (r = dns_inbox_next(in, &m)) > 0) {
        handle(d, &m);
        dns_message_clear(&m);
    }
    if (r < 0) {
        log_warning("what " DNS_PROGRAM " says makes no sense: %s", strerror(-r));
        d->broken = true;
    }
}

static void heard_free(struct dns_heard *heard)
{
    dns_inbox_free(&heard->inbox);
    free(heard);
}

static void forget_heard(struct dns *d)
{
    while (d->heard) {
        struct dns_heard *heard = d->heard;

        d->heard = heard->next;
        heard_free(heard);
    }
    d->heard_end = &d->heard;
}

static void handle_heard(struct dns *d)
{
    while (d->heard) {
        struct dns_heard *heard = d->heard;

        d->heard = heard->next;
        if (!d->heard)
            d->heard_end = &d->heard;
        handle_all(d, &heard->inbox);
        heard_free(heard);
    }
}

static void handle_later(uv_timer_t *timer)
{
    struct dns *d = timer->data;

    handle_heard(d);
    if (d->broken)
        restart(d);
}

/* Takes note of SYNCED; a batch with anything else in it is kept. */
static void sort_out(struct dns *d, struct dns_inbox *in)
{
    struct dns_inbox look = *in;
    struct dns_heard *heard;
    struct dns_message m;
    bool other = false;

    while (dns_inbox_next(&look, &m) > 0) {
        if (m.type == DNS_MSG_SYNCED)
            note_synced(d, m.number);
        else
            other = true;
        dns_message_clear(&m);
    }
    if (!other)
        return;
    heard = calloc(1, sizeof *heard);
    if (!heard)
        return;
    heard->inbox = TAKE_GENERIC(*in, (struct dns_inbox){0});
    *d->heard_end = heard;
    d->heard_end = &heard->next;
    uv_timer_start(d->later, handle_later, 0, 0);
}

static void readable(uv_poll_t *poller, int status _unused_, int events _unused_)
{
    struct dns *d = poller->data;
    unsigned connection = d->connection;
    int r = 1;

    handle_heard(d);
    for (int i = 0;
         i < TURN_BATCHES && d->connection == connection && d->fd >= 0 && !d->broken && r > 0;
         i++) {
        r = dns_inbox_receive(&d->inbox, d->fd, MSG_DONTWAIT);
        if (r > 0)
            handle_all(d, &d->inbox);
    }
    if (d->connection == connection && d->fd >= 0 && (d->broken || (r <= 0 && r != -EAGAIN)))
        restart(d);
}

/* One batch, waited for until the deadline. Positive, or 0 or negative: none came. */
static int receive_until(struct dns *d, struct dns_inbox *in, uint64_t deadline)
{
    if (!dns_wait(d->fd, POLLIN, deadline))
        return -ETIMEDOUT;
    return dns_inbox_receive(in, d->fd, MSG_DONTWAIT);
}

static void out_of_patience(uv_timer_t *timer)
{
    struct dns *d = timer->data;

    log_warning(DNS_PROGRAM " does not answer: it is replaced");
    restart(d);
}

static void await_synced(struct dns *d, unsigned timeout_ms)
{
    uint64_t deadline = dns_now() + timeout_ms;
    _cleanup_dns_inbox_ struct dns_inbox in = {0};
    int r = 1;

    while (d->sync_done != d->sync_sent && r > 0) {
        r = receive_until(d, &in, deadline);
        if (r > 0)
            sort_out(d, &in);
    }
    if (r == -ETIMEDOUT) {
        log_warning(DNS_PROGRAM " has not answered for %u ms", timeout_ms);
        d->overdue = true;
        uv_timer_start(d->patience, out_of_patience, PATIENCE_MS, 0);
    } else if (r <= 0) {
        d->broken = true;
    }
}

static void send_sync(struct dns *d)
{
    struct dns_message m = {.type = DNS_MSG_SYNC, .number = ++d->sync_sent};

    dns_link_send(d, &m);
    dns_link_flush(d);
}

void dns_link_push(struct dns *d)
{
    d->unsettled = false;
    if (d->fd >= 0)
        send_sync(d);
}

void dns_link_await(struct dns *d, unsigned timeout_ms)
{
    if (d->fd < 0)
        return;
    if (!d->broken && !d->overdue)
        await_synced(d, timeout_ms);
    if (!d->broken)
        return;
    restart(d);
    if (d->fd >= 0 && !d->broken)
        await_synced(d, timeout_ms);
}

/* ---- coming and going ---- */

static void disconnect(struct dns *d)
{
    if (d->poll)
        uv_close((uv_handle_t *)TAKE_PTR(d->poll), handle_closed);
    if (d->fd >= 0)
        (void)close(TAKE_FD(d->fd));
    d->connection++;
    forget_heard(d);
    dns_batch_free(&d->batch);
    d->batch = (struct dns_batch){0};
    d->broken = d->overdue = false;
    uv_timer_stop(d->patience);
}

/* The descriptor is d's, also on failure. */
static int adopt(struct dns *d, int fd)
{
    uv_poll_t *poller = calloc(1, sizeof *poller);
    int r = poller ? uv_poll_init(d->engine->loop, poller, fd) : -ENOMEM;

    if (r < 0) {
        free(poller);
        (void)close(fd);
        return r;
    }
    d->fd = fd;
    d->connection++;
    d->poll = poller;
    poller->data = d;
    uv_poll_start(poller, UV_READABLE, readable);
    d->sync_sent = d->sync_done = 0;
    return 0;
}

/* A new process has no sockets. */
static void forget_sockets_told(struct dns *d)
{
    struct hash_slot slot;

    for (size_t i = 0; hash_next(&d->owners, &i, &slot);) {
        struct dns_owner *o = slot.value;

        o->sockets_told = o->socket_count == 0;
    }
}

/* What is there to say is in the connection when it returns; nothing was waited for. */
static int start(struct dns *d, struct weft_error *err)
{
    int r = dns_process_start(d, err), fd;

    if (r < 0)
        return r;
    forget_sockets_told(d);
    fd = connect_to(d, err);
    r = fd < 0 ? fd : adopt(d, fd);
    if (r < 0)
        return r;
    say_hello(d);
    dns_send_all(d);
    dns_ask_resume(d);
    send_sync(d);
    return 0;
}

static void retry(uv_timer_t *timer)
{
    struct dns *d = timer->data;
    struct weft_error err = {0};

    if (d->fd < 0 && start(d, &err) < 0)
        log_error("names are not answered: %s", err.text);
}

static void restart(struct dns *d)
{
    static const unsigned delays[] = {0, 0, 100, 1000, 5000}; /* ms */
    struct weft_error err = {0};

    disconnect(d);
    dns_ask_lost(d);
    dns_process_end(d, SIGKILL);
    if (dns_now() - d->started >= SOON_MS)
        d->deaths = 0;
    else if (d->deaths < ARRAY_SIZE(delays) - 1)
        d->deaths++;
    if (delays[d->deaths] > 0) {
        log_warning(DNS_PROGRAM " is started again in %u ms", delays[d->deaths]);
        uv_timer_start(d->retry, retry, delays[d->deaths], 0);
    } else if (start(d, &err) < 0) {
        log_error("names are not answered: %s", err.text);
    }
}

bool dns_link_is_up(struct dns *d)
{
    uint64_t now = dns_now();
    struct weft_error err = {0};

    if (d->fd >= 0)
        return true;
    if (uv_is_active((uv_handle_t *)d->retry) || now < d->started + SOON_MS)
        return false;
    d->started = now;
    if (start(d, &err) < 0)
        log_error("names are not answered: %s", err.text);
    return d->fd >= 0;
}

/* Takes over what it has. 1: it is of this version; 0: of another; −errno: it does not answer. */
static int greet(struct dns *d)
{
    uint64_t deadline = dns_now() + GREETING_MS;
    _cleanup_dns_inbox_ struct dns_inbox in = {0};
    struct dns_message m;
    int r;

    say_hello(d);
    dns_link_flush(d);
    while ((r = receive_until(d, &in, deadline)) > 0) {
        while ((r = dns_inbox_next(&in, &m)) > 0) {
            bool hello = m.type == DNS_MSG_HELLO;
            bool same = hello && strcmp(m.hello.version, WEFT_VERSION) == 0;

            if (m.type == DNS_MSG_SOCKETS)
                dns_sockets_take(d, &m.sockets);
            dns_message_clear(&m);
            if (hello)
                return same;
        }
        if (r < 0)
            return r;
    }
    return r < 0 ? r : -ECONNRESET;
}

/* Whether there is one that can be kept. */
static bool take_over(struct dns *d)
{
    struct weft_error ignored;
    int fd = connect_to(d, &ignored), r;

    if (fd < 0 || adopt(d, fd) < 0)
        return false;
    r = greet(d);
    if (r > 0)
        return true;
    log_info("%s", r == 0 ? "the " DNS_PROGRAM " that runs is of another version: it is replaced"
                          : "the " DNS_PROGRAM " that runs does not answer: it is replaced");
    disconnect(d);
    return false;
}

void dns_link_end_process(struct dns *d)
{
    dns_process_end(d, SIGTERM);
    (void)unlink(d->path);
    (void)unlink(d->pid_path);
}

void dns_link_open(struct dns *d)
{
    struct weft_error err = {0};

    if (take_over(d)) {
        dns_send_all(d);
        send_sync(d);
        return;
    }
    dns_process_end(d, SIGTERM);
    if (start(d, &err) < 0)
        log_error("names are not answered: %s", err.text);
}

int dns_link_new(struct dns *d, struct weft_error *err)
{
    d->fd = -1;
    d->heard_end = &d->heard;
    d->path = str_printf("%s/" DNS_SOCKET_NAME, d->engine->config.run_dir);
    d->pid_path = str_printf("%s/dns.pid", d->engine->config.run_dir);
    if (!d->path || !d->pid_path || timer_new(d, &d->later) < 0 || timer_new(d, &d->retry) < 0 ||
        timer_new(d, &d->patience) < 0)
        return weft_oom(err);
    return 0;
}

void dns_link_close(struct dns *d)
{
    if (d->patience)
        disconnect(d);
    dns_process_disown(d);
    timer_free(&d->later);
    timer_free(&d->retry);
    timer_free(&d->patience);
    dns_inbox_free(&d->inbox);
    free(d->path);
    free(d->pid_path);
}
