/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "api/handlers.h"
#include "api/log_stream.h"
#include "api/reply.h"

struct log_stream {
    struct api_stream stream;
    struct log_reader *reader;
    struct engine_waiter *waiter; /* of a log that is followed */
};

static void on_ready(void *arg)
{
    struct log_stream *log = arg;

    api_stream_wake(&log->stream);
}

static void on_end(void *arg, int exit_code _unused_)
{
    struct log_stream *log = arg;

    log->waiter = NULL;
    log_reader_finish(log->reader);
    api_stream_wake(&log->stream);
}

static int log_read(struct api_stream *s, size_t max, struct strbuf *out)
{
    struct log_stream *log = (struct log_stream *)s;

    return log_reader_read(log->reader, max, out);
}

static void log_free(struct api_stream *s)
{
    struct log_stream *log = (struct log_stream *)s;

    engine_wait_cancel(log->waiter);
    log_reader_free(log->reader);
    free(log);
}

int log_stream_new(struct api *api, const struct container *c, const struct log_options *wanted,
                   struct api_stream **ret, struct weft_error *err)
{
    static const struct api_stream_ops ops = {log_read, log_free};
    struct log_stream *log = calloc(1, sizeof *log);
    struct log_options options = *wanted;
    int r;

    if (!log)
        return weft_oom(err);
    log->stream.ops = &ops;
    options.multiplexed = !c->config.tty;
    r = log_reader_open(api->loop, engine_container_log(api->engine, c), &options, on_ready, log,
                        &log->reader, err);
    if (r == 0 && options.follow)
        r = engine_container_wait(api->engine, c->id, ENGINE_WAIT_NEXT_EXIT, on_end, log,
                                  &log->waiter, err);
    if (r < 0) {
        log_free(&log->stream);
        return r;
    }
    *ret = &log->stream;
    return 0;
}

const char *log_content_type(const struct container *c)
{
    return c->config.tty ? CONTENT_RAW : CONTENT_MULTIPLEXED;
}

static int read_options(const struct request *rq, struct log_options *ret, struct weft_error *err)
{
    const char *tail = request_query(rq, "tail");
    int r;

    *ret = (struct log_options){.out = request_query_bool(rq, "stdout"),
                                .err = request_query_bool(rq, "stderr"),
                                .follow = request_query_bool(rq, "follow"),
                                .timestamps = request_query_bool(rq, "timestamps"),
                                .tail = -1};
    if (!ret->out && !ret->err)
        return weft_fail(err, WEFT_INVALID, "bad parameters: you must choose at least one stream");
    /* As Docker does: "all", and what is no number, is all. */
    if (tail)
        (void)str_to_i64(tail, 0, INT64_MAX, &ret->tail);
    r = request_query_time(rq, "since", &ret->since, err);
    return r < 0 ? r : request_query_time(rq, "until", &ret->until, err);
}

int handle_container_logs(struct request *rq, struct weft_error *err)
{
    const struct container *c = engine_container(rq->api->engine, rq->ref, err);
    struct log_options options = {0};
    struct api_stream *log = NULL;
    int r;

    if (!c)
        return -err->errnum;
    r = read_options(rq, &options, err);
    options.follow = options.follow && c->status == CONTAINER_RUNNING;
    if (r == 0)
        r = log_stream_new(rq->api, c, &options, &log, err);
    return r < 0 ? r : api_stream_reply(rq, log_content_type(c), log, err);
}
