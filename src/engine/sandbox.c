/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs about namespaces that belong to somebody else: attach and detach. */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "driver/driver.h"
#include "engine/change.h"
#include "engine/half.h"

/* The sandbox that already stands for this namespace, NULL when none does. */
static struct sandbox *find_by_identity(struct engine *e, const struct netns_identity *identity)
{
    for (size_t i = 0; i < e->sandbox_count; i++) {
        struct sandbox *sb = e->sandboxes[i];
        struct netns_identity *known = &engine_sandbox_slot(e, sb)->identity;

        if (!sb->active || !sb->netns)
            continue;
        if (known->ino == 0)
            (void)kernel_netns_identify(sb->netns, known, NULL);
        if (known->ino == identity->ino && known->dev == identity->dev)
            return sb;
    }
    return NULL;
}

static int default_name(const struct engine_attach *request, char **ret)
{
    const char *slash;

    if (request->pid > 0) {
        *ret = str_printf("pid-%d", (int)request->pid);
    } else {
        slash = strrchr(request->netns, '/');
        *ret = strdup(slash && slash[1] ? slash + 1 : request->netns);
    }
    return *ret ? 0 : -ENOMEM;
}

/* Where the namespace is, and that it is one and not the host's own. */
static int locate(struct engine *e, const struct engine_attach *request, char **ret_path,
                  struct netns_identity *ret, struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;
    struct netns_identity host = {0};
    int r;

    if ((request->netns != NULL) == (request->pid > 0))
        return weft_fail(err, WEFT_INVALID,
                         "a namespace is attached by a path or by a process: give one of them");
    if (request->netns && request->netns[0] != '/')
        return weft_fail(err, WEFT_INVALID, "namespace path %s is not absolute", request->netns);
    path =
        request->netns ? strdup(request->netns) : str_printf("/proc/%d/ns/net", (int)request->pid);
    if (!path)
        return weft_oom(err);
    if (!request->netns && process_start_time(request->pid) < 0)
        return weft_fail(err, WEFT_NOT_FOUND, "no such process: %d", (int)request->pid);
    r = kernel_netns_identify(path, ret, err);
    if (r == 0)
        r = kernel_netns_identify_host(e->kernel, &host, err);
    if (r < 0)
        return r;
    if (host.ino == ret->ino && host.dev == ret->dev)
        return weft_fail(err, WEFT_INVALID, "%s is the host's own network namespace", path);
    *ret_path = TAKE_PTR(path);
    return 0;
}

static int sandbox_new(const struct engine_attach *request, char *owned_origin,
                       struct sandbox **ret, struct weft_error *err)
{
    _cleanup_free_ char *origin = owned_origin;
    _cleanup_sandbox_ struct sandbox *sb = calloc(1, sizeof *sb);
    int r;

    if (!sb)
        return weft_oom(err);
    id_generate(sb->id);
    sb->kind = SANDBOX_FOREIGN;
    sb->pid = request->pid;
    sb->pid_start = request->pid > 0 ? process_start_time(request->pid) : 0;
    sb->origin = TAKE_PTR(origin);
    r = request->name ? ((sb->name = strdup(request->name)) ? 0 : -ENOMEM)
                      : default_name(request, &sb->name);
    if (r < 0)
        return weft_oom(err);
    r = name_check("namespace", sb->name, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(sb);
    return 0;
}

/* The sandbox to attach, new or known. */
static int find_or_add(struct change *ch, const struct engine_attach *request, struct sandbox **ret,
                       struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;
    struct netns_identity identity = {0};
    struct sandbox *sb;
    int r = locate(ch->engine, request, &path, &identity, err);

    if (r < 0)
        return r;
    sb = find_by_identity(ch->engine, &identity);
    if (sb && request->name && strcmp(request->name, sb->name) != 0)
        return weft_fail(err, WEFT_CONFLICT, "namespace %s is known already, as %s", path,
                         sb->name);
    if (!sb) {
        r = sandbox_new(request, TAKE_PTR(path), &sb, err);
        if (r == 0)
            r = change_add_sandbox(ch, sb, err);
        if (r == 0)
            r = change_activate(ch, sb, true, err);
    }
    if (r == 0)
        *ret = sb;
    return r;
}

/* ---- attach ---- */

static void attached(void *arg, int result, const struct weft_error *err)
{
    struct half *half = arg;

    if (result == 0)
        send_membership(half->engine, "connect", half->net, half->sb);
    else if (result != -ECANCELED)
        finish_leaving(half->engine, half->sb);
    half_end(half, result, err);
}

static int check_may_attach(struct engine *e, const struct network *net,
                            const struct endpoint_want *want, struct weft_error *err)
{
    if (driver_find(net->driver)->single)
        return weft_fail(err, WEFT_FORBIDDEN, "a namespace cannot be attached to network %s",
                         net->name);
    if (network_is_busy(e, net, err))
        return -err->errnum;
    return want ? driver_find(net->driver)->check_endpoint(net, want, err) : 0;
}

static int check_sandbox(struct engine *e, const struct sandbox *sb, const struct network *net,
                         struct weft_error *err)
{
    if (sandbox_is_busy(e, sb, err))
        return -err->errnum;
    if (sandbox_endpoint_on(sb, net))
        return weft_fail(err, WEFT_FORBIDDEN, "%s is already on network %s", sandbox_owner_text(sb),
                         net->name);
    return 0;
}

int engine_attach(struct engine *e, const struct engine_attach *request, struct strbuf *dry,
                  engine_done_fn *done, void *arg, const struct sandbox **ret,
                  struct weft_error *err)
{
    _cleanup_change_ struct change ch = {.dry = dry != NULL};
    struct network *net = engine_network(e, request->network, err);
    struct sandbox *sb = NULL;
    int r;

