/* SPDX-License-Identifier: Apache-2.0 */

/* Changes of a transaction: each alters model and store together and records how to take the
 * model's half back. */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "dns/codec.h"
#include "engine/change_step.h"
#include "engine/outside.h"

static int store_doc(struct engine *e, enum store_table table, const char *id, const char *name,
                     json_t *owned_doc, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = owned_doc;

    return doc ? store_put(e->store, table, id, name, doc, err) : weft_oom(err);
}

int change_write_endpoint(struct engine *e, const struct endpoint *ep, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = endpoint_to_json(ep);

    if (!doc)
        return weft_oom(err);
    return store_put_endpoint(e->store, ep->id, ep->network->id, ep->sandbox->id, doc, err);
}

int change_write_network(struct engine *e, const struct network *net, struct weft_error *err)
{
    return store_doc(e, STORE_NETWORK, net->id, net->name, network_to_json(net), err);
}

int change_add_network(struct change *ch, struct network *net, struct weft_error *err)
{
    struct engine *e = ch->engine;
    struct change_step step = {.kind = STEP_ADD_NETWORK, .net = net};
    int r = change_touch_network(ch, net, err);

    if (r == 0)
        r = engine_add_network(e, net, err);
    if (r < 0) {
        network_free(net);
        return r;
    }
    r = change_record(ch, &step, err);
    if (r < 0) {
        engine_drop_network(e, net);
        network_free(net);
        return r;
    }
    return change_write_network(e, net, err);
}

int change_add_sandbox(struct change *ch, struct sandbox *sb, struct weft_error *err)
{
    struct engine *e = ch->engine;
    struct change_step step = {.kind = STEP_ADD_SANDBOX, .sb = sb};
    int r = change_touch_sandbox(ch, sb, err);

    if (r == 0)
        r = engine_add_sandbox(e, sb, err);
    if (r < 0) {
        sandbox_free(sb);
        return r;
    }
    r = change_record(ch, &step, err);
    if (r < 0) {
        engine_drop_sandbox(e, sb);
        sandbox_free(sb);
        return r;
    }
    return store_doc(e, STORE_SANDBOX, sb->id, sb->name, sandbox_to_json(sb), err);
}

int change_add_container(struct change *ch, struct container *c, struct weft_error *err)
{
    struct engine *e = ch->engine;
    struct change_step step = {.kind = STEP_ADD_CONTAINER, .c = c};
    int r = engine_add_container(e, c, err);

    if (r < 0) {
        container_free(c);
        return r;
    }
    r = change_record(ch, &step, err);
    if (r < 0) {
        engine_drop_container(e, c);
        container_free(c);
        return r;
    }
    return store_doc(e, STORE_CONTAINER, c->id, c->name, container_to_json(c), err);
}

/* An id whose first digits, which name the host's link, no other endpoint has. */
static void unique_endpoint_id(const struct engine *e, char id[static ID_TEXT_MAX])
{
    bool taken;

    do {
        taken = false;
        id_generate(id);
        for (size_t i = 0; i < e->sandbox_count && !taken; i++)
            for (size_t j = 0; j < e->sandboxes[i]->endpoint_count && !taken; j++)
                taken =
                    strncmp(e->sandboxes[i]->endpoints[j]->id, id, ENDPOINT_HOST_LINK_DIGITS) == 0;
    } while (taken);
}

static int want_copy(const struct endpoint_want *want, struct endpoint_want *ret,
                     struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;

    if (!want)
        return 0;
    doc = endpoint_want_to_json(want);
    return doc ? endpoint_want_from_json(doc, ret, err) : weft_oom(err);
}

/* Interfaces are named by the endpoint's option, or numbered behind the network's prefix. */
static int choose_ifname(struct endpoint *ep, struct weft_error *err)
{
    const char *given = strmap_get(&ep->want.driver_opts, OPTION_ENDPOINT_IFNAME);
    const char *prefix = network_option(ep->network, OPTION_IFACE_PREFIX);

    if (!given) {
        sandbox_free_ifname(ep->sandbox, prefix ? prefix : "eth", ep->ifname);
        return 0;
    }
    for (size_t i = 0; i < ep->sandbox->endpoint_count; i++)
        if (strcmp(ep->sandbox->endpoints[i]->ifname, given) == 0)
            return weft_fail(err, WEFT_CONFLICT, "%s already has an interface %s",
                             sandbox_owner_text(ep->sandbox), given);
    return str_copy(ep->ifname, sizeof ep->ifname, given);
}

