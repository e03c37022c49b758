/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What weftd and weft-dns say to each other, over a SOCK_SEQPACKET Unix socket.
 *
 * A datagram is a batch: messages one behind the other, and the descriptors that its SOCKETS
 * messages speak of, in order. A batch is applied between two queries: names that come together are
 * seen together.
 *
 * weftd connects, now or after its own restart, to a weft-dns that may have been running for long:
 *
 *     weftd                            weft-dns
 *     HELLO version            ──▶
 *                              ◀──     SOCKETS … (what it has) … HELLO version
 *     BEGIN, everything, END   ──▶     what was not named between the two is dropped
 *     SYNC 1                   ──▶
 *                              ◀──     SYNCED 1
 *     ENDPOINT …, SYNC n       ──▶
 *                              ◀──     SYNCED n: from now on queries are answered so
 *
 * HELLO and SOCKETS are the same in all versions; a weftd that meets another version takes its
 * sockets and replaces it. weftd keeps copies of all descriptors: a weft-dns that dies loses none.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

#define DNS_SOCKET_NAME "dns.sock" /* below RUN_DIR */
#define DNS_BATCH_SIZE 32768       /* octets of a datagram at most */
#define DNS_BATCH_FDS 128

enum dns_message_type {
    DNS_MSG_HELLO = 1,     /* hello */
    DNS_MSG_SOCKETS = 2,   /* sockets */
    DNS_MSG_BEGIN,         /* nothing */
    DNS_MSG_END,           /* nothing */
    DNS_MSG_NETWORK,       /* network: new, or in place of the one with its id */
    DNS_MSG_NETWORK_GONE,  /* gone.network; its endpoints and sockets go too */
    DNS_MSG_SANDBOX,       /* sandbox; likewise */
    DNS_MSG_SANDBOX_GONE,  /* gone.sandbox */
    DNS_MSG_ENDPOINT,      /* endpoint; likewise; its network and sandbox came before it */
    DNS_MSG_ENDPOINT_GONE, /* gone.network, gone.sandbox */
    DNS_MSG_UPSTREAMS,     /* upstreams: the host's servers */
    DNS_MSG_SYNC,          /* number */
    DNS_MSG_SYNCED,        /* number */
    DNS_MSG_LOG,           /* log: weftd wants entries */
    DNS_MSG_LOG_STOP,      /* number: of the LOG */
    DNS_MSG_LOGGED,        /* logged: one entry */
    DNS_MSG_LOG_END, /* number: of the LOG: what was asked for without `follow` is all there */
    DNS_MSG_LOOKUP,  /* lookup: a query as if a sandbox had asked */
    DNS_MSG_FOUND,   /* found: its answer */
};

/* A server to ask. scope: the link's index for a link-local IPv6 address, else 0. */
struct dns_server {
    struct addr addr;
    uint32_t scope;
};

struct dns_msg_network {
    const char *id, *name;
    bool forwards;          /* false: an internal network */
    struct addr ipv4, ipv6; /* the host's addresses on it; none: it has no such */
    struct prefix *subnets;
    size_t subnet_count;
};

/* --link TARGET:ALIAS, on one network. */
struct dns_link {
    const char *network, *target, *alias;
};

struct dns_msg_sandbox {
    const char *id, *name;
    bool forwards; /* it has a way out: it is on a network that is not internal */
    strv networks; /* ids, the nearest first */
    struct dns_link *links;
    size_t link_count;
    struct dns_server
        *servers; /* its own (--dns), asked through its own sockets; none: the host's */
    size_t server_count;
};

struct dns_msg_endpoint {
    const char *network, *sandbox; /* ids */
    struct addr ipv4, ipv6;        /* none: it has no such */
    strv names;                    /* the first is the one that reverse lookups give */
    struct dns_msg_port {
        uint8_t proto; /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
        uint16_t port;
    } * ports;
    size_t port_count;
};

enum dns_socket_role {
    DNS_SOCKET_UDP = 1,  /* bound: answer what comes. Of a sandbox: in its namespace; of a network:
                            on  the host's address there, from its endpoints only */
    DNS_SOCKET_TCP,      /* listening; likewise */
    DNS_SOCKET_HOST_UDP, /* of a network: likewise, and from the host itself */
    DNS_SOCKET_HOST_TCP,
    DNS_SOCKET_ASK_UDP4, /* of a sandbox with servers of its own: unbound, in its namespace */
    DNS_SOCKET_ASK_UDP6,
    DNS_SOCKET_ASK_TCP4,
    DNS_SOCKET_ASK_TCP6,
};
#define DNS_SOCKETS_MAX 32 /* of one owner */

