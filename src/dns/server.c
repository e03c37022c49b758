/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/control.h"
#include "dns/owner.h"
#include "dns/stream.h"

/* ---- the log ---- */

static bool is_stranger(const struct dns_scope *scope)
{
    return !scope->sandbox && !scope->network && !scope->all;
}

static void record(struct dns_daemon *d, struct dns_log_entry *entry, const uint8_t *answer,
                   uint64_t arrived)
{
    entry->rcode = (uint8_t)(dns_get16(answer + 2) & 0xf);
    entry->answers = dns_get16(answer + 6);
    entry->micros = (uint32_t)((uv_hrtime() - arrived) / 1000);
    dns_query_log_add(&d->log, entry);
    dns_control_log(d->control, entry);
}

static void record_asked(struct dns_daemon *d, const struct dns_asked *q, const uint8_t *answer,
                         enum dns_source source)
{
    const struct dns_sandbox *sb = q->scope.sandbox;
    struct dns_log_entry entry = {.time = q->time,
                                  .sandbox = sb ? sb->id : "",
                                  .name = &q->query.name,
                                  .type = q->query.type,
                                  .source = (uint8_t)source,
                                  .tcp = q->tcp};

    /* Strangers are nobody that the log could name, and are not to fill it. */
    if (!q->unlogged && !is_stranger(&q->scope))
        record(d, &entry, answer, q->arrived);
}

static void record_pending(const struct dns_pending *p, const uint8_t *answer,
                           enum dns_source source, const struct addr *server)
{
    struct dns_log_entry entry = {.time = p->time,
                                  .sandbox = p->asker,
                                  .name = &p->name,
                                  .type = p->type,
                                  .source = (uint8_t)source,
                                  .tcp = p->tcp};

    if (server)
        entry.server = *server;
    if (!p->unlogged)
        record(p->daemon, &entry, answer, p->arrived);
}

/* ---- at once ---- */

static size_t refuse(const struct dns_asked *q, uint8_t *buf, size_t limit, enum dns_rcode rcode)
{
    struct dns_reply r;

    dns_reply_begin(&r, buf, limit, q->msg, &q->query, false);
    return dns_reply_end(&r, rcode);
}

/* The answer's length, or 0: others are to be asked. */
static size_t answer(const struct dns_daemon *d, const struct dns_asked *q, uint8_t *buf)
{
    size_t length;

    if (is_stranger(&q->scope))
        return refuse(q, buf, q->limit, DNS_REFUSED);
    length = dns_local_answer(&q->scope, d->services, q->msg, &q->query, buf, q->limit);
    /* The host has other servers for everything else: this one is for the network's names. */
    if (length == 0 && q->scope.network)
        return refuse(q, buf, q->limit, DNS_REFUSED);
    return length;
}

ssize_t dns_answer(struct dns_daemon *d, struct dns_asked *q, uint8_t *buf, size_t room)
{
    int r = dns_query_parse(q->msg, q->length, &q->query);
    size_t length;

    if (r < 0)
        return 0;
    q->limit = dns_query_limit(&q->query, q->tcp);
    if (q->limit > room)
        q->limit = room;
    length = r > 0 ? refuse(q, buf, q->limit, (enum dns_rcode)r) : answer(d, q, buf);
    if (length == 0)
        return -EAGAIN;
    record_asked(d, q, buf, r > 0 ? DNS_FROM_NOBODY : DNS_FROM_NAMES);
    return (ssize_t)length;
}

/* ---- by others ---- */

static void unlink_pending(struct dns_pending *p)
{
    LIST_REMOVE(p, link);
    LIST_REMOVE(p, link_all);
    if (p->sandbox)
        p->sandbox->asking--;
}

static void finish(void *arg, uint8_t *msg, size_t length, enum dns_source source,
                   const struct addr *server)
{
    struct dns_pending *p = arg;

    unlink_pending(p);
    record_pending(p, msg, source, server);
    if (length > p->limit)
        length = dns_response_truncate(msg, length, p->edns);
    p->reply(p, msg, length, source);
    free(p);
}

