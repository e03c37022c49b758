/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The forwarder has an epoll descriptor of its own, in which its sockets are, and the loop polls
 * that one: sockets live for one question, and a handle of the loop's would cost more than they do.
 *
 * What is cached, and what several clients wait for, is asked in the same words for all: with an
 * OPT record and with the AD flag, which each gets only if it had asked for it.
 */

#include "dns/forward.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "dns/flight.h"

#define TURN_NS 1000000 /* how long others of the loop wait at most, but for one event */
#define ECHOED (DNS_FLAG_RD | DNS_FLAG_CD)

int random_take(struct dns_forwarder *f, void *buf, size_t size)
{
    if (f->random_left < size) {
        ssize_t got;

        do
            got = getrandom(f->random, sizeof f->random, 0);
        while (got < 0 && errno == EINTR);
        if (got < (ssize_t)sizeof f->random)
            return -ENOBUFS;
        f->random_left = sizeof f->random;
    }
    f->random_left -= size;
    memcpy(buf, f->random + f->random_left, size);
    return 0;
}

/* ---- clients ---- */

/* Tells one, and frees it. */
static void tell(struct dns_forwarder *f, struct dns_forward *fw, size_t length,
                 enum dns_source source, const struct addr *server)
{
    fw->flight = NULL;
    f->clients--;
    fw->done(fw->arg, f->answer, length, source, server);
    free(fw);
}

void clients_tell(struct flight *flight, const uint8_t *msg, size_t length,
                  const struct dns_response *response, const struct addr *server)
{
    struct dns_forwarder *f = flight->u->f;
    struct dns_forward *fw;

    /* A client may cancel others, free the set, or ask, which writes to the answer's buffer. */
    while ((fw = TAILQ_FIRST(&flight->clients))) {
        enum dns_source source = msg ? DNS_FROM_UPSTREAM : DNS_FROM_NOBODY;
        size_t answer_length;

        TAILQ_REMOVE(&flight->clients, fw, link);
        if (msg) {
            memcpy(f->answer, msg, length);
            answer_length = dns_exchange_answer(f->answer, length, response, &fw->client);
        } else {
            answer_length = dns_exchange_failure(f->answer, &fw->client, DNS_SERVFAIL);
        }
        tell(f, fw, answer_length, source, server);
    }
}

void dns_forward_cancel(struct dns_forward *fw)
{
    struct flight *flight;

    if (!fw || !fw->flight)
        return;
    flight = fw->flight;
    TAILQ_REMOVE(&flight->clients, fw, link);
    /* Its set may be gone if it is over; the others will still be told. */
    fw->f->clients--;
    free(fw);
    if (!flight->over && TAILQ_EMPTY(&flight->clients))
        flight_end(flight);
}

static struct dns_forward *join(struct flight *flight, const struct dns_client *client,
                                dns_forward_fn *done, void *arg)
{
    size_t size = dns_client_size(client);
    struct dns_forward *fw = calloc(1, offsetof(struct dns_forward, client) + size);

    if (!fw)
        return NULL;
    fw->f = flight->u->f;
    fw->flight = flight;
    fw->done = done;
    fw->arg = arg;
    memcpy(&fw->client, client, size);
    TAILQ_INSERT_TAIL(&flight->clients, fw, link);
    fw->f->clients++;
    return fw;
}

/* ---- the cache ---- */

static struct dns_cache_key key_of(const struct dns_upstreams *u, const struct question *question)
{
    return (struct dns_cache_key){
        .set = u->number,
        .name = &question->name,
        .type = question->type,
        .class = question->class,
        .dnssec_ok = question->dnssec_ok,
        .checking_disabled = question->flags & DNS_FLAG_CD,
    };
}

void answer_keep(const struct flight *flight, const uint8_t *msg, size_t length,
                 const struct dns_response *response)
{
    const struct dns_upstreams *u = flight->u;
    const struct dns_cache_key key = key_of(u, &flight->question);

    /* Without RD, servers tell what they happen to know. */
    if ((flight->shared || flight->probe) && (flight->question.flags & DNS_FLAG_RD) &&
        (response->rcode == DNS_NOERROR || response->rcode == DNS_NXDOMAIN))
        dns_cache_put(u->f->cache, &key, uv_now(u->f->loop), msg, length, response->ttl);
}

