/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A request, from its headers until its answer has been sent.
 *
 * A handler gets the whole request and either answers it (reply.h, stream.h, hijack.h), promises an
 * answer (later.h), or returns -errno with the sentence in *err, which is then the answer.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "api/server.h"
#include "base/error.h"
#include "base/strbuf.h"

#define REQUEST_BODY_MAX (2 * 1024 * 1024) /* bytes */

struct later;
struct hijack;

struct request {
    struct api *api;
    struct MHD_Connection *connection;
    const char *method, *path; /* the server's; path is decoded, with the version */
    char *ref;                 /* what stood for {…} in the route's pattern, or NULL */
    struct strbuf body;
    bool dispatched;
    bool suspended;
    struct MHD_Response *response; /* not queued yet */
    unsigned status;
    struct later *later;   /* who promised the answer */
    struct hijack *hijack; /* who takes the connection */
    struct request *next, **link;
};

typedef int request_handler(struct request *rq, struct weft_error *err);

struct request *request_new(struct api *api, struct MHD_Connection *connection, const char *path,
                            const char *method);
void request_free(struct request *rq);

/* The connection sleeps until request_resume(), which may be called in any state. */
void request_suspend(struct request *rq);
void request_resume(struct request *rq);

/* A query argument, NULL when it is missing; "" when it has no value. */
const char *request_query(const struct request *rq, const char *key);
/* As Docker reads booleans: missing, "", "0", "no", "false" and "none" are false. */
bool request_query_bool(const struct request *rq, const char *key);
/* Leaves *ret as it is when the argument is missing or empty. 0 or -EINVAL. */
int request_query_i64(const struct request *rq, const char *key, int64_t min, int64_t max,
                      int64_t *ret, struct weft_error *err);
/* RFC 3339 or seconds, in ns since the epoch; likewise. */
int request_query_time(const struct request *rq, const char *key, int64_t *ret,
                       struct weft_error *err);
const char *request_header(const struct request *rq, const char *key);

/* The body, which must be a JSON object. New reference. */
int request_json(const struct request *rq, json_t **ret, struct weft_error *err);

/* What to give to a verb of the engine as `dry`: plan, if the client asks for one, else NULL. */
struct strbuf *request_dry(const struct request *rq, struct strbuf *plan);
