/* SPDX-License-Identifier: Apache-2.0 */

/* /weft/dns: the names there are, what a container that asks for one is told, and what has been
 * asked. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/handlers.h"
#include "api/later.h"
#include "api/reply.h"
#include "api/stream.h"
#include "base/json.h"
#include "base/time.h"
#include "dns/codec.h"
#include "dns/records.h"

#define LOG_BACKLOG_MAX (1024 * 1024) /* bytes by which a client may lag behind */
#define OPT_SIZE 11                   /* of the OPT record: RFC 6891, 6.1.2 */
#define QUERY_MAX (DNS_HEADER_SIZE + DNS_NAME_MAX + 4 + OPT_SIZE)
#define ANSWER_SIZE 4096 /* octets that we say we take */

static const char *source_name(uint8_t source)
{
    static const char *const names[] = {[DNS_FROM_NAMES] = "names",
                                        [DNS_FROM_CACHE] = "cache",
                                        [DNS_FROM_UPSTREAM] = "upstream",
                                        [DNS_FROM_NOBODY] = "nobody"};

    return source < ARRAY_SIZE(names) ? names[source] : "";
}

/* NULL when the argument is missing or empty. */
static const char *query_text(const struct request *rq, const char *key)
{
    const char *text = request_query(rq, key);

    return str_is_empty(text) ? NULL : text;
}

/* ---- names ---- */

struct listing {
    json_t *list;
    const struct network *only; /* NULL: all networks */
};

static int add_name(void *arg, const struct endpoint *ep, const char *name, bool alias)
{
    const struct listing *listing = arg;

    if (listing->only && listing->only != ep->network)
        return 0;
    return json_array_append_new(listing->list,
                                 json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:s}", "Network",
                                           ep->network->name, "Name", name, "Alias", alias,
                                           "Container", ep->sandbox->name, "Id", ep->sandbox->id,
                                           "IPv4", addr_text(&ep->ipv4), "IPv6",
                                           addr_text(&ep->ipv6)));
}

int handle_dns_names(struct request *rq, struct weft_error *err)
{
    _cleanup_json_ json_t *list = json_array();
    const char *network = query_text(rq, "network");
    struct engine *e = rq->api->engine;
    struct listing listing = {.list = list};

    if (network) {
        listing.only = engine_network(e, network, err);
        if (!listing.only)
            return -err->errnum;
    }
    if (!list || engine_each_name(e, add_name, &listing) < 0)
        return weft_oom(err);
    return reply_json(rq, MHD_HTTP_OK, TAKE_PTR(list), err);
}

/* ---- a lookup ---- */

struct question {
    struct dns_name name;
    uint16_t type;
};

/* An address without a type, or with PTR, stands for the name that leads to its own. */
static int read_question(const struct request *rq, struct question *ret, struct weft_error *err)
{
    const char *name = query_text(rq, "name"), *type = query_text(rq, "type");
    struct addr addr;

    ret->type = DNS_TYPE_A;
    if (!name)
        return weft_fail(err, WEFT_INVALID, "name must say what to look up");
    if (type && dns_type_parse(type, &ret->type) < 0)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a type of DNS records", type);
    if ((!type || ret->type == DNS_TYPE_PTR) && addr_parse(name, &addr, NULL) == 0) {
        dns_name_from_addr(&addr, &ret->name);
        ret->type = DNS_TYPE_PTR;
        return 0;
    }
    if (dns_name_from_text(name, &ret->name) < 0)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a DNS name", name);
    return 0;
}

/* Returns the query's length. */
static size_t make_query(const struct question *q, uint8_t out[static QUERY_MAX])
{
    uint8_t *p = out + DNS_HEADER_SIZE;

    memset(out, 0, QUERY_MAX);
    dns_put16(out + 2, DNS_FLAG_RD);
    dns_put16(out + 4, 1);  /* questions */
    dns_put16(out + 10, 1); /* additional records: OPT, whose owner is the root */
    memcpy(p, q->name.wire, q->name.length);
    p += q->name.length;
    dns_put16(p, q->type);
    dns_put16(p + 2, DNS_CLASS_IN);
    dns_put16(p + 5, DNS_TYPE_OPT);
    dns_put16(p + 7, ANSWER_SIZE);
    return (size_t)(p - out) + 4 + OPT_SIZE;
}

static int add_answer(void *arg, const char *owner, uint16_t type, uint32_t ttl, const char *data)
{
    json_t *answer = json_pack("{s:s, s:s, s:I, s:s}", "Name", owner, "Type", dns_type_text(type),
                               "TTL", (json_int_t)ttl, "Data", data);

    return json_array_append_new(arg, answer) < 0 ? -ENOMEM : 0;
}

static int reply_found(struct request *rq, const uint8_t *msg, size_t length,
                       enum dns_source source, struct weft_error *err)
{
    _cleanup_json_ json_t *answers = json_array();
    struct dns_response response;
    int r = dns_response_parse(msg, length, &response);