struct dns_msg_sockets {
    bool of_network; /* else of a sandbox */
    const char *id;  /* its owner's. Replaces all sockets that the owner has */
    uint8_t roles[DNS_SOCKETS_MAX];
    int fds[DNS_SOCKETS_MAX]; /* sent: borrowed. Received: the receiver's; see dns_message_clear */
    size_t count;
};

struct dns_msg_upstreams {
    struct dns_server *servers;
    size_t count;
};

struct dns_msg_log {
    uint32_t number;
    const char *sandbox; /* id, or "": all */
    bool follow;         /* what comes from now on, too */
};

enum dns_source { DNS_FROM_NAMES, DNS_FROM_CACHE, DNS_FROM_UPSTREAM, DNS_FROM_NOBODY };

/* A query that was answered. */
struct dns_msg_logged {
    uint32_t number;     /* of the LOG */
    int64_t time;        /* ns since the epoch */
    const char *sandbox; /* id; "": the host */
    const char *name;    /* the question, as text */
    uint16_t type;
    uint8_t rcode;
    uint8_t source; /* enum dns_source */
    bool tcp;
    struct addr server; /* DNS_FROM_UPSTREAM: which */
    uint32_t micros;    /* from the query's arrival to its answer */
    uint16_t answers;   /* records */
};

struct dns_msg_lookup {
    uint32_t number;
    const char *sandbox; /* id; "": as the host: all networks' names, then the host's servers */
    const uint8_t *msg;  /* the query */
    size_t length;
};

struct dns_msg_found {
    uint32_t number;
    uint8_t source;     /* enum dns_source */
    const uint8_t *msg; /* length 0: no answer, for there is no such sandbox */
    size_t length;
};

struct dns_message {
    enum dns_message_type type;
    union {
        struct {
            const char *version;
        } hello;
        struct dns_msg_sockets sockets;
        struct dns_msg_network network;
        struct dns_msg_sandbox sandbox;
        struct dns_msg_endpoint endpoint;
        struct {
            const char *network, *sandbox;
        } gone;
        struct dns_msg_upstreams upstreams;
        struct dns_msg_log log;
        struct dns_msg_logged logged;
        struct dns_msg_lookup lookup;
        struct dns_msg_found found;
        uint32_t number;
    };
};

/* A batch being gathered. Zero-initialise; it allocates on first use. */
struct dns_batch {
    uint8_t *buf;
    size_t length;
    int fds[DNS_BATCH_FDS];
    size_t fd_count;
};
/* Appends a message (descriptors are borrowed until the batch is sent). 0, -ENOMEM, -ENOBUFS when
 * there is no room: send what is there, then try again; -EMSGSIZE when it can never fit. */
int dns_batch_add(struct dns_batch *b, const struct dns_message *m);
/* Sends and empties it; nothing to send is fine. 0 or -errno of sendmsg(2) (-EAGAIN: the batch is
 * kept). */
int dns_batch_send(struct dns_batch *b, int fd, int flags);
void dns_batch_free(struct dns_batch *b);
#define _cleanup_dns_batch_ _cleanup_(dns_batch_free)

/* A received batch. */
struct dns_inbox {
    uint8_t *buf; /* DNS_BATCH_SIZE octets, allocated on first use */
    size_t length, offset;
    int fds[DNS_BATCH_FDS];
    size_t fd_count, fd_taken;
};
/* Receives one datagram. 1, 0 when the other end has gone, or -errno (-EAGAIN with MSG_DONTWAIT).
 * Descriptors arrive close-on-exec; those that were not taken of the last one are closed. */
int dns_inbox_receive(struct dns_inbox *in, int fd, int flags);
/* The next message: 1; 0 when there is none left; -EBADMSG when it is malformed; -ENOMEM. Strings
 * point into the inbox and are good until the next receive; lists are ret's: dns_message_clear. A
 * type that is not known is skipped. */
int dns_inbox_next(struct dns_inbox *in, struct dns_message *ret);
void dns_inbox_free(struct dns_inbox *in);
#define _cleanup_dns_inbox_ _cleanup_(dns_inbox_free)
/* Frees lists of a received message, and closes descriptors in it that are ≥ 0. */
void dns_message_clear(struct dns_message *m);
