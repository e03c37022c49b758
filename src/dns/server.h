/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of weft-dns share: the daemon, and a query on its way through it.
 *
 * A query comes in by a datagram (listener.c), a connection (stream.c) or as a lookup of weftd's
 * (control.c). What can be answered at once is, into a buffer of the caller's; else the query
 * becomes a `pending`, which belongs to a list of whoever is to have the answer, and goes with it.
 */

#include <sys/queue.h>
#include <uv.h>

#include "dns/forward.h"
#include "dns/local.h"
#include "dns/query_log.h"
#include "dns/table.h"

/* Queries of one sandbox that are being forwarded: beyond, SERVFAIL. */
#define DNS_SANDBOX_ASKING_MAX 64

struct dns_control;
struct dns_owner;
struct dns_pending;
LIST_HEAD(dns_pending_list, dns_pending);

struct dns_daemon {
    uv_loop_t *loop;
    const struct dns_services *services;
    struct dns_table *table;
    struct dns_forwarder *forwarder;
    struct dns_upstreams *upstreams; /* the host's */
    struct dns_query_log log;
    struct dns_control *control;
    LIST_HEAD(dns_owner_list, dns_owner) owners;
    struct dns_pending_list pending; /* all */

    /* stream.c */
    uv_timer_t tick; /* while there are connections, or listeners that are out of descriptors */
    TAILQ_HEAD(dns_stream_list, dns_stream) streams; /* that whose time is up first */
    unsigned stream_count;
    LIST_HEAD(dns_paused_list, dns_listener) paused;
};

/* Makes it; listen_fd is where weftd connects to, and is taken. services is borrowed. *d must stay
 * until the loop has run dry after dns_daemon_close. 0 or -errno. */
int dns_daemon_open(struct dns_daemon *d, uv_loop_t *loop, int listen_fd,
                    const struct dns_services *services, struct weft_error *err);
/* Closes all it has; handles are closed by the loop's next turn. */
void dns_daemon_close(struct dns_daemon *d);

/* A query that has just come. The caller fills in the first part. */
struct dns_asked {
    struct dns_scope scope; /* nothing in it: a stranger, who gets REFUSED */
    const uint8_t *msg;
    size_t length;
    bool tcp;
    bool unlogged;
    int64_t time;     /* when it came, ns since the epoch */
    uint64_t arrived; /* the same by uv_hrtime() */
    /* dns_answer's */
    struct dns_query query;
    size_t limit;
};

/* Answers at once, into buf, which has room for as much as dns_query_limit allows, or room if that
 * is less. Returns the answer's length; 0: there is none to be given; -EAGAIN: dns_ask others. */
ssize_t dns_answer(struct dns_daemon *d, struct dns_asked *q, uint8_t *buf, size_t room);

/* To be embedded as the first member of what is allocated. */
struct dns_pending {
    LIST_ENTRY(dns_pending) link;     /* of its list */
    LIST_ENTRY(dns_pending) link_all; /* of the daemon's */
    struct dns_daemon *daemon;
    struct dns_forward *forward;
    struct dns_sandbox *sandbox; /* that asked; NULL: the host, or it has gone */
    /* Called once with the answer, unless cancelled; frees nothing. It must not cancel others: they
     * may be about to be answered in the same turn. */
    void (*reply)(struct dns_pending *p, const uint8_t *msg, size_t length, enum dns_source source);
    size_t limit;
    bool edns, tcp, unlogged;
    uint16_t type;
    int64_t time;
    uint64_t arrived;
    char asker[ID_TEXT_MAX]; /* the sandbox's id */
    struct dns_name name;
};

/* Asks others, after dns_answer returned -EAGAIN. Takes p, zeroed but for reply and what surrounds
 * it. reply may be called before this returns. */
void dns_ask(struct dns_daemon *d, const struct dns_asked *q, struct dns_pending *p,
             struct dns_pending_list *list);
/* Nobody waits for these any more: frees them. */
void dns_pending_cancel_all(struct dns_pending_list *list);
