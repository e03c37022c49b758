/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Names, as seen from weftd: what weft-dns is told, the sockets it is given, and its process.
 *
 *   dns_names.c    what the model says, as messages
 *   dns_sockets.c  which sockets a network and a sandbox have
 *   dns_servers.c  the host's own servers
 *   dns_process.c  the process
 *   dns_link.c     the connection to it
 *   dns_ask.c      lookups and the log of queries
 *   dns.c          following the model: what has changed is sent, and what is sent is waited for
 */

#include <sys/un.h>

#include "base/str.h"
#include "dns/message.h"
#include "engine/state.h"

/* ---- dns_names.c: pure ---- */

/* It is active and on a network with names: it has some, and sees them. */
bool sandbox_has_names(const struct sandbox *sb);
/* It asks weft's own server: a container's sandbox that has names. */
bool sandbox_has_resolver(const struct sandbox *sb);

/* Appends what others have said of names for a wired endpoint (key "nameservers" or "search", CNI's
 * words) that is not in *list yet. 0 or -ENOMEM. */
int endpoint_dns_given(const struct endpoint *ep, const char *key, strv *list);

/* The servers that the sandbox's container asks instead of the host's: those of --dns, or else
 * those that CNI plugins and DHCP servers have named. 0 or -ENOMEM. */
int sandbox_servers(const struct sandbox *sb, const struct container *c, strv *ret);

/* For a --link's target, as the user named it: the name it goes by; NULL: there is no such. */
typedef const char *dns_target_fn(void *arg, const char *ref);

/* Fill in a message; strings may be the model's, lists are the message's: dns_names_clear. c is the
 * sandbox's container, NULL for an attached one. 0 or -ENOMEM. */
int dns_names_of_network(const struct network *net, struct dns_message *ret);
int dns_names_of_sandbox(const struct sandbox *sb, const struct container *c, dns_target_fn *target,
                         void *arg, struct dns_message *ret);
int dns_names_of_endpoint(const struct endpoint *ep, const struct container *c,
                          struct dns_message *ret);
void dns_names_clear(struct dns_message *m);
#define _cleanup_dns_names_ _cleanup_(dns_names_clear)

/* Of ports that an endpoint's SRV records tell of: the first so many, by protocol and number. */
#define DNS_PORTS_MAX 1024

/* ---- dns_servers.c ---- */

#define HOST_SERVERS_MAX 8
#define SERVER_TEXT_MAX (ADDR_TEXT_MAX + 1 + IFNAMSIZ)

/* What resolv.conf(5) says. Zero-initialise. */
struct resolv_conf {
    struct dns_server servers[HOST_SERVERS_MAX];
    char texts[HOST_SERVERS_MAX][SERVER_TEXT_MAX]; /* the servers as they were written */
    size_t count;
    strv search, options;
};
/* 0 or -ENOMEM. Lines that make no sense are passed over. */
int resolv_conf_parse(const char *text, struct resolv_conf *ret);
/* The host's: that behind systemd-resolved's stub, if the stub is all there is. A file that is not
 * there says nothing. 0 or -ENOMEM. */
int resolv_conf_read(struct resolv_conf *ret);
void resolv_conf_clear(struct resolv_conf *conf);
#define _cleanup_resolv_conf_ _cleanup_(resolv_conf_clear)

/* Calls changed(e) whenever the files' servers, search list or options have become others. */
struct dns_watch;
int dns_watch_start(struct engine *e, void (*changed)(struct engine *e), struct dns_watch **ret,
                    struct weft_error *err);
void dns_watch_stop(struct dns_watch *w);

/* ---- what weft-dns has ---- */

/* An endpoint that it was told of. */
struct dns_told {
    char network[ID_TEXT_MAX];
    uint64_t digest;
};

/* A network or a sandbox that it knows, with weftd's copies of the sockets. */
struct dns_owner {
    char id[ID_TEXT_MAX];
    bool of_network;
    uint64_t digest; /* of its message; 0: it is still to be told */
    struct dns_told *endpoints;
    size_t endpoint_count;
    uint8_t roles[DNS_SOCKETS_MAX], families[DNS_SOCKETS_MAX];
    int fds[DNS_SOCKETS_MAX];
    size_t socket_count;
    bool sockets_sure; /* they are all there, as far as they can be had */
    bool sockets_told;
};

