/* SPDX-License-Identifier: Apache-2.0 */

/* Running a plan's routing operations. */

#include "base/str.h"
#include "kernel/apply.h"
#include "kernel/removal.h"

/* The host's links, and what lies on them in namespaces: their removal is waited for no longer than
 * it must be. */
bool apply_is_removal(const struct op *op)
{
    const struct fact *f = &op->fact;

    if (op->verb != OP_REMOVE || f->kind != FACT_LINK)
        return false;
    switch (f->link.kind) {
    case LINK_VETH:
    case LINK_BRIDGE:
    case LINK_VLAN:
    case LINK_IFB:
        return !f->ns;
    case LINK_MACVLAN:
    case LINK_IPVLAN:
        return true;
    default:
        return false;
    }
}

int apply_encode_rtnl(struct run *run, const struct op *op, struct weft_error *err)
{
    struct rtnl_target target = {.host_nl = &run->k->rtnl,
                                 .ns = ns_pool_fd(&run->pool, op->fact.ns, err),
                                 .host_ns = run->k->host_ns,
                                 .peer_ns = -1,
                                 .has_ipv6 = run->k->has_ipv6};
    struct netlink *nl;
    int r = ns_pool_rtnl(&run->pool, op->fact.ns, &nl, err);

    if (target.ns < 0 || r < 0)
        return r < 0 ? r : target.ns;
    target.nl = nl;
    if (op->verb == OP_ADD && op->fact.kind == FACT_LINK && op->fact.link.kind == LINK_VETH) {
        target.peer_ns = ns_pool_fd(&run->pool, op->fact.link.peer_ns, err);
        if (target.peer_ns < 0)
            return target.peer_ns;
    }
    return rtnl_encode(&run->batch, &target, op, run->phase, err);
}

static void run_rtnl_phase(struct run *run, const struct kstate_ns *ns)
{
    struct weft_error err;
    struct netlink *nl;
    int r = ns_pool_rtnl(&run->pool, ns, &nl, &err);

    if (r < 0) {
        apply_refuse_pending(run, -r, err.text);
        return;
    }
    netlink_batch_reset(&run->batch, nl);
    apply_encode_group(run, nl);
    if (run->batch.count == 0)
        return;
    r = netlink_batch_run(nl, &run->batch, apply_message_refused, run, &err);
    if (r < 0)
        apply_refuse_unheard(run, -r, err.text);
    for (size_t i = 0; i < run->count; i++)
        run->slots[i].begun |= run->slots[i].messages > 0;
}

void apply_rtnl(struct run *run)
{
    bool is_late = false, is_abroad = false;

    for (size_t i = 0; i < run->count; i++) {
        is_abroad |= rtnl_begins_abroad(&run->group[i]);
        is_late |= rtnl_ends_late(&run->group[i]);
    }
    ns_pool_make_room(&run->pool, run->count + 1);
    for (run->phase = RTNL_ABROAD; run->phase < RTNL_PHASE_COUNT; run->phase++) {
        if ((run->phase == RTNL_ABROAD && !is_abroad) || (run->phase == RTNL_LATE && !is_late))
            continue;
        run_rtnl_phase(run, run->phase == RTNL_ABROAD ? NULL : run->group->fact.ns);
    }
}

static void removal_refused(void *ctx, size_t link, int errnum, const char *why)
{
    struct run *run = ctx;
    size_t pending = 0;

    for (size_t i = 0; i < run->count; i++)
        if (run->slots[i].messages && pending++ == link)
            apply_refuse(run, i, errnum, why);
}

/* One that was made but did not get its name has another one. */
static void choose_name(const struct netlink *nl, const char *name, char ret[static IFNAMSIZ])
{
    link_unborn_name(name, ret);
    if (netlink_link_index(nl, ret) < 0)
        (void)str_copy(ret, IFNAMSIZ, name);
}

static int removal_target(struct run *run, const struct fact *fact, struct removal_target *ret,
                          struct weft_error *err)
{
    const struct fact_link *link = &fact->link;
    struct removal_target target = {.ns = -1, .host_ns = run->k->host_ns, .nl = &run->k->rtnl};
    struct netlink *nl;

    (void)str_copy(target.name, sizeof target.name, link->name);
    if (fact->ns) {
        int r = ns_pool_rtnl(&run->pool, fact->ns, &nl, err);

        if (r < 0)
            return r;
        target.nl = nl;
        target.ns = ns_pool_fd(&run->pool, fact->ns, err);
        choose_name(nl, link->name, target.name);
    }
    target.peer_name = link->peer_name;
    /* A namespace that cannot be entered is gone, and all its links with it. */
    if (link->kind == LINK_VETH && *link->peer_name &&
        ns_pool_rtnl(&run->pool, link->peer_ns, &nl, NULL) >= 0)
        target.peer_nl = nl;
    *ret = target;
    return 0;
}

void apply_removal(struct run *run)
{
    struct removal_target targets[RTNL_GROUP_MAX];
    struct weft_error err;
    size_t count = 0;
    int r;

    ns_pool_make_room(&run->pool, run->count + 1);
    for (size_t i = 0; i < run->count; i++) {
        run->slots[i].messages = 0;
        if (run->slots[i].state != PENDING)
            continue;
        r = removal_target(run, &run->group[i].fact, &targets[count], &err);
        if (r < 0) {
            apply_refuse(run, i, -r, err.text);
            continue;
        }
        run->slots[i].messages = 1;
        count++;
    }
    if (count == 0)
        return;
    r = removal_run(&run->k->removals, targets, count, removal_refused, run, &err);
    if (r < 0)
        apply_refuse_pending(run, -r, err.text);
}
