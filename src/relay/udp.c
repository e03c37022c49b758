/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: UDP has no connections, so weft makes them up, as conntrack does. A flow is
 * what one client (address and port) sends to one of the host's addresses at one port: it has a
 * socket of its own, connected to the target, and what that socket receives goes back to the client
 * out of the port's socket, from the address that the client had sent to (IP_PKTINFO, RFC 3542's
 * IPV6_PKTINFO). A flow ends after some silence, longer once there was a reply; when the target
 * refuses (the ICMP error comes up at the flow's socket); or when its port has too many, and it is
 * the one that was silent longest. The client's next datagram opens another.
 *
 * Where a queue is full, datagrams are dropped, as UDP's are anywhere.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "relay/endpoint.h"
#include "relay/state.h"

#define DATAGRAMS_PER_EVENT 16
#define KEY_MAX (sizeof "-2147483648   65535 4294967295" + 2 * (size_t)ADDR_TEXT_MAX)

/* Who sent a datagram, and to which address. */
struct parties {
    union endpoint client;
    struct addr
        local; /* of the family of the port's socket, IPv4 mapped; none: let routes choose */
};

struct flow {
    struct stream stream;
    struct watch watch;
    struct parties parties;
    struct addr target;
    bool replied;
    uint64_t last; /* loop time */
    char key[];
};

/* Room for either. */
union control {
    struct cmsghdr align;
    char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
    char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* ---- the port's socket ---- */

static struct addr local_of(struct msghdr *message)
{
    struct addr local = {0};

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            local.family = AF_INET;
            memcpy(local.bytes, CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_spec_dst), 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            local.family = AF_INET6;
            memcpy(local.bytes, CMSG_DATA(c) + offsetof(struct in6_pktinfo, ipi6_addr), 16);
        }
    }
    return addr_is_multicast(&local) ? (struct addr){0} : local;
}

