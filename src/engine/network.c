/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs about networks. */

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "driver/driver.h"
#include "engine/change.h"
#include "engine/dns.h"
#include "engine/outside.h"
#include "engine/parents.h"

static int check_name(struct engine *e, const struct network *net, struct weft_error *err)
{
    static const char *const reserved[] = {"bridge", "host", "none", "default"};

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (!net->predefined && strcmp(net->name, reserved[i]) == 0)
            return weft_fail(err, WEFT_FORBIDDEN,
                             "%s is the name of a predefined network: it cannot be created",
                             net->name);
    if (hash_get(&e->networks_by_name, net->name))
        return weft_fail(err, WEFT_CONFLICT, "network with name %s already exists", net->name);
    return 0;
}

static int check_link(struct engine *e, const struct network *net, struct weft_error *err)
{
    for (size_t i = 0; i < e->network_count; i++)
        if (net->link[0] && strcmp(e->networks[i]->link, net->link) == 0)
            return weft_fail(err, WEFT_CONFLICT, "bridge %s is in use by network %s", net->link,
                             e->networks[i]->name);
    return 0;
}

/* The host asks for names at an address of its own. */
static int check_host_dns(const struct network *net, struct weft_error *err)
{
    struct addr ipv4 = network_host_addr(net, AF_INET), ipv6 = network_host_addr(net, AF_INET6);

    if (!network_option_bool(net, OPTION_HOST_DNS, false) || addr_is_set(&ipv4) ||
        addr_is_set(&ipv6))
        return 0;
    return weft_fail(err, WEFT_INVALID,
                     "option " OPTION_HOST_DNS
                     " of network %s needs an address of the host on the network: it has none",
                     net->name);
}

/* Those outside who have a say in it, if any: are they there, and can they do it? */
static int check_outsiders(struct engine *e, struct network *net, struct weft_error *err)
{
    const struct outsider *outsiders[OUTSIDERS_MAX];
    size_t count = network_outsiders(net, outsiders);
    int r = 0;

    for (size_t i = 0; r == 0 && i < count; i++)
        if (outsiders[i]->check)
            r = outsiders[i]->check(e, net, err);
    return r;
}

int complete_network(struct engine *e, struct network *net, struct weft_error *err)
{
    const struct driver_ops *driver = driver_find(net->driver);
    uint32_t mtu = e->config.mtu;
    int r = check_name(e, net, err);

    if (r < 0)
        return r;
    if (!driver)
        return weft_fail(err, WEFT_INVALID, "network %s needs a driver", net->name);
    if (driver->single && !net->predefined)
        return weft_fail(err, WEFT_FORBIDDEN, "only one instance of \"%s\" network is allowed",
                         net->driver);
    /* Identity is the engine's to give, whatever a request says. */
    id_generate(net->id);
    net->created = time_now();
    r = check_outsiders(e, net, err);
    if (r == 0 && driver->has_pools && network_has_own_pools(net))
        r = choose_pools(e, net, err);
    if (r == 0 && mtu == 0)
        r = kernel_default_mtu(e->kernel, &mtu, err);
    if (r == 0)
        r = driver->prepare_network(net, mtu, err);
    if (r == 0)
        r = parents_complete(e, net, err);
    if (r == 0)
        r = check_host_dns(net, err);
    return r < 0 ? r : check_link(e, net, err);
}

