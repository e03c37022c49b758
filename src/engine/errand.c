/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a task is a list of questions, each to one outsider about one endpoint or
 * about the network, and a place in it.
 *
 * An outsider may answer from within its function or later: the loop in run() goes on in either
 * case, and never deeper. Joining and creating turn round at the first refusal: the list is cut
 * behind the one that refused, reversed, and everybody on it is told to let go. Leaving and
 * removing begin with the list reversed and only know one direction.
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/errand.h"

static bool is_forward(const struct errand_task *task)
{
    return (task->kind == ERRAND_JOIN || task->kind == ERRAND_CREATE) && !task->failed;
}

/* ---- lists of questions ---- */

static void reverse(struct errand_ask *asks, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct errand_ask swap = asks[i];

        asks[i] = asks[count - 1 - i];
        asks[count - 1 - i] = swap;
    }
}

static int add_asks(struct errand_task *task, const struct network *net, struct endpoint *ep)
{
    const struct outsider *outsiders[OUTSIDERS_MAX];
    size_t count = network_outsiders(net, outsiders);
    struct errand_ask *grown =
        reallocarray(task->asks, task->ask_count + count + 1, sizeof *task->asks);

    if (!grown)
        return -ENOMEM;
    task->asks = grown;
    for (size_t i = 0; i < count; i++)
        grown[task->ask_count++] = (struct errand_ask){.ep = ep, .outsider = outsiders[i]};
    return 0;
}

static int list_asks(struct errand_task *task)
{
    enum endpoint_stage stage = task->kind == ERRAND_JOIN ? ENDPOINT_ASKING : ENDPOINT_LEAVING;
    const struct sandbox *sb = task->sb;
    int r = task->net ? add_asks(task, task->net, NULL) : 0;

    for (size_t i = 0; r == 0 && sb && i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->stage == stage)
            r = add_asks(task, sb->endpoints[i]->network, sb->endpoints[i]);
    if (r == 0 && !is_forward(task))
        reverse(task->asks, task->ask_count);
    return r;
}

/* ---- asking ---- */

typedef void ask_fn(struct errand *er);

static ask_fn *function_of(const struct errand_task *task, const struct outsider *outsider)
{
    if (task->net)
        return is_forward(task) ? outsider->create : outsider->remove;
    return is_forward(task) ? outsider->join : outsider->leave;
}

static enum errand_kind kind_of(const struct errand_task *task)
{
    if (!task->failed)
        return task->kind;
    return task->net ? ERRAND_REMOVE : ERRAND_LEAVE;
}

/* Later ones see what those before said of the same endpoint. */
static void prepare(struct errand_task *task, const struct errand_ask *ask)
{
    struct errand *er = &task->errand;
    struct endpoint *ep = ask->ep;

    er->kind = kind_of(task);
    er->asked = ask->outsider;
    er->call = NULL;
    if (!ep || (er->ep == ep && is_forward(task)))
        return;
    endpoint_given_clear(&er->given);
    er->ep = ep;
    er->net = ep->network;
    er->ipv4 = addr_is_set(&ep->ipv4) ? ep->ipv4 : ep->want.ipv4;
    er->ipv6 = addr_is_set(&ep->ipv6) ? ep->ipv6 : ep->want.ipv6;
    er->mac = ep->mac;
}

/* False: it is going to answer later. */
static bool ask(struct errand_task *task)
{
    const struct errand_ask *ask = &task->asks[task->next];
    ask_fn *fn = function_of(task, ask->outsider);

    prepare(task, ask);
    task->answered = !fn;
    task->answer = 0;
    if (!fn)
        return true;
    task->calling = true;
    fn(&task->errand);
    task->calling = false;
    return task->answered;
}

/* ---- answers ---- */

static void turn_round(struct errand_task *task, const struct weft_error *reason)
{
    size_t asked = task->next < task->ask_count ? task->next + 1 : task->ask_count;

    task->reason = *reason;
    outside_refused(task);
    task->failed = true;
    task->ask_count = asked;
    task->next = 0;
    reverse(task->asks, asked);
}

static void log_untold(const struct errand_task *task)
{
    const struct errand_ask *ask = &task->asks[task->next];

    if (ask->ep)
        log_warning("%s leaves network %s, but %s could not be told: %s",
                    sandbox_owner_text(task->sb), ask->ep->network->name, ask->outsider->name,
                    task->answer_err.text);
    else
        log_warning("network %s goes, but %s could not be told: %s", task->net->name,
                    ask->outsider->name, task->answer_err.text);
}

static void take_answer(struct errand_task *task)
{
    if (!is_forward(task)) {
        if (task->answer < 0)
            log_untold(task);
        task->next++;
        return;
    }
    if (task->answer == 0)
        task->answer = outside_agreed(task, &task->answer_err);
    if (task->answer < 0)
        turn_round(task, &task->answer_err);
    else
        task->next++;
}

/* ---- the end ---- */

static void unlink_task(struct engine *e, const struct errand_task *task)
{
    struct errand_task **link = &e->outside->tasks;

    while (*link != task)
        link = &(*link)->next_task;
    *link = task->next_task;
}