    if (r == 0)
        r = answers ? dns_answers_each(msg, length, add_answer, answers) : -ENOMEM;
    if (r == -ENOMEM)
        return weft_oom(err);
    if (r < 0)
        return weft_fail(err, WEFT_INTERNAL, "weft-dns gave an answer that cannot be read");
    return reply_json(rq, MHD_HTTP_OK,
                      json_pack("{s:s, s:s, s:s, s:s, s:b, s:O}", "Name",
                                dns_name_text(&response.name), "Type", dns_type_text(response.type),
                                "Status", dns_rcode_text(response.rcode), "Source",
                                source_name((uint8_t)source), "Truncated",
                                (response.flags & DNS_FLAG_TC) != 0, "Answers", answers),
                      err);
}

struct dns_lookup {
    struct later *later;
    struct engine_lookup *query;
};

static void on_found(void *arg, const uint8_t *msg, size_t length, enum dns_source source,
                     const struct weft_error *err)
{
    struct dns_lookup *l = arg;
    struct request *rq = later_take(l->later);
    struct weft_error failure;

    if (length == 0)
        reply_error(rq, err);
    else if (reply_found(rq, msg, length, source, &failure) < 0)
        reply_error(rq, &failure);
    request_resume(rq);
    free(l);
}

/* The client has gone. */
static void cancel_lookup(void *arg)
{
    struct dns_lookup *l = arg;

    engine_dns_lookup_cancel(l->query);
    later_free(l->later);
    free(l);
}

int handle_dns_lookup(struct request *rq, struct weft_error *err)
{
    struct question question;
    uint8_t query[QUERY_MAX];
    struct dns_lookup *l;
    int r = read_question(rq, &question, err);

    if (r < 0)
        return r;
    l = calloc(1, sizeof *l);
    if (!l)
        return weft_oom(err);
    r = later_new(rq, &l->later, err);
    if (r == 0)
        r = engine_dns_lookup(rq->api->engine, query_text(rq, "from"), query,
                              make_query(&question, query), on_found, l, &l->query, err);
    if (r < 0) {
        later_free(l->later);
        free(l);
        return r;
    }
    later_on_forget(l->later, cancel_lookup, l);
    return 0;
}

/* ---- the log ---- */

struct dns_log {
    struct api_stream stream;
    struct engine_dns_log *log; /* NULL: it is over */
    struct strbuf pending;
    bool ended;
};

static void add_line(struct strbuf *out, const struct dns_msg_logged *entry, const char *sandbox)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:I}", "Time",
                  time_text(entry->time), "Container", sandbox, "Protocol",
                  entry->tcp ? "tcp" : "udp", "Type", dns_type_text(entry->type), "Name",
                  entry->name, "Status", dns_rcode_text(entry->rcode), "Answers",
                  (json_int_t)entry->answers, "Source", source_name(entry->source), "Server",
                  addr_text(&entry->server), "Micros", (json_int_t)entry->micros);
    _cleanup_free_ char *text = doc ? json_text(doc) : NULL;

    if (!text) {
        out->failed = true;
        return;
    }
    strbuf_puts(out, text);
    strbuf_puts(out, "\n");
}

/* A client that lags too far behind is cut off. */
static void on_logged(void *arg, const struct dns_msg_logged *entry, const char *sandbox)
{
    struct dns_log *l = arg;

    if (!entry) {
        l->log = NULL;
        l->ended = true;
    } else if (!l->ended) {
        add_line(&l->pending, entry, sandbox);
        l->ended = l->pending.failed || l->pending.len > LOG_BACKLOG_MAX;
    }
    api_stream_wake(&l->stream);
}

static int dns_log_read(struct api_stream *stream, size_t max _unused_, struct strbuf *out)
{
    struct dns_log *l = (struct dns_log *)stream;

    strbuf_add(out, l->pending.data, l->pending.len);
    l->pending.len = 0;
    return l->ended ? -ENODATA : 0;
}

static void dns_log_free(struct api_stream *stream)
{
    struct dns_log *l = (struct dns_log *)stream;

    engine_dns_log_cancel(l->log);
    strbuf_free(&l->pending);
    free(l);
}

int handle_dns_log(struct request *rq, struct weft_error *err)
{
    static const struct api_stream_ops ops = {dns_log_read, dns_log_free};
    struct dns_log *l = calloc(1, sizeof *l);
    int r;

    if (!l)
        return weft_oom(err);
    l->stream.ops = &ops;
    r = engine_dns_log(rq->api->engine, query_text(rq, "container"),
                       request_query_bool(rq, "follow"), on_logged, l, &l->log, err);
    if (r < 0) {
        dns_log_free(&l->stream);
        return r;
    }
    return api_stream_reply(rq, CONTENT_JSON, &l->stream, err);
}
