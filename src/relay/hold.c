/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a port is held for as long as a socket is bound to it.
 *
 * TCP sockets listen, under SO_REUSEADDR. Of two sockets that both have it, the later may bind
 * unless the earlier one listens (inet_csk_bind_conflict()): so nobody binds while weft listens,
 * nor weft while somebody does, whatever they set; and connections of an earlier listener of
 * weft's, which inherited the option and linger in TIME_WAIT, are in nobody's way. UDP has no such
 * states: there the option would let others share the port, so it is not set.
 *
 * Loopback addresses are held on device lo, so that nothing from elsewhere that is addressed to
 * them is ever taken, whatever route_localnet says.
 */

#include "relay/hold.h"

#include <errno.h>

#include "relay/endpoint.h"

static int set_int(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int set_options(int fd, uint8_t family, const struct relay_port *port)
{
    int r = 0;

    if (family == AF_INET6)
        r = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, addr_is_set(&port->host));
    if (r == 0 && port->proto == IPPROTO_TCP)
        r = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (r == 0 && port->proto == IPPROTO_UDP)
        r = family == AF_INET6 ? set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
                               : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
    if (r == 0 && addr_is_loopback(&port->host) &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof "lo") < 0)
        r = -errno;
    return r;
}

static int open_for(const struct relay_port *port, const struct addr *host)
{
    int type = port->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
    _cleanup_close_ int fd = socket(host->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, port->proto);
    union endpoint e;
    socklen_t len = endpoint_make(&e, host, port->port);
    int r;

    if (fd < 0)
        return -errno;
    r = set_options(fd, host->family, port);
    if (r < 0)
        return r;
    if (bind(fd, &e.sa, len) < 0 || (port->proto == IPPROTO_TCP && listen(fd, SOMAXCONN) < 0))
        return -errno;
    return TAKE_FD(fd);
}

int hold_open(const struct relay_port *port)
{
    static const struct addr any4 = {.family = AF_INET}, any6 = {.family = AF_INET6};
    int fd = open_for(port, addr_is_set(&port->host) ? &port->host : &any6);

    if (fd == -EAFNOSUPPORT && !addr_is_set(&port->host))
        fd = open_for(port, &any4); /* a host without IPv6 */
    return fd;
}
