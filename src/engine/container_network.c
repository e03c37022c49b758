/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The network around a container's life.
 *
 * It is up before the first process and down after the last. Where others have a say in it, both
 * take their time: the endpoints are in stage ASKING until all have agreed, and LEAVING until all
 * have been told; the namespace is there throughout. A container that ends while something else is
 * under way for its sandbox (a connect, say) waits until that is over.
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/change.h"
#include "engine/outside.h"

/* ---- in ---- */

/* Docker's words. On user-defined networks a link is a name: it may come to life later. */
static int check_links(struct engine *e, const struct container *c, const struct sandbox *sb,
                       struct weft_error *err)
{
    const struct endpoint *own = default_bridge_endpoint(sb);

    for (char **link = c->config.links; own && link && *link; link++) {
        const struct container *target = linked_container(e, *link, err);
        const struct sandbox *other = target ? engine_container_sandbox(e, target) : NULL;

        if (!target)
            return -err->errnum;
        if (!other || !other->active || !sandbox_endpoint_on(other, own->network))
            return weft_fail(err, WEFT_CONFLICT,
                             "Cannot link to a non running container: /%s AS /%s/%s", target->name,
                             c->name, strchr(*link, ':') + 1);
    }
    return 0;
}

/* None of its networks may be coming or going. */
static int check_networks(struct engine *e, const struct container *c, const struct sandbox *sb,
                          struct weft_error *err)
{
    const char *mode = c->config.network_mode;
    bool named = !str_is_empty(mode) && strcmp(mode, "default") != 0;
    const struct network *net = named ? engine_network(e, mode, err) : NULL;

    /* The network it was made for may have been removed while it was stopped. */
    if (named && !net)
        return -err->errnum;
    if (net && network_is_busy(e, net, err))
        return -err->errnum;
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (network_is_busy(e, sb->endpoints[i]->network, err))
            return -err->errnum;
    return 0;
}

static int check_enterable(struct engine *e, const struct container *c, const struct sandbox *sb,
                           struct weft_error *err)
{
    bool own = strcmp(c->id, c->sandbox_id) == 0;

    if (!sb)
        return weft_fail(err, WEFT_CONFLICT, "the container whose network %s shares was removed",
                         c->name);
    if (!own && (!sb->active || !sandbox_in_use(e, sb, c)))
        return weft_fail(err, WEFT_CONFLICT,
                         "cannot join the network of container %s: it is not running", sb->name);
    if (own && (check_networks(e, c, sb, err) < 0 || check_links(e, c, sb, err) < 0))
        return -err->errnum;
    return sandbox_is_busy(e, sb, err) ? -err->errnum : 0;
}

static int set_active(struct engine *e, struct sandbox *sb, bool active, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = change_activate(&ch, sb, active, err);
    return r < 0 ? r : change_commit(&ch, NULL, err);
}

/* The sandbox has come to its networks, or left them. */
static void tell_of(struct engine *e, const char *action, struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        send_membership(e, action, sb->endpoints[i]->network, sb);
    if (default_bridge_endpoint(sb))
        refresh_links(e, sb);
}

static bool is_asking(const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->stage == ENDPOINT_ASKING)
            return true;
    return false;
}

int sandbox_rest(struct engine *e, struct sandbox *sb, struct weft_error *err)
{
    int r = set_active(e, sb, false, err);

    if (r == 0) {
        netns_unlink_all(sb->netns);
        tell_of(e, "disconnect", sb);
    }
    return r;
}

/* Those who refused, or agreed in vain, have been told. */
static void withdraw(struct engine *e, struct sandbox *sb)
{
    struct weft_error err = {0};

    if (set_active(e, sb, false, &err) < 0)
        log_error("cannot take down the network of %s: %s", sandbox_owner_text(sb), err.text);
}

static void joined(void *arg, int result, const struct weft_error *err)
{
    struct container_slot *slot = arg;
    struct sandbox *sb = engine_container_sandbox(slot->engine, slot->container);

    if (result == 0)
        tell_of(slot->engine, "connect", sb);
    else if (result != -ECANCELED)
        withdraw(slot->engine, sb);
    slot->entered(slot, result, err);
}

/* Its sandbox is up though nobody uses it: it could not be taken down when it should have been.
 * Telling others takes time: then the start is refused, and its failure takes the sandbox down. */
static int rest_at_last(struct engine *e, const struct container *c, struct sandbox *sb,
                        struct weft_error *err)
{
    if (sandbox_is_asked(sb))
        return weft_fail(err, WEFT_CONFLICT,
                         "the network of container %s could not be taken down when it ended: "
                         "that is tried anew, start it again when it is done",
                         c->name);
    return sandbox_rest(e, sb, err);
}

int container_enter(struct container_slot *slot, engine_done_fn *then, struct weft_error *err)
{
    struct engine *e = slot->engine;
    struct sandbox *sb = engine_container_sandbox(e, slot->container);
    int r = check_enterable(e, slot->container, sb, err);

    if (r == 0 && sb->active && !sandbox_in_use(e, sb, slot->container))
        r = rest_at_last(e, slot->container, sb, err);
    if (r < 0 || sb->active)
        return r;
    r = set_active(e, sb, true, err);
    if (r == 0 && is_asking(sb)) {
        slot->entered = then;
        r = outside_join(e, sb, joined, slot, err);
        return r < 0 ? r : 1;
    }
    if (r == 0)
        tell_of(e, "connect", sb);
    return r;
}

/* ---- out ---- */

static void taken_down(struct container_slot *slot)
{
    TAKE_PTR(slot->then)(slot);
}

static void deactivate(struct container_slot *slot)
{
    struct engine *e = slot->engine;
    struct sandbox *sb = engine_container_sandbox(e, slot->container);
    struct weft_error err = {0};

    if (sandbox_rest(e, sb, &err) < 0)
        log_error("cannot take down the network of container %s: %s", slot->container->name,
                  err.text);
    taken_down(slot);
}

static void told(void *arg, int result, const struct weft_error *err _unused_)
{
    if (result != -ECANCELED)
        deactivate(arg);
}

/* Off all networks, as far as the kernel is concerned; then those outside are told. */
static int begin_leaving(struct container_slot *slot, struct sandbox *sb, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(slot->engine, &ch, err);

    for (size_t i = 0; r == 0 && i < sb->endpoint_count; i++)
        r = change_set_stage(&ch, sb->endpoints[i], ENDPOINT_LEAVING, err);
    if (r == 0)
        r = change_commit(&ch, NULL, err);
    return r < 0 ? r : outside_leave(slot->engine, sb, told, slot, err);
}

static void take_down(struct engine *e, const char *id)
{
    struct container_slot *slot = engine_container_slot(e, id);
    struct container *c = slot->container;
    struct sandbox *sb = engine_container_sandbox(e, c);
    struct weft_error err = {0};

    if (!sb || !sb->active || sandbox_in_use(e, sb, c)) {
        taken_down(slot);
    } else if (!sandbox_is_asked(sb)) {
        deactivate(slot);
    } else if (sandbox_is_busy(e, sb, &err)) {
        /* Somebody who waited before has begun something else. */
        if (sandbox_when_idle(e, sb, take_down, id, &err) < 0)
            taken_down(slot);
    } else if (begin_leaving(slot, sb, &err) < 0) {
        log_error("cannot take down the network of container %s: %s", c->name, err.text);
        taken_down(slot);
    }
}

void container_leave(struct container_slot *slot, void (*then)(struct container_slot *slot))
{
    slot->left = true;
    slot->then = then;
    take_down(slot->engine, slot->container->id);
}
