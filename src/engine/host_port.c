/* SPDX-License-Identifier: Apache-2.0 */

/* Which port of the host a published port gets, and holding it. That a port is free is never looked
 * up: taking it is the question. */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/file.h"
#include "base/log.h"
#include "dns/codec.h"
#include "engine/state.h"
#include "model/publish_path.h"

#define EPHEMERAL_PATH "/proc/sys/net/ipv4/ip_local_port_range"
#define EPHEMERAL_FIRST 49153 /* where the host does not say: the dynamic ports (RFC 6335, 6) */

static struct relay_target target_of(const struct sandbox *sb, uint16_t port)
{
    return (struct relay_target){
        .ipv4 = publish_target(sb, AF_INET),
        .ipv6 = publish_target(sb, AF_INET6),
        .port = port,
    };
}

/* The network that answers for names there; NULL: none does. */
static const struct network *names_at(const struct engine *e, const struct relay_port *at)
{
    for (size_t i = 0; at->port == DNS_PORT && at->proto != IPPROTO_SCTP && i < e->network_count;
         i++) {
        const struct network *net = e->networks[i];
        struct addr host = network_host_addr(net, at->host.family);

        if (network_has_names(net) && addr_is_set(&host) && addr_equal(&host, &at->host))
            return net;
    }
    return NULL;
}

static int hold(struct engine *e, const struct relay_port *at, const struct relay_target *target,
                const char *owner, struct weft_error *err)
{
    const struct network *net = names_at(e, at);

    if (!net)
        return relay_hold(e->relay, at, target, owner, err);
    weft_fail(err, WEFT_CONFLICT, "port 53/%s of %s is taken by the names of network %s",
              at->proto == IPPROTO_UDP ? "udp" : "tcp", addr_text(&at->host), net->name);
    return -EADDRINUSE;
}

/* Begins somewhere, so that a weftd that is started again does not give a port to somebody else
 * that clients still know. */
static void read_ephemeral(struct engine *e)
{
    _cleanup_free_ char *text = NULL;
    unsigned first = 0, last = 0, start = 0;

    if (file_read(EPHEMERAL_PATH, 64, &text, NULL, NULL) < 0 ||
        sscanf(text, "%u %u", &first, &last) != 2 || first == 0 || first > last ||
        last > UINT16_MAX) {
        first = EPHEMERAL_FIRST;
        last = UINT16_MAX;
    }
    (void)!getrandom(&start, sizeof start, GRND_NONBLOCK);
    e->ephemeral.first = (uint16_t)first;
    e->ephemeral.last = (uint16_t)last;
    e->ephemeral.next = (uint16_t)(first + start % (last - first + 1));
}

/* Next-fit: a port that was let go of is not given again soon. */
static int hold_ephemeral(struct engine *e, struct relay_port *at,
                          const struct relay_target *target, const char *owner,
                          struct weft_error *err)
{
    int r = -EADDRINUSE;

    if (!e->ephemeral.last)
        read_ephemeral(e);
    for (int i = e->ephemeral.first; r == -EADDRINUSE && i <= e->ephemeral.last; i++) {
        at->port = e->ephemeral.next;
        e->ephemeral.next =
            at->port == e->ephemeral.last ? e->ephemeral.first : (uint16_t)(at->port + 1);
        r = hold(e, at, target, owner, NULL);
    }
    if (r == -EADDRINUSE)
        return weft_fail(err, WEFT_EXHAUSTED,
                         "all ephemeral ports of the host, %d to %d, are taken", e->ephemeral.first,
                         e->ephemeral.last);
    return r < 0 ? hold(e, at, target, owner, err) : r; /* again, for the reason */
}

static int hold_in_range(struct engine *e, const struct publish_want *want, struct relay_port *at,
                         const struct relay_target *target, const char *owner,
                         struct weft_error *err)
{
    int r = -EADDRINUSE;

    for (int port = want->first; r == -EADDRINUSE && port < want->last; port++) {
        at->port = (uint16_t)port;
        r = hold(e, at, target, owner, NULL);
    }
    if (r == 0)
        return 0;
    /* The last one, or again for the reason: to find out who has a port takes time. */
    if (r == -EADDRINUSE)
        at->port = want->last;
    r = hold(e, at, target, owner, err);
    if (r == -EADDRINUSE && want->first < want->last)
        weft_error_prefix(err, "no port from %u to %u is free", want->first, want->last);
    return r;
}

int hold_first_free(struct engine *e, const struct sandbox *sb, const struct publish_want *want,
                    struct relay_port *at, struct weft_error *err)
{
    struct relay_target target = target_of(sb, want->port);
    char owner[128];

    sandbox_owner(sb, owner);
    if (want->first == 0)
        return hold_ephemeral(e, at, &target, owner, err);
    return hold_in_range(e, want, at, &target, owner, err);
}

bool held_port(const struct publish *p, struct relay_port *ret)
{
    uint16_t port = publish_host_port(p->bindings, p->binding_count);

    if (port == 0)
        return false;
    *ret = (struct relay_port){
        .proto = p->want.proto,
        .host = publish_hold_host(p->bindings, p->binding_count),
        .port = port,
    };
    return true;
}

/* A port that somebody took while weftd was away keeps its translation, which comes first: the
 * container is served, only not through the relay. */
static void hold_ports_of(struct engine *e, const struct sandbox *sb)
{
    char owner[128];

    sandbox_owner(sb, owner);
    for (size_t i = 0; i < sb->publishes.count; i++) {
        const struct publish *p = &sb->publishes.items[i];
        struct relay_target target = target_of(sb, p->want.port);
        struct weft_error err;
        struct relay_port at;

        if (held_port(p, &at) && relay_hold(e->relay, &at, &target, owner, &err) < 0)
            log_error("a published port of %s leads there, but is not held: %s", owner, err.text);
    }
}

void hold_ports(struct engine *e)
{
    for (size_t i = 0; i < e->sandbox_count; i++)
        if (e->sandboxes[i]->active)
            hold_ports_of(e, e->sandboxes[i]);
}

void retarget_ports(struct engine *e, const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->publishes.count; i++) {
        const struct publish *p = &sb->publishes.items[i];
        struct relay_target target = target_of(sb, p->want.port);
        struct relay_port at;

        if (held_port(p, &at))
            relay_retarget(e->relay, &at, &target);
    }
}
