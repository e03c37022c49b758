/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: one weftd is connected at a time; one that comes takes the place of the one
 * before. A batch of its is applied as a whole before anything else happens, and is answered behind
 * what it asked for: when SYNCED goes out, queries are answered so.
 *
 * What is said goes into a queue of batches that is sent when the loop has nothing else to do. A
 * weftd that does not read must not stop the answering of queries: entries of the log are dropped
 * while the socket is full, and if the queue grows nevertheless the connection is given up.
 *
 * Nothing closes the connection but the handlers of events, for others have it in hand.
 */

#include "dns/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/time.h"
#include "dns/owner.h"

#define BATCHES_PER_EVENT 4 /* then queries have their turn */
#define QUEUE_MAX 64        /* batches that wait */
#define LOG_QUEUE_MAX 8     /* beyond, entries of the log are dropped */
#define FOLLOWERS_MAX 16
#define FOUND_MAX (DNS_BATCH_SIZE - 64) /* octets of an answer */
#define LONELY_MS 5000 /* without weftd and without sockets: then there is nothing left to do */

struct waiting {
    TAILQ_ENTRY(waiting) link;
    struct dns_batch batch;
};

struct follower {
    uint32_t number;
    char sandbox[ID_TEXT_MAX]; /* "": all */
};

struct weftd {
    uv_poll_t poll;
    struct dns_control *control;
    int fd;
    bool failed;   /* to be closed */
    bool blocked;  /* the socket is full */
    bool greeting; /* what there is has not all been said yet */
    struct dns_inbox inbox;
    TAILQ_HEAD(queue, waiting) queue;
    size_t queue_length;
    struct follower followers[FOLLOWERS_MAX];
    size_t follower_count;
    struct dns_pending_list lookups;
};

struct dns_control {
    struct dns_daemon *daemon;
    uv_poll_t poll;
    uv_timer_t lonely;
    uv_prepare_t prepare; /* while something is to be sent */
    unsigned open_handles;
    int fd;
    uid_t uid;
    struct weftd *weftd; /* NULL: none is connected */
};

struct lookup {
    struct dns_pending pending;
    struct weftd *weftd;
    uint32_t number;
};

/* ---- saying ---- */

static void weftd_ready(uv_poll_t *poll, int status, int events);

static void flush(struct weftd *w)
{
    struct waiting *first;
    int r = 0;

    while (!w->failed && (first = TAILQ_FIRST(&w->queue))) {
        r = dns_batch_send(&first->batch, w->fd, MSG_DONTWAIT);
        if (r < 0)
            break;
        TAILQ_REMOVE(&w->queue, first, link);
        w->queue_length--;
        dns_batch_free(&first->batch);
        free(first);
    }
    w->blocked = r == -EAGAIN;
    w->greeting = w->greeting && w->blocked;
    w->failed = w->failed || (r < 0 && r != -EAGAIN);
    (void)uv_poll_start(&w->poll,
                        (w->greeting ? 0 : UV_READABLE) |
                            (w->blocked || w->failed ? UV_WRITABLE : 0),
                        weftd_ready);
}

static void prepare(uv_prepare_t *handle)
{
    struct dns_control *c = handle->data;

    (void)uv_prepare_stop(handle);
    if (c->weftd && (!c->weftd->blocked || c->weftd->failed))
        flush(c->weftd);
}

static int enqueue(struct weftd *w, const struct dns_message *m)
{
    struct waiting *last = TAILQ_LAST(&w->queue, queue);
    int r = last ? dns_batch_add(&last->batch, m) : -ENOBUFS;

    if (r != -ENOBUFS)
        return r;
    last = calloc(1, sizeof *last);
    if (!last)
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&w->queue, last, link);
    w->queue_length++;
    return dns_batch_add(&last->batch, m);
}

/* Says it soon. */
static void say(struct weftd *w, const struct dns_message *m)
{
    int r = w->queue_length > QUEUE_MAX ? -ENOBUFS : enqueue(w, m);

    if (r < 0 && !w->failed) {
        log_warning("cannot answer weftd: %s", strerror(-r));
        w->failed = true;
    }
    (void)uv_prepare_start(&w->control->prepare, prepare);
}

