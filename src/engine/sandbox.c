/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs about namespaces that belong to somebody else: attach and detach. */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "driver/driver.h"
#include "engine/change.h"

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

int engine_attach(struct engine *e, const struct engine_attach *request, struct strbuf *dry,
                  engine_done_fn *done _unused_, void *arg _unused_, const struct sandbox **ret,
                  struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    struct network *net = engine_network(e, request->network, err);
    struct sandbox *sb = NULL;
    int r;

    if (!net)
        return -err->errnum;
    if (driver_find(net->driver)->single)
        return weft_fail(err, WEFT_FORBIDDEN, "a namespace cannot be attached to network %s",
                         net->name);
    r = request->want ? driver_find(net->driver)->check_endpoint(net, request->want, err) : 0;
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = find_or_add(&ch, request, &sb, err);
    if (r == 0 && sandbox_endpoint_on(sb, net))
        r = weft_fail(err, WEFT_FORBIDDEN, "%s is already on network %s", sandbox_owner_text(sb),
                      net->name);
    if (r == 0)
        r = change_add_endpoint(&ch, sb, net, request->want, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    if (watch_sandbox(e, sb, err) < 0)
        log_warning("%s", err->text);
    send_membership(e, "connect", net, sb);
    *ret = sb;
    return 0;
}

static int detach(struct change *ch, struct sandbox *sb, struct network *net,
                  struct weft_error *err)
{
    struct endpoint *ep = net ? sandbox_endpoint_on(sb, net) : NULL;

    if (net && !ep)
        return weft_fail(err, WEFT_FORBIDDEN, "%s is not on network %s", sandbox_owner_text(sb),
                         net->name);
    if (ep && sb->endpoint_count > 1)
        return change_remove_endpoint(ch, ep, err);
    return change_remove_sandbox(ch, sb, err);
}

int engine_detach(struct engine *e, const char *who, const char *network, struct strbuf *dry,
                  engine_done_fn *done _unused_, void *arg _unused_, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    _cleanup_free_ char *netns = NULL;
    struct sandbox *sb = engine_sandbox(e, who, err);
    struct network *net = NULL;
    bool last;
    int r;

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
    }
    /* The sandbox does not outlive its last network. */
    netns = strdup(sb->netns);
    last = !net || sb->endpoint_count == 1;
    r = netns ? change_begin(e, &ch, err) : weft_oom(err);
    if (r == 0)
        r = detach(&ch, sb, net, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r == 0 && last && !dry)
        netns_unlink_all(netns);
    return r;
}
