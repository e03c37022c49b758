/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Mending: the kernel is dumped, compared with the model, and made to follow it. What is missing is
 * made, what is weft's and not wanted is removed, what somebody changed is changed back.
 *
 * At start, and whenever nobody knows what has happened, everything is dumped. When something of
 * the host's was reported to have changed, that would be a waste: looking into a sandbox's
 * namespace costs as much as all of the host. So only those namespaces are looked into whose pairs
 * have lost their host's end; of the others it is assumed that all is as it shall be.
 *
 * Loading the base ruleset takes along the elements that were there, and may take some that this
 * round believed to stay: then there is another round.
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/conntrack.h"
#include "engine/state.h"
#include "firewall/firewall.h"

#define ROUNDS_MAX 3
#define LINES_MAX 20 /* of what was mended, in the log */

struct world {
    struct engine *engine;
    struct kstate_ns *spaces;      /* of the active sandboxes, */
    struct sandbox_slot **slots;   /* their slots, */
    bool *looked;                  /* and which of them are looked into */
    const struct kstate_ns **list; /* those that are */
    size_t count, list_count;
    struct fact_set desired, seen;
};

static void world_clear(struct world *w)
{
    free(w->spaces);
    free(w->slots);
    free(w->looked);
    free(w->list);
    fact_set_clear(&w->desired);
    fact_set_clear(&w->seen);
}
#define _cleanup_world_ _cleanup_(world_clear)

static int add_spaces(struct world *w)
{
    struct engine *e = w->engine;
    size_t room = e->sandbox_count + 1;

    w->spaces = calloc(room, sizeof *w->spaces);
    w->slots = calloc(room, sizeof(struct sandbox_slot *));
    w->looked = calloc(room, sizeof *w->looked);
    w->list = calloc(room, sizeof(struct kstate_ns *));
    if (!w->spaces || !w->slots || !w->looked || !w->list)
        return -ENOMEM;
    for (size_t i = 0; i < e->sandbox_count; i++) {
        struct sandbox *sb = e->sandboxes[i];

        if (sb->active && sandbox_ns(sb, &w->spaces[w->count]))
            w->slots[w->count++] = engine_sandbox_slot(e, sb);
    }
    return 0;
}

/* Everything that is to hold, but for what lies in chains of others. */
static int render_world(struct world *w)
{
    struct engine *e = w->engine;
    int r = add_spaces(w);

    if (r == 0)
        r = firewall_render_base(&w->desired);
    if (r == 0 && e->config.publish_deny)
        r = firewall_render_default_deny(&w->desired);
    for (size_t i = 0; r == 0 && i < e->network_count; i++)
        r = render_network(e->networks[i], &w->desired);
    for (size_t i = 0; r == 0 && i < w->count; i++)
        r = render_sandbox(e, w->slots[i]->sandbox, &w->spaces[i], &w->desired);
    return r;
}

static int render_accepts(struct world *w, struct weft_error *err)
{
    _cleanup_free_ struct nft_chain *cutting = NULL;
    size_t count = 0;
    int r = kernel_cutting_chains(w->engine->kernel, &cutting, &count, err);

    if (r < 0)
        return r;
    return firewall_render_accepts(cutting, count, &w->desired) < 0 ? weft_oom(err) : 0;
}

static bool is_looked_at(const struct world *w, const struct kstate_ns *ns)
{
    return !ns || w->looked[ns - w->spaces];
}

static int add_facts(const struct world *w, bool looked, bool (*wanted)(const struct fact *),
                     struct fact_set *ret)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < w->desired.count; i++) {
        const struct fact *fact = &w->desired.facts[i];

        if (is_looked_at(w, fact->ns) == looked && (!wanted || wanted(fact)))
            r = fact_set_add(ret, fact);
    }
    return r;
}

