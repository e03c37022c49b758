/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The engine's own view of itself: private to src/engine. */

#include <stdbool.h>
#include <uv.h>

#include "engine/engine.h"
#include "firewall/firewall.h"
#include "relay/relay.h"

/* A network with what the engine keeps beside the model. */
struct net_slot {
    struct network *net;
    struct ipam *ipam; /* NULL where the driver has no pools */
    struct endpoint **endpoints;
    size_t endpoint_count;
};

/* A sandbox likewise. */
struct sandbox_slot {
    struct sandbox *sandbox;
    struct netns_identity identity; /* of its namespace, once asked for; ino 0: not yet */
    uv_poll_t *watch;               /* of the process it was attached by; NULL: none */
    bool unsure;                    /* what is in its namespace may have changed */
};

/* A container likewise. Between the runtime's start and its report, and between the end of the
 * process and the end of clearing up after it, a container is busy: nothing else may be begun. */
struct container_slot {
    struct engine *engine;
    struct container *container;
    bool busy;
    bool ended; /* the exit came before the report of the start */
    bool left;  /* it needs its sandbox no more, or not yet */
    int exit_code;
    int64_t finished;
    engine_done_fn *start_done;
    void *start_arg;
    struct weft_error *failure;                /* of the start, to be reported */
    engine_done_fn *entered;                   /* when its network is up */
    unsigned pending;                          /* at the end: what is still to be cleared up */
    void (*then)(struct container_slot *slot); /* when its sandbox has been left */
};

/* A link of the host that the model speaks of: a network's (its bridge, its uplink, a parent that
 * is weft's, the host's own link on it), or (ep not NULL) the host's end of an endpoint's pair. */
struct link_slot {
    char name[IFNAMSIZ];
    const struct network *net;
    const struct endpoint *ep;
    unsigned wrong_since; /* drift.c's; 0: it is as it shall be */
};

struct dns;

struct engine {
    uv_loop_t *loop;
    struct engine_config config;
    struct kernel *kernel;
    struct store *store;
    struct runtime *runtime;
    struct relay *relay; /* holds published ports */
    struct {
        uint16_t first, last, next;
    } ephemeral; /* ports of the host; last 0: not known yet */
    char *netns_dir;
    uint8_t ula_global_id[5];
    struct firewall_host host; /* as it was when last looked at, by mend.c */

    /* Arrays in the order of creation, and the same objects' slots by id and by name. */
    struct network **networks;
    size_t network_count;
    struct hash networks_by_id, networks_by_name;
    struct sandbox **sandboxes;
    size_t sandbox_count;
    struct hash sandboxes_by_id, sandboxes_by_name;
    struct container **containers;
    size_t container_count;
    struct hash containers_by_id, containers_by_name;
    struct hash links; /* link_slots by name */

    uv_timer_t *trim; /* memory.c's; NULL until it is needed */
    struct hash execs;
    struct engine_waiter *waiters;
    struct engine_subscription *subscriptions;
    char *log_path;
    struct drift *drift; /* NULL: the kernel is not listened to */
    struct forgetter *forgetter;
    struct dns *dns;
    struct outside *outside;       /* outside.c's: errands under way */
    struct outside_remote *remote; /* each outsider's own; NULL until it is needed */
    struct outside_dhcp *dhcp;
    struct outside_cni *cni;
};

/* ---- lists.c: membership in the arrays and tables above. Objects are not freed. ---- */

int list_add(void ***list, size_t *count, void *item);
void list_remove(void **list, size_t *count, const void *item);

int engine_add_network(struct engine *e, struct network *net, struct weft_error *err);
/* Frees the slot; the network is the caller's again. */
void engine_drop_network(struct engine *e, struct network *net);
int engine_add_sandbox(struct engine *e, struct sandbox *sb, struct weft_error *err);
void engine_drop_sandbox(struct engine *e, struct sandbox *sb);
int engine_add_endpoint(struct engine *e, struct endpoint *ep, struct weft_error *err);
void engine_drop_endpoint(struct engine *e, struct endpoint *ep);
int engine_add_container(struct engine *e, struct container *c, struct weft_error *err);
void engine_drop_container(struct engine *e, struct container *c);

struct net_slot *engine_net_slot(const struct engine *e, const struct network *net);
struct sandbox_slot *engine_sandbox_slot(const struct engine *e, const struct sandbox *sb);
struct container_slot *engine_container_slot(const struct engine *e, const char *id);

