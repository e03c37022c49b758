/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `inspect` and `network inspect` share: one JSON array of all that was found, or each in the
 * --format. What is not found is reported, and makes the exit status 1. */

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"
#include "client/client.h"

/* Gets the document of what ref names, -ENOENT when there is none. */
typedef int inspect_fetch(struct client *daemon, const char *ref, json_t **ret,
                          struct weft_error *err);

/* Returns the exit status or -errno. format may be NULL. */
int inspect_all(struct client *daemon, strv refs, inspect_fetch *fetch, const char *format,
                struct weft_error *err);

/* GET /collection/ref or, with suffix, /collection/ref/suffix. */
int inspect_get(struct client *daemon, const char *collection, const char *ref, const char *suffix,
                json_t **ret, struct weft_error *err);
