/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A container's life: start, end, removal.
 *
 *   created ──start──▶ (busy: network up, runtime starts) ──▶ running
 *      running ──the process ends──▶ (busy: network down, runtime clears up) ──▶ exited ──rm──▶
 * gone
 *
 * Its network is up before its first process and until after its last. A container counts as
 * running until all of it is cleared away, so that whoever waited for its end may start or remove
 * it at once.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/time.h"
#include "engine/change.h"
#include "engine/outside.h"

struct container *sandbox_container(const struct engine *e, const struct sandbox *sb)
{
    struct container_slot *slot = engine_container_slot(e, sb->id);

    return slot ? slot->container : NULL;
}

bool sandbox_in_use(const struct engine *e, const struct sandbox *sb,
                    const struct container *except)
{
    for (size_t i = 0; i < e->container_count; i++) {
        const struct container *c = e->containers[i];
        const struct container_slot *slot = engine_container_slot(e, c->id);

        if (c != except && strcmp(c->sandbox_id, sb->id) == 0 && !slot->left &&
            (c->status == CONTAINER_RUNNING || slot->busy))
            return true;
    }
    return false;
}

static int store_container(struct engine *e, const struct container *c, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = container_to_json(c);

    return doc ? store_put(e->store, STORE_CONTAINER, c->id, c->name, doc, err) : weft_oom(err);
}

static void send_event(struct engine *e, const char *action, const struct container *c)
{
    event_send(e, (struct engine_event){.type = "container",
                                        .action = action,
                                        .id = c->id,
                                        .name = c->name,
                                        .exit_code = c->exit_code});
}

/* ---- removal ---- */

