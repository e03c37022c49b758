/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The engine: weft's verbs.
 *
 * Each verb is one transaction: validate → allocate → store → render → apply → commit. The model in
 * memory, the store and the kernel change together or not at all: what fails half-way is undone in
 * reverse, and weftd killed half-way is mended by the next start, which compares the store's model
 * with the kernel.
 *
 * `ref` arguments are what users type: a full id, a name, or a unique prefix of an id, looked up in
 * this order. `dry` (may be NULL): when given, the verb does everything but commit and apply: it
 * appends the plan as a script to *dry, changes nothing and returns 0 (or the error that the verb
 * would have met). `err` must not be NULL. Returned objects are the engine's; they stay until the
 * next verb.
 */

#include <uv.h>

#include "base/hash.h"
#include "base/strbuf.h"
#include "container/container.h"
#include "container/exec.h"
#include "container/log.h"
#include "container/runtime.h"
#include "dns/message.h"
#include "ipam/ipam.h"
#include "kernel/kernel.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/publish.h"
#include "model/sandbox.h"
#include "store/store.h"

struct engine;

/* Borrowed for the engine's life. */
struct engine_config {
    const char *run_dir, *state_dir;
    const char *default_bridge_name;     /* "weft0" */
    struct prefix default_bridge_subnet; /* none: 172.17.0.0/16, or another if that is taken */
    const struct ipam_base *pools;
    size_t pool_count;
    uint32_t mtu;        /* 0: that of the default route's link */
    const char *runtime; /* "runc" */
    bool publish_deny;   /* published ports are closed unless the administrator's chain accepts */
};

/* Opens kernel, store and runtime, and loads the model. Touches nothing in the kernel. */
int engine_new(uv_loop_t *loop, const struct engine_config *config, struct engine **ret,
               struct weft_error *err);
/* Mends: resumes containers, compares the model with the kernel and makes the kernel follow; makes
 * the predefined networks at the first start. What cannot be mended is logged. */
int engine_start(struct engine *e, struct weft_error *err);
/* Instead of engine_start: takes everything of weft's out of the kernel; the store stays. Refused
 * while containers run. *ret_removed: how many things. */
int engine_cleanup(struct engine *e, size_t *ret_removed, struct weft_error *err);
/* Leaves containers and their network as they are. */
void engine_free(struct engine *e);
struct kernel *engine_kernel(struct engine *e);

/* ---- networks ---- */

struct network *engine_network(struct engine *e, const char *ref,
                               struct weft_error *err); /* NULL: err says */
/* All, in the order of creation. The array is the engine's. */
struct network *const *engine_networks(struct engine *e, size_t *ret_count);
/* The endpoints on a network, those of inactive sandboxes included. Array is the engine's. */
struct endpoint *const *engine_network_endpoints(struct engine *e, const struct network *net,
                                                 size_t *ret_count);

/*
 * Verbs about networks that somebody outside weft has a say in (a plugin, a DHCP server) may have
 * to wait for an answer: those with `done` return 1 then, and done is called once, later, from the
 * loop, unless it is NULL: then nobody waits, and what fails is logged. Otherwise they are over
 * when they return, and done is not called. Dry runs ask nobody.
 */
typedef void engine_done_fn(void *arg, int result, const struct weft_error *err);

/* net is consumed. *ret is set whenever the result is not negative. */
int engine_network_create(struct engine *e, struct network *net, struct strbuf *dry,
                          engine_done_fn *done, void *arg, const struct network **ret,
                          struct weft_error *err);
int engine_network_remove(struct engine *e, const char *ref, struct strbuf *dry,
                          engine_done_fn *done, void *arg, struct weft_error *err);
/* Removes networks without endpoints that are not predefined and pass the filter; their names are
 * appended to *ret. */
int engine_network_prune(struct engine *e, bool (*keep)(void *arg, const struct network *net),
                         void *arg, strv *ret, struct weft_error *err);

/* who: a container or an attached sandbox. want may be NULL. */
int engine_connect(struct engine *e, const char *network, const char *who,
                   const struct endpoint_want *want, struct strbuf *dry, engine_done_fn *done,
                   void *arg, struct weft_error *err);
int engine_disconnect(struct engine *e, const char *network, const char *who, struct strbuf *dry,
                      engine_done_fn *done, void *arg, struct weft_error *err);

