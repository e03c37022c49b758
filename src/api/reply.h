/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers. They are kept with the request and sent when its handler has returned, or when
 * request_resume() wakes it. */

#include "api/request.h"

#define API_VERSION "1.48"
#define API_VERSION_MIN "1.41"

#define CONTENT_JSON "application/json"
#define CONTENT_TEXT "text/plain; charset=utf-8"
#define CONTENT_MULTIPLEXED "application/vnd.docker.multiplexed-stream"
#define CONTENT_RAW "application/vnd.docker.raw-stream"

/* All return 0, or -ENOMEM. */

/* doc is taken; NULL means that memory ran out when it was made. */
int reply_json(struct request *rq, unsigned status, json_t *doc, struct weft_error *err);
/* Status 200; text is empty after. */
int reply_text(struct request *rq, struct strbuf *text, struct weft_error *err);
/* text is a JSON document. */
int reply_json_text(struct request *rq, struct strbuf *text, struct weft_error *err);
int reply_empty(struct request *rq, unsigned status, struct weft_error *err);
/* Docker's {"message": …} with the code's status. */
void reply_error(struct request *rq, const struct weft_error *err);
/* Any other. The response is taken, NULL: memory ran out. content_type may be NULL. */
int reply_response(struct request *rq, unsigned status, const char *content_type,
                   struct MHD_Response *response, struct weft_error *err);

/* What the server's callback has to do when the handler has returned: hands the answer to the
 * server, or puts the connection to sleep when it was promised for later. */
enum MHD_Result reply_send(struct request *rq);
/* For a body that turns out to be too long while it is received, when the server takes no answer
 * yet: sends a 413 by itself. The connection is to be closed. */
void reply_send_too_large(const struct request *rq);
int fail_too_large(struct weft_error *err);
