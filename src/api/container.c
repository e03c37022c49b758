/* SPDX-License-Identifier: Apache-2.0 */

/* A container's life. Most of these verbs take their time: their answers come later. */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/filters.h"
#include "api/handlers.h"
#include "api/later.h"
#include "api/reply.h"
#include "base/json.h"

int handle_container_start(struct request *rq, struct weft_error *err)
{
    struct later *later = NULL;
    int r = later_new(rq, &later, err);

    if (r < 0)
        return r;
    r = engine_container_start(rq->api->engine, rq->ref, later_done, later, err);
    if (r < 0)
        later_free(later);
    return r;
}

/* Which signal, and how long to wait for it to work; both may be left to the container. */
struct stop {
    int signo;
    int64_t timeout; /* seconds; −1: its own */
};

static int read_stop(const struct request *rq, struct stop *ret, struct weft_error *err)
{
    const char *signal = request_query(rq, "signal");
    struct stop stop = {.timeout = -1};
    int r = request_query_i64(rq, "t", -1, INT_MAX, &stop.timeout, err);

    if (r == 0 && !str_is_empty(signal))
        r = signal_parse(signal, &stop.signo, err);
    if (r == 0)
        *ret = stop;
    return r;
}

int handle_container_stop(struct request *rq, struct weft_error *err)
{
    struct later *later = NULL;
    struct stop stop = {0};
    int r = read_stop(rq, &stop, err);

    if (r == 0)
        r = later_new(rq, &later, err);
    if (r < 0)
        return r;
    r = engine_container_stop(rq->api->engine, rq->ref, stop.signo, stop.timeout, later_done, later,
                              err);
    if (r < 0)
        later_free(later);
    return r;
}

struct restart {
    struct engine *engine;
    char id[ID_TEXT_MAX];
    struct later *later;
};

static void start_again(void *arg, int result, const struct weft_error *reason)
{
    struct restart *restart = arg;
    struct later *later = restart->later;
    struct weft_error err;

    if (result == 0) {
        reason = &err;
        result = engine_container_start(restart->engine, restart->id, later_done, later, &err);
    }
    if (result < 0)
        later_done(later, result, reason);
    free(restart);
}

int handle_container_restart(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct container *c = engine_container(e, rq->ref, err);
    _cleanup_free_ struct restart *restart = calloc(1, sizeof *restart);
    bool running = c && c->status == CONTAINER_RUNNING;
    struct stop stop = {0};
    int r;

    if (!c)
        return -err->errnum;
    r = restart ? read_stop(rq, &stop, err) : weft_oom(err);
    if (r == 0)
        r = later_new(rq, &restart->later, err);
    if (r < 0)
        return r;
    restart->engine = e;
    memcpy(restart->id, c->id, sizeof restart->id);
    if (running)
        r = engine_container_stop(e, c->id, stop.signo, stop.timeout, start_again, restart, err);
    else
        r = engine_container_start(e, c->id, later_done, restart->later, err);
    if (r < 0)
        later_free(restart->later);
    else if (running)
        TAKE_PTR(restart);
    return r;
}

/* SIGKILL is answered when it has worked, as Docker does. */
static int kill_surely(struct request *rq, struct weft_error *err)
{
    struct later *later = NULL;
    int r = later_new(rq, &later, err);

    if (r < 0)
        return r;
    r = engine_container_stop(rq->api->engine, rq->ref, SIGKILL, -1, later_done, later, err);
    if (r == -EALREADY)
        r = weft_fail(err, WEFT_CONFLICT, "cannot kill container %s: it is not running", rq->ref);
    if (r < 0)
        later_free(later);
    return r;
}

int handle_container_kill(struct request *rq, struct weft_error *err)
{
    const char *signal = request_query(rq, "signal");
    int signo = SIGKILL;
    int r = str_is_empty(signal) ? 0 : signal_parse(signal, &signo, err);

    if (r == 0 && signo == SIGKILL)
        return kill_surely(rq, err);
    if (r == 0)
        r = engine_container_kill(rq->api->engine, rq->ref, signo, err);
    return r < 0 ? r : reply_empty(rq, MHD_HTTP_NO_CONTENT, err);
}