static int check_name(const char *what, const char *name, struct weft_error *err)
{
    struct dns_name ignored;

    if (*name && dns_name_from_text(name, &ignored) == 0)
        return 0;
    return weft_fail(err, WEFT_INVALID, "%s \"%s\" is not a DNS name", what, name);
}

/* What nobody could ask for is no alias. */
static int check_aliases(const struct endpoint_want *want, struct weft_error *err)
{
    int r = 0;

    for (char **alias = want->aliases; r == 0 && alias && *alias; alias++)
        r = check_name("alias", *alias, err);
    for (char **link = want->links; r == 0 && link && *link; link++) {
        const char *colon = strchr(*link, ':');

        r = check_name("link alias", colon ? colon + 1 : *link, err);
    }
    return r;
}

static int endpoint_new(struct engine *e, struct sandbox *sb, struct network *net,
                        const struct endpoint_want *want, struct endpoint **ret,
                        struct weft_error *err)
{
    _cleanup_endpoint_ struct endpoint *ep = calloc(1, sizeof *ep);
    int r;

    if (!ep)
        return weft_oom(err);
    ep->network = net;
    ep->sandbox = sb;
    r = want_copy(want, &ep->want, err);
    if (r == 0)
        r = check_aliases(&ep->want, err);
    if (r < 0)
        return r;
    unique_endpoint_id(e, ep->id);
    r = choose_ifname(ep, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(ep);
    return 0;
}

/* Its sandbox is active from now on. Where others are to be asked it waits for them; a dry run asks
 * nobody. */
static int begin_endpoint(struct change *ch, struct endpoint *ep, struct weft_error *err)
{
    int r = 0;

    if (!ch->dry && network_is_asked(ep->network))
        r = change_set_stage(ch, ep, ENDPOINT_ASKING, err);
    return r < 0 ? r : change_give_addresses(ch, ep, err);
}

/* Its sandbox is not active any more. Others have been told by now. */
static int end_endpoint(struct change *ch, struct endpoint *ep, struct weft_error *err)
{
    int r = 0;

    if (ep->stage != ENDPOINT_SETTLED)
        r = change_set_stage(ch, ep, ENDPOINT_SETTLED, err);
    return r < 0 ? r : change_take_addresses(ch, ep, err);
}

int change_add_endpoint(struct change *ch, struct sandbox *sb, struct network *net,
                        const struct endpoint_want *want, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_ADD_ENDPOINT};
    struct endpoint *ep = NULL;
    int r = change_touch_sandbox(ch, sb, err);

    if (r == 0)
        r = endpoint_new(ch->engine, sb, net, want, &ep, err);
    if (r != 0)
        return r;
    step.ep = ep;
    r = engine_add_endpoint(ch->engine, ep, err);
    if (r < 0) {
        endpoint_free(ep);
        return r;
    }
    r = change_record(ch, &step, err);
    if (r < 0) {
        engine_drop_endpoint(ch->engine, ep);
        endpoint_free(ep);
        return r;
    }
    r = change_write_endpoint(ch->engine, ep, err);
    if (r == 0)
        r = change_reserve_wanted(ch, ep, err);
    if (r == 0 && sb->active)
        r = begin_endpoint(ch, ep, err);
    return r;
}

int change_remove_endpoint(struct change *ch, struct endpoint *ep, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_REMOVE_ENDPOINT, .ep = ep};
    int r = change_touch_sandbox(ch, ep->sandbox, err);

    if (r == 0 && (ep->sandbox->active || ep->stage != ENDPOINT_SETTLED))
        r = change_take_addresses(ch, ep, err);
    if (r == 0)
        r = change_release_wanted(ch, ep, err);
    if (r == 0)
        r = store_delete_endpoint(ch->engine->store, ep->id, err);
    if (r == 0)
        r = change_record(ch, &step, err);
    if (r == 0)
        engine_drop_endpoint(ch->engine, ep);
    return r;
}

