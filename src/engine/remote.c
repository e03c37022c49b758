/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/remote.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"

/* Whoever is told that something goes is not waited for long. ms. */
#define TELL_PATIENCE_MS 4000
/* After which it is not waited for at all for so long: many endpoints may be leaving. ms. */
#define MISSED_MS 30000

struct outside_remote {
    struct plugins *plugins;
    struct remote_plugin *known;
    struct remote_run *runs;
};

/* ---- what is known ---- */

static struct outside_remote *get_remote(struct engine *e)
{
    struct weft_error ignored;

    if (e->remote)
        return e->remote;
    e->remote = calloc(1, sizeof *e->remote);
    if (e->remote && plugins_new(e->loop, "", &e->remote->plugins, &ignored) < 0)
        free(TAKE_PTR(e->remote));
    return e->remote;
}

struct remote_plugin *remote_plugin(struct engine *e, const char *name)
{
    struct outside_remote *remote = get_remote(e);
    struct remote_plugin *p = remote ? remote->known : NULL;

    while (p && strcmp(p->name, name) != 0)
        p = p->next;
    if (p || !remote)
        return p;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->name = strdup(name);
    if (!p->name) {
        free(p);
        return NULL;
    }
    p->next = remote->known;
    remote->known = p;
    return p;
}

static bool is_missing(int result)
{
    return result == -EHOSTUNREACH || result == -ENOENT;
}

/* Nobody there, or somebody who does not answer: further letters would only wait as long. */
static bool is_silent(int result)
{
    return is_missing(result) || result == -ETIMEDOUT;
}

static void note_missing(struct engine *e, const char *name, bool missing)
{
    struct remote_plugin *p = remote_plugin(e, name);

    if (p)
        p->missed = missing ? uv_now(e->loop) : 0;
}

static unsigned tell_patience(struct engine *e, const char *name)
{
    const struct remote_plugin *p = remote_plugin(e, name);

    return p && p->missed && uv_now(e->loop) - p->missed < MISSED_MS ? 0 : TELL_PATIENCE_MS;
}

/* ---- runs ---- */

static void run_free(struct remote_run *run)
{
    plugin_call_cancel(run->call);
    json_decref(run->letters);
    free(run);
}

static void run_end(struct remote_run *run, int result, const struct weft_error *err)
{
    struct errand *er = run->er;
    struct remote_run **at = &er->engine->remote->runs;
    struct weft_error copy = {0};

    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    if (result < 0)
        copy = *err;
    run_free(run);
    er->call = NULL;
    errand_done(er, result, result < 0 ? &copy : NULL);
}

static const struct remote_step *current(const struct remote_run *run)
{
    return run->step < run->script->count ? &run->script->steps[run->step] : NULL;
}

static void next_step(struct remote_run *run)
{
    run->step++;
    run->round = 0;
}

static void advance(struct remote_run *run);

/* A letter could not be delivered. Others may be, if there is somebody. */
static void note_untold(struct remote_run *run, int result, const struct weft_error *err)
{
    if (run->result == 0) {
        run->result = result;
        run->err = *err;
    }
    if (is_silent(result))
        json_array_clear(run->letters);
}

static void fail(struct remote_run *run, int result, const struct weft_error *err)
{
    const json_t *letter = run->telling ? json_array_get(run->letters, 0) : NULL;

    if (letter && !(result == -EOPNOTSUPP && json_is_true(json_object_get(letter, "Optional"))))
        note_untold(run, result, err);
    if (!run->telling) {
        run_end(run, result, err);
        return;
    }
    (void)json_array_remove(run->letters, 0);
    advance(run);
}

static const char *subsystem_of(const struct remote_run *run)
{
    const struct remote_step *step = current(run);

    return step && step->subsystem ? step->subsystem : run->script->subsystem;
}

static const char *plugin_of(const struct remote_run *run)
{
    const struct network *net = run->er->net;

    return str_equal(subsystem_of(run), NETWORK_DRIVER) ? net->driver : net->ipam_driver;
}

static const char *method_of(const struct remote_run *run)
{
    const char *method = current(run)->method;

    return method ? method
                  : json_string_value(json_object_get(json_array_get(run->letters, 0), "Method"));
}

