/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a socket that has datagrams gives at most one batch of them a turn of the
 * loop, so that a flood on one delays the others by no more than that. What can be answered at once
 * is answered by one batch too; the buffers are the process's, for a batch ends before the next one
 * begins.
 */

#include "dns/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "dns/owner.h"
#include "dns/stream.h"

#define BATCH 32
/* No query is longer, but for one with options that we do not know; what is cut off is malformed
 * then. Not a power of two: the beginnings of all would compete for the same lines of the cache. */
#define QUERY_MAX (2048 + 64)
#define REPLY_MAX 4096 /* what dns_query_limit allows by UDP */
#define REPLIES_SIZE (BATCH * 512 + REPLY_MAX)

static struct {
    union dns_peer peers[BATCH];
    struct iovec in_data[BATCH], out_data[BATCH];
    struct mmsghdr in[BATCH], out[BATCH];
    uint8_t queries[BATCH][QUERY_MAX];
    uint8_t replies[REPLIES_SIZE];
    unsigned out_count;
    size_t out_length; /* of replies */
} shared;

struct forwarded {
    struct dns_pending pending;
    struct dns_listener *listener;
    union dns_peer peer;
};

/* ---- who asks ---- */

static struct addr address_of(const union dns_peer *peer)
{
    struct addr addr = {.family = (uint8_t)peer->sa.sa_family};

    if (addr.family == AF_INET)
        memcpy(addr.bytes, &peer->v4.sin_addr, 4);
    else if (addr.family == AF_INET6)
        memcpy(addr.bytes, &peer->v6.sin6_addr, 16);
    else
        addr.family = 0;
    return addr;
}

struct dns_scope dns_scope_of(const struct dns_owner *owner, uint8_t role,
                              const union dns_peer *peer)
{
    struct dns_scope scope = {.table = owner->daemon->table, .sandbox = owner->sandbox};
    const struct dns_endpoint *ep;
    struct addr addr;

    if (owner->sandbox)
        return scope;
    addr = address_of(peer);
    ep = dns_network_endpoint(owner->network, &addr);
    if (ep)
        scope.sandbox = ep->sandbox;
    else if ((role == DNS_SOCKET_HOST_UDP || role == DNS_SOCKET_HOST_TCP) &&
             (addr_equal(&addr, &owner->network->ipv4) || addr_equal(&addr, &owner->network->ipv6)))
        scope.network = owner->network;
    return scope;
}

static socklen_t size_of(const union dns_peer *peer)
{
    return peer->sa.sa_family == AF_INET ? sizeof peer->v4 : sizeof peer->v6;
}

/* ---- replies ---- */

/* Those that the socket does not take now are lost, as datagrams may be. */
static void send_replies(const struct dns_listener *l)
{
    unsigned sent = 0;

    while (sent < shared.out_count) {
        int n = sendmmsg(l->fd, shared.out + sent, shared.out_count - sent,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0)
            sent += (unsigned)n;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            sent++; /* this peer cannot be reached; the others can */
    }
    shared.out_count = 0;
    shared.out_length = 0;
}

static void add_reply(const struct dns_listener *l, union dns_peer *peer, size_t length)
{
    struct iovec *data = &shared.out_data[shared.out_count];
    struct msghdr *header = &shared.out[shared.out_count].msg_hdr;

    *data = (struct iovec){shared.replies + shared.out_length, length};
    *header = (struct msghdr){.msg_name = peer,
                              .msg_namelen = size_of(peer),
                              .msg_iov = data,
                              .msg_iovlen = 1};
    shared.out_count++;
    shared.out_length += length;
    if (sizeof shared.replies - shared.out_length < REPLY_MAX)
        send_replies(l);
}

static void reply_forwarded(struct dns_pending *p, const uint8_t *msg, size_t length,
                            enum dns_source source _unused_)
{
    struct forwarded *f = (struct forwarded *)p;

    (void)sendto(f->listener->fd, msg, length, MSG_DONTWAIT | MSG_NOSIGNAL, &f->peer.sa,
                 size_of(&f->peer));
}

