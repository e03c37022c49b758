/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: libcurl's multi interface tells which of its sockets it wants to hear of,
 * and how long to wait at most; each socket is watched by a uv_poll_t, the wait is one uv_timer_t.
 * Both lead to multi_socket_action, after which what has ended is told. Handles of libuv are freed
 * when they are closed, so all of it can go at any moment but from within libcurl's callbacks,
 * which call nobody.
 */

#include "plugin/http.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/strbuf.h"
#include "plugin/library.h"

#define CONNECTIONS_MAX 8L /* that are kept for the next request */
#define HEADER_MAX 65536   /* bytes of headers; a plugin's are a few hundred */

struct http {
    const struct curl_library *curl;
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t *timer;
    struct curl_slist *headers;
};

struct http_request {
    struct http *http;
    CURL *easy;
    struct strbuf body;
    size_t header_bytes;
    bool too_long, tls;
    char words[CURL_ERROR_SIZE];
    http_done_fn *done;
    void *arg;
};

/* ---- the end of a request ---- */

void http_cancel(struct http_request *request)
{
    if (!request)
        return;
    (void)request->http->curl->multi_remove_handle(request->http->multi, request->easy);
    request->http->curl->easy_cleanup(request->easy);
    strbuf_free(&request->body);
    free(request);
}

static bool heard_anything(struct http_request *request)
{
    return request->header_bytes > 0 || request->body.len > 0;
}

/* With TLS a connection that ends may have been refused for good: the reason is in the words. */
static enum http_outcome outcome_of(struct http_request *request, CURLcode code)
{
    switch (code) {
    case CURLE_OK:
        return request->body.failed ? HTTP_FAILED : HTTP_ANSWERED;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
        return HTTP_UNREACHABLE;
    case CURLE_GOT_NOTHING:
        return HTTP_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_OVERDUE;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return heard_anything(request) || request->tls ? HTTP_FAILED : HTTP_UNREACHABLE;
    default:
        return HTTP_FAILED;
    }
}

static const char *why_of(const struct http_request *request, CURLcode code)
{
    if (request->body.failed)
        return "out of memory";
    if (request->too_long)
        return "the answer is too long";
    if (code == CURLE_OPERATION_TIMEDOUT)
        return "no answer within 10 seconds";
    return *request->words ? request->words : request->http->curl->easy_strerror(code);
}
static_assert(PLUGIN_ANSWER_MS == 10000, "as the sentence says");

static void tell(struct http_request *request, CURLcode code)
{
    struct http_answer answer = {
        .outcome = outcome_of(request, code),
        .body = strbuf_text(&request->body),
        .length = request->body.len,
        .why = why_of(request, code),
    };

    (void)request->http->curl->easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &answer.status);
    request->done(request->arg, &answer);
}

/* Those who are told may post and cancel. The one that is told of is out of libcurl's list by then,
 * and goes after it. */
static void tell_ended(struct http *h)
{
    CURLMsg *message;
    int left;

    while ((message = h->curl->multi_info_read(h->multi, &left))) {
        struct http_request *request = NULL;
        CURLcode code = message->data.result;

        (void)h->curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &request);
        (void)h->curl->multi_remove_handle(h->multi, request->easy);
        tell(request, code);
        h->curl->easy_cleanup(request->easy);
        strbuf_free(&request->body);
        free(request);
    }
}

/* ---- libuv to libcurl ---- */

static void act(struct http *h, curl_socket_t fd, int events)
{
    int running;

    (void)h->curl->multi_socket_action(h->multi, fd, events, &running);
    tell_ended(h);
}

static void timer_fired(uv_timer_t *timer)
{
    act(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

struct watch {
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
};

static void watch_fired(uv_poll_t *poll, int status, int events)
{
    struct watch *w = poll->data;
    int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
                (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0) | (status < 0 ? CURL_CSELECT_ERR : 0);

    act(w->http, w->fd, flags);
}

/* ---- libcurl to libuv ---- */

static void free_handle(uv_handle_t *handle)
{
    free(handle->data);
}

static int set_timer(CURLM *multi _unused_, long ms, void *arg)
{
    struct http *h = arg;

    if (ms < 0)
        uv_timer_stop(h->timer);
    else
        uv_timer_start(h->timer, timer_fired, (uint64_t)ms, 0);
    return 0;
}

static struct watch *watch_new(struct http *h, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);

    if (!w || uv_poll_init(h->loop, &w->poll, fd) < 0) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->http = h;
    w->fd = fd;
    (void)h->curl->multi_assign(h->multi, fd, w);
    return w;
}

static int set_watch(CURL *easy _unused_, curl_socket_t fd, int what, void *arg, void *assigned)
{
    struct http *h = arg;
    struct watch *w = assigned;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    if (what == CURL_POLL_REMOVE) {
        if (w)
            uv_close((uv_handle_t *)&w->poll, free_handle);
        (void)h->curl->multi_assign(h->multi, fd, NULL);
        return 0;
    }
    if (!w)
        w = watch_new(h, fd);
    return w && uv_poll_start(&w->poll, events, watch_fired) == 0 ? 0 : -1;
}

/* What is executed must not inherit it. */
static curl_socket_t open_socket(void *arg _unused_, curlsocktype purpose _unused_,
                                 struct curl_sockaddr *address)
{
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_request *request = arg;

    if (size * count > PLUGIN_ANSWER_MAX - request->body.len) {
        request->too_long = true;
        return 0;
    }
    strbuf_add(&request->body, data, size * count);
    return size * count;
}

static size_t take_header(char *data _unused_, size_t size, size_t count, void *arg)
{
    struct http_request *request = arg;

    request->header_bytes += size * count;
    request->too_long = request->header_bytes > HEADER_MAX;
    return request->too_long ? 0 : size * count;
}

/* ---- requests ---- */

/* The environment of weftd (proxies) has no say in it, and nothing leads elsewhere. */
static void set_transport(const struct curl_library *curl, CURL *easy,
                          const struct plugin_address *to)
{
    (void)curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_PROXY, "");
    (void)curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    (void)curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)PLUGIN_ANSWER_MS);
    (void)curl->easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    if (to->socket)
        (void)curl->easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, to->socket);
    if (to->insecure) {
        (void)curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        (void)curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (to->ca)
        (void)curl->easy_setopt(easy, CURLOPT_CAINFO, to->ca);
    if (to->cert) {
        (void)curl->easy_setopt(easy, CURLOPT_SSLCERT, to->cert);
        (void)curl->easy_setopt(easy, CURLOPT_SSLKEY, to->key);
    }
}