static void task_free(struct errand_task *task)
{
    endpoint_given_clear(&task->errand.given);
    while (task->waiters) {
        struct errand_waiter *w = task->waiters;

        task->waiters = w->next;
        free(w);
    }
    free(task->asks);
    free(task);
}

static void tell(struct errand_task *task)
{
    if (task->done)
        task->done(task->arg, task->failed ? -task->reason.errnum : 0,
                   task->failed ? &task->reason : NULL);
    else if (task->failed)
        log_warning("%s", task->reason.text);
}

/* What it was about is free again; who waited for that goes on, one after the other: each may begin
 * an errand of its own. */
static void finish(struct errand_task *task)
{
    struct engine *e = task->errand.engine;

    outside_told(task);
    unlink_task(e, task);
    tell(task);
    while (task->waiters) {
        struct errand_waiter *w = task->waiters;

        task->waiters = w->next;
        w->fn(e, w->id);
        free(w);
    }
    task_free(task);
}

static void run(struct errand_task *task)
{
    struct weft_error err = {0};

    do {
        while (task->next < task->ask_count) {
            if (!ask(task))
                return;
            take_answer(task);
        }
        if (!is_forward(task) || outside_settle(task, &err) == 0)
            break;
        turn_round(task, &err);
    } while (true);
    finish(task);
}

void errand_done(struct errand *er, int result, const struct weft_error *err)
{
    struct errand_task *task = er->task;

    if (er->engine->outside->stopping)
        return;
    task->answered = true;
    task->answer = result;
    if (result < 0 && err)
        task->answer_err = *err;
    else if (result < 0)
        weft_fail_errno(&task->answer_err, -result, "%s refused", er->asked->name);
    if (task->calling)
        return;
    take_answer(task);
    run(task);
}

/* ---- beginning ---- */

static void kick(uv_timer_t *timer)
{
    struct engine *e = timer->data;

    /* Those that run add to the list, or take themselves off it. */
    for (struct errand_task *task = e->outside->tasks; task;) {
        if (task->errand.task) {
            task = task->next_task;
            continue;
        }
        task->errand.task = task;
        run(task);
        task = e->outside->tasks;
    }
}

int errand_start(struct engine *e, struct weft_error *err)
{
    if (e->outside)
        return 0;
    e->outside = calloc(1, sizeof *e->outside);
    if (!e->outside)
        return weft_oom(err);
    uv_timer_init(e->loop, &e->outside->kick);
    e->outside->kick.data = e;
    return 0;
}

int errand_begin(struct engine *e, enum errand_kind kind, struct network *net, struct sandbox *sb,
                 engine_done_fn *done, void *arg, struct weft_error *err)
{
    struct errand_task *task;
    int r = errand_start(e, err);

    if (r < 0)
        return r;
    task = calloc(1, sizeof *task);
    if (!task)
        return weft_oom(err);
    *task = (struct errand_task){.errand = {.engine = e, .kind = kind, .net = net, .sb = sb},
                                 .kind = kind,
                                 .net = net,
                                 .sb = sb,
                                 .done = done,
                                 .arg = arg};
    if (list_asks(task) < 0) {
        task_free(task);
        return weft_oom(err);
    }
    task->next_task = e->outside->tasks;
    e->outside->tasks = task;
    uv_timer_start(&e->outside->kick, kick, 0, 0);
    return 0;
}

/* ---- who is busy ---- */

struct errand_task *errand_of_network(const struct engine *e, const struct network *net)
{
    struct errand_task *task = e->outside ? e->outside->tasks : NULL;

    while (task && task->net != net)
        task = task->next_task;
    return task;
}

struct errand_task *errand_of_sandbox(const struct engine *e, const struct sandbox *sb)
{
    struct errand_task *task = e->outside ? e->outside->tasks : NULL;

    while (task && task->sb != sb)
        task = task->next_task;
    return task;
}

int sandbox_when_idle(struct engine *e, const struct sandbox *sb, outside_idle_fn *fn,
                      const char *id, struct weft_error *err)
{
    struct errand_task *task = errand_of_sandbox(e, sb);
    struct errand_waiter *w, **link;

    if (!task) {
        fn(e, id);
        return 0;
    }
    w = calloc(1, sizeof *w);
    if (!w)
        return weft_oom(err);
    w->fn = fn;
    (void)str_copy(w->id, sizeof w->id, id);
    for (link = &task->waiters; *link; link = &(*link)->next)
        ;
    *link = w;
    return 0;
}

/* ---- weftd ends ---- */

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void errand_stop(struct engine *e)
{
    struct outside *o = e->outside;

    while (o->tasks) {
        struct errand_task *task = o->tasks;

        o->tasks = task->next_task;
        task->failed = true;
        task->reason = (struct weft_error){.code = WEFT_INTERNAL,
                                           .errnum = ECANCELED,
                                           .text = "weftd is ending"};
        if (task->done)
            tell(task);
        task_free(task);
    }
    e->outside = NULL;
    uv_close((uv_handle_t *)&o->kick, timer_closed);
}