static void give_up(const struct dns_asked *q, struct dns_pending *p)
{
    uint8_t buf[DNS_UDP_SIZE];
    size_t length = refuse(q, buf, sizeof buf, DNS_SERVFAIL);

    finish(p, buf, length, DNS_FROM_NOBODY, NULL);
}

void dns_ask(struct dns_daemon *d, const struct dns_asked *q, struct dns_pending *p,
             struct dns_pending_list *list)
{
    struct dns_upstreams *upstreams = dns_owner_upstreams(d, &q->scope);
    struct dns_forward *forward = NULL;

    p->daemon = d;
    p->sandbox = q->scope.sandbox;
    p->limit = q->limit;
    p->edns = q->query.edns;
    p->tcp = q->tcp;
    p->unlogged = q->unlogged;
    p->type = q->query.type;
    p->time = q->time;
    p->arrived = q->arrived;
    p->name.length = q->query.name.length;
    memcpy(p->name.wire, q->query.name.wire, p->name.length);
    LIST_INSERT_HEAD(list, p, link);
    LIST_INSERT_HEAD(&d->pending, p, link_all);
    if (p->sandbox) {
        memcpy(p->asker, p->sandbox->id, sizeof p->asker);
        p->sandbox->asking++;
    }
    if (!upstreams || (p->sandbox && p->sandbox->asking > DNS_SANDBOX_ASKING_MAX)) {
        give_up(q, p);
        return;
    }
    dns_forward(upstreams, q->msg, q->length, &q->query, finish, p, &forward);
    /* Else it was answered, and p has gone. */
    if (forward)
        p->forward = forward;
}

void dns_pending_cancel_all(struct dns_pending_list *list)
{
    struct dns_pending *p;

    while ((p = LIST_FIRST(list))) {
        dns_forward_cancel(p->forward);
        unlink_pending(p);
        free(p);
    }
}

/* ---- the table's hooks ---- */

static void network_gone(void *arg _unused_, struct dns_network *net)
{
    dns_owner_free(net->sockets);
}

static void sandbox_gone(void *arg, struct dns_sandbox *sb)
{
    struct dns_daemon *d = arg;
    struct dns_pending *p;

    dns_owner_free(sb->sockets);
    /* It may have asked by a network's socket, or weftd for it. */
    LIST_FOREACH(p, &d->pending, link_all)
    if (p->sandbox == sb)
        p->sandbox = NULL;
}

static void servers_changed(void *arg _unused_, struct dns_sandbox *sb)
{
    if (sb->sockets)
        dns_owner_update_servers(sb->sockets);
}

/* ---- the daemon ---- */

static int open_parts(struct dns_daemon *d)
{
    struct dns_table_hooks hooks = {network_gone, sandbox_gone, servers_changed, d};
    int r = dns_table_new(&hooks, &d->table);

    if (r == 0)
        r = dns_forwarder_new(d->loop, &d->forwarder);
    if (r == 0)
        r = dns_upstreams_new(d->forwarder, NULL, 0, NULL, NULL, 0, &d->upstreams);
    return r < 0 ? r : dns_streams_open(d);
}

int dns_daemon_open(struct dns_daemon *d, uv_loop_t *loop, int listen_fd,
                    const struct dns_services *services, struct weft_error *err)
{
    int r;

    *d = (struct dns_daemon){.loop = loop, .services = services};
    LIST_INIT(&d->owners);
    LIST_INIT(&d->pending);
    TAILQ_INIT(&d->streams);
    LIST_INIT(&d->paused);
    r = open_parts(d);
    if (r < 0)
        return weft_fail_errno(err, -r, "cannot set up the server");
    return dns_control_open(d, listen_fd, err);
}

void dns_daemon_close(struct dns_daemon *d)
{
    dns_control_close(d->control);
    d->control = NULL;
    while (!LIST_EMPTY(&d->owners))
        dns_owner_free(LIST_FIRST(&d->owners));
    dns_streams_close(d);
    if (d->upstreams)
        dns_upstreams_free(d->upstreams);
    if (d->forwarder)
        dns_forwarder_free(d->forwarder);
    if (d->table)
        dns_table_free(d->table);
    d->upstreams = NULL;
    d->forwarder = NULL;
    d->table = NULL;
}