static void set_request(const struct curl_library *curl, struct http_request *request,
                        const char *body)
{
    CURL *easy = request->easy;

    (void)curl->easy_setopt(easy, CURLOPT_PRIVATE, request);
    (void)curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, request->words);
    (void)curl->easy_setopt(easy, CURLOPT_HTTPHEADER, request->http->headers);
    (void)curl->easy_setopt(easy, CURLOPT_POST, 1L);
    (void)curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE, body ? (long)strlen(body) : 0L);
    (void)curl->easy_setopt(easy, CURLOPT_POSTFIELDS, body ? body : "");
    (void)curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    (void)curl->easy_setopt(easy, CURLOPT_WRITEDATA, request);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
    (void)curl->easy_setopt(easy, CURLOPT_HEADERDATA, request);
}

int http_post(struct http *h, const struct plugin_address *to, const char *path, const char *body,
              http_done_fn *done, void *arg, struct http_request **ret, struct weft_error *err)
{
    const struct curl_library *curl = h->curl;
    _cleanup_free_ char *url = str_printf("%s/%s", to->url, path);
    _cleanup_free_ struct http_request *request = calloc(1, sizeof *request);

    if (!url || !request)
        return weft_oom(err);
    *request =
        (struct http_request){.http = h, .easy = curl->easy_init(), .done = done, .arg = arg};
    if (!request->easy)
        return weft_oom(err);
    request->tls = str_starts_with(url, "https:");
    set_transport(curl, request->easy, to);
    set_request(curl, request, body);
    if (curl->easy_setopt(request->easy, CURLOPT_URL, url) != CURLE_OK ||
        curl->multi_add_handle(h->multi, request->easy) != CURLM_OK) {
        curl->easy_cleanup(request->easy);
        return weft_oom(err);
    }
    *ret = TAKE_PTR(request);
    return 0;
}

/* ---- the client ---- */

/* libcurl would call a POST without Content-Type a form, and would ask long ones to be expected. */
static struct curl_slist *make_headers(const struct curl_library *curl)
{
    static const char *const lines[] = {
        "Accept: " PLUGIN_MIMETYPE,
        "Content-Type: " PLUGIN_MIMETYPE,
        "Expect:",
    };
    struct curl_slist *list = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct curl_slist *longer = curl->slist_append(list, lines[i]);

        if (!longer) {
            curl->slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

static int open_multi(struct http *h, struct weft_error *err)
{
    h->headers = make_headers(h->curl);
    h->multi = h->curl->multi_init();
    h->timer = calloc(1, sizeof *h->timer);
    if (!h->headers || !h->multi || !h->timer)
        return weft_oom(err);
    uv_timer_init(h->loop, h->timer);
    h->timer->data = h;
    (void)h->curl->multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, set_watch);
    (void)h->curl->multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
    (void)h->curl->multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void)h->curl->multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
    (void)h->curl->multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
    return 0;
}

int http_new(uv_loop_t *loop, struct http **ret, struct weft_error *err)
{
    const struct curl_library *curl = curl_library(err);
    struct http *h = curl ? calloc(1, sizeof *h) : NULL;
    int r;

    if (!curl)
        return -err->errnum;
    if (!h)
        return weft_oom(err);
    h->curl = curl;
    h->loop = loop;
    r = open_multi(h, err);
    if (r < 0) {
        http_free(h);
        return r;
    }
    *ret = h;
    return 0;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void http_free(struct http *h)
{
    if (!h)
        return;
    if (h->multi)
        (void)h->curl->multi_cleanup(h->multi);
    h->curl->slist_free_all(h->headers);
    if (h->timer)
        uv_close((uv_handle_t *)h->timer, timer_closed);
    free(h);
}
