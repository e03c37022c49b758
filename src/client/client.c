/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP/1.1 (RFC 9112) as far as a client on a Unix socket needs it. Not libcurl: loading it takes
 * ten times as long as the whole of `weft ps`, and it gives hijacked streams away only with tricks.
 *
 * Nothing is read ahead: lines are peeked at and taken up to their end, so the byte after an
 * answer's header is the next one in the socket. That makes taking a connection over trivial: the
 * descriptor is all there is.
 */

#include "client/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"

#define HEAD_MAX (64 * 1024)
#define BODY_MAX (256 * 1024 * 1024)

enum framing {
    FRAMING_NONE,   /* no body, or all of it has been read */
    FRAMING_LENGTH, /* Content-Length */
    FRAMING_CHUNKED,
    FRAMING_UNTIL_CLOSE,
};

struct client {
    char *path;
    int fd;
    bool keep; /* the connection may carry another request after this answer */
    int status;
    char *content_type;
    enum framing framing;
    uint64_t remaining; /* of the body, or of the chunk */
    bool in_chunk;      /* the end of a chunk is still to be read */
};

int client_new(const char *host, struct client **ret, struct weft_error *err)
{
    _cleanup_client_ struct client *c = NULL;
    const char *path = host + strlen("unix://");

    if (!str_starts_with(host, "unix:///"))
        return weft_fail(err, WEFT_INVALID, "host \"%s\" is not of the form unix:///path", host);
    if (strlen(path) >= sizeof((struct sockaddr_un){0}).sun_path)
        return weft_fail(err, WEFT_INVALID, "socket path %s is too long", path);
    c = calloc(1, sizeof *c);
    if (!c)
        return weft_oom(err);
    c->fd = -1;
    c->path = strdup(path);
    if (!c->path)
        return weft_oom(err);
    *ret = TAKE_PTR(c);
    return 0;
}

struct client *client_another(const struct client *c)
{
    _cleanup_client_ struct client *other = calloc(1, sizeof *other);

    if (!other)
        return NULL;
    other->fd = -1;
    other->path = strdup(c->path);
    return other->path ? TAKE_PTR(other) : NULL;
}

static void disconnect(struct client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd);
    c->fd = -1;
    c->framing = FRAMING_NONE;
}

void client_free(struct client *c)
{
    if (!c)
        return;
    disconnect(c);
    free(c->content_type);
    free(c->path);
    free(c);
}

int client_connect(struct client *c, struct weft_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot make a socket");
    memcpy(address.sun_path, c->path, strlen(c->path));
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int errnum = errno;

        (void)weft_fail(err, WEFT_INTERNAL, "cannot connect to weftd at %s: %s. %s", c->path,
                        strerror(errnum),
                        errnum == EACCES ? "Are you in the group that may use it?"
                                         : "Is it running?");
        return -errnum;
    }
    disconnect(c);
    c->fd = TAKE_FD(fd);
    c->keep = true;
    return 0;
}

/* Whether the connection can carry a request: it is open, idle, and the daemon has not closed it.
 */