int engine_network_create(struct engine *e, struct network *net, struct strbuf *dry,
                          engine_done_fn *done _unused_, void *arg _unused_,
                          const struct network **ret, struct weft_error *err)
{
    _cleanup_network_ struct network *owned = net;
    _cleanup_change_ struct change ch = {0};
    const struct network *made = net;
    int r;

    net->predefined = false;
    r = complete_network(e, net, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = parents_touch(&ch, net, err);
    if (r == 0)
        r = change_add_network(&ch, TAKE_PTR(owned), err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    event_send(e, (struct engine_event){
                      .type = "network", .action = "create", .id = made->id, .name = made->name});
    *ret = made;
    return 0;
}

/* The names of the active endpoints' sandboxes, for the sentence. */
static void list_users(const struct net_slot *slot, struct strbuf *out)
{
    for (size_t i = 0; i < slot->endpoint_count; i++) {
        const struct sandbox *sb = slot->endpoints[i]->sandbox;

        if (sb->active)
            strbuf_printf(out, "%s%s", out->len ? ", " : "", sb->name);
    }
}

static int check_unused(const struct net_slot *slot, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf users = {0};

    list_users(slot, &users);
    if (users.len > 0)
        return weft_fail(err, WEFT_FORBIDDEN, "network %s has active endpoints: %.300s",
                         slot->net->name, strbuf_text(&users));
    return 0;
}

static int remove_network(struct engine *e, struct network *net, struct strbuf *dry,
                          struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    struct net_slot *slot = engine_net_slot(e, net);
    struct engine_event event = {.type = "network", .action = "destroy"};
    _cleanup_free_ char *name = strdup(net->name);
    char id[ID_TEXT_MAX];
    int r;

    if (!name)
        return weft_oom(err);
    memcpy(id, net->id, sizeof id);
    if (net->predefined)
        return weft_fail(err, WEFT_FORBIDDEN, "network %s is predefined and cannot be removed",
                         net->name);
    r = check_unused(slot, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    while (r == 0 && slot->endpoint_count > 0)
        r = change_remove_endpoint(&ch, slot->endpoints[slot->endpoint_count - 1], err);
    if (r == 0)
        r = parents_touch(&ch, net, err);
    if (r == 0)
        r = change_remove_network(&ch, net, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    event.id = id;
    event.name = name;
    event_send(e, event);
    return 0;
}

int engine_network_remove(struct engine *e, const char *ref, struct strbuf *dry,
                          engine_done_fn *done _unused_, void *arg _unused_, struct weft_error *err)
{
    struct network *net = engine_network(e, ref, err);

    return net ? remove_network(e, net, dry, err) : -err->errnum;
}

int engine_network_prune(struct engine *e, bool (*keep)(void *arg, const struct network *net),
                         void *arg, strv *ret, struct weft_error *err)
{
    for (size_t i = e->network_count; i-- > 0;) {
        struct network *net = e->networks[i];
        int r;

        if (net->predefined || engine_net_slot(e, net)->endpoint_count > 0 ||
            (keep && keep(arg, net)))
            continue;
        r = strv_add(ret, net->name);
        if (r < 0)
            return weft_oom(err);
        r = remove_network(e, net, NULL, err);
        if (r < 0)
            return r;
    }
    return 0;
}

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

int engine_connect(struct engine *e, const char *network, const char *who,
                   const struct endpoint_want *want, struct strbuf *dry,
                   engine_done_fn *done _unused_, void *arg _unused_, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
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
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    refresh_files(e, sb);
    if (net->predefined)
        refresh_links(e, sb);
    if (resolver != sandbox_has_resolver(sb))
        refresh_resolver(e, sb);
    /* Those of a container at rest are told of when it starts. */
    if (sb->active)
        send_membership(e, "connect", net, sb);
    return 0;
}

int engine_disconnect(struct engine *e, const char *network, const char *who, struct strbuf *dry,
                      engine_done_fn *done _unused_, void *arg _unused_, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    struct network *net = engine_network(e, network, err);
    struct sandbox *sb = net ? find_own_sandbox(e, who, err) : NULL;
    bool resolver = sb && sandbox_has_resolver(sb);
    struct endpoint *ep;
    int r;

    if (!sb)
        return -err->errnum;
    ep = sandbox_endpoint_on(sb, net);
    if (!ep)
        return weft_fail(err, WEFT_FORBIDDEN, "%s is not on network %s", sandbox_owner_text(sb),
                         net->name);
    if (driver_find(net->driver)->single)
        return weft_fail(err, WEFT_FORBIDDEN, "%s cannot be disconnected from network %s",
                         sandbox_owner_text(sb), net->name);
    r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_remove_endpoint(&ch, ep, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    refresh_files(e, sb);
    if (net->predefined)
        refresh_links(e, sb);
    if (resolver != sandbox_has_resolver(sb))
        refresh_resolver(e, sb);
    if (sb->active)
        send_membership(e, "disconnect", net, sb);
    return 0;
}
