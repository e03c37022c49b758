/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sockets in namespaces. A socket stays in the namespace where it was made, whoever holds it: so
 * weftd makes them, and a process without any privilege works with them.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/netns.h"
#include "kernel/private.h"

#define BACKLOG 128 /* connections that nobody has taken yet */

union address {
    struct sockaddr sa;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static socklen_t make_address(const struct kernel_socket *s, union address *ret)
{
    *ret = (union address){.sa.sa_family = (sa_family_t)s->family};
    if (s->family == AF_INET6) {
        ret->in6.sin6_port = htons(s->port);
        memcpy(&ret->in6.sin6_addr, s->addr.bytes, sizeof ret->in6.sin6_addr);
        return sizeof ret->in6;
    }
    ret->in.sin_port = htons(s->port);
    memcpy(&ret->in.sin_addr, s->addr.bytes, sizeof ret->in.sin_addr);
    return sizeof ret->in;
}

static int set_on(int fd, int level, int option)
{
    return setsockopt(fd, level, option, &(int){1}, sizeof(int)) < 0 ? -errno : 0;
}

static int set_options(int fd, const struct kernel_socket *s)
{
    int r = set_on(fd, SOL_SOCKET, SO_REUSEADDR);

    if (r == 0 && s->family == AF_INET6)
        r = set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (r == 0 && s->family == AF_INET6)
        r = set_on(fd, IPPROTO_IPV6, IPV6_FREEBIND);
    if (r == 0 && s->family == AF_INET)
        r = set_on(fd, IPPROTO_IP, IP_FREEBIND);
    if (r == 0 && s->buffer &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &s->buffer, sizeof s->buffer) < 0)
        r = -errno;
    if (r == 0 && s->device &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, s->device, (socklen_t)strlen(s->device)) < 0)
        r = -errno;
    return r;
}

/* The descriptor or -errno. */
static int open_socket(const struct kernel_socket *s)
{
    _cleanup_close_ int fd = socket(s->family, s->type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    union address address;
    socklen_t len = make_address(s, &address);
    int r;

    if (fd < 0)
        return -errno;
    r = set_options(fd, s);
    if (r < 0)
        return r;
    if (addr_is_set(&s->addr) &&
        (bind(fd, &address.sa, len) < 0 || (s->type == SOCK_STREAM && listen(fd, BACKLOG) < 0)))
        return -errno;
    return TAKE_FD(fd);
}

static int fail_socket(struct weft_error *err, int errnum, const struct kernel_socket *s)
{
    const char *proto = s->type == SOCK_STREAM ? "TCP" : "UDP";

    if (!addr_is_set(&s->addr))
        return weft_fail_errno(err, errnum, "cannot open a %s socket", proto);
    return weft_fail_errno(err, errnum, "cannot open %s port %u of %s%s%s", proto, s->port,
                           addr_text(&s->addr), s->device ? " on " : "",
                           s->device ? s->device : "");
}

static int open_sockets(const struct kernel_socket *sockets, size_t count, int *fds,
                        struct weft_error *err)
{
    for (size_t i = 0; i < count; i++) {
        fds[i] = open_socket(&sockets[i]);
        if (fds[i] < 0) {
            int r = fail_socket(err, -fds[i], &sockets[i]);

            while (i-- > 0)
                (void)close(fds[i]);
            return r;
        }
    }
    return 0;
}

int kernel_sockets(struct kernel *k, const struct kstate_ns *ns,
                   const struct kernel_socket *sockets, size_t count, int *fds,
                   struct weft_error *err)
{
    _cleanup_close_ int fd = -1;
    int r;

    if (!ns)
        return open_sockets(sockets, count, fds, err);
    fd = netns_open(ns->path, err);
    if (fd < 0)
        return fd;
    r = netns_enter(fd, err);
    if (r < 0)
        return r;
    r = open_sockets(sockets, count, fds, err);
    netns_leave(k->host_ns);
    return r;
}
