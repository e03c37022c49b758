/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The machine that runs errands: asks one outsider after the other, and turns round when one of
 * them refuses. What an answer means for the model is the business of outside.c. Private to
 * errand.c and outside.c.
 */

#include "engine/outside.h"

struct errand_ask {
    struct endpoint *ep; /* NULL: about the network */
    const struct outsider *outsider;
};

/* Who waits for the end, to go on with the sandbox. */
struct errand_waiter {
    outside_idle_fn *fn;
    char id[ID_TEXT_MAX];
    struct errand_waiter *next;
};

struct errand_task {
    struct errand errand; /* whose turn it is */
    enum errand_kind kind;
    struct network *net; /* CREATE, REMOVE */
    struct sandbox *sb;  /* JOIN, LEAVE */
    struct errand_ask *asks;
    size_t ask_count, next;
    bool failed; /* one refused: those asked before are being told to let go */
    struct weft_error reason;
    bool calling, answered; /* an outsider's function runs; it has answered already */
    int answer;
    struct weft_error answer_err;
    engine_done_fn *done;
    void *arg;
    struct errand_waiter *waiters;
    struct errand_task *next_task;
};

struct outside {
    uv_timer_t kick; /* runs tasks that have not begun yet */
    struct errand_task *tasks;
    bool stopping;
};

/* Makes the machine; no-op when it is there. 0 or -ENOMEM. */
int errand_start(struct engine *e, struct weft_error *err);
/* Begins, later, a task that asks those of the network, or of all the sandbox's endpoints in the
 * stage of the kind; the other one of net and sb is NULL. */
int errand_begin(struct engine *e, enum errand_kind kind, struct network *net, struct sandbox *sb,
                 engine_done_fn *done, void *arg, struct weft_error *err);
struct errand_task *errand_of_network(const struct engine *e, const struct network *net);
struct errand_task *errand_of_sandbox(const struct engine *e, const struct sandbox *sb);
/* Ends them all as they are. */
void errand_stop(struct engine *e);

/* ---- outside.c: what the answers mean ---- */

/* One has agreed to join or create: what it said is remembered. A failure counts as its refusal. */
int outside_agreed(struct errand_task *task, struct weft_error *err);
/* One has refused: all of the task are LEAVING from now on. */
void outside_refused(struct errand_task *task);
/* All have agreed to join or create. A failure is a refusal. */
int outside_settle(struct errand_task *task, struct weft_error *err);
/* All have been told. */
void outside_told(struct errand_task *task);

/* ---- recover.c ---- */

/* At start: lets go of what was cut short. */
void outside_recover(struct engine *e);
