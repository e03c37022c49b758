/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Errands: asking those outside weft who have a say in a network: a plugin, a DHCP server, a CNI
 * plugin. Private to src/engine.
 *
 * They take their time, and may never answer; no transaction waits for them. So a verb about such a
 * network is two transactions with an errand between them, and the stage of the network or the
 * endpoint (model/network.h, model/endpoint.h) is the journal:
 *
 *     join:    add the endpoint, ASKING ──▶ join, of each ──▶ give it what they said, wire it
 *     leave:   unwire the endpoint, LEAVING ──▶ leave, of each, last first ──▶ take it away
 *     create:  add the network, ASKING ──▶ create, of each ──▶ make it
 *     remove:  unmake the network, LEAVING ──▶ remove, of each, last first ──▶ take it away
 *
 * When one of them refuses, those asked before it, and it too, for it may hold something, are told
 * to let go (leave, remove), and the first transaction is taken back. weftd killed half-way finds
 * the stage at its next start, and lets go likewise. Whoever cannot be told that something goes is
 * logged and not waited for: it is gone for weft.
 *
 * While an errand is under way, its network, sandbox and endpoint stay where they are: verbs that
 * would touch them are refused (WEFT_CONFLICT).
 */

#include "engine/state.h"

enum errand_kind { ERRAND_CREATE, ERRAND_REMOVE, ERRAND_JOIN, ERRAND_LEAVE };

struct errand {
    struct engine *engine;
    enum errand_kind kind;
    struct network *net; /* CREATE: pools and `outside` may be filled in; they are stored after */
    struct sandbox *sb;  /* JOIN, LEAVE; active, its namespace is there. Likewise: */
    struct endpoint *ep;
    /* JOIN: what the endpoint gets. At first what weft itself gives (addresses from its own pools,
     * what the user wants by number), to be completed by those who are asked: a later one sees what
     * those before it said. LEAVE: what it had is in ep. */
    struct addr ipv4, ipv6;
    struct mac mac;
    struct endpoint_given
        given;  /* `state` is one JSON object: each outsider has a key of its own */
    void *call; /* for the one being asked: what it has under way */
    const struct outsider *asked; /* whose turn it is */
    /* outside.c's own from here on */
    struct errand_task *task;
};

/* Whoever was asked is done. Exactly once for each call of a function of struct outsider; may be
 * called from within it. result: 0, or -errno with err. err is copied. */
void errand_done(struct errand *er, int result, const struct weft_error *err);

struct outsider {
    const char *name; /* its key in `state` and `outside` */
    /* Before anything is asked of anybody, at once: can the network be, as far as this one can say
     * (is there such a plugin, do the options make sense)? 0 or -errno. May be NULL. */
    int (*check)(struct engine *e, struct network *net, struct weft_error *err);
    /* Each ends with errand_done(), within a bounded time; NULL: nothing to do. */
    void (*create)(struct errand *er);
    void (*remove)(struct errand *er);
    void (*join)(struct errand *er);
    void (*leave)(struct errand *er);
    /* ep is wired from now on, or weftd has been started and it is: renew leases, check. May be
     * NULL. */
    void (*follow)(struct engine *e, struct endpoint *ep);
    /* The reverse: it leaves, or weftd ends. Always before `leave`. */
    void (*unfollow)(struct engine *e, struct endpoint *ep);
    /* weftd ends: nothing is under way any more for it. May be NULL. */
    void (*stop)(struct engine *e);
};
extern const struct outsider outsider_cni, outsider_dhcp, outsider_remote, outsider_remote_ipam;

/* Who is to be asked about the network, in this order: for addresses, then for wiring. Their
 * number, 0 for most networks. */
#define OUTSIDERS_MAX 2
size_t network_outsiders(const struct network *net, const struct outsider *ret[OUTSIDERS_MAX]);
/* Whether there is anybody. */
bool network_is_asked(const struct network *net);
bool sandbox_is_asked(const struct sandbox *sb); /* about one of its networks */
/* For dry runs, which ask nobody: comment lines that say who would be asked first, or (leaving)
 * told. */
void outside_explain(const struct network *net, bool leaving, struct strbuf *out);

/* The errands themselves, for the verbs. done may be NULL: nobody waits, failures are logged. It is
 * called later, never from within, and once whatever happens: with -ECANCELED when weftd ends
 * meanwhile; then nothing is to be done, the next start finds the stages. The objects are in the
 * stage that the errand needs, and committed. */

/* Is anything under way for it? Then err says what. */
bool network_is_busy(struct engine *e, const struct network *net, struct weft_error *err);
bool sandbox_is_busy(struct engine *e, const struct sandbox *sb, struct weft_error *err);
/* Calls fn with a copy of id when the errand that is under way for the sandbox is over; from
 * within, when there is none. fn has to look whether what it is about is still there. It is not
 * called when weftd ends. */
typedef void outside_idle_fn(struct engine *e, const char *id);
int sandbox_when_idle(struct engine *e, const struct sandbox *sb, outside_idle_fn *fn,
                      const char *id, struct weft_error *err);

/* Asks those of a network in stage ASKING; then it is SETTLED and in the kernel, or gone. */
int outside_create(struct engine *e, struct network *net, engine_done_fn *done, void *arg,
                   struct weft_error *err);
/* … in stage LEAVING; then it is gone. */
int outside_remove(struct engine *e, struct network *net, engine_done_fn *done, void *arg,
                   struct weft_error *err);
/* Asks those of all the sandbox's endpoints in stage ASKING, one after another. Then all of them
 * are SETTLED and in the kernel; or, for the caller to go on with, all those asked have been told
 * to let go, are still in stage LEAVING, and done gets the reason. */
int outside_join(struct engine *e, struct sandbox *sb, engine_done_fn *done, void *arg,
                 struct weft_error *err);
/* Tells those of all the sandbox's endpoints in stage LEAVING. They are in this stage still when
 * done is called: the caller takes them away. */
int outside_leave(struct engine *e, struct sandbox *sb, engine_done_fn *done, void *arg,
                  struct weft_error *err);

/* A wired endpoint's address has changed outside (a lease that could not be renewed): it gets
 * another, now, in kernel, model and names. 0 or -errno: it keeps what it has. */
int outside_readdress(struct engine *e, struct endpoint *ep, const struct addr *ipv4,
                      const struct addr *ipv6, const struct endpoint_given *given,
                      struct weft_error *err);
/* What an outsider wants remembered of a wired endpoint (given.state) has changed: stores it. */
int outside_store(struct engine *e, struct endpoint *ep, struct weft_error *err);

/* Nobody looks after it any more: leaving does this, and whatever frees an endpoint. */
void outside_unfollow(struct engine *e, struct endpoint *ep);

/* At weftd's start, after mending: lets go of what was cut short, follows what is wired. */
void outside_start(struct engine *e);
void outside_stop(struct engine *e);
