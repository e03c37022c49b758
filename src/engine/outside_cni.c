/* SPDX-License-Identifier: Apache-2.0 */

/*
 * CNI plugins as outsiders: VERSION and STATUS when a network is made, ADD and DEL when an endpoint
 * joins and leaves, GC when the network goes.
 *
 * When ADD fails, or weftd is killed in the midst of it, the errand has the endpoint leave: DEL,
 * then without a result. A sandbox's lock (outside_cni_lock.c) keeps that DEL waiting for an ADD
 * that goes on without its weftd.
 */

#include "engine/outside_cni.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "model/sandbox.h"

#define LOCK_RETRY_MS 100

struct cni_errand {
    struct errand *er;
    struct engine *engine; /* er does not outlive its end */
    struct cni_errand *next;
    char sandbox_id[ID_TEXT_MAX]; /* of the lock */
    struct cni_chain *chain;
    int lock;
    uv_timer_t *retry; /* waits for the lock */
    unsigned waited;   /* ms */
    json_t *capabilities;
};

static void ask(struct cni_errand *ce, enum cni_command command);

/* ---- jobs ---- */

struct cni_job cni_make_job(enum cni_command command, const struct network *net,
                            const struct cni_config *config, const char *path,
                            const struct endpoint *ep)
{
    const json_t *own = json_object_get(ep ? ep->given.state : NULL, CNI_KEY);
    struct cni_job job = {
        .command = command,
        .config = config,
        .path = path,
        .seconds = cni_timeout(net),
        .lock = -1,
        .capabilities = json_object_get(own, CNI_KEY_CAPABILITIES),
        .result = json_object_get(own, CNI_KEY_RESULT),
    };

    if (!ep)
        return job;
    job.container_id = ep->sandbox->id;
    job.ifname = ep->ifname;
    /* After a restart of the machine it has gone, and the plugins are to go without it. */
    if (ep->sandbox->netns && access(ep->sandbox->netns, F_OK) == 0)
        job.netns = ep->sandbox->netns;
    return job;
}

/* ---- life ---- */

static void retry_closed(uv_handle_t *handle)
{
    free(handle);
}

static void errand_free(struct cni_errand *ce)
{
    struct cni_errand **at = &ce->engine->cni->errands;

    while (*at != ce)
        at = &(*at)->next;
    *at = ce->next;
    cni_chain_cancel(ce->chain);
    cni_unlock(ce->engine, ce->sandbox_id, ce->lock);
    if (ce->retry)
        uv_close((uv_handle_t *)ce->retry, retry_closed);
    json_decref(ce->capabilities);
    free(ce);
}

static void end(struct cni_errand *ce, int r, const struct weft_error *err)
{
    struct errand *er = ce->er;

    er->call = NULL;
    errand_free(ce);
    errand_done(er, r, err);
}

static struct cni_errand *errand_new(struct errand *er)
{
    struct outside_cni *own = cni_of_engine(er->engine);
    struct cni_errand *ce = own ? calloc(1, sizeof *ce) : NULL;
    struct weft_error err;

    if (!ce) {
        errand_done(er, weft_oom(&err), &err);
        return NULL;
    }
    *ce = (struct cni_errand){.er = er, .engine = er->engine, .next = own->errands, .lock = -1};
    own->errands = ce;
    er->call = ce;
    return ce;
}

/* ---- what ADD brought ---- */

static int check_wishes(const struct endpoint *ep, const struct cni_result *res,
                        struct weft_error *err)
{
    const struct endpoint_want *want = &ep->want;

    if (addr_is_set(&want->ipv4) && !addr_equal(&want->ipv4, &res->ipv4.addr))
        return weft_fail(err, WEFT_CONFLICT,
                         "the CNI plugins of network %s gave %s, and not %s, which was asked for",
                         ep->network->name,
                         addr_is_set(&res->ipv4.addr) ? addr_text(&res->ipv4.addr)
                                                      : "no IPv4 address",
                         addr_text(&want->ipv4));
    if (addr_is_set(&want->ipv6) && !addr_equal(&want->ipv6, &res->ipv6.addr))
        return weft_fail(err, WEFT_CONFLICT,
                         "the CNI plugins of network %s gave %s, and not %s, which was asked for",
                         ep->network->name,
                         addr_is_set(&res->ipv6.addr) ? addr_text(&res->ipv6.addr)
                                                      : "no IPv6 address",
                         addr_text(&want->ipv6));
    if (mac_is_set(&want->mac) && mac_is_set(&res->mac) && !mac_equal(&want->mac, &res->mac))
        return weft_fail(err, WEFT_CONFLICT,
                         "the CNI plugins of network %s gave MAC address %s, and not %s, which was "
                         "asked for",
                         ep->network->name, mac_text(&res->mac), mac_text(&want->mac));
    return 0;
}

