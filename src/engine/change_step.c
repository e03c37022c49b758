/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/change_step.h"
#include "engine/outside.h"

int change_record(struct change *ch, const struct change_step *step, struct weft_error *err)
{
    if (ch->step_count == ch->step_capacity) {
        size_t capacity = ch->step_capacity ? 2 * ch->step_capacity : 16;
        struct change_step *grown = reallocarray(ch->steps, capacity, sizeof *grown);

        if (!grown)
            return weft_oom(err);
        ch->steps = grown;
        ch->step_capacity = capacity;
    }
    ch->steps[ch->step_count++] = *step;
    return 0;
}

/* Where it leads is said when all is as it was before: change_retarget(). */
static void hold_again(struct engine *e, const struct sandbox *sb, const struct relay_port *port)
{
    struct relay_target target = {.port = port->port};
    struct weft_error err;

    if (relay_hold(e->relay, port, &target, sandbox_owner_text(sb), &err) < 0)
        log_error("a published port of %s is not held any more: %s", sandbox_owner_text(sb),
                  err.text);
}

static void undo_address(const struct change_step *s)
{
    s->ep->ipv4 = s->old_ipv4;
    s->ep->ipv6 = s->old_ipv6;
    s->ep->mac = s->old_mac;
}

static void undo_ports(struct change_step *s)
{
    publish_list_clear(&s->sb->publishes);
    s->sb->publishes = s->old_ports;
}

static void undo_options(struct change_step *s)
{
    strmap_clear(&s->ep->want.driver_opts);
    s->ep->want.driver_opts = s->old_options;
}

static void undo_given(struct change_step *s)
{
    endpoint_given_clear(&s->ep->given);
    s->ep->given = s->old_given;
}

/* Putting back what was there a moment ago can fail only for want of memory; then the next start
 * reads the store. */
static void undo_presence(struct engine *e, struct change_step *s)
{
    switch (s->kind) {
    case STEP_ADD_NETWORK:
        engine_drop_network(e, s->net);
        network_free(s->net);
        break;
    case STEP_ADD_SANDBOX:
        engine_drop_sandbox(e, s->sb);
        sandbox_free(s->sb);
        break;
    case STEP_ADD_CONTAINER:
        engine_drop_container(e, s->c);
        container_free(s->c);
        break;
    case STEP_ADD_ENDPOINT:
        engine_drop_endpoint(e, s->ep);
        endpoint_free(s->ep);
        break;
    case STEP_REMOVE_NETWORK:
        (void)engine_add_network(e, s->net, NULL);
        break;
    case STEP_REMOVE_SANDBOX:
        (void)(engine_add_sandbox(e, s->sb, NULL) == 0 && watch_sandbox(e, s->sb, NULL));
        break;
    case STEP_REMOVE_CONTAINER:
        (void)engine_add_container(e, s->c, NULL);
        break;
    case STEP_REMOVE_ENDPOINT:
        (void)engine_add_endpoint(e, s->ep, NULL);
        break;
    default:
        break;
    }
}

static void undo_step(struct engine *e, struct change_step *s)
{
    switch (s->kind) {
    case STEP_RESERVE:
        ipam_release(engine_net_slot(e, s->pool_of)->ipam, &s->addr);
        break;
    case STEP_RELEASE:
        (void)ipam_reserve(engine_net_slot(e, s->pool_of)->ipam, &s->addr, s->owner, NULL);
        break;
    case STEP_ADDRESS:
        undo_address(s);
        break;
    case STEP_ACTIVATE:
        s->sb->active = !s->sb->active;
        engine_sandbox_slot(e, s->sb)->identity = (struct netns_identity){0};
        break;
    case STEP_CURSOR:
        ipam_set_cursor(engine_net_slot(e, s->pool_of)->ipam, s->family, &s->addr);
        break;
    case STEP_PUBLISH:
        s->sb->publishes.count = s->old_count;
        break;
    case STEP_PORTS:
        undo_ports(s);
        break;
    case STEP_HOLD:
        relay_release(e->relay, &s->port);
        break;
    case STEP_UNHOLD:
        hold_again(e, s->sb, &s->port);
        break;
    case STEP_STAGE:
        s->ep->stage = s->old_stage;
        break;
    case STEP_NETWORK_STAGE:
        s->net->stage = s->old_network_stage;
        break;
    case STEP_OPTIONS:
        undo_options(s);
        break;
    case STEP_GIVEN:
        undo_given(s);
        break;
    default:
        undo_presence(e, s);
        break;
    }
}

/* What was removed, or let go of, is nobody's any more. */
static void finish_step(struct engine *e, struct change_step *s)
{
    switch (s->kind) {
    case STEP_REMOVE_NETWORK:
        network_free(s->net);
        break;
    case STEP_REMOVE_SANDBOX:
        sandbox_free(s->sb);
        break;
    case STEP_REMOVE_CONTAINER:
        exec_forget(e, s->c->id);
        container_free(s->c);
        break;
    case STEP_REMOVE_ENDPOINT:
        outside_unfollow(e, s->ep);
        endpoint_free(s->ep);
        break;
    case STEP_PORTS:
        publish_list_clear(&s->old_ports);
        break;
    case STEP_OPTIONS:
        strmap_clear(&s->old_options);
        break;
    case STEP_GIVEN:
        endpoint_given_clear(&s->old_given);
        break;
    case STEP_LET_GO:
        relay_release(e->relay, &s->port);
        break;
    default:
        break;
    }
}

static void change_clear(struct change *ch)
{
    for (size_t i = 0; i < ch->scope_count; i++)
        free(ch->scopes[i]);
    free(ch->scopes);
    free(ch->steps);
    fact_set_clear(&ch->before);
    fact_set_clear(&ch->added);
    *ch = (struct change){0};
}

int change_commit_model(struct change *ch, struct weft_error *err)
{
    int r = change_settle(ch, err);

    if (r == 0)
        r = store_commit(ch->engine->store, err);
    if (r < 0)
        return r;
    /* Endpoints are freed before the sandboxes and networks they point to: in the order of removal.
     */
    for (size_t i = 0; i < ch->step_count; i++)
        finish_step(ch->engine, &ch->steps[i]);
    change_retarget(ch);
    change_clear(ch);
    return 0;
}

void change_abort(struct change *ch)
{
    if (!ch->open)
        return;
    store_rollback(ch->engine->store);
    for (size_t i = ch->step_count; i-- > 0;)
        undo_step(ch->engine, &ch->steps[i]);
    change_retarget(ch);
    change_clear(ch);
}