static void say_number(struct weftd *w, enum dns_message_type type, uint32_t number)
{
    struct dns_message m = {.type = type, .number = number};

    say(w, &m);
}

/* ---- the greeting ---- */

static int say_sockets(struct weftd *w, const struct dns_owner *o)
{
    struct dns_message m = {.type = DNS_MSG_SOCKETS};

    m.sockets.of_network = o->network != NULL;
    m.sockets.id = o->network ? o->network->id : o->sandbox->id;
    for (size_t i = 0; i < o->count; i++) {
        if (o->held[i].fd < 0)
            continue;
        m.sockets.roles[m.sockets.count] = o->held[i].role;
        m.sockets.fds[m.sockets.count++] = o->held[i].fd;
    }
    return enqueue(w, &m);
}

/* However much there is: it was weftd that gave it. Nothing more is read until it has all been
 * said, for the descriptors must stay what they are. */
static void greet(struct weftd *w)
{
    const struct dns_owner *o;
    struct dns_message hello = {.type = DNS_MSG_HELLO, .hello = {WEFT_VERSION}};
    int r = 0;

    LIST_FOREACH(o, &w->control->daemon->owners, link)
    if (r == 0)
        r = say_sockets(w, o);
    if (r == 0)
        r = enqueue(w, &hello);
    if (r < 0) {
        log_warning("cannot tell weftd what there is: %s", strerror(-r));
        w->failed = true;
    }
    w->greeting = true;
    flush(w);
}

/* ---- the log ---- */

static void say_entry(struct weftd *w, uint32_t number, const struct dns_log_entry *entry)
{
    char text[DNS_TEXT_MAX];
    struct dns_message m = {.type = DNS_MSG_LOGGED};

    m.logged = (struct dns_msg_logged){.number = number,
                                       .time = entry->time,
                                       .sandbox = entry->sandbox,
                                       .name = dns_name_format(entry->name, text),
                                       .type = entry->type,
                                       .rcode = entry->rcode,
                                       .source = entry->source,
                                       .tcp = entry->tcp,
                                       .server = entry->server,
                                       .micros = entry->micros,
                                       .answers = entry->answers};
    say(w, &m);
}

static bool is_of_interest(const char *sandbox, const struct dns_log_entry *entry)
{
    return !*sandbox || strcmp(sandbox, entry->sandbox) == 0;
}

void dns_control_log(struct dns_control *c, const struct dns_log_entry *entry)
{
    struct weftd *w = c ? c->weftd : NULL;

    for (size_t i = 0; w && i < w->follower_count; i++)
        if (is_of_interest(w->followers[i].sandbox, entry) && !w->blocked &&
            w->queue_length <= LOG_QUEUE_MAX)
            say_entry(w, w->followers[i].number, entry);
}

static void send_log(struct weftd *w, const struct dns_msg_log *m)
{
    const struct dns_query_log *log = &w->control->daemon->log;
    struct dns_log_entry entry;
    struct dns_name name;

    for (size_t i = 0; dns_query_log_get(log, i, &entry, &name); i++)
        if (is_of_interest(m->sandbox, &entry))
            say_entry(w, m->number, &entry);
    if (!m->follow || w->follower_count == FOLLOWERS_MAX) {
        say_number(w, DNS_MSG_LOG_END, m->number);
        return;
    }
    w->followers[w->follower_count].number = m->number;
    (void)str_copy(w->followers[w->follower_count].sandbox, ID_TEXT_MAX, m->sandbox);
    w->follower_count++;
}

static void stop_log(struct weftd *w, uint32_t number)
{
    for (size_t i = 0; i < w->follower_count; i++) {
        if (w->followers[i].number != number)
            continue;
        w->followers[i] = w->followers[--w->follower_count];
        return;
    }
}

/* ---- lookups ---- */

static void say_found(struct weftd *w, uint32_t number, enum dns_source source, const uint8_t *msg,
                      size_t length)
{
    struct dns_message m = {.type = DNS_MSG_FOUND};

    m.found = (struct dns_msg_found){number, (uint8_t)source, msg, length};
    say(w, &m);
}