static bool is_reusable(struct client *c)
{
    char byte;

    return c->fd >= 0 && c->keep && c->framing == FRAMING_NONE &&
           recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static int send_all(struct client *c, const char *data, size_t len, struct weft_error *err)
{
    while (len > 0) {
        ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return weft_fail_errno(err, errno, "cannot send to weftd");
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int send_request(struct client *c, const char *method, const char *target,
                        const json_t *body, const char *headers, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf request = {0};
    _cleanup_free_ char *text = body ? json_text(body) : strdup("");
    int r;

    if (!text)
        return weft_oom(err);
    strbuf_printf(&request, "%s %s HTTP/1.1\r\nHost: weft\r\nUser-Agent: weft/%s\r\n%s", method,
                  target, WEFT_VERSION, headers);
    if (body)
        strbuf_puts(&request, "Content-Type: application/json\r\n");
    if (body || strcmp(method, "GET") != 0)
        strbuf_printf(&request, "Content-Length: %zu\r\n", strlen(text));
    strbuf_printf(&request, "\r\n%s", text);
    if (request.failed)
        return weft_oom(err);
    if (!is_reusable(c)) {
        r = client_connect(c, err);
        if (r < 0)
            return r;
    }
    return send_all(c, request.data, request.len, err);
}

/* One recv(2): how many bytes, 0 at the end of the connection, -errno. */
static ssize_t receive(struct client *c, void *buf, size_t size, int flags, struct weft_error *err)
{
    ssize_t n;

    do
        n = recv(c->fd, buf, size, flags);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return weft_fail_errno(err, errno, "cannot receive from weftd");
    return n;
}

static int fail_closed(struct weft_error *err)
{
    return weft_fail(err, WEFT_INTERNAL, "weftd closed the connection before its answer ended");
}

/* Takes the bytes up to and with terminator, and not one more. */
static int receive_until(struct client *c, const char *terminator, struct strbuf *text,
                         struct weft_error *err)
{
    while (text->len < HEAD_MAX) {
        char piece[4096];
        ssize_t n = receive(c, piece, sizeof piece, MSG_PEEK, err);
        size_t before = text->len, search, take;
        const char *end;

        if (n <= 0)
            return n < 0 ? (int)n : fail_closed(err);
        strbuf_add(text, piece, (size_t)n);
        if (text->failed)
            return weft_oom(err);
        /* The terminator may have begun in the piece before. */
        search = before < strlen(terminator) ? 0 : before - strlen(terminator);
        end = memmem(text->data + search, text->len - search, terminator, strlen(terminator));
        take = end ? (size_t)(end - text->data) + strlen(terminator) - before : (size_t)n;
        n = receive(c, piece, take, 0, err);
        if (n < 0)
            return (int)n;
        text->len = before + take;
        text->data[text->len] = '\0';
        if (end)
            return 0;
    }
    return weft_fail(err, WEFT_INTERNAL, "weftd's answer has a header that is too long");
}

static int parse_field(struct client *c, const char *name, const char *value,
                       struct weft_error *err)
{
    int64_t length;

    if (strcasecmp(name, "Content-Type") == 0) {
        free(c->content_type);
        c->content_type = strdup(value);
        return c->content_type ? 0 : weft_oom(err);
    }
    if (strcasecmp(name, "Connection") == 0 && strcasecmp(value, "close") == 0)
        c->keep = false;
    if (strcasecmp(name, "Transfer-Encoding") == 0 && strcasecmp(value, "chunked") == 0)
        c->framing = FRAMING_CHUNKED;
    if (strcasecmp(name, "Content-Length") == 0 && c->framing != FRAMING_CHUNKED) {
        if (str_to_i64(value, 0, INT64_MAX, &length) < 0)
            return weft_fail(err, WEFT_INTERNAL, "weftd's answer has the Content-Length \"%s\"",
                             value);
        c->framing = length ? FRAMING_LENGTH : FRAMING_NONE;
        c->remaining = (uint64_t)length;
    }
    return 0;
}

/* "HTTP/1.1 200 OK" → 200, 0 when it is not that. */
static int parse_status(const char *line)
{
    unsigned status;

    return sscanf(line, "HTTP/1.%*1[01] %3u", &status) == 1 ? (int)status : 0;
}

/* Cuts the header into lines and those at their colons. */
static int parse_head(struct client *c, char *head, struct weft_error *err)
{
    char *rest = NULL, *line = strtok_r(head, "\r\n", &rest);

    c->status = line ? parse_status(line) : 0;
    if (c->status == 0)
        return weft_fail(err, WEFT_INTERNAL, "what listens at %s does not speak HTTP", c->path);
    while ((line = strtok_r(NULL, "\r\n", &rest))) {
        char *value = strchr(line, ':');
        int r;

        if (!value)
            continue;
        *value++ = '\0';
        value += strspn(value, " \t");
        value[strcspn(value, " \t;")] = '\0'; /* no field we read has more than a word */
        r = parse_field(c, line, value, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int receive_head(struct client *c, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf head = {0};
    int r;

    r = receive_until(c, "\r\n\r\n", &head, err);
    if (r < 0)
        return r;
    free(TAKE_PTR(c->content_type));
    c->keep = true;
    c->framing = FRAMING_UNTIL_CLOSE;
    c->in_chunk = false;
    c->remaining = 0;
    r = parse_head(c, head.data, err);
    if (r < 0)
        return r;
    if (c->status == 204 || c->status == 304)
        c->framing = FRAMING_NONE;
    if (c->status == 101)
        c->framing = FRAMING_UNTIL_CLOSE;
    return 0;
}

/* Reads up to the next chunk's bytes (RFC 9112, section 7.1). At the last, the body is over. */
static int receive_chunk_size(struct client *c, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf line = {0};
    int r;

    if (c->in_chunk) {
        r = receive_until(c, "\r\n", &line, err);
        if (r < 0)
            return r;
        strbuf_free(&line);
    }
    r = receive_until(c, "\r\n", &line, err);
    if (r < 0)
        return r;
    if (sscanf(line.data, "%15" SCNx64, &c->remaining) != 1)
        return weft_fail(err, WEFT_INTERNAL, "weftd's answer has a chunk without a size");
    c->in_chunk = true;
    while (c->remaining == 0 && strcmp(line.data, "\r\n") != 0) {
        strbuf_free(&line); /* the size, then any trailer fields, then an empty line */
        r = receive_until(c, "\r\n", &line, err);
        if (r < 0)
            return r;
    }
    if (c->remaining == 0)
        c->framing = FRAMING_NONE;
    return 0;
}

ssize_t client_read(struct client *c, void *buf, size_t size, struct weft_error *err)
{
    ssize_t n;

    if (c->framing == FRAMING_CHUNKED && c->remaining == 0) {
        int r = receive_chunk_size(c, err);

        if (r < 0)
            return r;
    }
    if (c->framing == FRAMING_NONE)
        return 0;
    if (c->framing != FRAMING_UNTIL_CLOSE && size > c->remaining)
        size = (size_t)c->remaining;
    n = receive(c, buf, size, 0, err);
    if (n == 0 && c->framing != FRAMING_UNTIL_CLOSE)
        return fail_closed(err);
    if (n <= 0) {
        disconnect(c);
        return n;
    }
    if (c->framing != FRAMING_UNTIL_CLOSE)
        c->remaining -= (uint64_t)n;
    if (c->framing == FRAMING_LENGTH && c->remaining == 0)
        c->framing = FRAMING_NONE;
    return n;
}

static int read_body(struct client *c, struct strbuf *body, struct weft_error *err)
{
    for (;;) {
        char piece[16384];
        ssize_t n = client_read(c, piece, sizeof piece, err);

        if (n <= 0)
            return (int)n;
        strbuf_add(body, piece, (size_t)n);
        if (body->failed)
            return weft_oom(err);
        if (body->len > BODY_MAX)
            return weft_fail(err, WEFT_TOO_LARGE, "weftd's answer is too long");
    }
}

/* The first code that is answered with this status. */
static enum weft_code code_of_status(int status)
{
    for (enum weft_code code = WEFT_INVALID; code < WEFT_INTERNAL; code++)
        if (weft_code_http_status(code) == status)
            return code;
    return WEFT_INTERNAL;
}

/* Turns an answer of 400 or more into the daemon's sentence. */
static int fail_with_answer(struct client *c, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf body = {0};
    _cleanup_json_ json_t *doc = NULL;
    const char *message = NULL;
    int r;

    r = read_body(c, &body, err);
    if (r < 0)
        return r;
    if (json_parse(strbuf_text(&body), body.len, &doc, NULL) == 0)
        (void)json_get_string(doc, "message", &message, NULL);
    if (message)
        return weft_fail(err, code_of_status(c->status), "%s", message);
    return weft_fail(err, code_of_status(c->status), "weftd answered with the HTTP status %d",
                     c->status);
}

static int begin(struct client *c, const char *method, const char *target, const json_t *body,
                 const char *headers, struct weft_error *err)
{
    int r;

    r = send_request(c, method, target, body, headers, err);
    if (r < 0)
        return r;
    r = receive_head(c, err);
    if (r < 0)
        return r;
    return c->status >= 400 ? fail_with_answer(c, err) : 0;
}

int client_begin(struct client *c, const char *method, const char *target, const json_t *body,
                 struct weft_error *err)
{
    return begin(c, method, target, body, "", err);
}

const char *client_content_type(const struct client *c)
{
    return c->content_type ? c->content_type : "";
}

int client_finish(struct client *c, json_t **ret, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    _cleanup_json_ json_t *doc = NULL;
    int r;

    r = read_body(c, &text, err);
    if (r < 0 || !ret)
        return r;
    if (text.len > 0) {
        r = json_parse(text.data, text.len, &doc, err);
        if (r < 0) {
            weft_error_prefix(err, "weftd's answer");
            return r;
        }
    }
    *ret = TAKE_PTR(doc);
    return 0;
}

int client_call(struct client *c, const char *method, const char *target, const json_t *body,
                json_t **ret, struct weft_error *err)
{
    int r;

    r = client_begin(c, method, target, body, err);
    return r < 0 ? r : client_finish(c, ret, err);
}

int client_text(struct client *c, const char *method, const char *target, const json_t *body,
                char **ret, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    char *taken;
    int r;

    r = client_begin(c, method, target, body, err);
    if (r < 0)
        return r;
    r = read_body(c, &text, err);
    if (r < 0)
        return r;
    taken = strbuf_take(&text);
    if (!taken)
        return weft_oom(err);
    *ret = taken;
    return 0;
}

int client_hijack(struct client *c, const char *method, const char *target, const json_t *body,
                  int *ret_fd, struct weft_error *err)
{
    int r;

    r = begin(c, method, target, body, "Connection: Upgrade\r\nUpgrade: tcp\r\n", err);
    if (r < 0)
        return r;
    if (c->framing != FRAMING_UNTIL_CLOSE)
        return weft_fail(err, WEFT_INTERNAL, "weftd did not hand over the connection (status %d)",
                         c->status);
    *ret_fd = TAKE_FD(c->fd);
    disconnect(c);
    return 0;
}
