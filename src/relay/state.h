/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What the files of the relay share: the relay, its ports, and what is being relayed through them.
 *
 * Everything that has a descriptor is a watch in the relay's epoll; the kernel hands the watch back
 * when the descriptor is ready. A port owns the streams that run through it: TCP connections
 * (tcp.c) or UDP flows (udp.c).
 */

#include <sys/queue.h>

#include "base/hash.h"
#include "relay/relay.h"

/* The largest datagram fits, with room to spare. */
#define SCRATCH_SIZE (128 * 1024)

/* Never touched after it was removed: events are fetched one by one. */
struct watch {
    /* events: as of epoll_wait(2). May free the watch. */
    void (*ready)(struct relay *r, struct watch *watch, uint32_t events);
    int fd;
};

/* To be embedded as the first member. */
struct stream {
    TAILQ_ENTRY(stream) link; /* of the port's streams, the latest first */
    struct port *port;
    void (*end)(struct relay *r, struct stream *stream); /* frees it */
};

struct port {
    struct watch watch;
    struct relay_port at;
    bool paused;             /* out of descriptors: not watched until the next tick */
    TAILQ_ENTRY(port) fresh; /* among those of the relay's, */
    bool is_fresh;           /* if so */
    struct relay_target target;
    unsigned stream_count;
    TAILQ_HEAD(stream_list, stream) streams;
    const char *owner; /* within name, behind its NUL */
    char name[];       /* "8080/tcp of 0.0.0.0": key in the table, and for messages */
};

struct relay {
    uv_loop_t *loop;
    uv_poll_t poll; /* of epoll */
    uv_timer_t tick;
    TAILQ_HEAD(fresh_ports, port) fresh; /* held, but not watched yet */
    uv_timer_t opening;                  /* when they are to be */
    unsigned open_handles;
    int epoll;
    struct hash ports;
    struct hash flows; /* of all UDP ports */
    struct relay_limits limits;
    unsigned connections;
    uint64_t silent_until; /* no warning before; loop time */
    char scratch[SCRATCH_SIZE];
};

/* ---- relay.c ---- */

/* Adds watch, whose ready and fd are set. 0 or -errno. */
int watch_add(struct relay *r, struct watch *watch, uint32_t events);
/* Other events, or the same again: a watch that is edge-triggered is reported once more if it is
 * ready. */
void watch_change(struct relay *r, struct watch *watch, uint32_t events);
/* Removes it and closes the descriptor. */
void watch_close(struct relay *r, struct watch *watch);
/* stream: zeroed, but for end. */
void stream_add(struct port *port, struct stream *stream);
void stream_remove(struct stream *stream);
/* Sees to it that the tick comes, which ends silent flows and wakes paused ports. */
void relay_need_tick(struct relay *r);
/* Whether it is time for another warning. */
bool relay_may_warn(struct relay *r);
/* Where a client of this family is led: the target's address of its own family, or of the other.
 * false: nowhere. */
bool target_choose(const struct relay_target *target, uint8_t family, struct addr *ret);

/* ---- tcp.c ---- */

/* A watch's ready: a port's socket has connections to accept. */
void tcp_ready(struct relay *r, struct watch *watch, uint32_t events);
/* Accepts again after a pause. */
void tcp_resume(struct relay *r, struct port *port);

/* ---- udp.c ---- */

/* A watch's ready: a port's socket has datagrams. */
void udp_ready(struct relay *r, struct watch *watch, uint32_t events);
/* Ends the port's flows that were silent for too long. */
void udp_expire(struct relay *r, struct port *port);
/* Ends those that lead elsewhere than target says. */
void udp_retarget(struct relay *r, struct port *port, const struct relay_target *target);