static void reply_lookup(struct dns_pending *p, const uint8_t *msg, size_t length,
                         enum dns_source source)
{
    struct lookup *l = (struct lookup *)p;

    say_found(l->weftd, l->number, source, msg, length);
}

static void look_up(struct weftd *w, const struct dns_msg_lookup *m)
{
    static uint8_t buf[FOUND_MAX];
    struct dns_daemon *d = w->control->daemon;
    struct dns_asked q = {.scope = {.table = d->table},
                          .msg = m->msg,
                          .length = m->length,
                          .tcp = true,
                          .unlogged = true,
                          .time = time_now(),
                          .arrived = uv_hrtime()};
    struct lookup *l;
    ssize_t n;

    if (*m->sandbox)
        q.scope.sandbox = dns_table_sandbox(d->table, m->sandbox);
    q.scope.all = !*m->sandbox;
    n = q.scope.all || q.scope.sandbox ? dns_answer(d, &q, buf, sizeof buf) : 0;
    if (n >= 0) {
        say_found(w, m->number, n > 0 ? DNS_FROM_NAMES : DNS_FROM_NOBODY, buf, (size_t)n);
        return;
    }
    l = calloc(1, sizeof *l);
    if (!l) {
        say_found(w, m->number, DNS_FROM_NOBODY, NULL, 0);
        return;
    }
    l->pending.reply = reply_lookup;
    l->weftd = w;
    l->number = m->number;
    dns_ask(d, &q, &l->pending, &w->lookups);
}

/* ---- listening to weftd ---- */

/* 0, or -errno: the connection is of no use any more. */
static int apply(struct weftd *w, struct dns_message *m)
{
    struct dns_daemon *d = w->control->daemon;
    int r = 0;

    switch (m->type) {
    case DNS_MSG_HELLO:
        greet(w);
        break;
    case DNS_MSG_SOCKETS:
        r = dns_owner_set_sockets(d, &m->sockets);
        break;
    case DNS_MSG_UPSTREAMS:
        r = dns_upstreams_set(d->upstreams, m->upstreams.servers, m->upstreams.count);
        break;
    case DNS_MSG_SYNC:
        say_number(w, DNS_MSG_SYNCED, m->number);
        break;
    case DNS_MSG_LOG:
        send_log(w, &m->log);
        break;
    case DNS_MSG_LOG_STOP:
        stop_log(w, m->number);
        break;
    case DNS_MSG_LOOKUP:
        look_up(w, &m->lookup);
        break;
    default:
        r = dns_table_apply(d->table, m);
        break;
    }
    if (r != -ENOENT)
        return r;
    log_warning("weftd speaks of what it has not named (message %d)", m->type);
    return 0;
}

/* The batch that was received. */
static int apply_batch(struct weftd *w)
{
    struct dns_message m;
    int r;

    while ((r = dns_inbox_next(&w->inbox, &m)) == 1) {
        r = apply(w, &m);
        dns_message_clear(&m);
        if (r < 0)
            return r;
    }
    return r;
}

static void listen_to(struct weftd *w)
{
    int r = 1;

    for (int i = 0; i < BATCHES_PER_EVENT && r > 0 && !w->failed && !w->greeting; i++) {
        r = dns_inbox_receive(&w->inbox, w->fd, MSG_DONTWAIT);
        if (r > 0 && apply_batch(w) < 0)
            r = -EBADMSG;
    }
    if (r < 0 && r != -EAGAIN)
        log_warning("no sense in what weftd says: %s", strerror(-r));
    if (r == 0 || (r < 0 && r != -EAGAIN))
        w->failed = true;
}

static void free_weftd(uv_handle_t *handle)
{
    free(handle->data);
}

static void lonely(uv_timer_t *timer)
{
    struct dns_control *c = timer->data;

    if (c->weftd || !LIST_EMPTY(&c->daemon->owners))
        return;
    log_info("nobody needs names: ending");
    uv_stop(c->daemon->loop);
}