    if (!net)
        return -err->errnum;
    r = check_may_attach(e, net, request->want, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = find_or_add(&ch, request, &sb, err);
    if (r == 0)
        r = check_sandbox(e, sb, net, err);
    if (r == 0)
        r = change_add_endpoint(&ch, sb, net, request->want, err);
    if (r == 0 && dry)
        outside_explain(net, false, dry);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    *ret = sb;
    if (watch_sandbox(e, sb, err) < 0)
        log_warning("%s", err->text);
    if (sandbox_endpoint_on(sb, net)->stage == ENDPOINT_ASKING)
        return half_ask(outside_join, attached,
                        &(struct half){.engine = e, .sb = sb, .net = net, .done = done, .arg = arg},
                        err);
    send_membership(e, "connect", net, sb);
    return 0;
}

/* ---- detach ---- */

static void detached(void *arg, int result, const struct weft_error *err)
{
    struct half *half = arg;

    if (result == 0)
        finish_leaving(half->engine, half->sb);
    half_end(half, result, err);
}

static void explain_leaving(const struct sandbox *sb, const struct network *net, struct strbuf *out)
{
    for (size_t i = sb->endpoint_count; i-- > 0;)
        if (!net || sb->endpoints[i]->network == net)
            outside_explain(sb->endpoints[i]->network, true, out);
}

/* Off one network, or all (NULL). The sandbox does not outlive its last, but those outside are to
 * be told before it goes: then *ret_asked is true. */
static int detach(struct change *ch, struct sandbox *sb, const struct network *net, bool *ret_asked,
                  struct weft_error *err)
{
    int r = change_touch_sandbox(ch, sb, err);

    *ret_asked = false;
    for (size_t i = sb->endpoint_count; r == 0 && i-- > 0;) {
        bool asked = false;

        if (!net || sb->endpoints[i]->network == net)
            r = change_leave(ch, sb->endpoints[i], &asked, err);
        *ret_asked = *ret_asked || asked;
    }
    return r < 0 || sb->endpoint_count > 0 ? r : change_remove_sandbox(ch, sb, err);
}

/* The sandbox and (may be NULL) the network that the verb is about. */
static int find_attached(struct engine *e, const char *who, const char *network,
                         struct sandbox **ret, struct network **ret_net, struct weft_error *err)
{
    struct sandbox *sb = engine_sandbox(e, who, err);
    struct network *net = NULL;

    if (!sb)
        return -err->errnum;
    if (sb->kind != SANDBOX_FOREIGN)
        return weft_fail(err, WEFT_INVALID,
                         "%s was not attached: use network disconnect to take it off a network",
                         sandbox_owner_text(sb));
    if (!str_is_empty(network)) {
        net = engine_network(e, network, err);
        if (!net)
            return -err->errnum;
        if (!sandbox_endpoint_on(sb, net))
            return weft_fail(err, WEFT_FORBIDDEN, "%s is not on network %s", sandbox_owner_text(sb),
                             net->name);
    }
    *ret = sb;
    *ret_net = net;
    return sandbox_is_busy(e, sb, err) ? -err->errnum : 0;
}

int engine_detach(struct engine *e, const char *who, const char *network, struct strbuf *dry,
                  engine_done_fn *done, void *arg, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {.dry = dry != NULL};
    _cleanup_strbuf_ struct strbuf told = {0};
    _cleanup_free_ char *netns = NULL;
    struct sandbox *sb = NULL;
    struct network *net = NULL;
    bool last, asked = false;
    int r = find_attached(e, who, network, &sb, &net, err);

    if (r < 0 || !sb)
        return r;
    last = !net || sb->endpoint_count == 1;
    netns = strdup(sb->netns);
    r = netns ? change_begin(e, &ch, err) : weft_oom(err);
    if (dry)
        explain_leaving(sb, net, &told);
    if (r == 0)
        r = detach(&ch, sb, net, &asked, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r == 0 && dry)
        strbuf_puts(dry, strbuf_text(&told));
    if (r < 0 || dry)
        return r;
    if (asked)
        return half_ask(outside_leave, detached,
                        &(struct half){.engine = e, .sb = sb, .net = net, .done = done, .arg = arg},
                        err);
    if (last)
        netns_unlink_all(netns);
    return 0;
}
