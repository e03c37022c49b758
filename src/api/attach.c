/* SPDX-License-Identifier: Apache-2.0 */

/*
 * POST /containers/{ref}/attach: a container's output as it comes, until its end. It is the log
 * that is followed, from where it now ends, or from its beginning when the container has never run:
 * `docker run` attaches before it starts. Input is not passed on.
 */

#include <errno.h>

#include "api/handlers.h"
#include "api/hijack.h"
#include "api/log_stream.h"
#include "api/pump.h"
#include "api/reply.h"

static void take_connection(struct api *api, void *arg, int fd)
{
    pump_start(api, arg, fd);
}

static void drop_stream(void *arg)
{
    api_stream_free(arg);
}

int handle_container_attach(struct request *rq, struct weft_error *err)
{
    const struct container *c = engine_container(rq->api->engine, rq->ref, err);
    struct log_options options = {.out = request_query_bool(rq, "stdout"),
                                  .err = request_query_bool(rq, "stderr"),
                                  .follow = request_query_bool(rq, "stream")};
    struct api_stream *log;
    int r;

    if (!c)
        return -err->errnum;
    if (c->status == CONTAINER_CREATED || request_query_bool(rq, "logs"))
        options.tail = -1;
    r = log_stream_new(rq->api, c, &options, &log, err);
    if (r < 0)
        return r;
    if (!hijack_wanted(rq))
        return api_stream_reply(rq, log_content_type(c), log, err);
    return hijack_reply(rq, log_content_type(c), take_connection, drop_stream, log, err);
}