static void hang_up(struct weftd *w)
{
    struct dns_control *c = w->control;
    struct waiting *first;

    dns_pending_cancel_all(&w->lookups);
    while ((first = TAILQ_FIRST(&w->queue))) {
        TAILQ_REMOVE(&w->queue, first, link);
        dns_batch_free(&first->batch);
        free(first);
    }
    dns_inbox_free(&w->inbox);
    (void)uv_poll_stop(&w->poll);
    (void)close(TAKE_FD(w->fd));
    c->weftd = NULL;
    uv_close((uv_handle_t *)&w->poll, free_weftd);
    (void)uv_timer_start(&c->lonely, lonely, LONELY_MS, 0);
}

static void weftd_ready(uv_poll_t *poll, int status, int events)
{
    struct weftd *w = poll->data;

    if (status < 0)
        w->failed = true;
    if (!w->failed && (events & UV_READABLE))
        listen_to(w);
    /* Without waiting for the end of the turn: weftd does. */
    if (!w->failed)
        flush(w);
    if (w->failed)
        hang_up(w);
}

/* ---- connections ---- */

static bool may_connect(const struct dns_control *c, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    return peer.uid == 0 || peer.uid == c->uid;
}

static void meet(struct dns_control *c, int fd)
{
    struct weftd *w = calloc(1, sizeof *w);

    if (!w || uv_poll_init(c->daemon->loop, &w->poll, fd) < 0) {
        log_warning("cannot talk to weftd: out of memory");
        free(w);
        (void)close(fd);
        return;
    }
    if (c->weftd)
        hang_up(c->weftd);
    w->poll.data = w;
    w->control = c;
    w->fd = fd;
    TAILQ_INIT(&w->queue);
    LIST_INIT(&w->lookups);
    c->weftd = w;
    (void)uv_timer_stop(&c->lonely);
    (void)uv_poll_start(&w->poll, UV_READABLE, weftd_ready);
}

static void accept_weftd(uv_poll_t *poll, int status, int events _unused_)
{
    struct dns_control *c = poll->data;
    int fd = status < 0 ? -1 : accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0 && status == 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
        /* A weftd that gets no answer starts another one. */
        log_error("cannot take weftd's connection: %s: ending", strerror(errno));
        uv_stop(c->daemon->loop);
    }
    if (fd < 0)
        return;
    if (may_connect(c, fd)) {
        meet(c, fd);
        return;
    }
    log_warning("somebody who is not weftd was turned away");
    (void)close(fd);
}

static void handle_closed(uv_handle_t *handle)
{
    struct dns_control *c = handle->data;

    if (--c->open_handles == 0)
        free(c);
}

static int open_handles(struct dns_control *c)
{
    uv_loop_t *loop = c->daemon->loop;
    int r = uv_poll_init(loop, &c->poll, c->fd);

    if (r < 0)
        return r;
    (void)uv_timer_init(loop, &c->lonely);
    (void)uv_prepare_init(loop, &c->prepare);
    c->poll.data = c->lonely.data = c->prepare.data = c;
    c->open_handles = 3;
    (void)uv_timer_start(&c->lonely, lonely, LONELY_MS, 0);
    return uv_poll_start(&c->poll, UV_READABLE, accept_weftd);
}

int dns_control_open(struct dns_daemon *d, int fd, struct weft_error *err)
{
    struct dns_control *c = calloc(1, sizeof *c);
    int r;

    if (!c) {
        (void)close(fd);
        return weft_oom(err);
    }
    c->daemon = d;
    c->fd = fd;
    c->uid = getuid();
    r = open_handles(c);
    if (r < 0) {
        dns_control_close(c);
        return weft_fail_errno(err, -r, "cannot listen to weftd");
    }
    d->control = c;
    return 0;
}

void dns_control_close(struct dns_control *c)
{
    if (!c)
        return;
    if (c->weftd)
        hang_up(c->weftd);
    (void)close(TAKE_FD(c->fd));
    if (c->open_handles == 0) {
        free(c);
        return;
    }
    uv_close((uv_handle_t *)&c->poll, handle_closed);
    uv_close((uv_handle_t *)&c->lonely, handle_closed);
    uv_close((uv_handle_t *)&c->prepare, handle_closed);
}