/* Changes the limits of a container or attached sandbox on a network (NULL: the only one it is on),
 * while it runs or not. limits: OPTION_INGRESS_RATE and its like; "" takes one away, what is not
 * named stays. */
int engine_limit(struct engine *e, const char *who, const char *network,
                 const struct strmap *limits, struct strbuf *dry, struct weft_error *err);

/* ---- published ports ---- */

/*
 * Ports of a container or an attached sandbox, running or not. All of them or none. Of each want
 * the first free host port is taken; what cannot be published where the sandbox is (an internal
 * network, network none or host) is remembered, and a sentence about it is appended to *warnings
 * (may be NULL). Publishing what is published already is WEFT_CONFLICT, unpublishing what is not
 * WEFT_NOT_FOUND. To unpublish, wants match by protocol and port, and by host and host ports where
 * they name them.
 */
int engine_publish(struct engine *e, const char *ref, const struct publish_want *wants,
                   size_t count, struct strbuf *dry, strv *warnings, struct weft_error *err);
int engine_unpublish(struct engine *e, const char *ref, const struct publish_want *wants,
                     size_t count, struct strbuf *dry, struct weft_error *err);

/* The ports that CNI plugins publish for the endpoint: an array of objects with hostPort,
 * containerPort, protocol and hostIP (CNI's CONVENTIONS.md); NULL: none. Borrowed. */
const json_t *engine_endpoint_ports(const struct endpoint *ep);

/* ---- sandboxes ---- */

struct sandbox *engine_sandbox(struct engine *e, const char *ref, struct weft_error *err);
struct sandbox *const *engine_sandboxes(struct engine *e, size_t *ret_count);

/* Puts a foreign namespace on a network. Exactly one of netns (a path) and pid (> 0) names it; name
 * NULL: derived ("pid-123", the path's last component). A namespace that is a sandbox already gets
 * a further endpoint. */
struct engine_attach {
    const char *netns;
    pid_t pid;
    const char *name;
    const char *network;
    const struct endpoint_want *want;
};
int engine_attach(struct engine *e, const struct engine_attach *request, struct strbuf *dry,
                  engine_done_fn *done, void *arg, const struct sandbox **ret,
                  struct weft_error *err);
/* network NULL: from all. The sandbox goes with its last network. Only for attached ones. */
int engine_detach(struct engine *e, const char *who, const char *network, struct strbuf *dry,
                  engine_done_fn *done, void *arg, struct weft_error *err);
/* Makes /run/netns/NAME lead to the sandbox's namespace, so that `ip netns exec NAME` works. name
 * NULL: the sandbox's. */
int engine_netns_link(struct engine *e, const char *who, const char *name, struct weft_error *err);
int engine_netns_unlink(struct engine *e, const char *name, struct weft_error *err);

/* The script that would make what exists of a network or a container/sandbox. */
int engine_explain(struct engine *e, const char *ref, struct strbuf *out, struct weft_error *err);

/* ---- containers ---- */

struct container *engine_container(struct engine *e, const char *ref, struct weft_error *err);
struct container *const *engine_containers(struct engine *e, size_t *ret_count);
/* The sandbox a container uses (its own or the joined one), for inspect. */
struct sandbox *engine_container_sandbox(struct engine *e, const struct container *c);

/* A network with the settings a container shall have on it. */
struct engine_join {
    const char *network; /* ref */
    struct endpoint_want want;
};
/* c is consumed; its config's port bindings become the sandbox's publishes. joins beside what
 * config.network_mode says (settings for that network too, if it is named). dry shows create and
 * start. warnings (may be NULL): as engine_publish. */
int engine_container_create(struct engine *e, struct container *c, const struct engine_join *joins,
                            size_t join_count, struct strbuf *dry, strv *warnings,
                            const struct container **ret, struct weft_error *err);

/* Asynchronous verbs: either they fail at once (-errno, done is not called), or done is called
 * once, later, from the loop. The container may be gone by then: keep ids, not pointers. */
int engine_container_start(struct engine *e, const char *ref, engine_done_fn *done, void *arg,
                           struct weft_error *err); /* -EALREADY: runs */
/* signo 0: its stop signal; timeout in seconds, −1: its own, then SIGKILL. */
int engine_container_stop(struct engine *e, const char *ref, int signo, int64_t timeout,
                          engine_done_fn *done, void *arg, struct weft_error *err);
