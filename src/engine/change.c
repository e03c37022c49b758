/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/change_step.h"
#include "engine/conntrack.h"

/* A touched object, with the namespace its facts speak of. Kept until the plan has run. */
struct change_scope {
    struct network *net;
    struct sandbox *sb;
    struct kstate_ns ns;
    char id[ID_TEXT_MAX];
};

int change_begin(struct engine *e, struct change *ch, struct weft_error *err)
{
    int r = store_begin(e->store, err);

    if (r < 0)
        return r;
    ch->engine = e;
    ch->open = true;
    return 0;
}

static struct change_scope *add_scope(struct change *ch, const char *id, struct weft_error *err)
{
    struct change_scope *scope;

    scope = calloc(1, sizeof *scope);
    if (!scope || list_add((void ***)&ch->scopes, &ch->scope_count, scope) < 0) {
        free(scope);
        weft_oom(err);
        return NULL;
    }
    memcpy(scope->id, id, sizeof scope->id);
    return scope;
}

bool change_is_touched(const struct change *ch, const char *id)
{
    for (size_t i = 0; i < ch->scope_count; i++)
        if (strcmp(ch->scopes[i]->id, id) == 0)
            return true;
    return false;
}

int change_touch_network(struct change *ch, struct network *net, struct weft_error *err)
{
    struct change_scope *scope;

    if (change_is_touched(ch, net->id))
        return 0;
    scope = add_scope(ch, net->id, err);
    if (!scope)
        return -ENOMEM;
    scope->net = net;
    /* A network that is about to be added has no facts yet. */
    if (!engine_net_slot(ch->engine, net))
        return 0;
    return render_network(net, &ch->before) < 0 ? weft_oom(err) : 0;
}

int change_touch_sandbox(struct change *ch, struct sandbox *sb, struct weft_error *err)
{
    struct change_scope *scope;

    if (change_is_touched(ch, sb->id))
        return 0;
    scope = add_scope(ch, sb->id, err);
    if (!scope)
        return -ENOMEM;
    scope->sb = sb;
    if (!engine_sandbox_slot(ch->engine, sb))
        return 0;
    sandbox_ns(sb, &scope->ns);
    return render_sandbox(ch->engine, sb, &scope->ns, &ch->before) < 0 ? weft_oom(err) : 0;
}

/* The sandbox of a scope, NULL when it has gone, or the scope is a network's. */
static struct sandbox *scope_sandbox(const struct change *ch, const struct change_scope *scope)
{
    return scope->sb && hash_get(&ch->engine->sandboxes_by_id, scope->id) ? scope->sb : NULL;
}

int change_settle(struct change *ch, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && !ch->settled && i < ch->scope_count; i++) {
        struct sandbox *sb = scope_sandbox(ch, ch->scopes[i]);

        if (sb)
            r = change_bind_ports(ch, sb, err);
    }
    ch->settled = r == 0;
    return r;
}

void change_retarget(struct change *ch)
{
    for (size_t i = 0; i < ch->scope_count; i++) {
        const struct sandbox *sb = scope_sandbox(ch, ch->scopes[i]);

        if (sb)
            retarget_ports(ch->engine, sb);
    }
}

/* The facts of what is still there of the touched. */
static int render_after(struct change *ch, struct fact_set *after)
{
    struct engine *e = ch->engine;
    int r = 0;

    for (size_t i = 0; r == 0 && i < ch->scope_count; i++) {
        struct change_scope *scope = ch->scopes[i];

        if (scope->net && hash_get(&e->networks_by_id, scope->id)) {
            r = render_network(scope->net, after);
        } else if (scope_sandbox(ch, scope)) {
            sandbox_ns(scope->sb, &scope->ns);
            r = render_sandbox(e, scope->sb, &scope->ns, after);
        }
    }
    return r;
}

static int make_plan(struct change *ch, struct fact_set *after, struct plan *ret,
                     struct weft_error *err)
{
    fact_set_own(&ch->before);
    *after = TAKE_GENERIC(ch->added, (struct fact_set){0});
    if (render_after(ch, after) < 0 || plan_diff(&ch->before, after, ret) < 0)
        return weft_oom(err);
    return 0;
}

/* Takes back what kernel_apply did, when the store could not remember it. */
static void revert_plan(struct change *ch, const struct plan *plan)
{
    _cleanup_plan_ struct plan inverse = {0};

    inverse.ops = calloc(plan->count, sizeof *inverse.ops);
    if (!inverse.ops)
        return;
    for (size_t i = plan->count; i-- > 0;)
        inverse.ops[inverse.count++] = op_inverse(&plan->ops[i]);
    kernel_apply_lenient(ch->engine->kernel, &inverse);
}

/* What falls with a link or a namespace is not in the plan, so undoing a removal does not bring all
 * of it back: then the whole state is compared, as at start. */
static void restore(struct change *ch, const struct plan *plan)
{
    struct engine *e = ch->engine;
    bool removed = false;
    struct weft_error err = {0};

    for (size_t i = 0; i < plan->count; i++)
        removed = removed || plan->ops[i].verb == OP_REMOVE;
    change_abort(ch);
    if (removed && engine_mend(e, MEND_ALL, NULL, &err) < 0)
        log_error("%s", err.text);
}

/* Published ports that changed: SRV records tell of them, a moment later. Their sandbox was not
 * touched, so it is there. */
static void follow_ports(struct change *ch)
{
    const struct sandbox *last = NULL;

    for (size_t i = 0; i < ch->step_count; i++) {
        const struct change_step *step = &ch->steps[i];

        if ((step->kind != STEP_PUBLISH && step->kind != STEP_PORTS) || step->sb == last)
            continue;
        last = step->sb;
        if (!change_is_touched(ch, last->id))
            dns_follow_sandbox(ch->engine, last->id);
    }
}

/* The names of the touched. It is not waited for yet: weft-dns works while the store does. */
static void follow_names(struct change *ch)
{
    struct engine *e = ch->engine;

    for (size_t i = 0; i < ch->scope_count; i++)
        if (ch->scopes[i]->net)
            dns_follow_network(e, ch->scopes[i]->id);
    for (size_t i = 0; i < ch->scope_count; i++)
        if (ch->scopes[i]->sb)
            dns_follow_sandbox(e, ch->scopes[i]->id);
    for (size_t i = 0; i < ch->scope_count; i++)
        if (ch->scopes[i]->net)
            dns_follow_end(e, ch->scopes[i]->id);
    dns_push(e);
    follow_ports(ch);
    dns_flush(e);
}

int change_commit(struct change *ch, struct strbuf *dry, struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set after = {0};
    _cleanup_plan_ struct plan plan = {0};
    struct engine *e = ch->engine;
    bool told = false;
    int r = change_settle(ch, err);

    if (r == 0)
        r = make_plan(ch, &after, &plan, err);
    if (r < 0)
        return r;
    if (dry) {
        plan_explain(&plan, dry);
        change_abort(ch);
        return 0;
    }
    forget_before_reuse(e, &ch->before, &after);
    r = kernel_apply(e->kernel, &plan, err);
    if (r == 0) {
        follow_names(ch);
        forget_connections(e, &plan, &ch->before, &after);
        memory_settle(e, plan.count);
        r = change_commit_model(ch, err);
        if (r == 0) {
            dns_settle(e);
            return 0;
        }
        revert_plan(ch, &plan);
        told = true;
    }
    restore(ch, &plan);
    if (told)
        dns_follow_all(e);
    return r;
}