int container_remove(struct engine *e, struct container *c, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    bool own = strcmp(c->id, c->sandbox_id) == 0;
    struct sandbox *sb = own ? engine_container_sandbox(e, c) : NULL;
    _cleanup_free_ char *name = strdup(c->name);
    char id[ID_TEXT_MAX];
    int code = c->exit_code;
    int r = name ? 0 : weft_oom(err);

    memcpy(id, c->id, sizeof id);
    if (r == 0 && sb && sandbox_is_busy(e, sb, err))
        r = -err->errnum;
    if (r == 0 && sb && sb->active && sandbox_is_asked(sb))
        log_warning("container %s goes, but those outside could not be told that it leaves its "
                    "networks",
                    c->name);
    if (r == 0)
        r = runtime_remove(e->runtime, id, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_remove_container(&ch, c, err);
    if (r == 0 && sb)
        r = change_remove_sandbox(&ch, sb, err);
    if (r == 0)
        r = change_commit(&ch, NULL, err);
    if (r < 0)
        return r;
    event_send(
        e, (struct engine_event){.type = "container", .action = "destroy", .id = id, .name = name});
    wait_notify(e, id, true, code);
    return 0;
}

static void remove_at_rest(struct engine *e, const char *id)
{
    struct container_slot *slot = engine_container_slot(e, id);
    struct weft_error err = {0};

    /* Who waited may have removed it, or started it again. */
    if (slot && !slot->busy && slot->container->status != CONTAINER_RUNNING &&
        container_remove(e, slot->container, &err) < 0)
        log_error("cannot remove container %s: %s", slot->container->name, err.text);
}

void container_remove_soon(struct engine *e, const struct container *c)
{
    struct sandbox *sb = strcmp(c->id, c->sandbox_id) == 0 ? engine_container_sandbox(e, c) : NULL;
    struct weft_error err = {0};

    if (!sb)
        remove_at_rest(e, c->id);
    else if (sandbox_when_idle(e, sb, remove_at_rest, c->id, &err) < 0)
        log_error("cannot remove container %s: %s", c->name, err.text);
}

/* ---- start ---- */

static struct weft_error *copy_error(const struct weft_error *err)
{
    struct weft_error *copy = calloc(1, sizeof *copy);

    if (copy)
        *copy = *err;
    return copy;
}

/* Its network is down again. */
static void start_undone(struct container_slot *slot)
{
    struct container *c = slot->container;
    struct engine *e = slot->engine;
    engine_done_fn *done = slot->start_done;
    void *arg = slot->start_arg;
    _cleanup_free_ struct weft_error *failure = TAKE_PTR(slot->failure);
    struct weft_error err = {0};

    slot->busy = false;
    if (c->config.auto_remove ? container_remove(e, c, &err) : store_container(e, c, &err))
        log_error("container %s, which could not be started: %s", slot->container->name, err.text);
    if (!failure)
        weft_oom(&err);
    if (done)
        done(arg, failure ? -failure->errnum : -ENOMEM, failure ? failure : &err);
}

static void start_failed(struct container_slot *slot, const struct weft_error *reason)
{
    struct container *c = slot->container;

    free(c->error);
    c->error = strdup(reason->text);
    slot->failure = copy_error(reason);
    container_leave(slot, start_undone);
}

static void start_succeeded(struct container_slot *slot, pid_t pid)
{
    struct container *c = slot->container;
    struct weft_error err = {0};

    slot->busy = false;
    free(TAKE_PTR(c->error));
    c->status = CONTAINER_RUNNING;
    c->pid = pid;
    c->started = time_now();
    c->finished = 0;
    c->exit_code = 0;
    if (store_container(slot->engine, c, &err) < 0)
        log_error("cannot remember container %s: %s", c->name, err.text);
    send_event(slot->engine, "start", c);
}

static void start_reported(void *arg, int result, const struct weft_error *err)
{
    struct container_slot *slot = arg;

    if (result < 0) {
        start_failed(slot, err);
        return;
    }
    start_succeeded(slot, result);
    slot->start_done(slot->start_arg, 0, NULL);
    if (slot->ended)
        container_ended(slot, slot->exit_code, slot->finished);
}

static int start_runtime(struct container_slot *slot, struct weft_error *err)
{
    struct engine *e = slot->engine;
    const struct container *c = slot->container;
    const struct sandbox *sb = engine_container_sandbox(e, c);
    /* Who shares a stack shares what is said of it. */
    const struct container *owner = sandbox_container(e, sb);
    _cleanup_free_ char *hosts = file_hosts(e, owner, sb);
    _cleanup_free_ char *resolv_conf = file_resolv_conf(owner, sb);
    struct runtime_network net = {.netns = sb->netns,
                                  .hosts = hosts,
                                  .resolv_conf = resolv_conf,
                                  .hostname = c->config.hostname};

    if (!hosts || !resolv_conf)
        return weft_oom(err);
    return runtime_start(e->runtime, c, &net, start_reported, slot, err);
}

/* The network is up, or could not be had. */
static void entered(void *arg, int result, const struct weft_error *reason)
{
    struct container_slot *slot = arg;
    struct weft_error err = {0};

    if (result == -ECANCELED) {
        slot->start_done(slot->start_arg, result, reason);
        return;
    }
    if (result == 0) {
        reason = &err;
        result = start_runtime(slot, &err);
    }
    if (result < 0)
        start_failed(slot, reason);
}

int engine_container_start(struct engine *e, const char *ref, engine_done_fn *done, void *arg,
                           struct weft_error *err)
{
    struct container *c = engine_container(e, ref, err);
    struct container_slot *slot;
    int r;

    if (!c)
        return -err->errnum;
    slot = engine_container_slot(e, c->id);
    if (c->status == CONTAINER_RUNNING)
        return weft_fail(err, WEFT_UNCHANGED, "container %s is running", c->name);
    if (slot->busy)
        return weft_fail(err, WEFT_CONFLICT, "container %s is being started", c->name);
    slot->busy = true;
    slot->ended = slot->left = false;
    slot->start_done = done;
    slot->start_arg = arg;
    r = container_enter(slot, entered, err);
    if (r == 0)
        r = start_runtime(slot, err);
    if (r >= 0)
        return 0;
    slot->start_done = NULL;
    start_failed(slot, err);
    return r;
}

/* ---- the end ---- */

/* The runtime has cleared up, and the network is down: now the container is at rest. */
static void come_to_rest(struct container_slot *slot)
{
    struct container *c = slot->container;
    struct engine *e = slot->engine;
    char id[ID_TEXT_MAX];
    struct weft_error err = {0};

    if (--slot->pending > 0)
        return;
    slot->busy = false;
    c->status = CONTAINER_EXITED;
    c->pid = 0;
    c->exit_code = slot->exit_code;
    c->finished = slot->finished;
    if (store_container(e, c, &err) < 0 || runtime_forget_exit(e->runtime, c->id, &err) < 0)
        log_error("cannot remember the end of container %s: %s", c->name, err.text);
    memcpy(id, c->id, sizeof id);
    wait_notify(e, id, false, c->exit_code);
    /* Who waited may have removed it. */
    slot = engine_container_slot(e, id);
    if (slot && slot->container->config.auto_remove)
        container_remove_soon(e, slot->container);
}

static void release_reported(void *arg, int result, const struct weft_error *reason)
{
    struct container_slot *slot = arg;

    if (result < 0)
        log_warning("container %s: %s", slot->container->name, reason->text);
    come_to_rest(slot);
}

void container_ended(struct container_slot *slot, int code, int64_t finished)
{
    struct weft_error err = {0};
    int r;

    slot->exit_code = code;
    slot->finished = finished;
    if (slot->busy) {
        slot->ended = true;
        return;
    }
    slot->busy = true;
    slot->pending = 2;
    slot->container->exit_code = code;
    send_event(slot->engine, "die", slot->container);
    /* The network goes while the runtime is at its own work. */
    r = runtime_release(slot->engine->runtime, slot->container, release_reported, slot, &err);
    container_leave(slot, come_to_rest);
    if (r < 0)
        release_reported(slot, r, &err);
}

/* ---- stop, kill ---- */

struct stop {
    struct engine *engine;
    char id[ID_TEXT_MAX];
    uv_timer_t timer;
    engine_done_fn *done;
    void *arg;
};

static void stop_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static const struct weft_error ending = {.code = WEFT_INTERNAL,
                                         .errnum = ECANCELED,
                                         .text = "weftd is ending"};

static void stop_finished(void *arg, int exit_code)
{
    struct stop *stop = arg;
    bool ended = exit_code == WAIT_ENDED;

    uv_close((uv_handle_t *)&stop->timer, stop_closed);
    stop->done(stop->arg, ended ? -ECANCELED : 0, ended ? &ending : NULL);
}

static void stop_overdue(uv_timer_t *timer)
{
    struct stop *stop = timer->data;
    struct container_slot *slot = engine_container_slot(stop->engine, stop->id);

    if (slot && slot->container->status == CONTAINER_RUNNING)
        (void)runtime_signal(stop->engine->runtime, slot->container, SIGKILL, NULL);
}

static int stop_signal(const struct container *c, int asked, int *ret, struct weft_error *err)
{
    *ret = asked > 0 ? asked : SIGTERM;
    if (asked > 0 || !c->config.stop_signal)
        return 0;
    return signal_parse(c->config.stop_signal, ret, err);
}

static int stop_new(struct engine *e, const struct container *c, int64_t timeout,
                    engine_done_fn *done, void *arg, struct stop **ret, struct weft_error *err)
{
    struct stop *stop = calloc(1, sizeof *stop);
    struct engine_waiter *waiter;
    int r;

    if (!stop)
        return weft_oom(err);
    *stop = (struct stop){.engine = e, .done = done, .arg = arg};
    memcpy(stop->id, c->id, sizeof stop->id);
    r = engine_container_wait(e, c->id, ENGINE_WAIT_NOT_RUNNING, stop_finished, stop, &waiter, err);
    if (r < 0) {
        free(stop);
        return r;
    }
    uv_timer_init(e->loop, &stop->timer);
    stop->timer.data = stop;
    if (timeout >= 0)
        uv_timer_start(&stop->timer, stop_overdue, (uint64_t)timeout * 1000, 0);
    *ret = stop;
    return 0;
}

/* Docker's meaning of a timeout: −1 in the configuration or the request is "for ever" only if it
 * was said; unset is ten seconds. */
static int64_t stop_timeout(const struct container *c, int64_t asked)
{
    if (asked >= 0)
        return asked;
    return c->config.stop_timeout >= 0 ? c->config.stop_timeout : 10;
}

int engine_container_stop(struct engine *e, const char *ref, int signo, int64_t timeout,
                          engine_done_fn *done, void *arg, struct weft_error *err)
{
    struct container *c = engine_container(e, ref, err);
    struct stop *stop;
    int r;

    if (!c)
        return -err->errnum;
    if (c->status != CONTAINER_RUNNING)
        return weft_fail(err, WEFT_UNCHANGED, "container %s is not running", c->name);
    r = stop_signal(c, signo, &signo, err);
    if (r == 0)
        r = stop_new(e, c, stop_timeout(c, timeout), done, arg, &stop, err);
    if (r < 0)
        return r;
    /* It may have ended this moment: then the wait is over soon anyway. */
    (void)runtime_signal(e->runtime, c, signo, NULL);
    return 0;
}

int engine_container_kill(struct engine *e, const char *ref, int signo, struct weft_error *err)
{
    struct container *c = engine_container(e, ref, err);

    if (!c)
        return -err->errnum;
    if (c->status != CONTAINER_RUNNING)
        return weft_fail(err, WEFT_CONFLICT, "cannot kill container %s: it is not running",
                         c->name);
    return runtime_signal(e->runtime, c, signo, err);
}

/* ---- rm ---- */

struct removal {
    struct engine *engine;
    char id[ID_TEXT_MAX];
    engine_done_fn *done;
    void *arg;
    bool left; /* its network has been taken down, or that was tried */
};

/* Those who wait for it, the removal among them, go on. */
static void removal_left(struct container_slot *slot)
{
    char id[ID_TEXT_MAX];

    memcpy(id, slot->container->id, sizeof id);
    slot->busy = false;
    wait_notify(slot->engine, id, false, slot->container->exit_code);
}

static void removal_at_rest(void *arg, int exit_code);

/* A network that could not be taken down at its container's end is now, before it is too late:
 * those outside know of it still. True: the removal goes on after that. */
static bool leave_first(struct removal *removal, struct container_slot *slot)
{
    const struct container *c = slot->container;
    const struct sandbox *sb = engine_container_sandbox(removal->engine, c);
    struct engine_waiter *waiter;
    struct weft_error ignored;

    if (removal->left || slot->busy || c->status == CONTAINER_RUNNING || !sb ||
        strcmp(sb->id, c->id) != 0 || !sb->active || !sandbox_is_asked(sb))
        return false;
    removal->left = true;
    slot->busy = true;
    if (engine_container_wait(removal->engine, c->id, ENGINE_WAIT_NOT_RUNNING, removal_at_rest,
                              removal, &waiter, &ignored) < 0) {
        slot->busy = false;
        return false;
    }
    container_leave(slot, removal_left);
    return true;
}

static void removal_at_rest(void *arg, int exit_code)
{
    struct removal *removal = arg;
    struct engine *e = removal->engine;
    struct container_slot *slot = engine_container_slot(e, removal->id);
    struct weft_error err = ending;
    int r = -ECANCELED;

    if (exit_code != WAIT_ENDED && slot && leave_first(removal, slot))
        return;
    /* With --rm it is gone already. */
    if (exit_code != WAIT_ENDED)
        r = slot ? container_remove(e, slot->container, &err) : 0;
    removal->done(removal->arg, r, &err);
    free(removal);
}

static int check_removable(struct engine *e, const struct container *c, bool force,
                           struct weft_error *err)
{
    struct sandbox *sb = engine_container_sandbox(e, c);

    if (c->status == CONTAINER_RUNNING && !force)
        return weft_fail(err, WEFT_CONFLICT,
                         "cannot remove container %s: it is running: stop it before, or use force",
                         c->name);
    if (engine_container_slot(e, c->id)->busy && c->status != CONTAINER_RUNNING)
        return weft_fail(err, WEFT_CONFLICT, "container %s is being started", c->name);
    if (c->status != CONTAINER_RUNNING && sb && strcmp(c->id, sb->id) == 0 &&
        sandbox_is_busy(e, sb, err))
        return -err->errnum;
    for (size_t i = 0; i < e->container_count; i++) {
        const struct container *other = e->containers[i];

        if (sb && other != c && strcmp(other->sandbox_id, c->id) == 0 &&
            (other->status == CONTAINER_RUNNING || engine_container_slot(e, other->id)->busy))
            return weft_fail(err, WEFT_CONFLICT,
                             "cannot remove container %s: running container %s shares its network",
                             c->name, other->name);
    }
    return 0;
}

/* Either way `done` comes from the loop: a container that is not running is waited for no longer
 * than a turn of it. */
int engine_container_remove(struct engine *e, const char *ref, bool force, engine_done_fn *done,
                            void *arg, struct weft_error *err)
{
    struct container *c = engine_container(e, ref, err);
    struct engine_waiter *waiter;
    struct removal *removal;
    int r;

    if (!c)
        return -err->errnum;
    r = check_removable(e, c, force, err);
    if (r < 0)
        return r;
    removal = calloc(1, sizeof *removal);
    if (!removal)
        return weft_oom(err);
    *removal = (struct removal){.engine = e, .done = done, .arg = arg};
    memcpy(removal->id, c->id, sizeof removal->id);
    r = engine_container_wait(e, c->id, ENGINE_WAIT_NOT_RUNNING, removal_at_rest, removal, &waiter,
                              err);
    if (r < 0) {
        free(removal);
        return r;
    }
    if (c->status == CONTAINER_RUNNING)
        (void)runtime_signal(e->runtime, c, SIGKILL, NULL);
    return 0;
}

const char *engine_container_log(struct engine *e, const struct container *c)
{
    free(e->log_path);
    e->log_path = str_printf("%s/containers/%s/log", e->config.state_dir, c->id);
    return e->log_path ? e->log_path : "";
}
