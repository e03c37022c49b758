/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Promised answers. A verb that reports by callback gets a struct later for its argument, which
 * finds the request again, or knows that its client is gone.
 */

#include "api/request.h"

struct later;

/* From now on the request waits for later_take(). */
int later_new(struct request *rq, struct later **ret, struct weft_error *err);
/* Breaks the promise: the verb failed at once, and the handler answers. Accepts NULL. */
void later_free(struct later *l);
DEFINE_CLEANUP(struct later *, later_free)
#define _cleanup_later_ _cleanup_(later_free_p)
/* The request, to be answered and then resumed; NULL when its client is gone. Frees l. */
struct request *later_take(struct later *l);
/* What later_done() answers with instead of an empty 204. doc is taken, and may be NULL: nothing.
 */
void later_prepare(struct later *l, unsigned status, json_t *doc);
/* An engine_done_fn that does it all: an empty 204 or what was prepared, or the error. arg is a
 * struct later. */
void later_done(void *arg, int result, const struct weft_error *err);

/* fn is called when the client goes before the answer was given; it has to free l. */
void later_on_forget(struct later *l, void (*fn)(void *arg), void *arg);

/* The request is going away. */
void later_forget(struct later *l);