static void forward(struct dns_listener *l, const struct dns_asked *q, const union dns_peer *peer)
{
    struct forwarded *f = calloc(1, sizeof *f);

    if (!f)
        return;
    f->pending.reply = reply_forwarded;
    f->listener = l;
    f->peer = *peer;
    dns_ask(l->owner->daemon, q, &f->pending, &l->pending);
}

/* ---- queries ---- */

static int receive(const struct dns_listener *l)
{
    for (size_t i = 0; i < BATCH; i++) {
        shared.in_data[i] = (struct iovec){shared.queries[i], QUERY_MAX};
        shared.in[i].msg_hdr = (struct msghdr){.msg_name = &shared.peers[i],
                                               .msg_namelen = sizeof shared.peers[i],
                                               .msg_iov = &shared.in_data[i],
                                               .msg_iovlen = 1};
    }
    return recvmmsg(l->fd, shared.in, BATCH, MSG_DONTWAIT, NULL);
}

static void take_query(struct dns_listener *l, struct dns_asked *q, union dns_peer *peer)
{
    struct dns_daemon *d = l->owner->daemon;
    uint8_t *buf = shared.replies + shared.out_length;
    ssize_t length;

    /* Port 0 is nobody's: nothing that could be answered came from there. */
    if (peer->v4.sin_port == 0)
        return;
    q->scope = dns_scope_of(l->owner, l->role, peer);
    length = dns_answer(d, q, buf, REPLY_MAX);
    if (length > 0)
        add_reply(l, peer, (size_t)length);
    else if (length < 0)
        forward(l, q, peer);
}

static void take_batch(struct dns_listener *l)
{
    struct dns_asked q = {.time = time_now(), .arrived = uv_hrtime()};
    int n = receive(l);

    for (int i = 0; i < n; i++) {
        q.msg = shared.queries[i];
        q.length = shared.in[i].msg_len;
        take_query(l, &q, &shared.peers[i]);
    }
    send_replies(l);
}

/* ---- the socket ---- */

static bool is_stream(uint8_t role)
{
    return role == DNS_SOCKET_TCP || role == DNS_SOCKET_HOST_TCP;
}

/* libuv has stopped watching: it takes POLLERR for the end. Here it is mostly an error of the past,
 * which asking for it takes away. */
static void recover(struct dns_listener *l)
{
    int error = 0;
    socklen_t size = sizeof error;

    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error == 0 ||
        dns_listener_watch(l) < 0)
        dns_stream_pause(l);
}

static void ready(uv_poll_t *poll, int status, int events _unused_)
{
    struct dns_listener *l = poll->data;

    if (status < 0)
        recover(l);
    else if (is_stream(l->role))
        dns_stream_accept(l);
    else
        take_batch(l);
}

int dns_listener_watch(struct dns_listener *l)
{
    return uv_poll_start(&l->poll, UV_READABLE, ready);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

int dns_listener_open(struct dns_owner *owner, int fd, uint8_t role, struct dns_listener **ret)
{
    struct dns_listener *l = calloc(1, sizeof *l);
    int r;

    if (!l)
        return -ENOMEM;
    r = uv_poll_init(owner->daemon->loop, &l->poll, fd);
    if (r < 0) {
        free(l);
        return r;
    }
    l->poll.data = l;
    l->owner = owner;
    l->fd = fd;
    l->role = role;
    LIST_INIT(&l->pending);
    r = dns_listener_watch(l);
    if (r < 0) {
        uv_close((uv_handle_t *)&l->poll, free_handle);
        return r;
    }
    *ret = l;
    return 0;
}

void dns_listener_close(struct dns_listener *l)
{
    dns_pending_cancel_all(&l->pending);
    if (l->paused)
        LIST_REMOVE(l, link_paused);
    (void)uv_poll_stop(&l->poll);
    (void)close(TAKE_FD(l->fd));
    uv_close((uv_handle_t *)&l->poll, free_handle);
}
