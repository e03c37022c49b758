/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CHECK: whether what plugins have made is still there, when weftd starts. What they say to the
 * contrary is logged; weft cannot mend what is not its own. One endpoint after another, so that
 * many containers do not mean as many processes at once.
 */

#include <string.h>

#include "base/log.h"
#include "engine/outside_cni.h"

struct cni_watch {
    struct engine *engine;
    struct cni_watch *next;
    const struct endpoint *ep; /* stays until it is unfollowed */
    struct cni_chain *chain;   /* NULL: to come */
};

struct outside_cni *cni_of_engine(struct engine *e)
{
    if (!e->cni)
        e->cni = calloc(1, sizeof *e->cni);
    return e->cni;
}

static void begin_next(struct engine *e);

static void watch_free(struct cni_watch *w)
{
    struct cni_watch **at = &w->engine->cni->watches;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    cni_chain_cancel(w->chain);
    free(w);
}

static void on_checked(void *arg, const struct cni_answer *answer)
{
    struct cni_watch *w = arg;
    struct engine *e = w->engine;

    if (answer->r < 0)
        log_warning("network %s of %s is not as it shall be: %s", w->ep->network->name,
                    sandbox_owner_text(w->ep->sandbox), answer->err.text);
    w->chain = NULL;
    watch_free(w);
    begin_next(e);
}

/* 1: there is nothing to check. */
static int begin(struct cni_watch *w, struct weft_error *err)
{
    _cleanup_cni_config_ struct cni_config *config = NULL;
    const char *path;
    struct cni_job job;
    int r = cni_load(w->ep->network, &config, &path, err);

    if (r < 0)
        return r;
    job = cni_make_job(CNI_CHECK, w->ep->network, config, path, w->ep);
    if (config->disable_check || !job.result)
        return 1;
    return cni_chain_start(w->engine->loop, &job, on_checked, w, &w->chain, err);
}

static void begin_next(struct engine *e)
{
    struct weft_error err = {0};

    while (e->cni->watches && !e->cni->watches->chain) {
        int r = begin(e->cni->watches, &err);

        if (r == 0)
            return;
        if (r < 0)
            log_warning("%s", err.text);
        watch_free(e->cni->watches);
    }
}

/* An endpoint that has been joined by this weftd is as it shall be. */
void cni_follow(struct engine *e, struct endpoint *ep)
{
    struct outside_cni *own = cni_of_engine(e);
    struct cni_watch *w, **at;

    if (!own || hash_remove(&own->joined, ep->id))
        return;
    w = calloc(1, sizeof *w);
    if (!w)
        return;
    *w = (struct cni_watch){.engine = e, .ep = ep};
    for (at = &own->watches; *at;)
        at = &(*at)->next;
    *at = w;
    begin_next(e);
}

static void drop(struct engine *e, const struct sandbox *sb, const struct endpoint *ep)
{
    struct cni_watch *next;

    for (struct cni_watch *w = e->cni ? e->cni->watches : NULL; w; w = next) {
        next = w->next;
        if (w->ep == ep || w->ep->sandbox == sb)
            watch_free(w);
    }
    if (e->cni)
        begin_next(e);
}

void cni_unfollow(struct engine *e, struct endpoint *ep)
{
    drop(e, NULL, ep);
}

void cni_unwatch_sandbox(struct engine *e, const struct sandbox *sb)
{
    drop(e, sb, NULL);
}

void cni_stop_watching(struct engine *e)
{
    while (e->cni->watches)
        watch_free(e->cni->watches);
}
