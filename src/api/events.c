/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the hub subscribes to the engine once. Each event becomes a record, whose
 * line of JSON is copied into the buffer of every stream that lets it pass. The last records stay,
 * for clients that ask for `since`.
 */

#include "api/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/filters.h"
#include "api/handlers.h"
#include "api/reply.h"
#include "api/stream.h"
#include "base/json.h"
#include "base/time.h"

#define HISTORY 256                  /* events */
#define BACKLOG_MAX (1024 * 1024)    /* bytes that a client may lag behind before it is cut off */
#define MILLISECOND INT64_C(1000000) /* ns */

/* The strings are those of the JSON document. */
struct record {
    int64_t time;
    const char *type, *action, *id, *name, *container;
    json_t *doc;
    char *line;
};

struct event_hub {
    struct api *api;
    struct engine_subscription *subscription;
    struct record history[HISTORY]; /* a ring; the oldest is at `next` once it is full */
    size_t next;
    struct event_stream *streams;
};

struct event_stream {
    struct api_stream stream;
    struct filters filters;
    int64_t until; /* ns */
    struct strbuf pending;
    bool ended;
    uv_timer_t *timer; /* at `until`, or NULL */
    struct event_stream *next, **link;
};

/* ---- records ---- */

static void record_clear(struct record *record)
{
    json_decref(record->doc);
    free(record->line);
    *record = (struct record){0};
}

/* What clients older than API version 1.22 look at. */
static void add_legacy(json_t *doc, const json_t *attributes, const struct engine_event *event)
{
    if (strcmp(event->type, "container") != 0)
        return;
    (void)json_object_set_new(doc, "status", json_string(event->action));
    (void)json_object_set_new(doc, "id", json_string(event->id));
    (void)json_object_set(doc, "from", json_object_get(attributes, "image"));
}

/* Docker's attributes. New reference. */
static json_t *attributes_json(struct engine *e, const struct engine_event *event)
{
    json_t *attributes = json_pack("{s:s}", "name", event->name);
    struct weft_error ignored;

    if (event->container)
        (void)json_object_set_new(attributes, "container", json_string(event->container));
    if (strcmp(event->action, "die") == 0)
        (void)json_object_set_new(attributes, "exitCode", json_sprintf("%d", event->exit_code));
    if (strcmp(event->type, "network") == 0) {
        const struct network *net = engine_network(e, event->id, &ignored);

        (void)json_object_set_new(attributes, "type", json_string(net ? net->driver : ""));
    }
    if (strcmp(event->type, "container") == 0) {
        const struct container *c = engine_container(e, event->id, &ignored);
        const char *image = c ? c->config.image : NULL;

        (void)json_object_set_new(attributes, "image", json_string(image ? image : ""));
    }
    return attributes;
}

static int record_fill(struct record *record, struct engine *e, const struct engine_event *event)
{
    json_t *attributes = attributes_json(e, event);
    json_t *doc =
        json_pack("{s:s, s:s, s:{s:s, s:o}, s:s, s:I, s:I}", "Type", event->type, "Action",
                  event->action, "Actor", "ID", event->id, "Attributes", attributes, "scope",
                  "local", "time", (json_int_t)(event->time / (1000 * MILLISECOND)), "timeNano",
                  (json_int_t)event->time);
    _cleanup_free_ char *text = NULL;

    if (!doc)
        return -ENOMEM;
    record->doc = doc;
    add_legacy(doc, attributes, event);
    text = json_text(doc);
    record->line = text ? str_printf("%s\n", text) : NULL;
    if (!record->line) {
        record_clear(record);
        return -ENOMEM;
    }
    record->time = event->time;
    record->type = json_string_value(json_object_get(doc, "Type"));
    record->action = json_string_value(json_object_get(doc, "Action"));
    record->id = json_string_value(json_object_get(json_object_get(doc, "Actor"), "ID"));
    record->name = json_string_value(json_object_get(attributes, "name"));
    record->container = json_string_value(json_object_get(attributes, "container"));
    return 0;
}

/* Whether the record is about the thing that the filter of this type names. */
static bool is_about(const struct filters *f, const char *type, const struct record *record)
{
    if (!filters_values(f, type))
        return true;
    if (strcmp(record->type, type) == 0)
        return filters_ref(f, type, record->id, record->name);
    return record->container && strcmp(type, "container") == 0 &&
           filters_ref(f, type, record->container, "");
}

static bool passes(const struct event_stream *s, const struct record *record)
{
    return record->time <= s->until && filters_equal(&s->filters, "type", record->type) &&
           filters_equal(&s->filters, "event", record->action) &&
           is_about(&s->filters, "container", record) && is_about(&s->filters, "network", record);
}

