/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Starting: whatever happened while weftd was away is made good.
 *
 * First the model learns what became of the containers: those that run go on; those that ended get
 * their exit code; those whose start was cut short are as if never started. Published ports are
 * held again. Then the kernel is dumped whole and made to follow the model: what is missing is
 * made, what is weft's and not wanted is removed. Last, what ended is cleared up like any other
 * end, and what was cut short while others were asked is let go of.
 */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/change.h"
#include "engine/outside.h"
#include "engine/parents.h"

/* ---- predefined networks ---- */

/* Of the default bridge: what the configuration says; else docker's, unless a route of the host
 * (docker's own bridge, say) has it already: then any that is free, and *ret is none. */
static int default_subnet(struct engine *e, struct prefix *ret, struct weft_error *err)
{
    static const struct prefix usual = {.addr = {AF_INET, {172, 17}}, .len = 16};
    _cleanup_free_ struct prefix *routes = NULL;
    size_t count = 0;
    int r;

    *ret = e->config.default_bridge_subnet;
    if (prefix_is_set(ret))
        return 0;
    r = kernel_routes(e->kernel, &routes, &count, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++)
        if (prefix_overlaps(&routes[i], &usual))
            return 0;
    *ret = usual;
    return 0;
}

static json_t *bridge_doc(const struct engine *e, const struct prefix *subnet)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:s, s:s, s:{s:s, s:s}}", "Name", "bridge", "Driver", "bridge", "Options",
                  OPTION_BRIDGE_NAME, e->config.default_bridge_name, OPTION_BRIDGE_DEFAULT, "true");

    if (doc && prefix_is_set(subnet) &&
        json_object_set_new(doc, "IPAM",
                            json_pack("{s:[{s:s}]}", "Config", "Subnet", prefix_text(subnet))) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

static json_t *predefined_doc(struct engine *e, const char *name, struct weft_error *err)
{
    struct prefix subnet;
    json_t *doc;

    if (strcmp(name, "bridge") == 0) {
        if (default_subnet(e, &subnet, err) < 0)
            return NULL;
        doc = bridge_doc(e, &subnet);
    } else {
        doc = json_pack("{s:s, s:s}", "Name", name, "Driver",
                        strcmp(name, "none") == 0 ? "null" : name);
    }
    if (!doc)
        weft_oom(err);
    return doc;
}

/* In the model only: mending makes it in the kernel. */
static int add_predefined(struct engine *e, const char *name, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = predefined_doc(e, name, err);
    _cleanup_network_ struct network *net = NULL;
    _cleanup_change_ struct change ch = {0};
    int r;

    if (!doc)
        return -err->errnum;
    r = network_from_json(doc, &net, err);
    if (r < 0)
        return r;
    net->predefined = true;
    r = complete_network(e, net, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_add_network(&ch, TAKE_PTR(net), err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

static bool default_bridge_differs(const struct engine *e, const struct network *net)
{
    const struct prefix *configured = &e->config.default_bridge_subnet;
    const struct pool *pool = network_pool(net, AF_INET);

    return !pool || (prefix_is_set(configured) && !prefix_equal(&pool->subnet, configured)) ||
           strcmp(net->link, e->config.default_bridge_name) != 0;
}

/* The configuration of the default bridge may have changed: followed as soon as nobody is on it. */
static int follow_default_bridge(struct engine *e, struct weft_error *err)
{
    struct net_slot *slot = hash_get(&e->networks_by_name, "bridge");
    _cleanup_change_ struct change ch = {0};
    int r;

    if (!slot || !default_bridge_differs(e, slot->net))
        return 0;
    if (slot->endpoint_count > 0) {
        log_warning("the default bridge keeps its old configuration: containers are on it");
        return 0;
    }
    r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_remove_network(&ch, slot->net, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

static int ensure_predefined(struct engine *e, struct weft_error *err)
{
    static const char *const names[] = {"bridge", "host", "none"};
    int r = follow_default_bridge(e, err);

    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
        if (!hash_get(&e->networks_by_name, names[i]))
            r = add_predefined(e, names[i], err);
    if (r < 0)
        weft_error_prefix(err, "cannot make the predefined networks");
    return r;
}

/* ---- containers and sandboxes ---- */

/* Containers that were running: still, or no more (then in *ended). */
static void resume_containers(struct engine *e, struct container_slot **ended, size_t *count)
{
    for (size_t i = 0; i < e->container_count; i++) {
        struct container *c = e->containers[i];
        struct container_slot *slot = engine_container_slot(e, c->id);

        if (c->status != CONTAINER_RUNNING)
            continue;
        if (runtime_resume(e->runtime, c, &c->pid, &slot->exit_code, &slot->finished) == 1)
            continue;
        log_info("container %s has ended with code %d while weftd was away", c->name,
                 slot->exit_code);
        ended[(*count)++] = slot;
    }
}

/* Neither weft's pin nor the path leads to it. */
static bool namespace_is_gone(const struct sandbox *sb)
{
    struct netns_identity ignored;

    return kernel_netns_identify(sb->netns, &ignored, NULL) < 0 &&
           kernel_netns_identify(sb->origin, &ignored, NULL) < 0;
}

/* A foreign namespace is gone with its process, too. */
static bool foreign_is_gone(const struct sandbox *sb)
{
    if (sb->pid > 0 && process_start_time(sb->pid) != sb->pid_start)
        return true;
    return namespace_is_gone(sb);
}

/* Those outside are to be told before it goes: see recover.c. *ret: somebody is. */
static int leave_all(struct change *ch, struct sandbox *sb, bool *ret, struct weft_error *err)
{
    int r = 0;

    *ret = false;
    for (size_t i = 0; i < sb->endpoint_count; i++)
        *ret = *ret || network_is_asked(sb->endpoints[i]->network);
    for (size_t i = 0; r == 0 && *ret && i < sb->endpoint_count; i++)
        r = change_set_stage(ch, sb->endpoints[i], ENDPOINT_LEAVING, err);
    return r;
}

static int settle_sandbox(struct engine *e, struct sandbox *sb, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    bool foreign = sb->kind == SANDBOX_FOREIGN, asked = false;
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = leave_all(&ch, sb, &asked, err);
    if (r == 0 && asked && foreign && namespace_is_gone(sb))
        r = change_abandon(&ch, sb, err);
    else if (r == 0 && !asked)
        r = foreign ? change_remove_sandbox(&ch, sb, err) : change_activate(&ch, sb, false, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

/* Sandboxes that nobody uses any more. */
static int settle_sandboxes(struct engine *e, struct weft_error *err)
{
    int r = 0;

    for (size_t i = e->sandbox_count; r == 0 && i-- > 0;) {
        struct sandbox *sb = e->sandboxes[i];
        bool gone = sb->kind == SANDBOX_FOREIGN ? foreign_is_gone(sb)
                                                : sb->active && !sandbox_in_use(e, sb, NULL);

        if (gone)
            r = settle_sandbox(e, sb, err);
    }
    for (size_t i = 0; r == 0 && i < e->sandbox_count; i++)
        if (e->sandboxes[i]->kind != SANDBOX_FOREIGN || !foreign_is_gone(e->sandboxes[i]))
            r = watch_sandbox(e, e->sandboxes[i], err);
    return r;
}

static int sweep_runtime(struct engine *e, struct weft_error *err)
{
    _cleanup_strv_ strv running = NULL;

    for (size_t i = 0; i < e->container_count; i++)
        if (e->containers[i]->status == CONTAINER_RUNNING &&
            strv_add(&running, e->containers[i]->id) < 0)
            return weft_oom(err);
    return runtime_sweep(e->runtime, running, err);
}

/* Those that were to go with their end, but never came to it. */
static void remove_orphans(struct engine *e)
{
    for (size_t i = e->container_count; i-- > 0;) {
        struct container *c = e->containers[i];

        if (c->config.auto_remove && c->status != CONTAINER_RUNNING)
            container_remove_soon(e, c);
    }
}

int engine_start(struct engine *e, struct weft_error *err)
{
    _cleanup_free_ struct container_slot **ended =
        calloc(e->container_count + 1, sizeof(struct container_slot *));
    size_t count = 0;
    int r;

    if (!ended)
        return weft_oom(err);
    r = ensure_predefined(e, err);
    if (r < 0)
        return r;
    resume_containers(e, ended, &count);
    r = settle_sandboxes(e, err);
    if (r == 0)
        r = sweep_runtime(e, err);
    if (r == 0)
        hold_ports(e);
    if (r == 0 && drift_start(e, err) < 0)
        log_warning("what others change will go unnoticed: %s", err->text);
    if (r == 0)
        r = rules_recall(e, err);
    if (r == 0) {
        parents_disown(e);
        r = engine_mend(e, MEND_ALL, NULL, err);
    }
    if (r == 0)
        dns_start(e);
    for (size_t i = 0; r == 0 && i < count; i++)
        container_ended(ended[i], ended[i]->exit_code, ended[i]->finished);
    if (r < 0)
        return r;
    outside_start(e);
    remove_orphans(e);
    return 0;
}
