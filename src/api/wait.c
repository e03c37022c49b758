/* SPDX-License-Identifier: Apache-2.0 */

/* POST /containers/{ref}/wait: the headers at once, so that clients know that they are heard, the
 * exit code when it is there. */

#include <errno.h>
#include <stdlib.h>

#include "api/handlers.h"
#include "api/reply.h"
#include "api/stream.h"

struct wait_stream {
    struct api_stream stream;
    struct engine_waiter *waiter; /* NULL: it is over */
    int exit_code;
    bool told;
};

static void on_end(void *arg, int exit_code)
{
    struct wait_stream *w = arg;

    w->waiter = NULL;
    w->exit_code = exit_code;
    api_stream_wake(&w->stream);
}

static int wait_read(struct api_stream *s, size_t max _unused_, struct strbuf *out)
{
    struct wait_stream *w = (struct wait_stream *)s;

    if (w->waiter)
        return 0;
    if (w->told)
        return -ENODATA;
    strbuf_printf(out, "{\"StatusCode\":%d}\n", w->exit_code);
    w->told = true;
    return 1;
}

static void wait_free(struct api_stream *s)
{
    struct wait_stream *w = (struct wait_stream *)s;

    engine_wait_cancel(w->waiter);
    free(w);
}

static int parse_condition(const char *text, enum engine_wait *ret, struct weft_error *err)
{
    static const char *const names[] = {[ENGINE_WAIT_NOT_RUNNING] = "not-running",
                                        [ENGINE_WAIT_NEXT_EXIT] = "next-exit",
                                        [ENGINE_WAIT_REMOVED] = "removed"};

    if (str_is_empty(text))
        text = names[ENGINE_WAIT_NOT_RUNNING];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_equal(text, names[i])) {
            *ret = (enum engine_wait)i;
            return 0;
        }
    }
    return weft_fail(err, WEFT_INVALID, "invalid condition: \"%s\"", text);
}

int handle_container_wait(struct request *rq, struct weft_error *err)
{
    static const struct api_stream_ops ops = {wait_read, wait_free};
    enum engine_wait condition = ENGINE_WAIT_NOT_RUNNING;
    struct wait_stream *w;
    int r = parse_condition(request_query(rq, "condition"), &condition, err);

    if (r < 0)
        return r;
    w = calloc(1, sizeof *w);
    if (!w)
        return weft_oom(err);
    w->stream.ops = &ops;
    r = engine_container_wait(rq->api->engine, rq->ref, condition, on_end, w, &w->waiter, err);
    if (r < 0) {
        free(w);
        return r;
    }
    return api_stream_reply(rq, CONTENT_JSON, &w->stream, err);
}