/* ---- the hub ---- */

static void deliver(struct event_stream *s, const struct record *record)
{
    if (s->ended || !passes(s, record))
        return;
    strbuf_puts(&s->pending, record->line);
    if (s->pending.failed || s->pending.len > BACKLOG_MAX)
        s->ended = true;
    api_stream_wake(&s->stream);
}

static void on_event(void *arg, const struct engine_event *event)
{
    struct event_hub *hub = arg;
    struct record *record = &hub->history[hub->next];

    record_clear(record);
    if (record_fill(record, hub->api->engine, event) < 0)
        return;
    hub->next = (hub->next + 1) % HISTORY;
    for (struct event_stream *s = hub->streams; s; s = s->next)
        deliver(s, record);
}

int events_open(struct api *api)
{
    struct event_hub *hub = calloc(1, sizeof *hub);

    if (!hub)
        return -ENOMEM;
    hub->api = api;
    if (engine_subscribe(api->engine, on_event, hub, &hub->subscription) < 0) {
        free(hub);
        return -ENOMEM;
    }
    api->events = hub;
    return 0;
}

void events_close(struct api *api)
{
    struct event_hub *hub = TAKE_PTR(api->events);

    if (!hub)
        return;
    engine_unsubscribe(hub->subscription);
    for (size_t i = 0; i < HISTORY; i++)
        record_clear(&hub->history[i]);
    free(hub);
}

/* ---- a client ---- */

static int event_read(struct api_stream *stream, size_t max _unused_, struct strbuf *out)
{
    struct event_stream *s = (struct event_stream *)stream;

    strbuf_add(out, s->pending.data, s->pending.len);
    s->pending.len = 0;
    if (s->ended)
        return -ENODATA;
    return 0;
}

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void event_free(struct api_stream *stream)
{
    struct event_stream *s = (struct event_stream *)stream;

    if (s->link)
        *s->link = s->next;
    if (s->next)
        s->next->link = s->link;
    if (s->timer)
        uv_close((uv_handle_t *)s->timer, timer_closed);
    filters_clear(&s->filters);
    strbuf_free(&s->pending);
    free(s);
}

static void on_until(uv_timer_t *timer)
{
    struct event_stream *s = timer->data;

    s->ended = true;
    api_stream_wake(&s->stream);
}

static int end_at(struct event_stream *s, uv_loop_t *loop)
{
    int64_t left = s->until - time_now();

    if (left <= 0) {
        s->ended = true;
        return 0;
    }
    s->timer = calloc(1, sizeof *s->timer);
    if (!s->timer)
        return -ENOMEM;
    uv_timer_init(loop, s->timer);
    s->timer->data = s;
    uv_update_time(loop);
    uv_timer_start(s->timer, on_until, (uint64_t)(left / MILLISECOND) + 1, 0);
    return 0;
}

static void replay(struct event_stream *s, const struct event_hub *hub, int64_t since)
{
    for (size_t i = 0; i < HISTORY; i++) {
        const struct record *record = &hub->history[(hub->next + i) % HISTORY];

        if (record->line && record->time >= since && passes(s, record))
            strbuf_puts(&s->pending, record->line);
    }
}

static int read_query(const struct request *rq, struct event_stream *s, int64_t *since,
                      struct weft_error *err)
{
    static const char *const known[] = {"type", "event", "container", "network", NULL};
    int r = filters_parse(request_query(rq, "filters"), known, &s->filters, err);

    if (r == 0)
        r = request_query_time(rq, "since", since, err);
    return r < 0 ? r : request_query_time(rq, "until", &s->until, err);
}

int handle_events(struct request *rq, struct weft_error *err)
{
    static const struct api_stream_ops ops = {event_read, event_free};
    struct event_hub *hub = rq->api->events;
    struct event_stream *s = calloc(1, sizeof *s);
    int64_t since = INT64_MAX;
    int r;

    if (!s)
        return weft_oom(err);
    s->stream.ops = &ops;
    s->until = INT64_MAX;
    r = read_query(rq, s, &since, err);
    if (r == 0) {
        /* With an `until` that has passed, it is the past that is asked for. */
        replay(s, hub, since == INT64_MAX && s->until < time_now() ? 0 : since);
        r = s->until == INT64_MAX ? 0 : end_at(s, rq->api->loop);
    }
    if (r < 0) {
        event_free(&s->stream);
        return r;
    }
    s->next = hub->streams;
    s->link = &hub->streams;
    if (s->next)
        s->next->link = &s->next;
    hub->streams = s;
    return api_stream_reply(rq, CONTENT_JSON, &s->stream, err);
}
