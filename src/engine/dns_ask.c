/* SPDX-License-Identifier: Apache-2.0 */

/* Questions to weft-dns itself: what it would answer to somebody, and what it has answered. */

#include <errno.h>
#include <string.h>

#include "engine/dns.h"

#define LOOKUP_MS 6000

struct engine_lookup {
    struct engine_lookup *next;
    struct dns *dns;
    uint32_t number;
    engine_found_fn *fn;
    void *arg;
    uv_timer_t timer;
};

struct engine_dns_log {
    struct engine_dns_log *next;
    struct dns *dns;
    uint32_t number;
    char sandbox[ID_TEXT_MAX]; /* "": all */
    bool follow;
    bool lost; /* weft-dns has gone; the end is told from the loop */
    engine_logged_fn *fn;
    void *arg;
    uv_timer_t timer;
};

/* Whom a question is about: *ret is the sandbox's id, "" for nobody in particular. */
static int find_asker(struct engine *e, const char *who, const char **ret, struct weft_error *err)
{
    struct weft_error ignored;
    struct container *c;
    struct sandbox *sb;

    *ret = "";
    if (!who)
        return 0;
    c = engine_container(e, who, &ignored);
    sb = c ? engine_container_sandbox(e, c) : engine_sandbox(e, who, err);
    if (!sb)
        return c ? weft_fail(err, WEFT_CONFLICT,
                             "the container whose network %s shares was removed", c->name)
                 : -err->errnum;
    if (!sandbox_has_names(sb))
        return weft_fail(err, WEFT_CONFLICT,
                         "%s sees no names: it is not running, or on no network that has any",
                         sandbox_owner_text(sb));
    *ret = sb->id;
    return 0;
}

static int need_link(struct dns *d, struct weft_error *err)
{
    if (d && dns_link_is_up(d))
        return 0;
    return weft_fail(err, WEFT_KERNEL, DNS_PROGRAM " is not there");
}

/* Of a lookup or a log, which it is part of. */
static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* ---- lookups ---- */

static void lookup_free(struct engine_lookup *l)
{
    struct engine_lookup **at = &l->dns->lookups;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    uv_close((uv_handle_t *)&l->timer, timer_closed);
}

static void lookup_end(struct engine_lookup *l, const uint8_t *msg, size_t length,
                       enum dns_source source, const struct weft_error *err)
{
    engine_found_fn *fn = l->fn;
    void *arg = l->arg;

    lookup_free(l);
    fn(arg, msg, length, source, err);
}

static void lookup_overdue(uv_timer_t *timer)
{
    struct weft_error err;

    weft_fail(&err, WEFT_KERNEL, DNS_PROGRAM " has not answered in time");
    lookup_end(timer->data, NULL, 0, DNS_FROM_NOBODY, &err);
}

static void lookup_lost(uv_timer_t *timer)
{
    struct weft_error err;

    weft_fail(&err, WEFT_KERNEL, DNS_PROGRAM " has ended before it answered");
    lookup_end(timer->data, NULL, 0, DNS_FROM_NOBODY, &err);
}

int engine_dns_lookup(struct engine *e, const char *who, const uint8_t *msg, size_t length,
                      engine_found_fn *fn, void *arg, struct engine_lookup **ret,
                      struct weft_error *err)
{
    struct dns_message m = {.type = DNS_MSG_LOOKUP, .lookup = {.msg = msg, .length = length}};
    struct engine_lookup *l;
    int r = find_asker(e, who, &m.lookup.sandbox, err);

    if (r == 0)
        r = need_link(e->dns, err);
    if (r < 0)
        return r;
    l = calloc(1, sizeof *l);
    if (!l)
        return weft_oom(err);
    *l = (struct engine_lookup){.next = e->dns->lookups, .dns = e->dns, .fn = fn, .arg = arg};
    l->number = m.lookup.number = ++e->dns->last_number;
    e->dns->lookups = l;
    uv_timer_init(e->loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, lookup_overdue, LOOKUP_MS, 0);
    dns_link_send(e->dns, &m);
    dns_link_flush(e->dns);
    *ret = l;
    return 0;
}

void engine_dns_lookup_cancel(struct engine_lookup *l)
{
    if (l)
        lookup_free(l);
}