/* Whether the cache knew, and the client was told. */
static bool tell_from_cache(struct dns_upstreams *u, const struct question *question,
                            const struct dns_client *client, dns_forward_fn *done, void *arg)
{
    struct dns_forwarder *f = u->f;
    const struct dns_cache_key key = key_of(u, question);
    struct dns_response response;
    size_t length = dns_cache_get(f->cache, &key, uv_now(f->loop), f->answer);

    if (length == 0 || dns_response_parse(f->answer, length, &response) < 0)
        return false;
    response.flags &= (uint16_t)~DNS_FLAG_AA;
    length = dns_exchange_answer(f->answer, length, &response, client);
    done(arg, f->answer, length, DNS_FROM_CACHE, &(struct addr){0});
    return true;
}

/* ---- asking ---- */

/* Makes a flight for the question, or finds one to join: NULL when there is no room. */
static struct flight *board(struct dns_upstreams *u, const struct question *question,
                            const uint8_t *wire, size_t wire_length, bool shared, bool *fresh)
{
    struct flight *flight = NULL;

    *fresh = false;
    if (u->dying || u->count == 0 || u->f->clients >= DNS_FORWARDS_MAX)
        return NULL;
    if (shared)
        flight = flight_find(u, question);
    if (flight)
        return flight;
    *fresh = true;
    return flight_new(u, question, wire, wire_length, shared);
}

static struct question question_of(const struct dns_query *query)
{
    return (struct question){
        .name = query->name,
        .type = query->type,
        .class = query->class,
        .dnssec_ok = query->dnssec_ok,
        .flags = query->flags & ECHOED,
    };
}

void dns_forward(struct dns_upstreams *u, const uint8_t *msg, size_t length _unused_,
                 const struct dns_query *query, dns_forward_fn *done, void *arg,
                 struct dns_forward **ret)
{
    const struct question question = question_of(query);
    uint8_t wire[DNS_EXCHANGE_MAX];
    struct dns_client client;
    struct flight *flight;
    bool shared, fresh;
    size_t wire_length = dns_exchange_query(wire, msg, query, &shared);

    *ret = NULL;
    dns_client_from_query(&client, msg, query);
    if (shared && tell_from_cache(u, &question, &client, done, arg))
        return;
    flight = board(u, &question, wire, wire_length, shared, &fresh);
    if (flight)
        *ret = join(flight, &client, done, arg);
    if (*ret && fresh)
        flight_begin(flight);
    if (*ret)
        return;
    if (flight && fresh)
        flight_end(flight);
    wire_length = dns_exchange_failure(u->f->answer, &client, DNS_SERVFAIL);
    done(arg, u->f->answer, wire_length, DNS_FROM_NOBODY, &(struct addr){0});
}

/* ---- sets ---- */

/* The list for a set, with what "known" knows of those in it. 0 or -ENOMEM. */
static int make_servers(const struct dns_server *servers, size_t count,
                        const struct dns_upstreams *known, struct dns_upstream **ret)
{
    struct dns_upstream *list = calloc(count + 1, sizeof *list);

    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        list[i].server = servers[i];
        for (size_t j = 0; j < known->count; j++)
            if (dns_server_equal(&known->servers[j].server, &servers[i]))
                list[i] = known->servers[j];
    }
    *ret = list;
    return 0;
}

static size_t bounded(size_t count)
{
    return count < DNS_SERVERS_MAX ? count : DNS_SERVERS_MAX;
}

int dns_upstreams_new(struct dns_forwarder *f, const struct dns_server *servers, size_t count,
                      const uint8_t *roles, const int *fds, size_t fd_count,
                      struct dns_upstreams **ret)
{
    struct dns_upstreams *u = calloc(1, sizeof *u);
    struct dns_pool pool = {0};
    int status = dns_pool_init(&pool, roles, fds, fd_count);