/* What an observation has to be told, for it cannot find out by itself what matters. */
static bool is_asked_for(const struct fact *fact)
{
    return fact->kind == FACT_SYSCTL ||
           (fact->kind == FACT_ADDR && addr_is_link_local(&fact->addr.prefix.addr));
}

static int observe(struct world *w, struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set asked = {0};
    struct kernel *k = w->engine->kernel;

    w->list_count = 0;
    for (size_t i = 0; i < w->count; i++)
        if (w->looked[i])
            w->list[w->list_count++] = &w->spaces[i];
    if (add_facts(w, true, is_asked_for, &asked) < 0)
        return weft_oom(err);
    fact_set_clear(&w->seen);
    return kernel_observe(k, w->list, w->list_count, &asked, &w->seen, err);
}

/* The host's links that were seen, by name. The facts must stay where they are. */
static int index_links(const struct fact_set *seen, struct hash *ret)
{
    for (size_t i = 0; i < seen->count; i++) {
        struct fact *fact = &seen->facts[i];

        if (fact->kind == FACT_LINK && !fact->ns && hash_put(ret, fact->link.name, fact) == -ENOMEM)
            return -ENOMEM;
    }
    return 0;
}

/* Adds the namespaces whose pairs have not all their host's ends, or have them elsewhere, to those
 * that are looked into. 1 when there were any, 0, or -ENOMEM. */
static int find_broken_pairs(struct world *w)
{
    struct hash links = {0};
    int r = index_links(&w->seen, &links);

    for (size_t i = 0; r >= 0 && i < w->desired.count; i++) {
        const struct fact *end = &w->desired.facts[i], *seen;

        if (end->kind != FACT_LINK || end->link.kind != LINK_VETH ||
            is_looked_at(w, end->link.peer_ns))
            continue;
        seen = hash_get(&links, end->link.name);
        if (seen && seen->link.kind == LINK_VETH && !*seen->link.peer_name)
            continue;
        w->looked[end->link.peer_ns - w->spaces] = true;
        r = 1;
    }
    hash_clear(&links);
    return r;
}

/* Fills in what is there, as far as it is known or assumed. */
static int survey(struct world *w, enum mend_reach reach, struct weft_error *err)
{
    int r;

    for (size_t i = 0; i < w->count; i++)
        w->looked[i] = reach == MEND_ALL || w->slots[i]->unsure;
    r = observe(w, err);
    if (r == 0) {
        r = find_broken_pairs(w);
        if (r > 0)
            r = observe(w, err);
        else if (r < 0)
            r = weft_oom(err);
    }
    if (r < 0)
        return r;
    for (size_t i = 0; i < w->count; i++)
        if (w->looked[i])
            w->slots[i]->identity = (struct netns_identity){0};
    return add_facts(w, false, NULL, &w->seen) < 0 ? weft_oom(err) : 0;
}

static void log_plan(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count && i < LINES_MAX; i++) {
        _cleanup_strbuf_ struct strbuf line = {0};

        op_describe(&plan->ops[i], &line);
        log_info("mending: %s", strbuf_text(&line));
    }
    if (plan->count > LINES_MAX)
        log_info("mending: and %zu more", plan->count - LINES_MAX);
}

static bool reloads_base(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->ops[i].fact.kind == FACT_NFT_BASE)
            return true;
    return false;
}

static void apply(struct world *w, const struct plan *plan, struct mend_outcome *outcome)
{
    int failed;

    log_plan(plan);
    failed = kernel_apply_lenient(w->engine->kernel, plan);
    for (size_t i = 0; i < w->count && failed == 0; i++)
        if (w->looked[i])
            w->slots[i]->unsure = false;
    if (plan->count == 0)
        return;
    forget_mended_connections(w->engine, plan);
    dns_follow_mending(w->engine, plan);
    outcome->operations += plan->count;
    outcome->failed += (size_t)failed;
    log_info("mended the kernel's state: %zu operations, %d failed", plan->count, failed);
}

