/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a call goes round and round: find the plugin, activate it unless that has
 * been done at this address, post the request; and when it could not be found or reached, a pause
 * and from the beginning, as long as there is patience for another pause. Calls that come while
 * another one activates their plugin wait for its outcome, and then look again.
 *
 * A call that is done is out of the list before anybody is told, so that whoever is told may make
 * and cancel other calls.
 */

#include "plugin/plugin.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "plugin/http.h"

#define PAUSE_MS 1000 /* the first one */
#define ACTIVATE "Plugin.Activate"

/* A plugin that has been called. */
struct plugin {
    struct plugin *next;
    char *name;
    struct plugin_address address;
    bool active;
    strv implements;
    struct plugin_call *activator; /* the call that activates it; NULL: none does */
};

struct plugins {
    uv_loop_t *loop;
    const char *root;
    struct http *http; /* NULL before the first call */
    struct plugin *all;
    struct plugin_call *calls;
};

struct plugin_call {
    struct plugin_call *next;
    struct plugins *plugins;
    struct plugin *plugin;
    char *subsystem;
    char *path;                   /* SUBSYSTEM.METHOD */
    char *body;                   /* NULL: none */
    struct plugin_address to;     /* where the request is being sent */
    struct http_request *request; /* under way */
    uv_timer_t *timer;
    uint64_t started, patience, pause; /* ms */
    plugin_done_fn *done;
    void *arg;
};

/* ---- the end of a call ---- */

static void timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void call_forget(struct plugin_call *c)
{
    struct plugin_call **at = &c->plugins->calls;

    while (*at && *at != c)
        at = &(*at)->next;
    if (*at)
        *at = c->next;
}

static void call_free(struct plugin_call *c)
{
    http_cancel(c->request);
    if (c->timer)
        uv_close((uv_handle_t *)c->timer, timer_closed);
    plugin_address_clear(&c->to);
    free(c->subsystem);
    free(c->path);
    free(c->body);
    free(c);
}

static void call_end(struct plugin_call *c, int result, const json_t *answer,
                     const struct weft_error *err)
{
    call_forget(c);
    c->done(c->arg, result, answer, result < 0 ? err : NULL);
    call_free(c);
}

static void call_fail(struct plugin_call *c, int result, struct weft_error *err)
{
    weft_error_prefix(err, "plugin %s: %s", c->plugin->name, c->path);
    call_end(c, result, NULL, err);
}

/* ---- trying ---- */

static void attempt(struct plugin_call *c);

static void pause_over(uv_timer_t *timer)
{
    attempt(timer->data);
}

/* Has it tried again after a pause, or fail with what is in err. */
static void try_again(struct plugin_call *c, int result, struct weft_error *err)
{
    uint64_t spent;

    uv_update_time(c->plugins->loop);
    spent = uv_now(c->plugins->loop) - c->started;
    if (spent + c->pause >= c->patience) {
        if (result == -ENOENT)
            call_end(c, result, NULL, err);
        else
            call_fail(c, result, err);
        return;
    }
    log_info("plugin %s: %s: %s; trying again in %llu s", c->plugin->name, c->path, err->text,
             (unsigned long long)c->pause / 1000);
    uv_timer_start(c->timer, pause_over, c->pause, 0);
    c->pause *= 2;
}

static int fail_unreachable(const struct plugin_call *c, const char *why, struct weft_error *err)
{
    weft_fail(err, WEFT_INTERNAL, "cannot be reached at %s: %s",
              c->to.socket ? c->to.socket : c->to.url, why);
    err->errnum = EHOSTUNREACH;
    return -EHOSTUNREACH;
}

/* The answer as an object, a new reference; or -errno. */
static int read_answer(const struct plugin_call *c, const struct http_answer *answer, json_t **ret,
                       struct weft_error *err)
{
    switch (answer->outcome) {
    case HTTP_ANSWERED:
        return plugin_parse_answer(answer->status, answer->body, answer->length, ret, err);
    case HTTP_UNREACHABLE:
        return fail_unreachable(c, answer->why, err);
    default:
        weft_fail(err, WEFT_INTERNAL, "%s", answer->why);
        if (answer->outcome == HTTP_OVERDUE)
            err->errnum = ETIMEDOUT;
        return -err->errnum;
    }
}