int change_remove_network(struct change *ch, struct network *net, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_REMOVE_NETWORK, .net = net};
    int r = change_touch_network(ch, net, err);

    if (r == 0)
        r = store_delete(ch->engine->store, STORE_NETWORK, net->id, err);
    if (r == 0)
        r = change_record(ch, &step, err);
    if (r == 0)
        engine_drop_network(ch->engine, net);
    return r;
}

int change_remove_sandbox(struct change *ch, struct sandbox *sb, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_REMOVE_SANDBOX, .sb = sb};
    int r = change_touch_sandbox(ch, sb, err);

    if (r == 0)
        r = change_let_go_ports(ch, sb, err);
    while (r == 0 && sb->endpoint_count > 0)
        r = change_remove_endpoint(ch, sb->endpoints[sb->endpoint_count - 1], err);
    if (r == 0)
        r = store_delete(ch->engine->store, STORE_SANDBOX, sb->id, err);
    if (r == 0)
        r = change_record(ch, &step, err);
    if (r == 0)
        engine_drop_sandbox(ch->engine, sb);
    return r;
}

int change_remove_container(struct change *ch, struct container *c, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_REMOVE_CONTAINER, .c = c};
    int r = store_delete(ch->engine->store, STORE_CONTAINER, c->id, err);

    if (r == 0)
        r = change_record(ch, &step, err);
    if (r == 0)
        engine_drop_container(ch->engine, c);
    return r;
}

int change_activate(struct change *ch, struct sandbox *sb, bool active, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_ACTIVATE, .sb = sb};
    int r;

    if (sb->active == active)
        return 0;
    r = change_touch_sandbox(ch, sb, err);
    if (r == 0)
        r = change_record(ch, &step, err);
    if (r < 0)
        return r;
    sb->active = active;
    engine_sandbox_slot(ch->engine, sb)->identity = (struct netns_identity){0};
    for (size_t i = 0; r == 0 && i < sb->endpoint_count; i++)
        r = active ? begin_endpoint(ch, sb->endpoints[i], err)
                   : end_endpoint(ch, sb->endpoints[i], err);
    if (r < 0)
        return r;
    return store_doc(ch->engine, STORE_SANDBOX, sb->id, sb->name, sandbox_to_json(sb), err);
}

int change_abandon(struct change *ch, struct sandbox *sb, struct weft_error *err)
{
    struct change_step step = {.kind = STEP_ACTIVATE, .sb = sb};
    int r;

    if (!sb->active)
        return 0;
    r = change_record(ch, &step, err);
    if (r < 0)
        return r;
    sb->active = false;
    return store_doc(ch->engine, STORE_SANDBOX, sb->id, sb->name, sandbox_to_json(sb), err);
}

/* ---- stages ---- */

int change_set_stage(struct change *ch, struct endpoint *ep, enum endpoint_stage stage,
                     struct weft_error *err)
{
    struct change_step step = {.kind = STEP_STAGE, .ep = ep, .old_stage = ep->stage};
    int r = change_touch_sandbox(ch, ep->sandbox, err);

    if (r == 0)
        r = change_record(ch, &step, err);
    if (r < 0)
        return r;
    ep->stage = stage;
    return change_write_endpoint(ch->engine, ep, err);
}

int change_leave(struct change *ch, struct endpoint *ep, bool *ret_asked, struct weft_error *err)
{
    bool held = ep->sandbox->active || ep->stage != ENDPOINT_SETTLED;

    *ret_asked = held && !ch->dry && network_is_asked(ep->network);
    return *ret_asked ? change_set_stage(ch, ep, ENDPOINT_LEAVING, err)
                      : change_remove_endpoint(ch, ep, err);
}

int change_set_network_stage(struct change *ch, struct network *net, enum network_stage stage,
                             struct weft_error *err)
{
    struct change_step step = {.kind = STEP_NETWORK_STAGE,
                               .net = net,
                               .old_network_stage = net->stage};
    int r = change_touch_network(ch, net, err);

    if (r == 0)
        r = change_record(ch, &step, err);
    if (r < 0)
        return r;
    net->stage = stage;
    return change_write_network(ch->engine, net, err);
}