/* "container web" or "sandbox web", for sentences. */
const char *sandbox_owner(const struct sandbox *sb, char buf[static 128]);
#define sandbox_owner_text(sb) sandbox_owner((sb), (char[128]){0})

/* ---- render.c ---- */

/* Fills *ret with the sandbox's namespace; false for SANDBOX_HOST. The strings are the sandbox's.
 */
bool sandbox_ns(const struct sandbox *sb, struct kstate_ns *ret);
int render_network(const struct network *net, struct fact_set *out);
/* Nothing for an inactive sandbox or the host's. ns is sb's, and must live as long as the facts. */
int render_sandbox(const struct engine *e, const struct sandbox *sb, const struct kstate_ns *ns,
                   struct fact_set *out);

/* ---- host_port.c: published ports on the host ---- */

/* Takes the first host port that want allows and that is free, at the addresses that *at names, and
 * fills in its number. */
int hold_first_free(struct engine *e, const struct sandbox *sb, const struct publish_want *want,
                    struct relay_port *at, struct weft_error *err);
/* The port of the host that a published port holds; false when it needs none. */
bool held_port(const struct publish *p, struct relay_port *ret);
/* Takes the ports of active sandboxes: at start. What cannot be had is logged. */
void hold_ports(struct engine *e);
/* Has the relay lead to the addresses that the sandbox has now. */
void retarget_ports(struct engine *e, const struct sandbox *sb);

/* ---- memory.c ---- */

void memory_start(void);
/* After a change of so many operations: has memory that was needed for it given back, soon. */
void memory_settle(struct engine *e, size_t operations);
void memory_stop(struct engine *e);

/* ---- publish.c ---- */

/* Appends a sentence about those of the sandbox's ports, from the first-th on, that cannot be
 * reached from the host, if there are any. */
int warn_unpublished(const struct sandbox *sb, size_t first, strv *warnings,
                     struct weft_error *err);

/* ---- choose.c: what the user left open ---- */

/* Appends a pool: the network's, until the next is appended. NULL when memory ran out. */
struct pool *network_add_pool(struct network *net, const struct prefix *subnet);
/* Completes a network's pools and gateways, and checks them against all others. */
int choose_pools(struct engine *e, struct network *net, struct weft_error *err);
/* Pools that others gave: those of a network with a link must not overlap another's. */
int check_pools(struct engine *e, const struct network *net, struct weft_error *err);

/* ---- mac.c ---- */

/* The MAC that an endpoint gets whose addresses will be these (none: not known yet); zero: the
 * kernel, or somebody else, chooses it. WEFT_CONFLICT when there is none for it. */
int mac_choose(struct engine *e, const struct endpoint *ep, const struct addr *ipv4,
               const struct addr *ipv6, struct mac *ret, struct weft_error *err);

/* ---- network.c ---- */

/* Fills what the user left open of a new network, and makes every check that looks beyond the
 * network itself. */
int complete_network(struct engine *e, struct network *net, struct weft_error *err);

/* Tells subscribers that a sandbox joined ("connect") or left ("disconnect") a network. */
void send_membership(struct engine *e, const char *action, const struct network *net,
                     const struct sandbox *sb);

/* ---- mend.c ---- */

enum mend_reach {
    MEND_ALL,  /* the host and all sandboxes' namespaces */
    MEND_HOST, /* the host, and namespaces that may have changed along with it */
};
struct mend_outcome {
    size_t operations;
    size_t failed; /* of these; they were logged */
};
/* Puts the kernel, as dumped, into the state the model wants. ret may be NULL. */
/* The host as it is now. */
struct firewall_host look_at_host(void);
int engine_mend(struct engine *e, enum mend_reach reach, struct mend_outcome *ret,
                struct weft_error *err);

/* ---- rules.c ---- */

/* Before the first mending: tells the kernel's part what the last weftd loaded. 0 or -errno. */
int rules_recall(struct engine *e, struct weft_error *err);
/* After the ruleset was loaded. */
void rules_remember(struct engine *e);

/* ---- drift.c ---- */

/* Listens to what others change, and mends. */
int drift_start(struct engine *e, struct weft_error *err);
void drift_stop(struct engine *e);
/* For mending, before it dumps: what has been heard by now needs no other answer. */
void drift_catch_up(struct engine *e, enum mend_reach reach);

/* ---- watch.c ---- */

