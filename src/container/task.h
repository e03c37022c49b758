/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A start or a release under way: what is remembered between the programs it runs. */

#include "container/command.h"
#include "container/running.h"

struct task {
    struct runtime *rt;
    struct task *next;
    char id[ID_TEXT_MAX];
    char *runtime;           /* path */
    struct command *command; /* that runs now */
    struct running *running; /* of a start: when conmon is there */
    runtime_done_fn *done;
    void *arg;
    int result;
    struct weft_error err;
};

/* A task that is in rt->tasks. NULL when memory ran out. */
struct task *task_new(struct runtime *rt, const struct container *c, runtime_done_fn *done,
                      void *arg);
/* Runs the runtime's delete, then task_clean_up. -errno when it cannot be run (the task goes on).
 */
int task_delete(struct task *t, struct weft_error *err);
/* Removes the bundle and ends the task: with the failure it has already, or with its own. */
void task_clean_up(struct task *t);
/* Calls done and frees the task. */
void task_end(struct task *t);
