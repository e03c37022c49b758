/* SPDX-License-Identifier: Apache-2.0 */

/* Telling subscribers what happened. */

#include <errno.h>

#include "base/time.h"
#include "engine/state.h"

struct engine_subscription {
    struct engine *engine;
    engine_event_fn *fn;
    void *arg;
    struct engine_subscription *next;
};

int engine_subscribe(struct engine *e, engine_event_fn *fn, void *arg,
                     struct engine_subscription **ret)
{
    struct engine_subscription *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    *s = (struct engine_subscription){.engine = e, .fn = fn, .arg = arg, .next = e->subscriptions};
    e->subscriptions = s;
    *ret = s;
    return 0;
}

void engine_unsubscribe(struct engine_subscription *s)
{
    struct engine_subscription **link;

    if (!s)
        return;
    for (link = &s->engine->subscriptions; *link; link = &(*link)->next) {
        if (*link != s)
            continue;
        *link = s->next;
        free(s);
        return;
    }
}

void event_send(struct engine *e, struct engine_event event)
{
    struct engine_subscription *next;

    event.time = time_now();
    /* A subscriber may unsubscribe itself, and only itself, from its callback. */
    for (struct engine_subscription *s = e->subscriptions; s; s = next) {
        next = s->next;
        s->fn(s->arg, &event);
    }
}