static int heed(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    const struct remote_step *step = current(run);
    int r = step->heed ? step->heed(run, answer, err) : 0;

    /* What makes no sense is not the user's fault. */
    if (r < 0 && r != -ENOMEM)
        r = weft_fail(err, err->code == WEFT_INVALID ? WEFT_INTERNAL : err->code,
                      "plugin %s: %s.%s: %s", plugin_of(run), subsystem_of(run), method_of(run),
                      err->text);
    if (r == 0 && !step->again)
        next_step(run);
    return r;
}

static bool is_passed_over(const struct remote_step *step, int result)
{
    if (result == -EOPNOTSUPP)
        return step->optional || step->lenient;
    return step->lenient && result < 0 && !is_missing(result);
}

static void answered(void *arg, int result, const json_t *answer, const struct weft_error *err)
{
    struct remote_run *run = arg;
    const struct remote_step *step = current(run);
    struct weft_error bad = {0};

    run->call = NULL;
    note_missing(run->er->engine, plugin_of(run), is_missing(result));
    if (is_passed_over(step, result)) {
        if (result != -EOPNOTSUPP)
            log_warning("%s", err->text);
        result = step->heed ? step->heed(run, NULL, &bad) : 0;
        err = &bad;
        if (!step->again)
            next_step(run);
    } else if (result == 0) {
        result = heed(run, answer, &bad);
        err = &bad;
    }
    if (result < 0)
        fail(run, result, err);
    else
        advance(run);
}

static int post(struct remote_run *run, const json_t *body, struct weft_error *err)
{
    struct engine *e = run->er->engine;
    struct plugin_request request = {
        .plugin = plugin_of(run),
        .subsystem = subsystem_of(run),
        .method = method_of(run),
        .body = body,
        .patience = run->telling ? tell_patience(e, plugin_of(run)) : PLUGIN_PATIENCE_MS,
    };

    return plugin_call(e->remote->plugins, &request, answered, run, &run->call, err);
}

/* To the next step that has something to ask, or to the end. */
static void advance(struct remote_run *run)
{
    _cleanup_json_ json_t *body = NULL;
    struct weft_error err = {0};
    int r = 0;

    while (r == 0 && current(run)) {
        r = current(run)->ask(run, &body, &err);
        if (r == 0)
            next_step(run);
    }
    if (r == 0) {
        run_end(run, run->result, &run->err);
        return;
    }
    if (r > 0)
        r = post(run, body, &err);
    if (r < 0)
        run_end(run, r, &err);
}

static void begin(struct errand *er, const struct remote_script *script, json_t *letters)
{
    struct outside_remote *remote = get_remote(er->engine);
    struct remote_run *run = remote ? calloc(1, sizeof *run) : NULL;

    if (!run) {
        json_decref(letters);
        errand_done(er, -ENOMEM, NULL);
        return;
    }
    run->er = er;
    run->script = script;
    run->letters = letters;
    run->telling = letters != NULL;
    run->next = remote->runs;
    remote->runs = run;
    er->call = run;
    advance(run);
}

void remote_ask(struct errand *er, const struct remote_script *script)
{
    begin(er, script, NULL);
}

/* ---- letters ---- */

static int ask_letter(struct remote_run *run, json_t **ret, struct weft_error *err _unused_)
{
    json_t *letter = json_array_get(run->letters, 0);

    if (!letter)
        return 0;
    *ret = json_incref(json_object_get(letter, "Body"));
    return 1;
}

static int heed_letter(struct remote_run *run, const json_t *answer _unused_,
                       struct weft_error *err _unused_)
{
    (void)json_array_remove(run->letters, 0);
    return 0;
}

static const struct remote_step letter_step = {.ask = ask_letter,
                                               .heed = heed_letter,
                                               .again = true};

void remote_tell(struct errand *er, const char *subsystem, json_t *letters)
{
    static const struct remote_script to_driver = {NETWORK_DRIVER, &letter_step, 1};
    static const struct remote_script to_ipam = {IPAM_DRIVER, &letter_step, 1};

    if (!letters)
        errand_done(er, -ENOMEM, NULL);
    else
        begin(er, str_equal(subsystem, NETWORK_DRIVER) ? &to_driver : &to_ipam, letters);
}

int remote_write(json_t *letters, const char *method, json_t *body, bool optional)
{
    return body ? json_array_append_new(letters, json_pack("{s:s, s:o, s:b}", "Method", method,
                                                           "Body", body, "Optional", optional))
                : -1;
}

static void notified(void *arg _unused_, int result, const json_t *answer _unused_,
                     const struct weft_error *err)
{
    if (result < 0 && result != -EOPNOTSUPP)
        log_warning("%s", err->text);
}