int engine_container_kill(struct engine *e, const char *ref, int signo, struct weft_error *err);
int engine_container_remove(struct engine *e, const char *ref, bool force, engine_done_fn *done,
                            void *arg, struct weft_error *err);

enum engine_wait { ENGINE_WAIT_NOT_RUNNING, ENGINE_WAIT_NEXT_EXIT, ENGINE_WAIT_REMOVED };
/* done(arg, exit code, NULL) when the condition holds (also if it does already). The handle may be
 * cancelled before that: done is then not called. */
struct engine_waiter;
typedef void engine_wait_fn(void *arg, int exit_code);
int engine_container_wait(struct engine *e, const char *ref, enum engine_wait condition,
                          engine_wait_fn *done, void *arg, struct engine_waiter **ret,
                          struct weft_error *err);
void engine_wait_cancel(struct engine_waiter *w);

/* Path of the log, for log_reader_open; the buffer is the engine's until the next call. */
const char *engine_container_log(struct engine *e, const struct container *c);

/* Execs: registered, then started once, then remembered until the container goes. */
struct engine_exec {
    char id[ID_TEXT_MAX];
    char container_id[ID_TEXT_MAX];
    struct exec_config config;
    struct exec *running; /* NULL before and after */
    bool started;
    int exit_code;
};
int engine_exec_create(struct engine *e, const char *ref, struct exec_config *config /* taken */,
                       const struct engine_exec **ret, struct weft_error *err);
/* fd as exec_start: taken on success. */
int engine_exec_start(struct engine *e, const char *id, int fd, struct weft_error *err);
struct engine_exec *engine_exec_find(struct engine *e, const char *id, struct weft_error *err);

/* ---- events ---- */

struct engine_event {
    const char *type;   /* "container", "network", "sandbox" */
    const char *action; /* "create", "start", "die", "destroy", "connect", "disconnect", … (Docker's
                           words) */
    const char *id, *name;
    const char *container; /* network connect/disconnect: the sandbox's id; else NULL */
    int exit_code;         /* die */
    int64_t time;          /* ns */
};
typedef void engine_event_fn(void *arg, const struct engine_event *event);
struct engine_subscription;
int engine_subscribe(struct engine *e, engine_event_fn *fn, void *arg,
                     struct engine_subscription **ret);
void engine_unsubscribe(struct engine_subscription *s);

/* ---- names (weft-dns) ---- */

/* Calls fn for every name of every endpoint on networks with names, by network, then in the order
 * of joining; alias: others may have it too. A negative result of fn ends it and is returned. */
typedef int engine_name_fn(void *arg, const struct endpoint *ep, const char *name, bool alias);
int engine_each_name(struct engine *e, engine_name_fn *fn, void *arg);

/* The names of an endpoint, whether it is active or not: docker's DNSNames. None on networks
 * without names. 0 or -ENOMEM. */
int engine_endpoint_names(struct engine *e, const struct endpoint *ep, strv *ret);

/* Asks weft-dns as a container or attached sandbox would (who NULL: as the host, which sees all
 * names), msg being a query as on the wire. fn is called once, later: with the response, or with
 * length 0 and an error (no answer within 6 seconds, weft-dns is not there). */
struct engine_lookup;
typedef void engine_found_fn(void *arg, const uint8_t *msg, size_t length, enum dns_source source,
                             const struct weft_error *err);
int engine_dns_lookup(struct engine *e, const char *who, const uint8_t *msg, size_t length,
                      engine_found_fn *fn, void *arg, struct engine_lookup **ret,
                      struct weft_error *err);
/* fn is not called any more. */
void engine_dns_lookup_cancel(struct engine_lookup *l);

/* The queries that were answered lately, of one sandbox or (who NULL) of all; with follow those to
 * come, too. fn gets an entry at a time, the oldest first, with the name of who asked ("" for the
 * host); entry NULL: the end, after which the log is gone by itself. */
struct engine_dns_log;
typedef void engine_logged_fn(void *arg, const struct dns_msg_logged *entry, const char *sandbox);
int engine_dns_log(struct engine *e, const char *who, bool follow, engine_logged_fn *fn, void *arg,
                   struct engine_dns_log **ret, struct weft_error *err);
void engine_dns_log_cancel(struct engine_dns_log *l);