struct firewall_host look_at_host(void)
{
    return (struct firewall_host){
        .filters_bridged_ipv4 = kernel_filters_bridged(AF_INET),
        .filters_bridged_ipv6 = kernel_filters_bridged(AF_INET6),
    };
}

static int mend_once(struct engine *e, enum mend_reach reach, struct mend_outcome *outcome,
                     bool *ret_reloaded, struct weft_error *err)
{
    _cleanup_world_ struct world w = {.engine = e};
    _cleanup_plan_ struct plan plan = {0};
    int r;

    drift_catch_up(e, reach);
    e->host = look_at_host();
    if (render_world(&w) < 0)
        return weft_oom(err);
    r = render_accepts(&w, err);
    if (r == 0)
        r = survey(&w, reach, err);
    if (r == 0 && reach == MEND_ALL)
        r = kernel_netns_sweep(e->netns_dir, w.list, w.list_count, err);
    if (r < 0)
        return r;
    if (plan_diff(&w.seen, &w.desired, &plan) < 0)
        return weft_oom(err);
    apply(&w, &plan, outcome);
    *ret_reloaded = reloads_base(&plan);
    return 0;
}

int engine_mend(struct engine *e, enum mend_reach reach, struct mend_outcome *ret,
                struct weft_error *err)
{
    struct mend_outcome outcome = {0};
    bool reloaded = true;
    int r = 0;

    for (int round = 0; r == 0 && reloaded && round < ROUNDS_MAX; round++) {
        r = mend_once(e, reach, &outcome, &reloaded, err);
        if (r == 0 && reloaded)
            rules_remember(e);
    }
    if (ret)
        *ret = outcome;
    return r;
}

/* ---- the end of it all ---- */

static int refuse_running(struct engine *e, struct weft_error *err)
{
    for (size_t i = 0; i < e->container_count; i++) {
        struct container *c = e->containers[i];
        int64_t finished;
        pid_t pid;
        int code;

        if (c->status == CONTAINER_RUNNING &&
            runtime_resume(e->runtime, c, &pid, &code, &finished) == 1)
            return weft_fail(err, WEFT_CONFLICT, "container %s is running: stop it first", c->name);
    }
    return 0;
}

/* Sysctls of bridges that stay, which nobody is going to want any more. */
static int add_idle(struct world *w)
{
    struct engine *e = w->engine;
    int r = 0;

    for (size_t i = 0; r == 0 && i < e->network_count; i++) {
        _cleanup_fact_set_ struct fact_set facts = {0};

        r = e->networks[i]->adopted ? render_network(e->networks[i], &facts) : 0;
        fact_set_own(&facts);
        for (size_t j = 0; r == 0 && j < facts.count; j++)
            if (facts.facts[j].kind == FACT_SYSCTL && *facts.facts[j].sysctl.idle)
                r = fact_set_add(&w->seen, &facts.facts[j]);
    }
    return r;
}

int engine_cleanup(struct engine *e, size_t *ret_removed, struct weft_error *err)
{
    _cleanup_world_ struct world w = {.engine = e};
    _cleanup_fact_set_ struct fact_set nothing = {0};
    _cleanup_plan_ struct plan plan = {0};
    int r = refuse_running(e, err), failed;

    if (r < 0)
        return r;
    dns_end(e);
    if (add_spaces(&w) < 0)
        return weft_oom(err);
    memset(w.looked, true, w.count * sizeof *w.looked);
    r = observe(&w, err);
    if (r < 0)
        return r;
    if (add_idle(&w) < 0 || plan_diff(&w.seen, &nothing, &plan) < 0)
        return weft_oom(err);
    failed = kernel_apply_lenient(e->kernel, &plan);
    if (failed > 0)
        return weft_fail(err, WEFT_KERNEL, "%d of %zu things of weft's could not be removed",
                         failed, plan.count);
    *ret_removed = plan.count;
    return kernel_netns_sweep(e->netns_dir, NULL, 0, err);
}