static int give_routes(const struct cni_result *res, struct endpoint_given *given)
{
    if (res->route_count == 0)
        return 0;
    given->routes = calloc(res->route_count, sizeof *given->routes);
    if (!given->routes)
        return -ENOMEM;
    for (size_t i = 0; i < res->route_count; i++)
        given->routes[given->route_count++] =
            (struct endpoint_route){.destination = res->routes[i].destination,
                                    .via = res->routes[i].via};
    return 0;
}

/* What the endpoint has to be told again; result NULL: there is none yet. */
static int remember(struct cni_errand *ce, json_t *result, struct weft_error *err)
{
    struct endpoint_given *given = &ce->er->given;
    json_t *own =
        json_pack("{s:O, s:O*}", CNI_KEY_CAPABILITIES, ce->capabilities, CNI_KEY_RESULT, result);

    if (own && !given->state)
        given->state = json_object();
    return json_object_set_new(given->state, CNI_KEY, own) < 0 ? weft_oom(err) : 0;
}

static int give(struct cni_errand *ce, const struct cni_result *res, struct weft_error *err)
{
    struct errand *er = ce->er;
    struct endpoint_given *given = &er->given;
    int r = remember(ce, res->doc, err);

    if (r < 0)
        return r;
    if (give_routes(res, given) < 0)
        return weft_oom(err);
    er->ipv4 = res->ipv4.addr;
    er->ipv6 = res->ipv6.addr;
    er->mac = res->mac;
    given->ipv4_len = res->ipv4.len;
    given->ipv6_len = res->ipv6.len;
    given->gateway4 = res->gateway4;
    given->gateway6 = res->gateway6;
    given->no_gateway = !addr_is_set(&given->gateway4) && !addr_is_set(&given->gateway6);
    given->makes_routes = true;
    given->mtu = res->mtu;
    return check_wishes(er->ep, res, err);
}

static int take_result(struct cni_errand *ce, const struct cni_answer *answer,
                       struct weft_error *err)
{
    int r = give(ce, answer->result, err);

    /* Remembered until it is followed, which then has nothing to check. */
    if (r == 0 && hash_put(&ce->engine->cni->joined, ce->er->ep->id, ce->er->ep) == -ENOMEM)
        return weft_oom(err);
    return r;
}

/* ---- answers ---- */

static enum cni_version highest(unsigned versions)
{
    enum cni_version version = CNI_1_1_0;

    while (version > CNI_0_4_0 && !(versions & (1U << version)))
        version--;
    return version;
}

static void on_versions(void *arg, const struct cni_answer *answer)
{
    struct cni_errand *ce = arg;
    struct weft_error err = answer->err;
    enum cni_version version = highest(answer->versions);
    int r = answer->r;

    ce->chain = NULL;
    if (r == 0)
        r = cni_keep_version(ce->er->net, version, &err);
    if (r == 0 && version >= CNI_1_1_0)
        ask(ce, CNI_STATUS);
    else
        end(ce, r, r < 0 ? &err : NULL);
}

static void on_added(void *arg, const struct cni_answer *answer)
{
    struct cni_errand *ce = arg;
    struct weft_error err = answer->err;
    int r = answer->r;

    ce->chain = NULL;
    if (r == 0)
        r = take_result(ce, answer, &err);
    end(ce, r, r < 0 ? &err : NULL);
}

static void on_answer(void *arg, const struct cni_answer *answer)
{
    struct cni_errand *ce = arg;
    struct weft_error err = answer->err;
    int r = answer->r;

    ce->chain = NULL;
    end(ce, r, r < 0 ? &err : NULL);
}

/* ---- asking ---- */

static cni_chain_fn *handler_of(enum cni_command command)
{
    switch (command) {
    case CNI_VERSION:
        return on_versions;
    case CNI_ADD:
        return on_added;
    default:
        return on_answer;
    }
}

static int start(struct cni_errand *ce, enum cni_command command, struct weft_error *err)
{
    struct errand *er = ce->er;
    const struct network *net = er->net ? er->net : er->ep->network;
    _cleanup_cni_config_ struct cni_config *config = NULL;
    _cleanup_json_ json_t *nobody = json_array();
    const char *path;
    struct cni_job job;
    int r = cni_load(net, &config, &path, err);

    if (r == 0 && command == CNI_ADD)
        r = cni_say(er->engine, er->ep, config, &ce->capabilities, err);
    if (r == 0 && command == CNI_ADD)
        r = remember(ce, NULL, err);
    if (r < 0)
        return r;
    job = cni_make_job(command, net, config, path, er->ep);
    job.lock = ce->lock;
    if (command == CNI_ADD) {
        job.capabilities = ce->capabilities;
        job.result = NULL;
    }
    if (command == CNI_GC)
        job.valid_attachments = nobody;
    return cni_chain_start(er->engine->loop, &job, handler_of(command), ce, &ce->chain, err);
}