struct dns {
    struct engine *engine;
    struct hash owners;
    struct dns_watch *watch;

    bool following; /* the engine has started */
    bool unsettled; /* something was sent that is to be waited for */

    /* dns_link.c's */
    char *path, *pid_path;
    int fd;              /* −1: not connected */
    bool broken;         /* … and of no use any more */
    unsigned connection; /* how many there have been */
    uv_poll_t *poll;
    struct dns_batch batch;
    struct dns_inbox inbox;
    struct dns_heard *heard, **heard_end; /* received, still to be handled */
    uv_timer_t *later, *retry, *patience;
    uint32_t sync_sent, sync_done;
    bool overdue;
    struct dns_process *processes; /* of this weftd's: the last one, and such as are dying */
    uint64_t started;              /* ms, as dns_now() counts */
    unsigned deaths;               /* soon after their starts, one behind the other */

    /* dns_ask.c's */
    struct engine_lookup *lookups;
    struct engine_dns_log *logs;
    uint32_t last_number;
};

/* The owner of this id, made if need be; NULL: no memory. */
struct dns_owner *dns_owner_get(struct dns *d, const char *id, bool of_network);
/* Closes its sockets and forgets it. */
void dns_owner_drop(struct dns *d, struct dns_owner *o);

/* ---- dns_sockets.c ---- */

/* Make what is missing of an owner's sockets, unless they are sure. What cannot be had is logged.
 */
void dns_sockets_of_network(struct dns *d, const struct network *net, struct dns_owner *o);
void dns_sockets_of_sandbox(struct dns *d, const struct sandbox *sb, const struct container *c,
                            struct dns_owner *o);
/* Takes over those that weft-dns has: their fds in the message become −1. */
void dns_sockets_take(struct dns *d, struct dns_msg_sockets *m);
void dns_sockets_close(struct dns_owner *o);
/* To be sent; *ret borrows the owner's. */
void dns_sockets_message(const struct dns_owner *o, struct dns_message *ret);

/* ---- dns_process.c ---- */

/* Milliseconds, of a clock that never goes back. */
uint64_t dns_now(void);
/* Waits for an event of poll(2) on fd until that clock says so; signals, a child's end among them,
 * do not cut it short. Whether it came. */
bool dns_wait(int fd, short event, uint64_t deadline);

#define DNS_PROGRAM "weft-dns"

int dns_process_address(const struct dns *d, struct sockaddr_un *ret, struct weft_error *err);
/* Starts one that listens at d->path. */
int dns_process_start(struct dns *d, struct weft_error *err);
/* Ends the one that runs, whoever started it: by this signal, or if that does not help by SIGKILL.
 * It is waited for. */
void dns_process_end(struct dns *d, int signo);
/* Those that were started live on. */
void dns_process_disown(struct dns *d);

/* ---- dns_link.c ---- */

int dns_link_new(struct dns *d, struct weft_error *err);
/* At start: connects to the weft-dns that runs, or starts one. What does not work is logged, and
 * tried again. */
void dns_link_open(struct dns *d);
void dns_link_close(struct dns *d);
/* Connected, or is now: one that could not be started before is tried once more. */
bool dns_link_is_up(struct dns *d);
/* Appends a message to what dns_link_flush sends; a connection that fails is remembered as broken.
 */
void dns_link_send(struct dns *d, const struct dns_message *m);
void dns_link_flush(struct dns *d);
/* Sends what there is, and a SYNC behind it. */
void dns_link_push(struct dns *d);
/* Waits until the last SYNC is answered; at once if it has been. */
void dns_link_await(struct dns *d, unsigned timeout_ms);
/* Ends whatever weft-dns runs here. */
void dns_link_end_process(struct dns *d);

/* ---- dns.c ---- */

/* Everything, from BEGIN to END. */
void dns_send_all(struct dns *d);
/* Tells contents apart. Never 0. */
uint64_t dns_digest(const void *data, size_t length);

/* ---- dns_ask.c ---- */

/* FOUND, LOGGED, LOG_END. */
void dns_ask_handle(struct dns *d, const struct dns_message *m);
/* The connection has gone: lookups fail, logs end, but for those that follow. */
void dns_ask_lost(struct dns *d);
/* There is another: logs that follow go on. */
void dns_ask_resume(struct dns *d);
void dns_ask_clear(struct dns *d);
