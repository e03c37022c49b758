/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs about networks. */

#include <errno.h>
#include <string.h>

#include "base/time.h"
#include "driver/driver.h"
#include "engine/change.h"
#include "engine/dns.h"
#include "engine/half.h"
#include "engine/parents.h"
#include "model/network_check.h"

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
                     " of network %s needs an address that weft gives the host on the network: "
                     "there is none",
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
    if (r == 0)
        r = parents_reserve(e, net, err);
    if (r == 0 && driver->has_pools && network_has_own_pools(net))
        r = choose_pools(e, net, err);
    if (r == 0 && mtu == 0)
        r = kernel_default_mtu(e->kernel, &mtu, err);
    if (r == 0)
        r = driver->prepare_network(net, mtu, err);
    if (r == 0)
        r = parents_complete(e, net, err);
    /* What the user left open has been filled in: is it still something that can be? */
    if (r == 0)
        r = network_check(net, err);
    if (r == 0)
        r = check_host_dns(net, err);
    return r < 0 ? r : check_link(e, net, err);
}

/* ---- create ---- */

static void send_network_event(struct engine *e, const char *action, const char *id,
                               const char *name)
{
    event_send(e,
               (struct engine_event){.type = "network", .action = action, .id = id, .name = name});
}

static void created(void *arg, int result, const struct weft_error *err)
{
    struct half *half = arg;

    if (result == 0)
        send_network_event(half->engine, "create", half->net->id, half->net->name);
    half_end(half, result, err);
}

/* The network is in the model. */
static int ask_about(struct engine *e, struct network *net, engine_done_fn *done, void *arg,
                     struct weft_error *err)
{
    struct half *half = half_new(e, done, arg);
    int r = half ? 0 : weft_oom(err);

    if (r == 0) {
        half->net = net;
        r = outside_create(e, net, created, half, err);
    }
    if (r < 0)
        half_free(half);
    return r < 0 ? r : 1;
}

int engine_network_create(struct engine *e, struct network *net, struct strbuf *dry,
                          engine_done_fn *done, void *arg, const struct network **ret,
                          struct weft_error *err)
{
    _cleanup_network_ struct network *owned = net;
    _cleanup_change_ struct change ch = {0};
    int r;

    net->predefined = false;
    r = complete_network(e, net, err);
    if (r < 0)
        return r;
    net->stage = !dry && network_is_asked(net) ? NETWORK_ASKING : NETWORK_SETTLED;
    if (dry)
        outside_explain(net, false, dry);
    r = change_begin(e, &ch, err);
    if (r == 0)
        r = parents_touch(&ch, net, err);
    if (r == 0)
        r = change_add_network(&ch, TAKE_PTR(owned), err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r < 0 || dry)
        return r;
    *ret = net;
    if (net->stage == NETWORK_ASKING)
        return ask_about(e, net, done, arg, err);
    send_network_event(e, "create", net->id, net->name);
    return 0;
}

/* ---- remove ---- */

/* The names of the active endpoints' sandboxes, for the sentence. */
static void list_users(const struct net_slot *slot, struct strbuf *out)
{
    for (size_t i = 0; i < slot->endpoint_count; i++) {
        const struct sandbox *sb = slot->endpoints[i]->sandbox;

        if (sb->active || slot->endpoints[i]->stage != ENDPOINT_SETTLED)
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

static int check_removable(struct engine *e, const struct network *net, struct weft_error *err)
{
    if (net->predefined)
        return weft_fail(err, WEFT_FORBIDDEN, "network %s is predefined and cannot be removed",
                         net->name);
    if (network_is_busy(e, net, err))
        return -err->errnum;
    return check_unused(engine_net_slot(e, net), err);
}

static void removed(void *arg, int result, const struct weft_error *err)
{
    struct half *half = arg;

    if (result == 0)
        send_network_event(half->engine, "destroy", half->id, half->name);
    half_end(half, result, err);
}

/* The network's part of a transaction: it goes, or those outside are to be told first. */
static int take_off(struct change *ch, struct network *net, bool asked, struct weft_error *err)
{
    struct net_slot *slot = engine_net_slot(ch->engine, net);
    int r = 0;

    while (r == 0 && slot->endpoint_count > 0)
        r = change_remove_endpoint(ch, slot->endpoints[slot->endpoint_count - 1], err);
    if (r == 0)
        r = parents_touch(ch, net, err);
    if (r < 0)
        return r;
    return asked ? change_set_network_stage(ch, net, NETWORK_LEAVING, err)
                 : change_remove_network(ch, net, err);
}

static int remove_network(struct engine *e, struct network *net, struct strbuf *dry,
                          engine_done_fn *done, void *arg, struct weft_error *err)
{
    _cleanup_half_ struct half *half = NULL;
    _cleanup_change_ struct change ch = {0};
    bool asked = network_is_asked(net);
    int r = check_removable(e, net, err);

    if (r < 0)
        return r;
    half = half_new(e, done, arg);
    if (!half || !(half->name = strdup(net->name)))
        return weft_oom(err);
    memcpy(half->id, net->id, sizeof half->id);
    r = change_begin(e, &ch, err);
    if (r == 0)
        r = take_off(&ch, net, asked && !dry, err);
    if (r == 0)
        r = change_commit(&ch, dry, err);
    if (r == 0 && dry)
        outside_explain(net, true, dry);
    if (r < 0 || dry)
        return r;
    if (!asked) {
        send_network_event(e, "destroy", half->id, half->name);
        return 0;
    }
    r = outside_remove(e, net, removed, half, err);
    if (r < 0)
        return r;
    TAKE_PTR(half);
    return 1;
}

int engine_network_remove(struct engine *e, const char *ref, struct strbuf *dry,
                          engine_done_fn *done, void *arg, struct weft_error *err)
{
    struct network *net = engine_network(e, ref, err);

    return net ? remove_network(e, net, dry, done, arg, err) : -err->errnum;
}

int engine_network_prune(struct engine *e, bool (*keep)(void *arg, const struct network *net),
                         void *arg, strv *ret, struct weft_error *err)
{
    for (size_t i = e->network_count; i-- > 0;) {
        struct network *net = e->networks[i];
        int r;

        if (net->predefined || net->stage != NETWORK_SETTLED ||
            engine_net_slot(e, net)->endpoint_count > 0 || (keep && keep(arg, net)))
            continue;
        r = strv_add(ret, net->name);
        if (r < 0)
            return weft_oom(err);
        r = remove_network(e, net, NULL, NULL, NULL, err);
        if (r < 0)
            return r;
    }
    return 0;
}
