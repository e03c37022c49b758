/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of the forwarder share. A set of servers has flights: questions that are being
 * asked. Several clients may wait for one flight. A flight has attempts: one for each server that
 * it has asked and that may still answer.
 *
 *     forward.c   clients, sets, the cache in front
 *     flight.c    whom a flight asks, when, and what it makes of what it hears
 *     attempt.c   asking one server: sockets, UDP and TCP
 *
 * Calls go downwards in this list, and come up at the end of an event only: flight_judged and
 * flight_failed may call clients, who may cancel and free anything, so nothing is touched after
 * them.
 */

#include <sys/queue.h>

#include "dns/cache.h"
#include "dns/exchange.h"
#include "dns/forward.h"
#include "dns/upstream.h"

#define FLIGHT_BUCKETS 256
#define RANDOM_POOL 256

/* Never touched after it was removed: events are fetched one by one. */
struct watch {
    /* events: as of epoll_wait(2). May free the watch. */
    void (*ready)(struct watch *watch, uint32_t events);
    int fd;
};

struct attempt {
    struct watch watch;        /* fd −1: it has no socket yet, */
    TAILQ_ENTRY(attempt) link; /* of the flight's */
    TAILQ_ENTRY(attempt) turn; /* of those that wait */
    struct flight *flight;
    uint8_t server;  /* its place in the set */
    bool tcp, plain; /* plain: without an OPT record */
    bool waiting;    /* for a socket */
    bool resent;
    uint16_t id;
    uint16_t written;       /* TCP: octets of the query */
    uint64_t sent;          /* ns of uv_hrtime */
    struct dns_frame frame; /* TCP */
};

TAILQ_HEAD(attempt_list, attempt);

/* What makes two questions the same. */
struct question {
    struct dns_name name;
    uint16_t type, class;
    bool dnssec_ok;
    uint16_t flags; /* RD and CD */
};

/* A response that is passed on only if no better one comes. */
struct kept {
    uint8_t *msg; /* NULL: none */
    size_t length;
    bool truncated; /* else the server was unwilling */
    struct addr server;
};

struct flight {
    uv_timer_t timer;
    struct dns_upstreams *u;
    TAILQ_ENTRY(flight) link;  /* of the set's */
    LIST_ENTRY(flight) bucket; /* of those that clients may join: */
    bool shared;               /* it is one of them */
    bool probe;                /* asks one server, to see whether it is back */
    bool over;                 /* its clients are being told */
    TAILQ_HEAD(, dns_forward) clients;
    struct attempt_list attempts;
    uint64_t start, asked; /* ms; asked: the last server */
    uint8_t order[DNS_SERVERS_MAX];
    uint8_t count, next; /* servers in order; those before next were asked */
    uint8_t rounds;      /* how often all were asked again */
    uint16_t unwilling;  /* servers that are not to be asked again: bits */
    struct kept kept;
    struct question question;
    uint16_t wire_length;
    uint8_t wire[]; /* the query, with id 0 */
};

struct dns_forward {
    TAILQ_ENTRY(dns_forward) link;
    struct dns_forwarder *f;
    struct flight *flight; /* NULL: it is being told */
    dns_forward_fn *done;
    void *arg;
    struct dns_client client; /* allocated as long as its question needs */
};

struct dns_upstreams {
    struct dns_forwarder *f;
    uint64_t number; /* in keys of the cache */
    bool dying;
    struct dns_upstream *servers;
    size_t count;
    struct dns_pool pool;
    size_t waiting; /* attempts that wait for a socket */
    TAILQ_HEAD(flight_list, flight) flights;
};

struct dns_forwarder {
    uv_loop_t *loop;
    uv_poll_t poll;  /* of epoll */
    uv_timer_t wake; /* a socket may be free for those that wait */
    unsigned open_handles;
    bool closing;
    int epoll;
    uint16_t port;
    unsigned race_ms;
    unsigned pace; /* by which other waits are divided */
    struct dns_cache *cache;
    uint64_t last_number;
    size_t clients; /* in flight */
    size_t streams; /* attempts by TCP */
    struct attempt_list waiting;
    LIST_HEAD(, flight) buckets[FLIGHT_BUCKETS];
    uint8_t random[RANDOM_POOL];
    size_t random_left;
    /* What came from a server, and what is made of it for a client. */
    uint8_t received[DNS_MESSAGE_MAX];
    uint8_t answer[DNS_MESSAGE_MAX + DNS_OPT_SIZE];
};

/* ---- attempt.c ---- */

/* Asks the server of that place in the set, or waits for a socket to do so. 0 or -errno. */
int attempt_start(struct flight *flight, uint8_t server, bool tcp, bool plain);
/* Sends the query once more, if it goes by UDP and has been sent. */
void attempt_resend(struct attempt *a);
void attempt_end(struct attempt *a);
/* A timer's: gives those that wait their sockets. */
void attempt_wake(uv_timer_t *timer);

/* ---- flight.c ---- */

/* A question to be asked, or NULL: no memory. shared: others may join. */
struct flight *flight_new(struct dns_upstreams *u, const struct question *question,
                          const uint8_t *wire, size_t wire_length, bool shared);
/* One that asks this, and can be joined; or NULL. */
struct flight *flight_find(const struct dns_upstreams *u, const struct question *question);
/* Begins to ask. No client is told anything before this returns. */
void flight_begin(struct flight *flight);
/* Begins anew, for the servers are others now. Likewise. */
void flight_restart(struct flight *flight);
/* Its clients are told that nobody knows. */
void flight_fail(struct flight *flight);
/* Ends it; it has no clients. */
void flight_end(struct flight *flight);
/* An attempt that waited has been sent. */
void flight_asked(struct flight *flight);
/* An attempt came to this; a and its flight may be gone afterwards. */
void flight_judged(struct attempt *a, enum dns_verdict verdict, const uint8_t *msg, size_t length,
                   const struct dns_response *response);
void flight_failed(struct attempt *a, int status);

/* ---- forward.c ---- */

/* Tells the flight's clients, all of them: msg is a judged response, or NULL for SERVFAIL. */
void clients_tell(struct flight *flight, const uint8_t *msg, size_t length,
                  const struct dns_response *response, const struct addr *server);
/* Keeps what a flight that is shared has brought, if it may be kept. */
void answer_keep(const struct flight *flight, const uint8_t *msg, size_t length,
                 const struct dns_response *response);
/* Random octets. 0 or -errno. */
int random_take(struct dns_forwarder *f, void *buf, size_t size);
