/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/handlers.h"
#include "api/hijack.h"
#include "api/reply.h"
#include "api/socket_stream.h"
#include "base/json.h"

int handle_exec_create(struct request *rq, struct weft_error *err)
{
    _cleanup_(exec_config_clear) struct exec_config config = {0};
    _cleanup_json_ json_t *doc = NULL;
    const struct engine_exec *made = NULL;
    int r = request_json(rq, &doc, err);

    if (r == 0)
        r = exec_config_from_json(doc, &config, err);
    if (r == 0)
        r = engine_exec_create(rq->api->engine, rq->ref, &config, &made, err);
    if (r < 0)
        return r;
    return reply_json(rq, MHD_HTTP_CREATED, json_pack("{s:s}", "Id", made->id), err);
}

/* ---- start ---- */

/* The connection is already the exec's: a failure can only be told there, as output on standard
 * error. */
static void send_failure(int fd, bool tty, const char *text)
{
    size_t length = strlen(text) + 2;
    unsigned char header[8] = {
        2, 0, 0, 0, 0, 0, (unsigned char)(length >> 8), (unsigned char)length};
    _cleanup_strbuf_ struct strbuf message = {0};

    if (!tty)
        strbuf_add(&message, header, sizeof header);
    strbuf_printf(&message, "%s\r\n", text);
    (void)send(fd, strbuf_text(&message), message.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* arg: the exec's id. */
static void take_connection(struct api *api, void *arg, int fd)
{
    _cleanup_free_ char *id = arg;
    _cleanup_close_ int own = fd;
    struct weft_error err;
    const struct engine_exec *x = engine_exec_find(api->engine, id, &err);

    if (x && engine_exec_start(api->engine, id, own, &err) == 0)
        (void)TAKE_FD(own);
    else
        send_failure(own, x && x->config.tty, err.text);
}

/* For clients that do not ask for the connection: output is the answer's body, there is no input.
 */
static int start_with_body(struct request *rq, const struct engine_exec *x, struct weft_error *err)
{
    const char *content_type = x->config.tty ? CONTENT_RAW : CONTENT_MULTIPLEXED;
    struct api_stream *output;
    int pair[2], r;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return weft_fail_errno(err, errno, "cannot make sockets for exec %.12s", x->id);
    shutdown(pair[0], SHUT_WR);
    r = engine_exec_start(rq->api->engine, x->id, pair[1], err);
    if (r < 0) {
        close(pair[0]);
        close(pair[1]);
        return r;
    }
    r = socket_stream_new(rq->api, pair[0], &output, err);
    return r < 0 ? r : api_stream_reply(rq, content_type, output, err);
}

static int check_startable(struct engine *e, const struct engine_exec *x, struct weft_error *err)
{
    const struct container *c = engine_container(e, x->container_id, err);

    if (!c)
        return -err->errnum;
    if (x->started)
        return weft_fail(err, WEFT_CONFLICT, "exec %.12s has been started already", x->id);
    if (c->status != CONTAINER_RUNNING)
        return weft_fail(err, WEFT_CONFLICT, "container %s is not running", c->name);
    return 0;
}

static int read_detach(const struct request *rq, bool *ret, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    int r;

    if (rq->body.len == 0)
        return 0;
    r = request_json(rq, &doc, err);
    return r < 0 ? r : json_get_bool(doc, "Detach", ret, err);
}

int handle_exec_start(struct request *rq, struct weft_error *err)
{
    struct engine *e = rq->api->engine;
    const struct engine_exec *x = engine_exec_find(e, rq->ref, err);
    bool detach = false;
    char *id;
    int r;

    if (!x)
        return -err->errnum;
    r = read_detach(rq, &detach, err);
    if (r == 0)
        r = check_startable(e, x, err);
    if (r < 0)
        return r;
    if (detach) {
        r = engine_exec_start(e, x->id, -1, err);
        return r < 0 ? r : reply_empty(rq, MHD_HTTP_OK, err);
    }
    if (!hijack_wanted(rq))
        return start_with_body(rq, x, err);
    id = strdup(x->id);
    if (!id)
        return weft_oom(err);
    return hijack_reply(rq, x->config.tty ? CONTENT_RAW : CONTENT_MULTIPLEXED, take_connection,
                        free, id, err);
}

/* ---- the rest ---- */

static json_t *process_json(const struct exec_config *config)
{
    return json_pack("{s:b, s:s, s:o, s:b, s:s}", "tty", config->tty, "entrypoint",
                     config->cmd ? config->cmd[0] : "", "arguments",
                     json_from_strv(config->cmd && *config->cmd ? config->cmd + 1 : NULL),
                     "privileged", config->privileged, "user", config->user ? config->user : "");
}

int handle_exec_inspect(struct request *rq, struct weft_error *err)
{
    const struct engine_exec *x = engine_exec_find(rq->api->engine, rq->ref, err);
    bool ended;

    if (!x)
        return -err->errnum;
    ended = x->started && !x->running;
    return reply_json(rq, MHD_HTTP_OK,
                      json_pack("{s:s, s:b, s:o, s:o, s:b, s:b, s:b, s:b, s:s, s:s, s:i}", "ID",
                                x->id, "Running", x->running != NULL, "ExitCode",
                                ended ? json_integer(x->exit_code) : json_null(), "ProcessConfig",
                                process_json(&x->config), "OpenStdin", x->config.attach_stdin,
                                "OpenStdout", x->config.attach_stdout, "OpenStderr",
                                x->config.attach_stderr, "CanRemove", ended, "ContainerID",
                                x->container_id, "DetachKeys", "", "Pid",
                                x->running ? (int)exec_pid(x->running) : 0),
                      err);
}

int handle_exec_resize(struct request *rq, struct weft_error *err)
{
    const struct engine_exec *x = engine_exec_find(rq->api->engine, rq->ref, err);
    int64_t rows = 0, columns = 0;
    int r;

    if (!x)
        return -err->errnum;
    r = request_query_i64(rq, "h", 0, UINT16_MAX, &rows, err);
    if (r == 0)
        r = request_query_i64(rq, "w", 0, UINT16_MAX, &columns, err);
    if (r == 0 && !x->running)
        r = weft_fail(err, WEFT_CONFLICT, "exec %.12s is not running", x->id);
    if (r == 0)
        r = exec_resize(x->running, (unsigned)rows, (unsigned)columns, err);
    return r < 0 ? r : reply_empty(rq, MHD_HTTP_OK, err);
}
