/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Which handler answers which method and path. */

#include "api/request.h"

struct route {
    const char *method;
    const char *pattern; /* "/networks/{ref}/connect": {…} stands for one segment, and only one of
                            a pattern may be one */
    request_handler *handle;
};

/* All routes; the last has no method. routes.c */
extern const struct route routes[];

/* Whether path fits; then *ret is what stood for {…} (*ret_len bytes of path), or NULL. */
bool route_match(const char *pattern, const char *path, const char **ret, size_t *ret_len);
/* The path without its version ("/v1.43"), or all of it when it has none. NULL with the sentence,
 * as Docker puts it, when the version is not one of ours. */
const char *route_strip_version(const char *path, struct weft_error *err);
/* Runs the request's handler. */
int route_dispatch(struct request *rq, struct weft_error *err);
