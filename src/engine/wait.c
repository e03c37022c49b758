/* SPDX-License-Identifier: Apache-2.0 */

/* Waiting for a container to end or to go. */

#include <errno.h>
#include <string.h>

#include "engine/state.h"

struct engine_waiter {
    struct engine *engine;
    char id[ID_TEXT_MAX];
    enum engine_wait condition;
    int exit_code; /* of the last run */
    engine_wait_fn *done;
    void *arg;
    uv_timer_t *soon; /* the condition held already: tells from the loop */
    struct engine_waiter *next;
};

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void unlink_waiter(struct engine_waiter *w)
{
    struct engine_waiter **link = &w->engine->waiters;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    if (w->soon)
        uv_close((uv_handle_t *)w->soon, timer_closed);
}

static void finish(struct engine_waiter *w)
{
    unlink_waiter(w);
    w->done(w->arg, w->exit_code);
    free(w);
}

static void finish_soon(uv_timer_t *timer)
{
    finish(timer->data);
}

static int schedule(struct engine_waiter *w)
{
    w->soon = calloc(1, sizeof *w->soon);
    if (!w->soon)
        return -ENOMEM;
    uv_timer_init(w->engine->loop, w->soon);
    w->soon->data = w;
    uv_timer_start(w->soon, finish_soon, 0, 0);
    return 0;
}

int engine_container_wait(struct engine *e, const char *ref, enum engine_wait condition,
                          engine_wait_fn *done, void *arg, struct engine_waiter **ret,
                          struct weft_error *err)
{
    struct container *c = engine_container(e, ref, err);
    struct container_slot *slot;
    struct engine_waiter *w;

    if (!c)
        return -err->errnum;
    w = calloc(1, sizeof *w);
    if (!w)
        return weft_oom(err);
    slot = engine_container_slot(e, c->id);
    *w = (struct engine_waiter){.engine = e,
                                .condition = condition,
                                .exit_code = c->exit_code,
                                .done = done,
                                .arg = arg,
                                .next = e->waiters};
    memcpy(w->id, c->id, sizeof w->id);
    if (condition == ENGINE_WAIT_NOT_RUNNING && c->status != CONTAINER_RUNNING && !slot->busy &&
        schedule(w) < 0) {
        free(w);
        return weft_oom(err);
    }
    e->waiters = w;
    *ret = w;
    return 0;
}

void engine_wait_cancel(struct engine_waiter *w)
{
    if (!w)
        return;
    unlink_waiter(w);
    free(w);
}

void wait_notify(struct engine *e, const char *id, bool removed, int exit_code)
{
    struct engine_waiter *w = e->waiters;

    while (w) {
        struct engine_waiter *next = w->next;

        if (strcmp(w->id, id) == 0) {
            w->exit_code = exit_code;
            if (removed || w->condition != ENGINE_WAIT_REMOVED) {
                finish(w);
                /* The callback may have cancelled any other: begin again. */
                next = e->waiters;
            }
        }
        w = next;
    }
}

void wait_end(struct engine *e)
{
    while (e->waiters) {
        e->waiters->exit_code = WAIT_ENDED;
        finish(e->waiters);
    }
}
