/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a weftd that has just started sends again all that there is, sockets too.
 * They are told by the kernel's number for them (SO_COOKIE), whatever their descriptors; those that
 * an owner has already stay as they are, with connections and queries that came by them.
 *
 * The sockets for asking a sandbox's own servers are of use together with the list of servers; they
 * may come in either order. Once given to the set of upstreams they are the set's, and the set
 * lives, maybe without servers, until other sockets come.
 */

#include "dns/owner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "dns/stream.h"

static bool is_for_asking(uint8_t role)
{
    return role >= DNS_SOCKET_ASK_UDP4;
}

static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t size = sizeof cookie;

    (void)getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size);
    return cookie;
}

static struct dns_held *find_held(const struct dns_owner *o, uint8_t role, int fd)
{
    uint64_t cookie = cookie_of(fd);

    for (size_t i = 0; i < o->count; i++)
        if (o->held[i].fd >= 0 && o->held[i].role == role && cookie != 0 &&
            cookie_of(o->held[i].fd) == cookie)
            return &o->held[i];
    return NULL;
}

/* ---- asking ---- */

static size_t count_for_asking(const uint8_t *roles, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += is_for_asking(roles[i]);
    return n;
}

static bool has_same_for_asking(const struct dns_owner *o, const struct dns_msg_sockets *m)
{
    size_t n = 0;

    for (size_t i = 0; i < o->count; i++)
        n += is_for_asking(o->held[i].role);
    if (n != count_for_asking(m->roles, m->count))
        return false;
    for (size_t i = 0; i < m->count; i++)
        if (is_for_asking(m->roles[i]) && !find_held(o, m->roles[i], m->fds[i]))
            return false;
    return true;
}

static void close_for_asking(struct dns_owner *o)
{
    for (size_t i = 0; i < o->count; i++) {
        if (!is_for_asking(o->held[i].role))
            continue;
        if (!o->own && o->held[i].fd >= 0)
            (void)close(o->held[i].fd);
        o->held[i].fd = -1;
    }
    if (o->own)
        dns_upstreams_free(o->own);
    o->own = NULL;
}

/* A set with the sockets for asking, if there are any. */
static int make_own(struct dns_owner *o)
{
    const struct dns_sandbox *sb = o->sandbox;
    uint8_t roles[DNS_SOCKETS_MAX];
    int fds[DNS_SOCKETS_MAX], r;
    size_t n = 0;

    for (size_t i = 0; i < o->count; i++) {
        if (is_for_asking(o->held[i].role) && o->held[i].fd >= 0) {
            roles[n] = o->held[i].role;
            fds[n++] = o->held[i].fd;
        }
    }
    if (n == 0)
        return 0;
    r = dns_upstreams_new(o->daemon->forwarder, sb->servers, sb->server_count, roles, fds, n,
                          &o->own);
    if (r < 0)
        for (size_t i = 0; i < o->count; i++)
            if (is_for_asking(o->held[i].role))
                o->held[i].fd = -1; /* taken nevertheless */
    return r;
}

void dns_owner_update_servers(struct dns_owner *o)
{
    const struct dns_sandbox *sb = o->sandbox;
    int r = 0;

    if (!sb)
        return;
    if (o->own)
        r = dns_upstreams_set(o->own, sb->servers, sb->server_count);
    else if (sb->server_count > 0)
        r = make_own(o);
    if (r < 0)
        log_warning("cannot ask the servers of %s: %s", sb->name, strerror(-r));
}

struct dns_upstreams *dns_owner_upstreams(const struct dns_daemon *d, const struct dns_scope *scope)
{
    const struct dns_sandbox *sb = scope->sandbox;
    const struct dns_owner *o = sb ? sb->sockets : NULL;

    if (!sb || sb->server_count == 0)
        return d->upstreams;
    return o ? o->own : NULL;
}

/* ---- sockets ---- */

/* What the owner holds of the old ones, or the new one: into *ret. */
static void hold(struct dns_owner *o, uint8_t role, int *fd, bool keep, struct dns_held *ret)
{
    struct dns_held *old = keep ? find_held(o, role, *fd) : NULL;
    int r = 0;

    *ret = (struct dns_held){-1, role, NULL};
    if (old) {
        *ret = *old;
        *old = (struct dns_held){-1, role, NULL};
        return;
    }
    if (!is_for_asking(role))
        r = dns_listener_open(o, *fd, role, &ret->listener);
    if (r < 0)
        log_warning("cannot use a socket of %s: %s",
                    o->sandbox ? o->sandbox->name : o->network->name, strerror(-r));
    else
        ret->fd = TAKE_FD(*fd);
}

static void close_listeners(struct dns_owner *o)
{
    for (size_t i = 0; i < o->count; i++) {
        if (!o->held[i].listener)
            continue;
        dns_listener_close(o->held[i].listener);
        o->held[i] = (struct dns_held){-1, o->held[i].role, NULL};
    }
}

static int replace_sockets(struct dns_owner *o, struct dns_msg_sockets *m)
{
    struct dns_held *held = calloc(m->count, sizeof *held);
    bool same_for_asking = has_same_for_asking(o, m);

    if (!held)
        return -ENOMEM;
    for (size_t i = 0; i < m->count; i++)
        hold(o, m->roles[i], &m->fds[i], same_for_asking || !is_for_asking(m->roles[i]), &held[i]);
    close_listeners(o);
    if (!same_for_asking)
        close_for_asking(o);
    free(o->held);
    o->held = held;
    o->count = m->count;
    dns_owner_update_servers(o);
    return 0;
}

void dns_owner_free(struct dns_owner *o)
{
    if (!o)
        return;
    close_listeners(o);
    dns_streams_end(o->daemon, o);
    close_for_asking(o);
    LIST_REMOVE(o, link);
    if (o->sandbox)
        o->sandbox->sockets = NULL;
    else
        o->network->sockets = NULL;
    free(o->held);
    free(o);
}

/* The one that a sandbox or network has, or a new one. NULL: no memory. */
static struct dns_owner *get_owner(struct dns_daemon *d, struct dns_network *net,
                                   struct dns_sandbox *sb)
{
    void **place = sb ? &sb->sockets : &net->sockets;
    struct dns_owner *o = *place;

    if (o)
        return o;
    o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->daemon = d;
    o->network = net;
    o->sandbox = sb;
    LIST_INSERT_HEAD(&d->owners, o, link);
    *place = o;
    return o;
}

int dns_owner_set_sockets(struct dns_daemon *d, struct dns_msg_sockets *m)
{
    struct dns_network *net = m->of_network ? dns_table_network(d->table, m->id) : NULL;
    struct dns_sandbox *sb = m->of_network ? NULL : dns_table_sandbox(d->table, m->id);
    struct dns_owner *o;

    if (!net && !sb)
        return -ENOENT;
    if (m->count == 0) {
        dns_owner_free(sb ? sb->sockets : net->sockets);
        return 0;
    }
    o = get_owner(d, net, sb);
    return o ? replace_sockets(o, m) : -ENOMEM;
}
