/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the relay has an epoll descriptor of its own, in which every socket is, and
 * the loop polls that one: a handle of the loop's a port would cost several times what the port
 * does. When it is ready the relay serves what is ready, one event at a time, for no longer than a
 * turn; the rest keeps the descriptor ready, so the loop comes back after it has served the others.
 * Events are fetched singly because serving one may end what another belongs to.
 *
 * The table is by name, which spells out protocol, port and address. Only the kernel knows what
 * overlaps with what: whether a port is free is asked of it alone, and who has it is looked for
 * only after it has refused.
 */

#include "relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/log.h"
#include "base/str.h"
#include "relay/endpoint.h"
#include "relay/hold.h"
#include "relay/owner.h"
#include "relay/state.h"

#define TURN_NS 1000000 /* how long others of the loop wait at most, but for one event */
#define TICK_MS 1000
#define WARNING_INTERVAL_MS 10000
#define OPENING_MS 1
#define NAME_MAX_LEN (ADDR_TEXT_MAX + sizeof "65535/sctp of all addresses")

const struct relay_limits relay_limits_default = {
    .connections = 4096,
    .connections_of_port = 1024,
    .flows = 4096,
    .flows_of_port = 1024,
    .idle_ms = 30000,
    .replied_idle_ms = 180000,
};

/* ---- what is watched ---- */

static int control(struct relay *r, int operation, struct watch *watch, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(r->epoll, operation, watch->fd, &event) < 0 ? -errno : 0;
}

int watch_add(struct relay *r, struct watch *watch, uint32_t events)
{
    return control(r, EPOLL_CTL_ADD, watch, events);
}

void watch_change(struct relay *r, struct watch *watch, uint32_t events)
{
    (void)control(r, EPOLL_CTL_MOD, watch, events);
}

void watch_close(struct relay *r, struct watch *watch)
{
    /* Closing alone does not remove it while a child that is being forked has it open, too. */
    (void)control(r, EPOLL_CTL_DEL, watch, 0);
    close(watch->fd);
}

static void on_ready(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    struct relay *r = poll->data;
    uint64_t end = uv_hrtime() + TURN_NS;
    struct epoll_event event;

    do {
        struct watch *watch;

        if (epoll_wait(r->epoll, &event, 1, 0) != 1)
            return;
        watch = event.data.ptr;
        watch->ready(r, watch, event.events);
    } while (uv_hrtime() < end);
}

/* ---- what is relayed ---- */

void stream_add(struct port *port, struct stream *stream)
{
    stream->port = port;
    TAILQ_INSERT_HEAD(&port->streams, stream, link);
    port->stream_count++;
}

void stream_remove(struct stream *stream)
{
    TAILQ_REMOVE(&stream->port->streams, stream, link);
    stream->port->stream_count--;
}

bool target_choose(const struct relay_target *target, uint8_t family, struct addr *ret)
{
    const struct addr *own = family == AF_INET ? &target->ipv4 : &target->ipv6;
    const struct addr *other = family == AF_INET ? &target->ipv6 : &target->ipv4;

    *ret = addr_is_set(own) ? *own : *other;
    return addr_is_set(ret);
}

bool relay_may_warn(struct relay *r)
{
    uint64_t now = uv_now(r->loop);

    if (now < r->silent_until)
        return false;
    r->silent_until = now + WARNING_INTERVAL_MS;
    return true;
}

static void on_tick(uv_timer_t *tick)
{
    struct relay *r = tick->data;
    struct hash_slot slot;

    uv_timer_stop(tick); /* those below start it anew */
    for (size_t i = 0; hash_next(&r->ports, &i, &slot);) {
        struct port *port = slot.value;

        if (port->paused)
            tcp_resume(r, port);
        if (port->at.proto == IPPROTO_UDP)
            udp_expire(r, port);
    }
    if (r->flows.count > 0)
        relay_need_tick(r);
}

void relay_need_tick(struct relay *r)
{
    if (!uv_is_active((uv_handle_t *)&r->tick))
        uv_timer_start(&r->tick, on_tick, TICK_MS, 0);
}

/* ---- fresh ports ---- */

/* Somebody waits for many ports to be published, and nobody for the first client of a port: ports
 * are held at once, and watched a moment later. */
static void on_opening(uv_timer_t *timer)
{
    struct relay *r = timer->data;
    struct port *port;

    while ((port = TAILQ_FIRST(&r->fresh))) {
        TAILQ_REMOVE(&r->fresh, port, fresh);
        port->is_fresh = false;
        if (watch_add(r, &port->watch, EPOLLIN) < 0)
            log_warning("port %s is held, but cannot be watched: nothing is relayed", port->name);
    }
}

static void fresh_add(struct relay *r, struct port *port)
{
    TAILQ_INSERT_TAIL(&r->fresh, port, fresh);
    port->is_fresh = true;
    if (!uv_is_active((uv_handle_t *)&r->opening))
        uv_timer_start(&r->opening, on_opening, OPENING_MS, 0);
}

static void fresh_remove(struct relay *r, struct port *port)
{
    if (port->is_fresh)
        TAILQ_REMOVE(&r->fresh, port, fresh);
    port->is_fresh = false;
}

/* ---- the relay ---- */

int relay_new(uv_loop_t *loop, struct relay **ret, struct weft_error *err)
{
    _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct relay *r;
    int status;

    if (epoll < 0)
        return weft_fail_errno(err, errno, "cannot make an epoll instance");
    r = calloc(1, sizeof *r);
    if (!r)
        return weft_oom(err);
    status = uv_poll_init(loop, &r->poll, epoll);
    if (status < 0) {
        free(r);
        return weft_fail_errno(err, status, "cannot poll an epoll instance");
    }
    uv_timer_init(loop, &r->tick);
    uv_timer_init(loop, &r->opening);
    TAILQ_INIT(&r->fresh);
    uv_poll_start(&r->poll, UV_READABLE, on_ready);
    r->poll.data = r->tick.data = r->opening.data = r;
    r->open_handles = 3;
    r->loop = loop;
    r->epoll = TAKE_FD(epoll);
    r->limits = relay_limits_default;
    *ret = r;
    return 0;
}

