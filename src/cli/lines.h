/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers that are an object of JSON a line and come in their own time. */

#include <jansson.h>

#include "base/error.h"
#include "client/client.h"

/* Gets the target and calls fn for each object as soon as it is there, until the answer ends;
 * afterwards standard output is flushed. 0, -errno, or what fn returned other than 0. */
typedef int lines_fn(const json_t *object, struct weft_error *err);
int lines_each(struct client *daemon, const char *target, lines_fn *fn, struct weft_error *err);
