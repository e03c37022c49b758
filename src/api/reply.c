/* SPDX-License-Identifier: Apache-2.0 */
#include "api/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"

#define SERVER_TEXT "weft/" WEFT_VERSION " (linux)"

int reply_response(struct request *rq, unsigned status, const char *content_type,
                   struct MHD_Response *response, struct weft_error *err)
{
    static const char *const headers[][2] = {
        {"Api-Version", API_VERSION},
        {"Docker-Experimental", "false"},
        {"Ostype", "linux"},
        {"Server", SERVER_TEXT},
    };
    enum MHD_Result ok = response ? MHD_YES : MHD_NO;

    for (size_t i = 0; ok == MHD_YES && i < ARRAY_SIZE(headers); i++)
        ok = MHD_add_response_header(response, headers[i][0], headers[i][1]);
    if (ok == MHD_YES && content_type)
        ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (ok == MHD_NO) {
        if (response)
            MHD_destroy_response(response);
        return weft_oom(err);
    }
    if (rq->response)
        MHD_destroy_response(rq->response);
    rq->response = response;
    rq->status = status;
    return 0;
}

/* text is taken. */
static int reply_buffer(struct request *rq, unsigned status, const char *content_type, char *text,
                        size_t len, struct weft_error *err)
{
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE) : NULL;

    if (!response)
        free(text);
    return reply_response(rq, status, content_type, response, err);
}

int reply_json(struct request *rq, unsigned status, json_t *doc, struct weft_error *err)
{
    char *text = doc ? json_text(doc) : NULL;
    size_t len = text ? strlen(text) : 0;

    json_decref(doc);
    if (!text)
        return weft_oom(err);
    text[len++] = '\n'; /* in the place of the NUL, which nobody needs any more */
    return reply_buffer(rq, status, CONTENT_JSON, text, len, err);
}

int reply_text(struct request *rq, struct strbuf *text, struct weft_error *err)
{
    size_t len = text->len;

    return reply_buffer(rq, MHD_HTTP_OK, CONTENT_TEXT, strbuf_take(text), len, err);
}

int reply_json_text(struct request *rq, struct strbuf *text, struct weft_error *err)
{
    size_t len = text->len;

    return reply_buffer(rq, MHD_HTTP_OK, CONTENT_JSON, strbuf_take(text), len, err);
}

int reply_empty(struct request *rq, unsigned status, struct weft_error *err)
{
    static char nothing[] = "";

    return reply_response(rq, status, NULL,
                          MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT), err);
}

/* New reference. The sentence may hold any bytes that a client sent, or end in the middle of a
 * character; JSON must be UTF-8. */
static json_t *message_json(const char *text)
{
    char plain[sizeof((struct weft_error *)0)->text];
    json_t *doc = json_pack("{s:s}", "message", text);

    if (doc)
        return doc;
    (void)str_copy(plain, sizeof plain, text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c > 0x7f)
            *c = '?';
    return json_pack("{s:s}", "message", plain);
}

void reply_error(struct request *rq, const struct weft_error *err)
{
    unsigned status = (unsigned)weft_code_http_status(err->code);

    if (err->code == WEFT_UNCHANGED)
        (void)reply_empty(rq, status, NULL);
    else
        (void)reply_json(rq, status, message_json(err->text), NULL);
}

enum MHD_Result reply_send(struct request *rq)
{
    enum MHD_Result ok;

    if (!rq->response && rq->later) {
        request_suspend(rq);
        return MHD_YES;
    }
    if (!rq->response)
        return MHD_NO;
    ok = MHD_queue_response(rq->connection, rq->status, rq->response);
    MHD_destroy_response(TAKE_PTR(rq->response));
    return ok;
}

int fail_too_large(struct weft_error *err)
{
    return weft_fail(err, WEFT_TOO_LARGE, "the request's body is larger than %d bytes",
                     REQUEST_BODY_MAX);
}

void reply_send_too_large(const struct request *rq)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    _cleanup_strbuf_ struct strbuf text = {0};
    struct weft_error err;

    fail_too_large(&err);
    strbuf_printf(&text,
                  "HTTP/1.1 413 Content Too Large\r\nServer: " SERVER_TEXT "\r\n"
                  "Content-Type: " CONTENT_JSON "\r\nContent-Length: %zu\r\n"
                  "Connection: close\r\n\r\n{\"message\":\"%s\"}",
                  strlen(err.text) + strlen("{\"message\":\"\"}"), err.text);
    (void)send(info->connect_fd, strbuf_text(&text), text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
}