static void found(struct dns *d, const struct dns_msg_found *m)
{
    struct engine_lookup *l = d->lookups;
    struct weft_error err;

    while (l && l->number != m->number)
        l = l->next;
    if (!l)
        return;
    weft_fail(&err, WEFT_NOT_FOUND, DNS_PROGRAM " does not know who asks");
    lookup_end(l, m->msg, m->length, (enum dns_source)m->source, m->length ? NULL : &err);
}

/* ---- the log ---- */

static void log_free(struct engine_dns_log *l)
{
    struct engine_dns_log **at = &l->dns->logs;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    uv_close((uv_handle_t *)&l->timer, timer_closed);
}

static void log_end(struct engine_dns_log *l)
{
    engine_logged_fn *fn = l->fn;
    void *arg = l->arg;

    log_free(l);
    fn(arg, NULL, "");
}

static void log_lost(uv_timer_t *timer)
{
    log_end(timer->data);
}

static void log_ask(struct engine_dns_log *l)
{
    struct dns_message m = {.type = DNS_MSG_LOG};

    m.log.number = l->number = ++l->dns->last_number;
    m.log.sandbox = l->sandbox;
    m.log.follow = l->follow;
    dns_link_send(l->dns, &m);
}

int engine_dns_log(struct engine *e, const char *who, bool follow, engine_logged_fn *fn, void *arg,
                   struct engine_dns_log **ret, struct weft_error *err)
{
    struct engine_dns_log *l;
    const char *id;
    int r = find_asker(e, who, &id, err);

    if (r == 0)
        r = need_link(e->dns, err);
    if (r < 0)
        return r;
    l = calloc(1, sizeof *l);
    if (!l)
        return weft_oom(err);
    *l = (struct engine_dns_log){
        .next = e->dns->logs, .dns = e->dns, .follow = follow, .fn = fn, .arg = arg};
    (void)str_copy(l->sandbox, sizeof l->sandbox, id);
    e->dns->logs = l;
    uv_timer_init(e->loop, &l->timer);
    l->timer.data = l;
    log_ask(l);
    dns_link_flush(e->dns);
    *ret = l;
    return 0;
}

void engine_dns_log_cancel(struct engine_dns_log *l)
{
    struct dns_message m = {.type = DNS_MSG_LOG_STOP};

    if (!l)
        return;
    m.number = l->number;
    if (!l->lost) {
        dns_link_send(l->dns, &m);
        dns_link_flush(l->dns);
    }
    log_free(l);
}

static struct engine_dns_log *find_log(struct dns *d, uint32_t number)
{
    struct engine_dns_log *l = d->logs;

    while (l && l->number != number)
        l = l->next;
    return l;
}

static void logged(struct dns *d, const struct dns_msg_logged *m)
{
    struct engine_dns_log *l = find_log(d, m->number);
    const struct sandbox_slot *slot = hash_get(&d->engine->sandboxes_by_id, m->sandbox);
    char short_id[ID_SHORT + 1];

    if (!l || l->lost)
        return;
    snprintf(short_id, sizeof short_id, "%.*s", ID_SHORT, m->sandbox);
    l->fn(l->arg, m, slot ? slot->sandbox->name : short_id);
}

/* ---- from dns_link.c ---- */

void dns_ask_handle(struct dns *d, const struct dns_message *m)
{
    struct engine_dns_log *l;

    switch (m->type) {
    case DNS_MSG_FOUND:
        found(d, &m->found);
        break;
    case DNS_MSG_LOGGED:
        logged(d, &m->logged);
        break;
    case DNS_MSG_LOG_END:
        l = find_log(d, m->number);
        if (l && !l->lost)
            log_end(l);
        break;
    default:
        break;
    }
}

/* It is told from the loop: this may be the midst of a change. */
void dns_ask_lost(struct dns *d)
{
    for (struct engine_lookup *l = d->lookups; l; l = l->next)
        uv_timer_start(&l->timer, lookup_lost, 0, 0);
    for (struct engine_dns_log *l = d->logs; l; l = l->next) {
        if (l->follow)
            continue;
        l->lost = true;
        uv_timer_start(&l->timer, log_lost, 0, 0);
    }
}

void dns_ask_resume(struct dns *d)
{
    for (struct engine_dns_log *l = d->logs; l; l = l->next)
        if (l->follow)
            log_ask(l);
}

void dns_ask_clear(struct dns *d)
{
    while (d->lookups)
        lookup_free(d->lookups);
    while (d->logs)
        log_free(d->logs);
}