/* A datagram into the scratch. Its length, or -1. */
static ssize_t receive(struct relay *r, const struct port *port, struct parties *ret)
{
    union control control;
    struct iovec data = {r->scratch, sizeof r->scratch};
    struct msghdr message = {.msg_name = &ret->client,
                             .msg_namelen = sizeof ret->client,
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t len = recvmsg(port->watch.fd, &message, 0);

    if (len >= 0)
        ret->local = local_of(&message);
    return len;
}

/* Makes the ancillary data that says where a reply comes from. Returns its size. */
static size_t make_control(union control *ret, const struct addr *local)
{
    struct cmsghdr *c = &ret->align;

    memset(ret, 0, sizeof *ret);
    if (local->family == AF_INET) {
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        memcpy(CMSG_DATA(c) + offsetof(struct in_pktinfo, ipi_spec_dst), local->bytes, 4);
        return sizeof ret->v4;
    }
    c->cmsg_level = IPPROTO_IPV6;
    c->cmsg_type = IPV6_PKTINFO;
    c->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
    memcpy(CMSG_DATA(c) + offsetof(struct in6_pktinfo, ipi6_addr), local->bytes, 16);
    return sizeof ret->v6;
}

/* Sends the scratch's datagram to the client. */
static void reply(struct relay *r, struct flow *flow, size_t len)
{
    struct parties *parties = &flow->parties;
    union control control;
    struct iovec data = {r->scratch, len};
    struct msghdr message = {.msg_name = &parties->client,
                             .msg_namelen = parties->client.sa.sa_family == AF_INET
                                                ? sizeof parties->client.v4
                                                : sizeof parties->client.v6,
                             .msg_iov = &data,
                             .msg_iovlen = 1};

    if (addr_is_set(&parties->local)) {
        message.msg_control = &control;
        message.msg_controllen = make_control(&control, &parties->local);
    }
    (void)sendmsg(flow->stream.port->watch.fd, &message, MSG_NOSIGNAL);
}

/* ---- flows ---- */

static void flow_end(struct relay *r, struct stream *stream)
{
    struct flow *flow = (struct flow *)stream;

    stream_remove(stream);
    hash_remove(&r->flows, flow->key);
    watch_close(r, &flow->watch);
    free(flow);
}

/* It has seen a datagram. */
static void flow_touch(struct relay *r, struct flow *flow)
{
    struct port *port = flow->stream.port;

    flow->last = uv_now(r->loop);
    stream_remove(&flow->stream);
    stream_add(port, &flow->stream);
}

static void flow_ready(struct relay *r, struct watch *watch, uint32_t events _unused_)
{
    struct flow *flow = (struct flow *)((char *)watch - offsetof(struct flow, watch));

    for (int i = 0; i < DATAGRAMS_PER_EVENT; i++) {
        ssize_t len = recv(watch->fd, r->scratch, sizeof r->scratch, 0);

        if (len < 0) {
            if (errno != EAGAIN && errno != EINTR)
                flow_end(r, &flow->stream);
            return;
        }
        reply(r, flow, (size_t)len);
        flow->replied = true;
        flow_touch(r, flow);
    }
}

/* Room for one more flow of the port: 0, or -ENOSPC. */
static int make_room(struct relay *r, struct port *port)
{
    if (r->flows.count < r->limits.flows && port->stream_count < r->limits.flows_of_port)
        return 0;
    if (port->stream_count == 0)
        return -ENOSPC;
    flow_end(r, TAILQ_LAST(&port->streams, stream_list));
    return 0;
}

static void key_format(char buf[static KEY_MAX], const struct port *port, const struct parties *p)
{
    struct addr client = endpoint_host(&p->client);
    bool is_v6 = p->client.sa.sa_family == AF_INET6;

    /* The port is at the same place in both. */
    snprintf(buf, KEY_MAX, "%d %s %u %u %s", port->watch.fd, addr_text(&client),
             p->client.v4.sin_port, is_v6 ? p->client.v6.sin6_scope_id : 0, addr_text(&p->local));
}

/* A socket connected to the target, or -errno. */
static int flow_connect(const struct addr *host, uint16_t port)
{
    _cleanup_close_ int fd =
        socket(host->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    union endpoint target;
    socklen_t len = endpoint_make(&target, host, port);

    if (fd < 0 || connect(fd, &target.sa, len) < 0)
        return -errno;
    return TAKE_FD(fd);
}

/* Puts a new flow into all it belongs to. 0 or -errno. */
static int enter(struct relay *r, struct port *port, struct flow *flow)
{
    int status = watch_add(r, &flow->watch, EPOLLIN);

    if (status == 0)
        status = hash_put(&r->flows, flow->key, flow);
    if (status < 0)
        return status;
    stream_add(port, &flow->stream);
    relay_need_tick(r);
    return 0;
}

/* NULL: there is no way to the target, or no room. */
static struct flow *flow_open(struct relay *r, struct port *port, const struct parties *parties,
                              const char *key)
{
    _cleanup_free_ struct flow *flow = NULL;
    size_t key_size = strlen(key) + 1;
    struct addr client = endpoint_host(&parties->client);

    if (make_room(r, port) < 0)
        return NULL;
    flow = calloc(1, sizeof *flow + key_size);
    if (!flow || !target_choose(&port->target, client.family, &flow->target))
        return NULL;
    flow->stream.end = flow_end;
    flow->parties = *parties;
    memcpy(flow->key, key, key_size);
    flow->watch.ready = flow_ready;
    flow->watch.fd = flow_connect(&flow->target, port->target.port);
    if (flow->watch.fd < 0)
        return NULL;
    if (enter(r, port, flow) < 0) {
        watch_close(r, &flow->watch);
        return NULL;
    }
    return TAKE_PTR(flow);
}

/* Hands the scratch's datagram to the target. */
static void forward(struct relay *r, struct port *port, const struct parties *parties, size_t len)
{
    struct flow *flow;
    char key[KEY_MAX];

    key_format(key, port, parties);
    flow = hash_get(&r->flows, key);
    if (!flow)
        flow = flow_open(r, port, parties, key);
    if (!flow)
        return;
    flow_touch(r, flow);
    /* The first error may be an earlier datagram's (ICMP): it says nothing about this one. */
    if (send(flow->watch.fd, r->scratch, len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        (void)send(flow->watch.fd, r->scratch, len, MSG_NOSIGNAL);
}

void udp_ready(struct relay *r, struct watch *watch, uint32_t events _unused_)
{
    struct port *port = (struct port *)watch;

    for (int i = 0; i < DATAGRAMS_PER_EVENT; i++) {
        struct parties parties = {0};
        ssize_t len = receive(r, port, &parties);

        if (len < 0)
            return;
        forward(r, port, &parties, (size_t)len);
    }
}

void udp_expire(struct relay *r, struct port *port)
{
    uint64_t now = uv_now(r->loop);
    struct stream *next;

    for (struct stream *s = TAILQ_FIRST(&port->streams); s; s = next) {
        const struct flow *flow = (struct flow *)s;

        next = TAILQ_NEXT(s, link);
        if (now - flow->last >= (flow->replied ? r->limits.replied_idle_ms : r->limits.idle_ms))
            flow_end(r, s);
    }
}

void udp_retarget(struct relay *r, struct port *port, const struct relay_target *target)
{
    struct stream *next;

    for (struct stream *s = TAILQ_FIRST(&port->streams); s; s = next) {
        const struct flow *flow = (struct flow *)s;
        struct addr client = endpoint_host(&flow->parties.client), to;

        next = TAILQ_NEXT(s, link);
        if (target->port != port->target.port || !target_choose(target, client.family, &to) ||
            !addr_equal(&to, &flow->target))
            flow_end(r, s);
    }
}
