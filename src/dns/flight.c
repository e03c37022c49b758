/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a flight asks the best server; whenever DNS_RACE_MS go by without a proper
 * answer, or an attempt comes to nothing, it asks the next one, while those asked before may still
 * answer. Once all were asked, it asks those that are silent again after one and after two seconds.
 * The first proper answer ends it; servers that had been asked before the one that gave it, and had
 * the chance, have failed. Else it ends when there is nobody left to wait for, or at its deadline,
 * with the best of what was kept: a truncated response, or a refusal.
 *
 * A server that failed is not asked first any more. To see whether it is back, it gets a question
 * now and then that another is asked anyway: a flight of its own, a probe, which nobody waits for,
 * so that it may take longer than the answer. If it is faster, its answer is the one.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/flight.h"

#define AGAIN_MS 1000
#define ROUNDS 2       /* of asking all again */
#define PROBE_MS 10000 /* how often a server that failed is tried */
#define PROBE_TIMEOUT_MS 2000
#define KEPT_MAX 4096 /* octets: of longer ones the records are not kept */

static uint64_t now_of(const struct flight *flight)
{
    return uv_now(flight->u->f->loop);
}

/* How long to wait: tests are in a hurry. */
static uint64_t paced(const struct flight *flight, uint64_t ms)
{
    return ms / flight->u->f->pace;
}

static uint64_t end_of(const struct flight *flight)
{
    return flight->start + paced(flight, DNS_FORWARD_TIMEOUT_MS);
}

/* ---- which there are ---- */

static size_t bucket_of(const struct dns_upstreams *u, const struct question *question)
{
    uint64_t hash = hash_bytes(HASH_START ^ u->number, question->name.wire, question->name.length);

    hash = hash_bytes(hash, &question->type, sizeof question->type);
    return (hash ^ hash >> 32) % FLIGHT_BUCKETS;
}

static bool question_equal(const struct question *a, const struct question *b)
{
    return a->type == b->type && a->class == b->class && a->dnssec_ok == b->dnssec_ok &&
           a->flags == b->flags && a->name.length == b->name.length &&
           memcmp(a->name.wire, b->name.wire, a->name.length) == 0;
}

struct flight *flight_find(const struct dns_upstreams *u, const struct question *question)
{
    struct flight *flight;

    LIST_FOREACH(flight, &u->f->buckets[bucket_of(u, question)], bucket)
    if (flight->u == u && question_equal(&flight->question, question))
        return flight;
    return NULL;
}

static struct flight *make(struct dns_upstreams *u, const struct question *question,
                           const uint8_t *wire, size_t wire_length)
{
    struct flight *flight = calloc(1, sizeof *flight + wire_length);

    if (!flight)
        return NULL;
    uv_timer_init(u->f->loop, &flight->timer);
    flight->timer.data = flight;
    flight->u = u;
    TAILQ_INIT(&flight->clients);
    TAILQ_INIT(&flight->attempts);
    TAILQ_INSERT_TAIL(&u->flights, flight, link);
    flight->start = flight->asked = now_of(flight);
    flight->question = *question;
    flight->wire_length = (uint16_t)wire_length;
    memcpy(flight->wire, wire, wire_length);
    return flight;
}

struct flight *flight_new(struct dns_upstreams *u, const struct question *question,
                          const uint8_t *wire, size_t wire_length, bool shared)
{
    struct flight *flight = make(u, question, wire, wire_length);

    if (flight && shared) {
        flight->shared = true;
        LIST_INSERT_HEAD(&u->f->buckets[bucket_of(u, question)], flight, bucket);
    }
    return flight;
}

/* ---- how one ends ---- */

static void end_attempts(struct flight *flight)
{
    struct attempt *a;

    while ((a = TAILQ_FIRST(&flight->attempts)))
        attempt_end(a);
}