static void ask(struct cni_errand *ce, enum cni_command command)
{
    struct weft_error err = {0};
    int r = start(ce, command, &err);

    if (r < 0)
        end(ce, r, &err);
}

/* ---- the lock ---- */

static void lock_and_ask(struct cni_errand *ce);

static void on_retry(uv_timer_t *timer)
{
    struct cni_errand *ce = timer->data;

    ce->waited += LOCK_RETRY_MS;
    lock_and_ask(ce);
}

static int retry_later(struct cni_errand *ce, struct weft_error *err)
{
    if (!ce->retry) {
        ce->retry = calloc(1, sizeof *ce->retry);
        if (!ce->retry)
            return weft_oom(err);
        uv_timer_init(ce->engine->loop, ce->retry);
        ce->retry->data = ce;
    }
    return uv_timer_start(ce->retry, on_retry, LOCK_RETRY_MS, 0);
}

/* Whoever has the lock for longer than a plugin may run is not waited for any more. To let go is
 * tried without it then: better than never. */
static void lock_and_ask(struct cni_errand *ce)
{
    struct errand *er = ce->er;
    struct weft_error err = {0};
    bool joins = er->kind == ERRAND_JOIN;
    int r = cni_lock(ce->engine, er->ep->sandbox, &ce->lock, &err);

    if (r == -EAGAIN && ce->waited < cni_timeout(er->ep->network) * 1000) {
        r = retry_later(ce, &err);
        if (r == 0)
            return;
    }
    if (r < 0 && joins)
        end(ce, r, &err);
    else
        ask(ce, joins ? CNI_ADD : CNI_DEL);
}

static void begin(struct errand *er)
{
    struct cni_errand *ce = errand_new(er);

    if (!ce)
        return;
    (void)str_copy(ce->sandbox_id, sizeof ce->sandbox_id, er->ep->sandbox->id);
    cni_unwatch_sandbox(er->engine, er->ep->sandbox);
    lock_and_ask(ce);
}

/* ---- an outsider ---- */

static void create(struct errand *er)
{
    struct cni_errand *ce = errand_new(er);

    if (ce)
        ask(ce, CNI_VERSION);
}

/* Plugins know a network by its name, which another one of weft's may have, too: what has
 * attachments there is not garbage. */
static bool is_shared(const struct engine *e, const struct network *net,
                      const struct cni_config *config)
{
    for (size_t i = 0; i < e->network_count; i++) {
        const json_t *own = json_object_get(e->networks[i]->outside, CNI_KEY);
        const json_t *other = json_object_get(own, CNI_KEY_CONFIG);

        if (e->networks[i] != net &&
            str_equal(json_string_value(json_object_get(other, "name")), config->name))
            return true;
    }
    return false;
}

static bool wants_gc(const struct engine *e, const struct network *net)
{
    _cleanup_cni_config_ struct cni_config *config = NULL;
    const char *path;

    return cni_load(net, &config, &path, NULL) == 0 && config->version >= CNI_1_1_0 &&
           !config->disable_gc && !is_shared(e, net, config);
}

static void remove_network(struct errand *er)
{
    struct cni_errand *ce;

    if (!wants_gc(er->engine, er->net)) {
        errand_done(er, 0, NULL);
        return;
    }
    ce = errand_new(er);
    if (ce)
        ask(ce, CNI_GC);
}

static void join(struct errand *er)
{
    begin(er);
}

static void leave(struct errand *er)
{
    struct outside_cni *own = cni_of_engine(er->engine);

    if (own)
        (void)hash_remove(&own->joined, er->ep->id);
    begin(er);
}

const json_t *engine_endpoint_ports(const struct endpoint *ep)
{
    return cni_endpoint_ports(ep);
}

static void stop(struct engine *e)
{
    if (!e->cni)
        return;
    while (e->cni->errands)
        errand_free(e->cni->errands);
    cni_stop_watching(e);
    cni_exec_end(e->loop);
    hash_clear(&e->cni->joined);
    free(e->cni);
    e->cni = NULL;
}

const struct outsider outsider_cni = {
    .name = CNI_KEY,
    .check = cni_check_network,
    .create = create,
    .remove = remove_network,
    .join = join,
    .leave = leave,
    .follow = cni_follow,
    .unfollow = cni_unfollow,
    .stop = stop,
};