/* Detaches the sandbox when the process it was attached by ends. */
int watch_sandbox(struct engine *e, struct sandbox *sb, struct weft_error *err);
void unwatch_sandbox(struct engine *e, struct sandbox *sb);
/* The start time of a process in clock ticks since boot, −1 when it is gone: proc_pid_stat(5),
 * field 22. */
int64_t process_start_time(pid_t pid);

/* ---- dns.c ---- */

int dns_new(struct engine *e, struct weft_error *err);
/* Connects to weft-dns, or starts it, and tells it everything. What fails is logged. */
void dns_start(struct engine *e);
/* weft-dns goes on. */
void dns_stop(struct engine *e);
/* Ends weft-dns. */
void dns_end(struct engine *e);

/* After a change: what has changed of a network that is there; of a sandbox that is there or has
 * gone; of a network that may have gone. In this order; then dns_push, which sends it, and later
 * dns_settle, which waits until it is in force. */
void dns_follow_network(struct engine *e, const char *id);
void dns_follow_sandbox(struct engine *e, const char *id);
void dns_follow_end(struct engine *e, const char *network);
void dns_push(struct engine *e);
void dns_settle(struct engine *e);
/* Instead of both, where nobody waits. */
void dns_flush(struct engine *e);
/* Tells everything again: a change that was told of has been taken back. */
void dns_follow_all(struct engine *e);
/* After mending: what rests on things that were made anew is made anew. */
void dns_follow_mending(struct engine *e, const struct plan *plan);

/* ---- files.c: the contents of a container's /etc files; for the caller to free, NULL when memory
 * ran out ---- */

char *file_hosts(struct engine *e, const struct container *c, const struct sandbox *sb);
char *file_resolv_conf(const struct container *c, const struct sandbox *sb);
/* Rewrites hosts of the running containers that use sb. */
void refresh_files(struct engine *e, const struct sandbox *sb);
/* Rewrites their resolv.conf, unless somebody else has written it. */
void refresh_resolver(struct engine *e, const struct sandbox *sb);
/* Rewrites hosts of the running containers that have links to sb's. */
void refresh_links(struct engine *e, const struct sandbox *sb);
/* Rewrites all resolv.conf: the host's servers have changed. */
void refresh_servers(struct engine *e);
/* The place on the default bridge; NULL: none. */
const struct endpoint *default_bridge_endpoint(const struct sandbox *sb);
/* The container that one of config.links names; err may be NULL. */
struct container *linked_container(struct engine *e, const char *link, struct weft_error *err);

/* ---- container_network.c: the network around a container's life ---- */

/* Brings up the network of a container that is about to start. 0; 1: then is called later with
 * the slot; or -errno. */
int container_enter(struct container_slot *slot, engine_done_fn *then, struct weft_error *err);
/* The container needs its sandbox no more: takes the network down, unless somebody else uses it.
 * then(slot) may be called from within. Not, when weftd ends meanwhile. */
void container_leave(struct container_slot *slot, void (*then)(struct container_slot *slot));

/* Takes a container's sandbox off its networks: nobody uses it, those outside have been told. */
int sandbox_rest(struct engine *e, struct sandbox *sb, struct weft_error *err);

/* ---- container.c ---- */

/* The container that has ended: clears up after it, then tells who waits, then removes it if it was
 * to be. */
void container_ended(struct container_slot *slot, int code, int64_t finished);
/* Removes one that is at rest, at once. */
int container_remove(struct engine *e, struct container *c, struct weft_error *err);
/* … as soon as its sandbox is not in the middle of something. What fails is logged. */
void container_remove_soon(struct engine *e, const struct container *c);
bool sandbox_in_use(const struct engine *e, const struct sandbox *sb,
                    const struct container *except);
struct container *sandbox_container(const struct engine *e, const struct sandbox *sb);

/* ---- netns.c ---- */

/* Removes what `netns link` made to lead to this namespace file (NULL: none). For when it has gone.
 */
void netns_unlink_all(const char *netns);

/* ---- wait.c, event.c, exec.c ---- */

void wait_notify(struct engine *e, const char *id, bool removed, int exit_code);
/* weftd ends: all that still wait, and these are verbs only, are told so instead of an exit code.
 */
#define WAIT_ENDED (-1)
void wait_end(struct engine *e);
void event_send(struct engine *e, struct engine_event event);
void exec_forget(struct engine *e, const char *container_id);