static void answered(void *arg, const struct http_answer *http)
{
    _cleanup_json_ json_t *answer = NULL;
    struct plugin_call *c = arg;
    struct weft_error err;
    int r;

    c->request = NULL;
    r = read_answer(c, http, &answer, &err);
    if (r == 0)
        call_end(c, 0, answer, NULL);
    else if (r == -EHOSTUNREACH)
        try_again(c, r, &err);
    else
        call_fail(c, r, &err);
}

static int fail_implements(const struct plugin_call *c, struct weft_error *err)
{
    return weft_fail(err, WEFT_INVALID, "plugin %s is no %s: it does not say that it implements it",
                     c->plugin->name, c->subsystem);
}

/* The plugin is active. */
static void post(struct plugin_call *c)
{
    struct weft_error err;

    if (!strv_contains(c->plugin->implements, c->subsystem)) {
        call_end(c, fail_implements(c, &err), NULL, &err);
        return;
    }
    if (http_post(c->plugins->http, &c->to, c->path, c->body, answered, c, &c->request, &err) < 0)
        call_fail(c, -err.errnum, &err);
}

/* ---- activation ---- */

static bool is_same_address(const struct plugin_address *a, const struct plugin_address *b)
{
    return str_equal(a->socket, b->socket) && str_equal(a->url, b->url) &&
           a->insecure == b->insecure && str_equal(a->ca, b->ca) && str_equal(a->cert, b->cert) &&
           str_equal(a->key, b->key);
}

/* Those that waited for an activation look again: it is active now, or one of them tries. Those in
 * a pause of their own have a timer that runs, and keep it. */
static void wake(struct plugin *plugin, struct plugins *p)
{
    for (struct plugin_call *c = p->calls; c; c = c->next)
        if (c->plugin == plugin && !c->request && !uv_is_active((uv_handle_t *)c->timer))
            uv_timer_start(c->timer, pause_over, 0, 0);
}

/* The plugin may have moved meanwhile: then it has still to be activated where it is now. */
static int heed_manifest(const struct plugin_call *c, const json_t *manifest,
                         struct weft_error *err)
{
    struct plugin *plugin = c->plugin;
    strv implements = NULL;
    int r = json_get_strv(manifest, "Implements", &implements, err);

    if (r < 0) {
        strv_free(implements);
        return weft_fail(err, WEFT_INTERNAL, "%s", err->text);
    }
    strv_free(plugin->implements);
    plugin->implements = implements;
    plugin->active = is_same_address(&c->to, &plugin->address);
    return 0;
}

static void activated(void *arg, const struct http_answer *http)
{
    _cleanup_json_ json_t *manifest = NULL;
    struct plugin_call *c = arg;
    struct weft_error err;
    int r;

    c->request = NULL;
    c->plugin->activator = NULL;
    r = read_answer(c, http, &manifest, &err);
    if (r == 0)
        r = heed_manifest(c, manifest, &err);
    wake(c->plugin, c->plugins);
    uv_timer_stop(c->timer);
    if (r == 0 && c->plugin->active) {
        post(c);
        return;
    }
    if (r == 0) {
        attempt(c);
        return;
    }
    weft_error_prefix(&err, ACTIVATE);
    if (r == -EHOSTUNREACH)
        try_again(c, r, &err);
    else
        call_fail(c, r, &err);
}

static void activate(struct plugin_call *c)
{
    struct weft_error err;

    if (c->plugin->activator)
        return; /* which will wake it */
    if (http_post(c->plugins->http, &c->to, ACTIVATE, NULL, activated, c, &c->request, &err) < 0)
        call_fail(c, -err.errnum, &err);
    else
        c->plugin->activator = c;
}

/* ---- looking for it ---- */

static int copy_text(const char *text, char **ret)
{
    *ret = text ? strdup(text) : NULL;
    return text && !*ret ? -ENOMEM : 0;
}

static int copy_address(const struct plugin_address *from, struct plugin_address *ret)
{
    plugin_address_clear(ret);
    ret->insecure = from->insecure;
    if (copy_text(from->socket, &ret->socket) < 0 || copy_text(from->url, &ret->url) < 0 ||
        copy_text(from->ca, &ret->ca) < 0 || copy_text(from->cert, &ret->cert) < 0 ||
        copy_text(from->key, &ret->key) < 0)
        return -ENOMEM;
    return 0;
}