void relay_set_limits(struct relay *r, const struct relay_limits *limits)
{
    r->limits = *limits;
}

static void port_free(struct relay *r, struct port *port)
{
    struct stream *stream;

    while ((stream = TAILQ_FIRST(&port->streams)))
        stream->end(r, stream);
    fresh_remove(r, port);
    watch_close(r, &port->watch);
    free(port);
}

static void handle_closed(uv_handle_t *handle)
{
    struct relay *r = handle->data;

    if (--r->open_handles == 0)
        free(r);
}

void relay_free(struct relay *r)
{
    struct hash_slot slot;

    if (!r)
        return;
    for (size_t i = 0; hash_next(&r->ports, &i, &slot);)
        port_free(r, slot.value);
    hash_clear(&r->ports);
    hash_clear(&r->flows);
    uv_close((uv_handle_t *)&r->poll, handle_closed);
    uv_close((uv_handle_t *)&r->tick, handle_closed);
    uv_close((uv_handle_t *)&r->opening, handle_closed);
    close(r->epoll);
}

/* ---- ports ---- */

static const char *proto_name(uint8_t proto)
{
    if (proto == IPPROTO_TCP)
        return "tcp";
    return proto == IPPROTO_UDP ? "udp" : "sctp";
}

static const char *name_format(const struct relay_port *at, char buf[static NAME_MAX_LEN])
{
    snprintf(buf, NAME_MAX_LEN, "%u/%s of %s", at->port, proto_name(at->proto),
             addr_is_set(&at->host) ? addr_text(&at->host) : "all addresses");
    return buf;
}

static struct port *find(const struct relay *r, const struct relay_port *at)
{
    char name[NAME_MAX_LEN];

    return hash_get(&r->ports, name_format(at, name));
}

/* Which of weft's own is in the way; NULL: none. */
static const char *own_owner(const struct relay *r, const struct relay_port *at)
{
    struct hash_slot slot;

    for (size_t i = 0; hash_next(&r->ports, &i, &slot);) {
        const struct port *port = slot.value;

        if (port->at.proto == at->proto && port->at.port == at->port &&
            hosts_overlap(&port->at.host, &at->host))
            return port->owner;
    }
    return NULL;
}

/* Says why the port is not to be had, if anybody listens: to find out may take time. Returns
 * -errnum. */
static int fail(const struct relay *r, const struct relay_port *at, int errnum,
                struct weft_error *err)
{
    char name[NAME_MAX_LEN], text[OWNER_TEXT_MAX];
    const char *owner;

    if (!err)
        return -errnum;
    switch (errnum) {
    case EADDRINUSE:
        owner = own_owner(r, at);
        weft_fail(err, WEFT_CONFLICT, "port %s is taken by %s", name_format(at, name),
                  owner ? owner : owner_find(at, text));
        break;
    case EADDRNOTAVAIL:
        weft_fail(err, WEFT_INVALID, "%s is not an address of this host", addr_text(&at->host));
        break;
    case EPROTONOSUPPORT:
        weft_fail(err, WEFT_UNSUPPORTED, "this kernel has no SCTP");
        break;
    default:
        weft_fail_errno(err, errnum, "cannot hold port %s", name_format(at, name));
    }
    err->errnum = errnum;
    return -errnum;
}

/* The port without its socket; NULL: out of memory. */
static struct port *port_new(const struct relay_port *at, const struct relay_target *target,
                             const char *owner)
{
    char name[NAME_MAX_LEN];
    size_t name_size = strlen(name_format(at, name)) + 1, owner_size = strlen(owner) + 1;
    struct port *port = calloc(1, sizeof *port + name_size + owner_size);

    if (!port)
        return NULL;
    port->at = *at;
    port->target = *target;
    port->watch.ready = at->proto == IPPROTO_TCP ? tcp_ready : udp_ready;
    TAILQ_INIT(&port->streams);
    memcpy(port->name, name, name_size);
    port->owner = memcpy(port->name + name_size, owner, owner_size);
    return port;
}

int relay_hold(struct relay *r, const struct relay_port *at, const struct relay_target *target,
               const char *owner, struct weft_error *err)
{
    int fd = hold_open(at), status;
    struct port *port;

    if (fd < 0)
        return fail(r, at, -fd, err);
    port = port_new(at, target, owner);
    if (!port) {
        close(fd);
        return weft_oom(err);
    }
    port->watch.fd = fd;
    status = hash_put(&r->ports, port->name, port);
    if (status < 0) {
        port_free(r, port);
        return fail(r, at, -status, err);
    }
    if (at->proto != IPPROTO_SCTP)
        fresh_add(r, port);
    return 0;
}

void relay_retarget(struct relay *r, const struct relay_port *at, const struct relay_target *target)
{
    struct port *port = find(r, at);

    if (!port)
        return;
    if (port->at.proto == IPPROTO_UDP)
        udp_retarget(r, port, target);
    port->target = *target;
}

void relay_release(struct relay *r, const struct relay_port *at)
{
    char name[NAME_MAX_LEN];
    struct port *port = hash_remove(&r->ports, name_format(at, name));

    if (port)
        port_free(r, port);
}

size_t relay_count(const struct relay *r)
{
    return r->ports.count;
}