/* Takes it out of everything but its clients' hands. */
static void detach(struct flight *flight)
{
    end_attempts(flight);
    TAILQ_REMOVE(&flight->u->flights, flight, link);
    if (flight->shared)
        LIST_REMOVE(flight, bucket);
    flight->over = true;
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

static void release(struct flight *flight)
{
    free(flight->kept.msg);
    flight->kept.msg = NULL;
    uv_close((uv_handle_t *)&flight->timer, on_closed);
}

void flight_end(struct flight *flight)
{
    detach(flight);
    release(flight);
}

/* The last thing that is done to it. */
static void finish(struct flight *flight, const uint8_t *msg, size_t length,
                   const struct dns_response *response, const struct addr *server)
{
    const struct addr from = *server;

    detach(flight);
    clients_tell(flight, msg, length, response, &from);
    release(flight);
}

void flight_fail(struct flight *flight)
{
    finish(flight, NULL, 0, NULL, &(struct addr){0});
}

/* Ends it with what there is. */
static void settle(struct flight *flight)
{
    struct kept *kept = &flight->kept;
    struct dns_response response;

    if (kept->msg && dns_response_parse(kept->msg, kept->length, &response) == 0)
        finish(flight, kept->msg, kept->length, &response, &kept->server);
    else
        flight_fail(flight);
}

static void keep(struct flight *flight, const struct attempt *a, bool truncated, const uint8_t *msg,
                 size_t length)
{
    struct kept *kept = &flight->kept;
    uint8_t *copy;

    if (kept->msg && kept->truncated && !truncated)
        return;
    copy = malloc(length);
    if (!copy)
        return;
    memcpy(copy, msg, length);
    /* What is there of a truncated response is not to be used (RFC 2181, 9). */
    if (dns_get16(msg + 2) & DNS_FLAG_TC || length > KEPT_MAX)
        length = dns_response_truncate(copy, length, false);
    free(kept->msg);
    kept->msg = copy;
    kept->length = length;
    kept->truncated = truncated;
    kept->server = flight->u->servers[a->server].server.addr;
}

/* ---- whom it asks ---- */

/* Too few of something here says nothing about the server. */
static bool is_our_fault(int status)
{
    return status == -EMFILE || status == -ENFILE || status == -ENOBUFS || status == -ENOMEM ||
           status == -EADDRNOTAVAIL;
}

static void blame(struct flight *flight, uint8_t server, int status)
{
    if (!is_our_fault(status))
        dns_upstream_failed(&flight->u->servers[server], now_of(flight));
}

static bool has_attempt(const struct flight *flight, uint8_t server)
{
    struct attempt *a;

    TAILQ_FOREACH(a, &flight->attempts, link)
    if (a->server == server)
        return true;
    return false;
}

static bool is_waiting(const struct flight *flight)
{
    struct attempt *a;

    TAILQ_FOREACH(a, &flight->attempts, link)
    if (a->waiting)
        return true;
    return false;
}

/* Asks one server more, if there is one that can be asked. */
static void ask_next(struct flight *flight)
{
    while (flight->next < flight->count) {
        uint8_t server = flight->order[flight->next++];
        int status = attempt_start(flight, server, false, false);

        if (status == 0) {
            flight->asked = now_of(flight);
            return;
        }
        blame(flight, server, status);
    }
}

/* Asks those again that have not answered, and by now should have. */
static void ask_again(struct flight *flight)
{
    struct attempt *a;

    flight->rounds++;
    flight->asked = now_of(flight);
    TAILQ_FOREACH(a, &flight->attempts, link)
    {
        if (a->tcp || a->waiting)
            continue;
        blame(flight, a->server, -ETIMEDOUT);
        attempt_resend(a);
    }
    for (size_t i = 0; i < flight->count; i++) {
        uint8_t server = flight->order[i];

        if (!has_attempt(flight, server) && !(flight->unwilling & 1U << server))
            (void)attempt_start(flight, server, false, false);
    }
}

static void on_timer(uv_timer_t *timer);

/* Sets the timer for what is to be done next. */
static void schedule(struct flight *flight)
{
    uint64_t now = now_of(flight), end = end_of(flight), due = end;

    if (is_waiting(flight))
        due = end;
    else if (flight->next < flight->count)
        due = flight->asked + flight->u->f->race_ms;
    else if (flight->rounds < ROUNDS)
        due = flight->asked + paced(flight, AGAIN_MS);
    if (due > end)
        due = end;
    uv_timer_start(&flight->timer, on_timer, due > now ? due - now : 0, 0);
}

/* Goes on after something has changed, or ends the flight if there is nothing to wait for. */
static void go_on(struct flight *flight)
{
    bool is_hopeless = flight->kept.msg || flight->rounds == ROUNDS || flight->count == 0;

    if (TAILQ_EMPTY(&flight->attempts) && flight->next == flight->count && is_hopeless)
        settle(flight);
    else
        schedule(flight);
}

static void on_timer(uv_timer_t *timer)
{
    struct flight *flight = timer->data;

    if (now_of(flight) >= end_of(flight)) {
        settle(flight);
        return;
    }
    if (flight->next < flight->count) {
        ask_next(flight);
    } else if (flight->kept.msg && !flight->kept.truncated) {
        /* One has refused, and the others had their time. */
        settle(flight);
        return;
    } else {
        ask_again(flight);
    }
    go_on(flight);
}

/* ---- probes ---- */

static void on_probe_timeout(uv_timer_t *timer)
{
    struct flight *probe = timer->data;

    dns_upstream_failed(&probe->u->servers[probe->order[0]], now_of(probe));
    flight_end(probe);
}

static void send_probe(const struct flight *flight, uint8_t server)
{
    struct flight *probe = make(flight->u, &flight->question, flight->wire, flight->wire_length);

    if (!probe)
        return;
    probe->probe = true;
    probe->order[0] = server;
    uv_timer_start(&probe->timer, on_probe_timeout, paced(flight, PROBE_TIMEOUT_MS), 0);
    if (attempt_start(probe, server, false, false) < 0)
        flight_end(probe);
}

/* If the time has come for one that failed. */
static void maybe_probe(const struct flight *flight)
{
    for (size_t i = 1; i < flight->count && flight->shared; i++) {
        struct dns_upstream *server = &flight->u->servers[flight->order[i]];

        if (dns_upstream_take_probe(server, now_of(flight), paced(flight, PROBE_MS))) {
            send_probe(flight, flight->order[i]);
            return;
        }
    }
}

/* ---- what it hears ---- */

static void rank(struct flight *flight)
{
    const struct dns_upstreams *u = flight->u;

    dns_upstream_rank(u->servers, u->count, flight->order);
    flight->count = (uint8_t)u->count;
    flight->next = 0;
}

void flight_begin(struct flight *flight)
{
    rank(flight);
    ask_next(flight);
    schedule(flight);
    maybe_probe(flight);
}

void flight_restart(struct flight *flight)
{
    end_attempts(flight);
    if (flight->probe) {
        flight_end(flight);
        return;
    }
    free(flight->kept.msg);
    flight->kept = (struct kept){0};
    flight->unwilling = 0;
    rank(flight);
    uv_timer_start(&flight->timer, on_timer, 0, 0);
}

void flight_asked(struct flight *flight)
{
    if (flight->probe)
        return;
    flight->asked = now_of(flight);
    schedule(flight);
}

/* The server of an attempt has shown that it is there. */
static void praise(const struct attempt *a)
{
    uint64_t micros = a->resent || a->tcp ? 0 : (uv_hrtime() - a->sent) / 1000 + 1;

    dns_upstream_succeeded(&a->flight->u->servers[a->server],
                           micros < UINT32_MAX ? (uint32_t)micros : 0);
}

/* Those that were asked before the winner have lost a race, and failed. */
static void blame_losers(const struct attempt *winner)
{
    struct flight *flight = winner->flight;
    struct attempt *a;

    TAILQ_FOREACH(a, &flight->attempts, link)
    if (!a->tcp && !a->waiting && a->server != winner->server && a->sent < winner->sent)
        blame(flight, a->server, -ETIMEDOUT);
}

/* The same server again, otherwise. */
static void ask_otherwise(struct attempt *a, bool tcp, bool plain)
{
    struct flight *flight = a->flight;
    uint8_t server = a->server;

    attempt_end(a);
    if (attempt_start(flight, server, tcp, plain) < 0)
        ask_next(flight);
    go_on(flight);
}

static void unwilling(struct attempt *a, const uint8_t *msg, size_t length)
{
    struct flight *flight = a->flight;

    keep(flight, a, false, msg, length);
    flight->unwilling |= (uint16_t)(1U << a->server);
    attempt_end(a);
    ask_next(flight);
    go_on(flight);
}

static void answered(struct attempt *a, const uint8_t *msg, size_t length,
                     const struct dns_response *response)
{
    struct flight *flight = a->flight, *probe = NULL;
    const struct addr *server = &flight->u->servers[a->server].server.addr;

    praise(a);
    answer_keep(flight, msg, length, response);
    if (flight->probe) {
        probe = flight;
        flight = flight_find(probe->u, &probe->question);
        flight_end(probe);
        if (!flight)
            return;
    } else {
        blame_losers(a);
    }
    finish(flight, msg, length, response, server);
}

/* A probe that was not answered properly. */
static void probe_judged(struct attempt *a, enum dns_verdict verdict)
{
    struct flight *probe = a->flight;

    if (verdict != DNS_UNWILLING)
        praise(a);
    flight_end(probe);
}

void flight_judged(struct attempt *a, enum dns_verdict verdict, const uint8_t *msg, size_t length,
                   const struct dns_response *response)
{
    if (verdict == DNS_ANSWERED) {
        answered(a, msg, length, response);
    } else if (a->flight->probe) {
        probe_judged(a, verdict);
    } else if (verdict == DNS_TRUNCATED) {
        praise(a);
        keep(a->flight, a, true, msg, length);
        ask_otherwise(a, true, a->plain);
    } else if (verdict == DNS_NO_EDNS) {
        ask_otherwise(a, a->tcp, true);
    } else {
        unwilling(a, msg, length);
    }
}

void flight_failed(struct attempt *a, int status)
{
    struct flight *flight = a->flight;

    blame(flight, a->server, status);
    if (flight->probe) {
        flight_end(flight);
        return;
    }
    attempt_end(a);
    ask_next(flight);
    go_on(flight);
}