void remote_notify(struct engine *e, const char *plugin, const char *subsystem, const char *method,
                   json_t *body)
{
    _cleanup_json_ json_t *owned = body;
    struct outside_remote *remote = get_remote(e);
    struct plugin_request request = {
        .plugin = plugin,
        .subsystem = subsystem,
        .method = method,
        .body = owned,
        .patience = tell_patience(e, plugin),
    };
    struct plugin_call *ignored;
    struct weft_error err;

    if (remote && owned &&
        plugin_call(remote->plugins, &request, notified, NULL, &ignored, &err) < 0)
        log_warning("%s", err.text);
}

/* ---- what both need ---- */

json_t *remote_state(json_t **holder, const char *key)
{
    json_t *state;

    if (!*holder)
        *holder = json_object();
    state = json_object_get(*holder, key);
    if (state || json_object_set_new(*holder, key, json_object()) < 0)
        return state;
    return json_object_get(*holder, key);
}

json_t *remote_endpoint_body(const struct endpoint *ep)
{
    return json_pack("{s:s, s:s}", "NetworkID", ep->network->id, "EndpointID", ep->id);
}

int remote_ask_driver_capabilities(struct remote_run *run, json_t **ret _unused_,
                                   struct weft_error *err)
{
    const struct remote_plugin *p = remote_plugin(run->er->engine, plugin_of(run));

    if (!p)
        return weft_oom(err);
    return !p->driver_known;
}

static int heed_scope(const json_t *answer, const char *key, bool *ret_global,
                      struct weft_error *err)
{
    const char *scope = "";
    int r = json_get_string(answer, key, &scope, err);

    if (r < 0)
        return r;
    if (!str_equal(scope, "local") && !str_equal(scope, "global"))
        return weft_fail(err, WEFT_INTERNAL, "%s must be local or global, not \"%.64s\"", key,
                         scope);
    *ret_global = str_equal(scope, "global");
    return 0;
}

int remote_heed_driver_capabilities(struct remote_run *run, const json_t *answer,
                                    struct weft_error *err)
{
    struct remote_plugin *p = remote_plugin(run->er->engine, plugin_of(run));
    bool ignored;
    int r;

    if (!p)
        return weft_oom(err);
    r = heed_scope(answer, "Scope", &p->global, err);
    if (r == 0 && json_string_length(json_object_get(answer, "ConnectivityScope")) > 0)
        r = heed_scope(answer, "ConnectivityScope", &ignored, err);
    if (r == 0)
        r = json_get_bool(answer, "GwAllocChecker", &p->checks_gateways, err);
    p->driver_known = r == 0;
    return r;
}

int remote_parse_cidr(const json_t *answer, const char *key, int family, struct prefix *ret,
                      struct weft_error *err)
{
    struct prefix found;
    const char *text = "";
    int r = json_get_string(answer, key, &text, err);

    if (r < 0 || !*text)
        return r;
    if (!strchr(text, '/') || prefix_parse(text, &found, NULL) < 0)
        return weft_fail(err, WEFT_INTERNAL,
                         "%s must be an address with the length of its prefix, not \"%.64s\"", key,
                         text);
    if (found.addr.family != family)
        return weft_fail(err, WEFT_INTERNAL, "%s must be an %s address, not %s", key,
                         family == AF_INET6 ? "IPv6" : "IPv4", prefix_text(&found));
    *ret = found;
    return 0;
}

json_t *remote_network_options(const struct network *net)
{
    _cleanup_json_ json_t *options =
        json_pack("{s:b, s:b, s:o}", "com.docker.network.enable_ipv4", net->enable_ipv4,
                  "com.docker.network.enable_ipv6", net->enable_ipv6, "com.docker.network.generic",
                  json_from_strmap(&net->options));

    if (!options || (net->internal &&
                     json_object_set_new(options, "com.docker.network.internal", json_true()) < 0))
        return NULL;
    return TAKE_PTR(options);
}

/* ---- weftd ends ---- */

void remote_stop(struct engine *e)
{
    struct outside_remote *remote = TAKE_PTR(e->remote);

    if (!remote)
        return;
    while (remote->runs) {
        struct remote_run *run = remote->runs;

        remote->runs = run->next;
        run_free(run);
    }
    while (remote->known) {
        struct remote_plugin *p = remote->known;

        remote->known = p->next;
        free(p->name);
        free(p);
    }
    plugins_free(remote->plugins);
    free(remote);
}
