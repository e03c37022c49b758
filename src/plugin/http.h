/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* HTTP requests on the loop: libcurl does HTTP and TLS, libuv says when. Private to src/plugin. */

#include "plugin/plugin.h"

struct http;
/* 0 or -errno: libcurl is missing, memory ran out. */
int http_new(uv_loop_t *loop, struct http **ret, struct weft_error *err);
/* Requests under way must have been cancelled. */
void http_free(struct http *h);

enum http_outcome {
    HTTP_ANSWERED,    /* with a status and all of its body */
    HTTP_UNREACHABLE, /* nobody is there, or they were gone before they answered anything */
    HTTP_OVERDUE,     /* it has not answered in time */
    HTTP_FAILED,      /* anything else: why says what */
};
struct http_answer {
    enum http_outcome outcome;
    long status;
    const char *body; /* ends with a NUL, never NULL */
    size_t length;
    const char *why; /* unless ANSWERED */
};
typedef void http_done_fn(void *arg, const struct http_answer *answer);

/* A POST of body (NULL: nothing) to URL/path. to, path and body stay until done is called, which is
 * once, later, within PLUGIN_ANSWER_MS. 0 or -errno. */
struct http_request;
int http_post(struct http *h, const struct plugin_address *to, const char *path, const char *body,
              http_done_fn *done, void *arg, struct http_request **ret, struct weft_error *err);
/* done is not called any more. NULL is fine. */
void http_cancel(struct http_request *request);
