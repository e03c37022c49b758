/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Hijacking: the client asks to turn its HTTP connection into a plain stream of bytes
 * (`Connection: Upgrade`, `Upgrade: tcp`; Docker's attach and exec), and gets a 101.
 */

#include "api/request.h"

/* Gets the connected socket, which is its own from now on. */
typedef void hijack_fn(struct api *api, void *arg, int fd);

struct hijack;

/* Whether the client asks for it. */
bool hijack_wanted(const struct request *rq);
/* Answers 101, then calls taken(arg, fd) once. If the client leaves before that, arg is given to
 * drop instead (may be NULL). arg is taken, also on failure. */
int hijack_reply(struct request *rq, const char *content_type, hijack_fn *taken,
                 void (*drop)(void *arg), void *arg, struct weft_error *err);
void hijack_free(struct hijack *h);