int handle_container_remove(struct request *rq, struct weft_error *err)
{
    struct later *later = NULL;
    int r = later_new(rq, &later, err);

    if (r < 0)
        return r;
    r = engine_container_remove(rq->api->engine, rq->ref, request_query_bool(rq, "force"),
                                later_done, later, err);
    if (r < 0)
        later_free(later);
    return r;
}

/* A terminal's size is passed on to execs only; clients send the container's with each start. */
int handle_container_resize(struct request *rq, struct weft_error *err)
{
    const struct container *c = engine_container(rq->api->engine, rq->ref, err);

    if (!c)
        return -err->errnum;
    if (c->status != CONTAINER_RUNNING)
        return weft_fail(err, WEFT_CONFLICT, "container %s is not running", c->name);
    return reply_empty(rq, MHD_HTTP_OK, err);
}

/* ---- prune ---- */

/* Removals under way. The last to report answers. */
struct prune {
    struct later *later;
    json_t *removed;
    size_t pending;
};

struct removal {
    struct prune *prune;
    char id[ID_TEXT_MAX];
};

static void prune_finish(struct prune *prune)
{
    struct request *rq;

    if (--prune->pending > 0)
        return;
    rq = later_take(prune->later);
    if (rq) {
        struct weft_error err;

        if (reply_json(rq, MHD_HTTP_OK,
                       json_pack("{s:O, s:i}", "ContainersDeleted", prune->removed,
                                 "SpaceReclaimed", 0),
                       &err) < 0)
            reply_error(rq, &err);
        request_resume(rq);
    }
    json_decref(prune->removed);
    free(prune);
}

static void removal_done(void *arg, int result, const struct weft_error *err _unused_)
{
    struct removal *removal = arg;

    if (result == 0)
        (void)json_array_append_new(removal->prune->removed, json_string(removal->id));
    prune_finish(removal->prune);
    free(removal);
}

/* What cannot be removed stays, and is not in the answer. */
static void prune_container(struct prune *prune, struct engine *e, const struct container *c)
{
    struct removal *removal = calloc(1, sizeof *removal);
    struct weft_error err;

    if (!removal)
        return;
    removal->prune = prune;
    memcpy(removal->id, c->id, sizeof removal->id);
    if (engine_container_remove(e, c->id, false, removal_done, removal, &err) < 0)
        free(removal);
    else
        prune->pending++;
}

static int prune_all(struct request *rq, const struct filters *f, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    struct prune *prune = calloc(1, sizeof *prune);
    struct container *const *containers;
    int64_t until = INT64_MAX;
    size_t count;
    int r = prune ? filters_time(f, "until", &until, err) : weft_oom(err);

    if (r == 0)
        r = later_new(rq, &prune->later, err);
    if (r < 0) {
        free(prune);
        return r;
    }
    prune->removed = json_array();
    prune->pending = 1; /* ours, so that none of the others is the last before all have begun */
    containers = engine_containers(e, &count);
    for (size_t i = 0; i < count; i++) {
        const struct container *c = containers[i];

        if (c->status != CONTAINER_RUNNING && c->created < until &&
            filters_labels(f, "label", &c->config.labels) &&
            (!filters_values(f, "label!") || !filters_labels(f, "label!", &c->config.labels)))
            prune_container(prune, e, c);
    }
    prune_finish(prune);
    return 0;
}

int handle_container_prune(struct request *rq, struct weft_error *err)
{
    static const char *const known[] = {"label", "label!", "until", NULL};
    _cleanup_filters_ struct filters f = {0};
    int r = filters_parse(request_query(rq, "filters"), known, &f, err);

    return r < 0 ? r : prune_all(rq, &f, err);
}
