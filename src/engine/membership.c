/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs that take containers and attached namespaces onto networks and off them again. */

#include <errno.h>
#include <string.h>

#include "driver/driver.h"
#include "engine/change.h"
#include "engine/dns.h"
#include "engine/half.h"

/* A stack that is the host's, nobody's or another's takes no further networks. */
static int check_may_connect(struct engine *e, const struct sandbox *sb, const struct network *net,
                             struct weft_error *err)
{
    const struct container *c = sandbox_container(e, sb);

    if (driver_find(net->driver)->single)
        return weft_fail(err, WEFT_FORBIDDEN, "%s cannot be connected to network %s",
                         sandbox_owner_text(sb), net->name);
    if (sb->kind == SANDBOX_HOST)
        return weft_fail(err, WEFT_FORBIDDEN,
                         "%s uses the host's network and cannot be connected to another",
                         sandbox_owner_text(sb));
    if (c && str_equal(c->config.network_mode, "none"))
        return weft_fail(err, WEFT_FORBIDDEN,
                         "%s has network mode none and cannot be connected to a network",
                         sandbox_owner_text(sb));
    if (network_is_busy(e, net, err) || sandbox_is_busy(e, sb, err))
        return -err->errnum;
    if (sandbox_endpoint_on(sb, net))
        return weft_fail(err, WEFT_FORBIDDEN, "%s is already on network %s", sandbox_owner_text(sb),
                         net->name);
    return 0;
}

/* The sandbox that `who` names, its own: one that joined another's stack has none. */
static struct sandbox *find_own_sandbox(struct engine *e, const char *who, struct weft_error *err)
{
    struct weft_error ignored;
    struct container *c = engine_container(e, who, &ignored);

    if (c && strcmp(c->id, c->sandbox_id) != 0) {
        weft_fail(
            err, WEFT_FORBIDDEN,
            "container %s shares the network of another container and has no networks of its own",
            c->name);
        return NULL;
    }
    return engine_sandbox(e, c ? c->id : who, err);
}

void send_membership(struct engine *e, const char *action, const struct network *net,
                     const struct sandbox *sb)
{
    event_send(e, (struct engine_event){.type = "network",
                                        .action = action,
                                        .id = net->id,
                                        .name = net->name,
                                        .container = sb->id});
}

/* Files and subscribers follow. */
static void membership_changed(struct engine *e, const char *action, struct sandbox *sb,
                               struct network *net, bool resolver)
{
    refresh_files(e, sb);
    if (net->predefined)
        refresh_links(e, sb);
    /* Others may have named servers and domains. */
    if (resolver != sandbox_has_resolver(sb) || network_is_asked(net))
        refresh_resolver(e, sb);
    /* Those of a container at rest are told of when it starts. */
    if (sb->active)
        send_membership(e, action, net, sb);
}

/* ---- connect ---- */

static void connected(void *arg, int result, const struct weft_error *err)
{
    struct half *half = arg;

    if (result == 0)
        membership_changed(half->engine, "connect", half->sb, half->net, half->resolver);
    else if (result != -ECANCELED)
        finish_leaving(half->engine, half->sb);
    half_end(half, result, err);
}

int engine_connect(struct engine *e, const char *network, const char *who,
                   const struct endpoint_want *want, struct strbuf *dry, engine_done_fn *done,
                   void *arg, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {.dry = dry != NULL};
    struct network *net = engine_network(e, network, err);
    struct sandbox *sb = net ? find_own_sandbox(e, who, err) : NULL;
    bool resolver = sb && sandbox_has_resolver(sb);
    int r;

    if (!sb)
        return -err->errnum;
    r = check_may_connect(e, sb, net, err);
    if (r == 0 && want)
        r = driver_find(net->driver)->check_endpoint(net, want, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_add_endpoint(&ch, sb, net, want, err);
    if (r == 0 && dry && sb->active)
        outside_explain(net, false, dry);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    if (sandbox_endpoint_on(sb, net)->stage == ENDPOINT_ASKING)
        return half_ask(outside_join, connected,
                        &(struct half){.engine = e,
                                       .sb = sb,
                                       .net = net,
                                       .resolver = resolver,
                                       .done = done,
                                       .arg = arg},
                        err);
    membership_changed(e, "connect", sb, net, resolver);
    return 0;
}

/* ---- disconnect ---- */

static void disconnected(void *arg, int result, const struct weft_error *err)
{
    struct half *half = arg;

    if (result == 0) {
        finish_leaving(half->engine, half->sb);
        membership_changed(half->engine, "disconnect", half->sb, half->net, half->resolver);
    }
    half_end(half, result, err);
}

static int check_may_disconnect(struct engine *e, const struct sandbox *sb,
                                const struct network *net, struct weft_error *err)
{
    if (sandbox_is_busy(e, sb, err))
        return -err->errnum;
    if (!sandbox_endpoint_on(sb, net))
        return weft_fail(err, WEFT_FORBIDDEN, "%s is not on network %s", sandbox_owner_text(sb),
                         net->name);
    if (driver_find(net->driver)->single)
        return weft_fail(err, WEFT_FORBIDDEN, "%s cannot be disconnected from network %s",
                         sandbox_owner_text(sb), net->name);
    return 0;
}

int engine_disconnect(struct engine *e, const char *network, const char *who, struct strbuf *dry,
                      engine_done_fn *done, void *arg, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {.dry = dry != NULL};
    struct network *net = engine_network(e, network, err);
    struct sandbox *sb = net ? find_own_sandbox(e, who, err) : NULL;
    bool resolver = sb && sandbox_has_resolver(sb), asked = false;
    int r;

    if (!sb)
        return -err->errnum;
    r = check_may_disconnect(e, sb, net, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_leave(&ch, sandbox_endpoint_on(sb, net), &asked, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r == 0 && dry && sb->active)
        outside_explain(net, true, dry);
    if (r < 0 || dry)
        return r;
    if (asked)
        return half_ask(outside_leave, disconnected,
                        &(struct half){.engine = e,
                                       .sb = sb,
                                       .net = net,
                                       .resolver = resolver,
                                       .done = done,
                                       .arg = arg},
                        err);
    membership_changed(e, "disconnect", sb, net, resolver);
    return 0;
}
