/* SPDX-License-Identifier: Apache-2.0 */
#include "container/task.h"

#include "base/log.h"
#include "container/failure.h"

struct task *task_new(struct runtime *rt, const struct container *c, runtime_done_fn *done,
                      void *arg)
{
    struct task *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    *t = (struct task){.rt = rt, .done = done, .arg = arg, .next = rt->tasks};
    (void)str_copy(t->id, sizeof t->id, c->id);
    rt->tasks = t;
    return t;
}

void task_free(struct task *t)
{
    struct task **link;

    if (!t)
        return;
    for (link = &t->rt->tasks; *link != t;)
        link = &(*link)->next;
    *link = t->next;
    command_cancel(t->command);
    running_free(t->running);
    free(t->runtime);
    free(t);
}

void task_end(struct task *t)
{
    struct task ended = *t;

    t->command = NULL;
    task_free(t);
    if (ended.done)
        ended.done(ended.arg, ended.result, ended.result < 0 ? &ended.err : NULL);
    else if (ended.result < 0)
        log_error("container %.*s: %s", ID_SHORT, ended.id, ended.err.text);
}

/* The first failure is the one that counts. */
static void note(struct task *t, int result, const struct weft_error *err)
{
    if (t->result < 0 || result >= 0)
        return;
    t->result = result;
    t->err = *err;
}

void task_clean_up(struct task *t)
{
    struct weft_error err = {0};
    int r = bundle_remove(t->rt, t->id, &err);

    note(t, r, &err);
    task_end(t);
}

static void on_deleted(void *arg, int status, const char *output)
{
    struct task *t = arg;
    struct weft_error err = {0};

    t->command = NULL;
    if (status != 0)
        note(t, runtime_failure(output, "cannot delete the container", &err), &err);
    task_clean_up(t);
}

int task_delete(struct task *t, struct weft_error *err)
{
    _cleanup_strv_ strv argv = runtime_delete_argv(t->rt, t->runtime, t->id);

    if (!argv)
        return weft_oom(err);
    return command_start(t->rt->loop, COMMAND_PLAIN, argv, on_deleted, t, &t->command, err);
}
