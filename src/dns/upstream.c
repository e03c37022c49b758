/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A socket that was given is used by one attempt at a time. Disconnecting it, which is connecting
 * it to AF_UNSPEC, gives its port back, and the next connect takes another at random. What came for
 * the old one stays queued, though, and so do errors: both are taken off before it is free again.
 * TCP sockets can be used again likewise, whatever state they were in: the kernel resets the
 * connection and forgets what it had received.
 */

#include "dns/upstream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dns/codec.h"

#define STRAYS 16 /* dropped at a time */

union endpoint {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- health ---- */

bool dns_server_equal(const struct dns_server *a, const struct dns_server *b)
{
    return addr_equal(&a->addr, &b->addr) && a->scope == b->scope;
}

void dns_upstream_succeeded(struct dns_upstream *s, uint32_t micros)
{
    s->failures = 0;
    if (micros > 0)
        s->srtt = s->srtt > 0 ? s->srtt - s->srtt / 8 + micros / 8 : micros;
}

void dns_upstream_failed(struct dns_upstream *s, uint64_t now)
{
    if (s->failures < UINT32_MAX)
        s->failures++;
    s->tried = now;
}

bool dns_upstream_take_probe(struct dns_upstream *s, uint64_t now, uint64_t interval)
{
    if (s->failures == 0 || now < s->tried + interval)
        return false;
    s->tried = now;
    return true;
}

static bool is_better(const struct dns_upstream *a, const struct dns_upstream *b)
{
    if (a->failures != b->failures)
        return a->failures < b->failures;
    if (a->srtt == 0 || b->srtt == 0)
        return a->srtt > b->srtt;
    return a->srtt < b->srtt;
}

void dns_upstream_rank(const struct dns_upstream *servers, size_t count, uint8_t *order)
{
    for (size_t i = 0; i < count; i++) {
        size_t place = i;

        for (; place > 0 && is_better(&servers[i], &servers[order[place - 1]]); place--)
            order[place] = order[place - 1];
        order[place] = (uint8_t)i;
    }
}

/* ---- sockets ---- */

static socklen_t endpoint_make(union endpoint *ret, const struct dns_server *server, uint16_t port)
{
    memset(ret, 0, sizeof *ret);
    if (server->addr.family == AF_INET) {
        ret->v4.sin_family = AF_INET;
        ret->v4.sin_port = htons(port);
        memcpy(&ret->v4.sin_addr, server->addr.bytes, sizeof ret->v4.sin_addr);
        return sizeof ret->v4;
    }
    ret->v6.sin6_family = AF_INET6;
    ret->v6.sin6_port = htons(port);
    ret->v6.sin6_scope_id = server->scope;
    memcpy(&ret->v6.sin6_addr, server->addr.bytes, sizeof ret->v6.sin6_addr);
    return sizeof ret->v6;
}

static bool endpoint_equal(const union endpoint *a, const union endpoint *b)
{
    if (a->sa.sa_family != b->sa.sa_family)
        return false;
    if (a->sa.sa_family == AF_INET)
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->v6.sin6_port == b->v6.sin6_port &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

static void disconnect(const struct dns_pooled *given)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    bool is_udp = given->role == DNS_SOCKET_ASK_UDP4 || given->role == DNS_SOCKET_ASK_UDP6;
    int error;
    char stray;

    (void)connect(given->fd, &nobody, sizeof nobody);
    (void)getsockopt(given->fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error});
    while (is_udp && recv(given->fd, &stray, sizeof stray, MSG_DONTWAIT) >= 0)
        ;
}

int dns_pool_init(struct dns_pool *p, const uint8_t *roles, const int *fds, size_t count)
{
    p->given = count > 0 ? calloc(count, sizeof *p->given) : NULL;
    if (count > 0 && !p->given) {
        for (size_t i = 0; i < count; i++)
            close(fds[i]);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        p->given[i] = (struct dns_pooled){.fd = fds[i], .role = roles[i]};
        (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
        /* Another process may have used it before this one. */
        disconnect(&p->given[i]);
    }
    p->count = count;
    return 0;
}

void dns_pool_clear(struct dns_pool *p)
{
    for (size_t i = 0; i < p->count; i++)
        close(p->given[i].fd);
    free(p->given);
    *p = (struct dns_pool){0};
}

static struct dns_pooled *find_given(const struct dns_pool *p, int fd)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->given[i].fd == fd)
            return &p->given[i];
    return NULL;
}

/* A descriptor that is free, -EAGAIN: later, -EAFNOSUPPORT: never. */
static int take_given(struct dns_pool *p, enum dns_socket_role role)
{
    int status = -EAFNOSUPPORT;

    for (size_t i = 0; i < p->count; i++) {
        if (p->given[i].role != role)
            continue;
        if (!p->given[i].busy) {
            p->given[i].busy = true;
            return p->given[i].fd;
        }
        status = -EAGAIN;
    }
    return status;
}

static int take(struct dns_pool *p, uint8_t family, bool tcp)
{
    int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd;

    if (p->count > 0) {
        enum dns_socket_role v4 = tcp ? DNS_SOCKET_ASK_TCP4 : DNS_SOCKET_ASK_UDP4;
        enum dns_socket_role v6 = tcp ? DNS_SOCKET_ASK_TCP6 : DNS_SOCKET_ASK_UDP6;

        return take_given(p, family == AF_INET ? v4 : v6);
    }
    fd = socket(family, type, 0);
    return fd < 0 ? -errno : fd;
}

int dns_pool_connect(struct dns_pool *p, const struct dns_server *server, uint16_t port, bool tcp)
{
    union endpoint to;
    socklen_t length = endpoint_make(&to, server, port);
    int fd = take(p, server->addr.family, tcp);
    int status;

    if (fd < 0 || connect(fd, &to.sa, length) == 0 || errno == EINPROGRESS)
        return fd;
    /* EAGAIN is said here of ports, which are all taken: no socket's becoming free helps. */
    status = errno == EAGAIN ? -EADDRNOTAVAIL : -errno;
    dns_pool_release(p, fd);
    return status;
}

void dns_pool_release(struct dns_pool *p, int fd)
{
    struct dns_pooled *given = find_given(p, fd);

    if (!given) {
        close(fd);
        return;
    }
    disconnect(given);
    given->busy = false;
}

ssize_t dns_pool_receive(int fd, const struct dns_server *server, uint16_t port, uint8_t *buf,
                         size_t size)
{
    union endpoint expected, from = {0};

    (void)endpoint_make(&expected, server, port);
    /* The kernel lets others' through only if they came before the socket was connected. */
    for (int i = 0; i < STRAYS; i++) {
        socklen_t from_length = sizeof from;
        ssize_t length = recvfrom(fd, buf, size, MSG_DONTWAIT, &from.sa, &from_length);

        if (length < 0)
            return errno == EINTR ? -EAGAIN : -errno;
        if (endpoint_equal(&from, &expected))
            return length;
    }
    return -EAGAIN;
}
