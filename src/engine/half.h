/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The second halves of verbs that wait for those outside. Private to src/engine. */

#include "engine/outside.h"

/* What the second half has to know. The objects stay while their errand is under way. */
struct half {
    struct engine *engine;
    struct sandbox *sb;
    struct network *net;
    bool resolver;        /* the sandbox had one before */
    engine_done_fn *done; /* the verb's; may be NULL */
    void *arg;
    /* Of what is gone by then: */
    char id[ID_TEXT_MAX];
    char *name;
};

struct half *half_new(struct engine *e, engine_done_fn *done, void *arg);
void half_free(struct half *half);
DEFINE_CLEANUP(struct half *, half_free)
#define _cleanup_half_ _cleanup_(half_free_p)
/* Tells who called the verb, and frees. */
void half_end(struct half *half, int result, const struct weft_error *err);

/* Begins an errand with a copy of *half as the argument of `then`, which ends it. 1 or -errno: what
 * the verb returns. */
typedef int half_errand_fn(struct engine *e, struct sandbox *sb, engine_done_fn *done, void *arg,
                           struct weft_error *err);
int half_ask(half_errand_fn *errand, engine_done_fn *then, const struct half *half,
             struct weft_error *err);

/* Those outside have been told: the sandbox's endpoints in stage LEAVING go, and an attached
 * namespace with its last. What fails is logged; the next start tries again. */
void finish_leaving(struct engine *e, struct sandbox *sb);