/* Finds the plugin where it is now: one at another address has to be activated anew. */
static int locate(struct plugin_call *c, struct weft_error *err)
{
    struct plugin *plugin = c->plugin;
    _cleanup_plugin_address_ struct plugin_address found = {0};
    int r = plugin_find(c->plugins->root, plugin->name, &found, err);

    if (r < 0)
        return r;
    if (!is_same_address(&found, &plugin->address)) {
        plugin->active = false;
        r = copy_address(&found, &plugin->address);
    }
    if (r == 0)
        r = copy_address(&found, &c->to);
    return r < 0 ? weft_oom(err) : 0;
}

static void attempt(struct plugin_call *c)
{
    struct weft_error err;
    int r = locate(c, &err);

    if (r == 0 && !c->plugins->http)
        r = http_new(c->plugins->loop, &c->plugins->http, &err);
    if (r == -ENOENT)
        try_again(c, r, &err);
    else if (r < 0)
        call_fail(c, r, &err);
    else if (c->plugin->active)
        post(c);
    else
        activate(c);
}

/* ---- calls ---- */

static struct plugin *find_plugin(struct plugins *p, const char *name)
{
    struct plugin *plugin = p->all;

    while (plugin && strcmp(plugin->name, name) != 0)
        plugin = plugin->next;
    if (plugin)
        return plugin;
    plugin = calloc(1, sizeof *plugin);
    if (!plugin || copy_text(name, &plugin->name) < 0) {
        free(plugin);
        return NULL;
    }
    plugin->next = p->all;
    p->all = plugin;
    return plugin;
}

static int fill_call(struct plugin_call *c, const struct plugin_request *request)
{
    struct plugins *p = c->plugins;

    c->plugin = find_plugin(p, request->plugin);
    c->path = str_printf("%s.%s", request->subsystem, request->method);
    c->body = request->body ? json_text(request->body) : NULL;
    c->timer = calloc(1, sizeof *c->timer);
    if (copy_text(request->subsystem, &c->subsystem) < 0 || !c->plugin || !c->path || !c->timer ||
        (request->body && !c->body)) {
        free(TAKE_PTR(c->timer));
        return -ENOMEM;
    }
    uv_timer_init(p->loop, c->timer);
    c->timer->data = c;
    uv_update_time(p->loop);
    c->started = uv_now(p->loop);
    c->patience = request->patience;
    c->pause = PAUSE_MS;
    return 0;
}

int plugin_call(struct plugins *p, const struct plugin_request *request, plugin_done_fn *done,
                void *arg, struct plugin_call **ret, struct weft_error *err)
{
    struct plugin_call *c = calloc(1, sizeof *c);

    if (!c)
        return weft_oom(err);
    c->plugins = p;
    c->done = done;
    c->arg = arg;
    if (fill_call(c, request) < 0) {
        call_free(c);
        return weft_oom(err);
    }
    c->next = p->calls;
    p->calls = c;
    uv_timer_start(c->timer, pause_over, 0, 0);
    *ret = c;
    return 0;
}

void plugin_call_cancel(struct plugin_call *c)
{
    if (!c)
        return;
    call_forget(c);
    if (c->plugin->activator == c) {
        c->plugin->activator = NULL;
        wake(c->plugin, c->plugins);
    }
    call_free(c);
}

/* ---- the client ---- */

int plugins_new(uv_loop_t *loop, const char *root, struct plugins **ret, struct weft_error *err)
{
    struct plugins *p = calloc(1, sizeof *p);

    if (!p)
        return weft_oom(err);
    p->loop = loop;
    p->root = root;
    *ret = p;
    return 0;
}

static void plugin_free(struct plugin *plugin)
{
    plugin_address_clear(&plugin->address);
    strv_free(plugin->implements);
    free(plugin->name);
    free(plugin);
}

void plugins_free(struct plugins *p)
{
    if (!p)
        return;
    while (p->calls) {
        struct plugin_call *c = p->calls;

        p->calls = c->next;
        call_free(c);
    }
    while (p->all) {
        struct plugin *plugin = p->all;

        p->all = plugin->next;
        plugin_free(plugin);
    }
    http_free(p->http);
    free(p);
}
