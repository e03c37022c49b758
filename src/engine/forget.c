/* SPDX-License-Identifier: Apache-2.0 */

/*
 * When connections are forgotten. It takes a walk over all that the kernel tracks, a millisecond at
 * the least, so it is mostly not waited for: what a change made obsolete is gathered, and forgotten
 * a moment later, when the answer is out, in a thread of the kernel layer's.
 *
 * Ports for datagrams are waited for. A new connection to a port that has moved meets the ruleset
 * anyway; but a flow of datagrams has no beginning, and whoever sends one right after the answer
 * would be led to where the port was.
 *
 * Addresses that go are forgotten, so whoever gets one later finds nothing of its last holder's;
 * but the newcomer's own connections must not be taken for the other's. Therefore a change that
 * hands out an address which is still to be forgotten waits until it has been.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/log.h"
#include "engine/conntrack.h"

#define DELAY_MS 1

struct forgetter {
    struct engine *engine;
    uv_timer_t timer;
    struct conntrack_list waiting, under_way;
};

static void complain(const struct weft_error *err)
{
    log_warning("connections may still go where they went before: %s", err->text);
}

static void begin(struct forgetter *f)
{
    struct kernel *k = f->engine->kernel;
    struct weft_error err = {0};

    if (kernel_conntrack_begin(k, f->waiting.items, f->waiting.count, &err) < 0)
        complain(&err);
    conntrack_list_clear(&f->under_way);
    f->under_way = TAKE_GENERIC(f->waiting, (struct conntrack_list){0});
}

static void finish(struct forgetter *f)
{
    struct weft_error err = {0};

    if (kernel_conntrack_finish(f->engine->kernel, &err) < 0)
        complain(&err);
    conntrack_list_clear(&f->under_way);
}

static void turn(uv_timer_t *timer)
{
    struct forgetter *f = timer->data;

    if (kernel_conntrack_is_busy(f->engine->kernel))
        uv_timer_start(timer, turn, DELAY_MS, 0);
    else if (f->waiting.count > 0)
        begin(f);
}

static void forget_later(struct forgetter *f, int listed)
{
    struct weft_error err = {0};

    if (listed < 0) {
        weft_oom(&err);
        complain(&err);
    }
    if (f->waiting.count > 0 && !uv_is_active((uv_handle_t *)&f->timer))
        uv_timer_start(&f->timer, turn, DELAY_MS, 0);
}

static bool has_datagrams(const struct conntrack_list *list, size_t from)
{
    for (size_t i = from; i < list->count; i++)
        if (list->items[i].kind == CONNTRACK_SERVICE && list->items[i].proto == IPPROTO_UDP)
            return true;
    return false;
}

void forget_connections(struct engine *e, const struct plan *plan, const struct fact_set *before,
                        const struct fact_set *after)
{
    struct forgetter *f = e->forgetter;
    size_t already = f->waiting.count;
    int r = conntrack_list_services(plan, false, &f->waiting);

    if (r == 0)
        r = conntrack_list_addresses(before, after, &f->waiting);
    if (r == 0 && has_datagrams(&f->waiting, already)) {
        begin(f);
        finish(f);
    } else {
        forget_later(f, r);
    }
}

void forget_mended_connections(struct engine *e, const struct plan *plan)
{
    forget_later(e->forgetter, conntrack_list_services(plan, true, &e->forgetter->waiting));
}

static bool is_among(const struct addr *addr, const struct conntrack_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].kind == CONNTRACK_ADDRESS && addr_equal(&list->items[i].addr, addr))
            return true;
    return false;
}

void forget_before_reuse(struct engine *e, const struct fact_set *before,
                         const struct fact_set *after)
{
    _cleanup_conntrack_list_ struct conntrack_list coming = {0};
    struct forgetter *f = e->forgetter;
    bool early = conntrack_list_addresses(after, before, &coming) < 0;

    for (size_t i = 0; i < coming.count && !early; i++)
        early = is_among(&coming.items[i].addr, &f->waiting) ||
                is_among(&coming.items[i].addr, &f->under_way);
    if (!early)
        return;
    begin(f);
    finish(f);
}

int forget_start(struct engine *e, struct weft_error *err)
{
    struct forgetter *f = calloc(1, sizeof *f);

    if (!f)
        return weft_oom(err);
    f->engine = e;
    uv_timer_init(e->loop, &f->timer);
    f->timer.data = f;
    e->forgetter = f;
    return 0;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void forget_stop(struct engine *e)
{
    struct forgetter *f = TAKE_PTR(e->forgetter);

    if (!f)
        return;
    begin(f);
    finish(f);
    uv_close((uv_handle_t *)&f->timer, timer_closed);
}