    if (u && status == 0)
        status = make_servers(servers, bounded(count), u, &u->servers);
    if (!u || status < 0) {
        dns_pool_clear(&pool);
        free(u);
        return -ENOMEM;
    }
    u->f = f;
    u->number = ++f->last_number;
    u->count = bounded(count);
    u->pool = pool;
    TAILQ_INIT(&u->flights);
    *ret = u;
    return 0;
}

static bool is_same(const struct dns_upstreams *u, const struct dns_server *servers, size_t count)
{
    if (u->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!dns_server_equal(&u->servers[i].server, &servers[i]))
            return false;
    return true;
}

int dns_upstreams_set(struct dns_upstreams *u, const struct dns_server *servers, size_t count)
{
    struct dns_upstream *list;
    struct flight *flight, *next;
    int status;

    count = bounded(count);
    dns_cache_drop(u->f->cache, u->number);
    if (is_same(u, servers, count))
        return 0;
    status = make_servers(servers, count, u, &list);
    if (status < 0)
        return status;
    free(u->servers);
    u->servers = list;
    u->count = count;
    for (flight = TAILQ_FIRST(&u->flights); flight; flight = next) {
        next = TAILQ_NEXT(flight, link);
        flight_restart(flight);
    }
    return 0;
}

void dns_upstreams_free(struct dns_upstreams *u)
{
    struct flight *flight;

    if (!u || u->dying)
        return;
    /* Clients that ask once more as they are told are refused. */
    u->dying = true;
    while ((flight = TAILQ_FIRST(&u->flights)))
        flight_fail(flight);
    dns_cache_drop(u->f->cache, u->number);
    dns_pool_clear(&u->pool);
    free(u->servers);
    free(u);
}

/* ---- the forwarder ---- */

static void on_ready(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    struct dns_forwarder *f = poll->data;
    uint64_t end = uv_hrtime() + TURN_NS;
    struct epoll_event event;

    do {
        struct watch *watch;

        /* As the loop itself waits: not another system call to be allowed. */
        if (f->closing || epoll_pwait(f->epoll, &event, 1, 0, NULL) != 1)
            return;
        watch = event.data.ptr;
        watch->ready(watch, event.events);
    } while (uv_hrtime() < end);
}

int dns_forwarder_new(uv_loop_t *loop, struct dns_forwarder **ret)
{
    _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct dns_forwarder *f;
    int status;

    if (epoll < 0)
        return -errno;
    f = calloc(1, sizeof *f);
    status = f ? dns_cache_new(DNS_CACHE_BYTES, &f->cache) : -ENOMEM;
    if (status == 0)
        status = uv_poll_init(loop, &f->poll, epoll);
    if (status < 0) {
        if (f)
            dns_cache_free(f->cache);
        free(f);
        return status;
    }
    uv_timer_init(loop, &f->wake);
    uv_poll_start(&f->poll, UV_READABLE, on_ready);
    f->poll.data = f->wake.data = f;
    f->open_handles = 2;
    f->loop = loop;
    f->epoll = TAKE_FD(epoll);
    f->port = DNS_PORT;
    f->race_ms = DNS_RACE_MS;
    f->pace = 1;
    TAILQ_INIT(&f->waiting);
    *ret = f;
    return 0;
}

void dns_forwarder_set_test(struct dns_forwarder *f, uint16_t port, unsigned race_ms, unsigned pace)
{
    f->port = port;
    f->race_ms = race_ms;
    f->pace = pace;
}

static void on_closed(uv_handle_t *handle)
{
    struct dns_forwarder *f = handle->data;

    if (--f->open_handles > 0)
        return;
    dns_cache_free(f->cache);
    free(f);
}

void dns_forwarder_free(struct dns_forwarder *f)
{
    if (!f)
        return;
    f->closing = true;
    uv_close((uv_handle_t *)&f->poll, on_closed);
    uv_close((uv_handle_t *)&f->wake, on_closed);
    close(f->epoll);
}
