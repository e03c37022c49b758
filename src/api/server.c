/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: libmicrohttpd keeps all of its sockets in an epoll set of its own. That
 * set's descriptor is one of our loop's; whenever it is readable, or the time that the server asked
 * for has come, the server gets its turn, in which it calls on_request() for each step of each
 * request.
 *
 * A request's steps are: once when its headers are there, once for each piece of its body, once at
 * its end, and once more each time its connection has been resumed without an answer in between.
 */

#include "api/server.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "api/events.h"
#include "api/reply.h"
#include "api/route.h"
#include "base/log.h"

#define CONNECTION_MAX 4096
#define CONNECTION_MEMORY 8192 /* bytes; bounds a request's headers and thus its URL */
#define IDLE_TIMEOUT 60U       /* seconds */
#define CROWD 64               /* connections */

/* ---- requests ---- */

static enum MHD_Result begin_request(struct request *rq)
{
    const char *length = request_header(rq, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct weft_error err;
    int64_t size;

    if (!length || str_to_i64(length, 0, REQUEST_BODY_MAX, &size) == 0)
        return MHD_YES;
    fail_too_large(&err);
    reply_error(rq, &err);
    return reply_send(rq);
}

static enum MHD_Result take_body(struct request *rq, const char *data, size_t *size)
{
    if (*size > REQUEST_BODY_MAX - rq->body.len) {
        reply_send_too_large(rq);
        return MHD_NO;
    }
    strbuf_add(&rq->body, data, *size);
    *size = 0;
    return MHD_YES;
}

static enum MHD_Result finish_request(struct request *rq)
{
    struct weft_error err = {.code = WEFT_INTERNAL};

    if (!rq->dispatched) {
        rq->dispatched = true;
        if (route_dispatch(rq, &err) < 0)
            reply_error(rq, &err);
    }
    return reply_send(rq);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version _unused_,
                                  const char *data, size_t *size, void **context)
{
    struct request *rq = *context;

    if (!rq) {
        rq = request_new(arg, connection, url, method);
        *context = rq;
        return rq ? begin_request(rq) : MHD_NO;
    }
    return *size > 0 ? take_body(rq, data, size) : finish_request(rq);
}

static void on_completed(void *arg _unused_, struct MHD_Connection *connection _unused_,
                         void **context, enum MHD_RequestTerminationCode code _unused_)
{
    request_free(*context);
    *context = NULL;
}

/* A crowd leaves a heap behind of which nothing is in use: it goes back to the system with the last
 * of them. */
static void on_connection(void *arg, struct MHD_Connection *connection _unused_,
                          void **context _unused_, enum MHD_ConnectionNotificationCode code)
{
    struct api *api = arg;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        api->connections++;
        if (api->connections >= CROWD)
            api->crowded = true;
    } else if (--api->connections < CROWD / 2 && api->crowded) {
        api->crowded = false;
        malloc_trim(0);
    }
}

/* ---- the loop ---- */

static void on_timer(uv_timer_t *timer);

static void take_turn(struct api *api)
{
    MHD_UNSIGNED_LONG_LONG timeout; /* ms */

    api->woken = false;
    MHD_run(api->daemon);
    if (api->woken)
        return;
    if (MHD_get_timeout(api->daemon, &timeout) == MHD_YES)
        uv_timer_start(&api->timer, on_timer, timeout, 0);
    else
        uv_timer_stop(&api->timer);
}

static void on_timer(uv_timer_t *timer)
{
    take_turn(timer->data);
}

/* Without threads of its own the server does not notice a resumed connection by itself. */
void api_wake(struct api *api)
{
    uv_timer_start(&api->timer, on_timer, 0, 0);
}

void server_wake(struct api *api)
{
    api->woken = true;
    uv_timer_start(&api->timer, on_timer, 0, 0);
}

static void on_readable(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    take_turn(poll->data);
}

/* ---- life ---- */

_printf_(2, 0) static void on_log(void *arg _unused_, const char *fmt, va_list args)
{
    char text[256];

    vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\n")] = '\0';
    log_debug("http: %s", text);
}

static int start_daemon(struct api *api, int listen_fd, struct weft_error *err)
{
    const struct MHD_OptionItem options[] = {
        {MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, CONNECTION_MAX, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT, NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, api},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, api},
        {MHD_OPTION_END, 0, NULL},
    };
    unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_ERROR_LOG | MHD_ALLOW_SUSPEND_RESUME |
                     MHD_ALLOW_UPGRADE;

    /* The logger goes first, so that what is wrong with the others is said to it. */
    api->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, api, MHD_OPTION_EXTERNAL_LOGGER, on_log,
                         NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    if (!api->daemon)
        return weft_fail(err, WEFT_INTERNAL, "cannot start the HTTP server");
    return 0;
}

static void handle_closed(uv_handle_t *handle)
{
    struct api *api = handle->data;

    if (--api->open_handles > 0)
        return;
    free(api->state_dir);
    free(api);
}

static int join_loop(struct api *api, struct weft_error *err)
{
    int fd = MHD_get_daemon_info(api->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int r = uv_poll_init(api->loop, &api->poll, fd);

    if (r < 0)
        return weft_fail_errno(err, r, "cannot watch the HTTP server's sockets");
    uv_timer_init(api->loop, &api->timer);
    api->poll.data = api->timer.data = api;
    api->open_handles = 2;
    uv_poll_start(&api->poll, UV_READABLE, on_readable);
    return 0;
}

int api_new(uv_loop_t *loop, struct engine *e, int listen_fd, const struct api_config *config,
            struct api **ret, struct weft_error *err)
{
    struct api *api = calloc(1, sizeof *api);
    int r = api ? 0 : weft_oom(err);

    if (r < 0)
        return r;
    api->loop = loop;
    api->engine = e;
    api->enable_faults = config->enable_faults;
    api->state_dir = strdup(config->state_dir);
    r = api->state_dir ? events_open(api) : -ENOMEM;
    if (r < 0)
        weft_oom(err);
    if (r == 0)
        r = start_daemon(api, listen_fd, err);
    if (r == 0)
        r = join_loop(api, err);
    if (r == 0) {
        *ret = api;
        return 0;
    }
    if (api->daemon) {
        MHD_quiesce_daemon(api->daemon); /* the listening socket stays the caller's */
        MHD_stop_daemon(api->daemon);
    }
    events_close(api);
    free(api->state_dir);
    free(api);
    return r;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    uv_poll_stop(&api->poll);
    /* The server cannot end sleeping connections. */
    for (struct request *rq = api->requests; rq; rq = rq->next)
        request_resume(rq);
    MHD_stop_daemon(api->daemon);
    while (api->sessions)
        api->sessions->end(api->sessions);
    events_close(api);
    uv_close((uv_handle_t *)&api->poll, handle_closed);
    uv_close((uv_handle_t *)&api->timer, handle_closed);
}

void session_add(struct api *api, struct session *s)
{
    s->next = api->sessions;
    s->link = &api->sessions;
    if (s->next)
        s->next->link = &s->next;
    api->sessions = s;
}

void session_remove(struct session *s)
{
    *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
}
