/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 * Each seen fact meets one of three fates when the plan's removals run:
 *
 *   STAYS    it is there afterwards: desired or not, nobody removes it;
 *   REMOVED  the plan removes it: it is weft's and is not desired, or it has to be made anew;
 *   FALLS    it goes with something else: an address with its link, a link with its namespace, an
 *            element with its ruleset, one end of a veth pair with the other. The plan is silent.
 *
 * A fate depends only on the fates of what the fact rests on, so it is worked out on demand and
 * remembered. A thing that was not seen but is desired counts like one that is removed: it will be
 * fresh, and nothing can be resting on it yet.
 *
 * A borrowed link is there before and after; weft's hold on it is that it is desired, and there is
 * no mark in the kernel. So a bridge's port that nobody desires is taken for a stranger's choice (a
 * virtual machine's, say) and left alone: it comes free with the bridge.
 *
 * Then a desired fact that finds a staying one is satisfied or changed, any other is added; and the
 * operations are put in order.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "kstate/plan.h"

enum fate { FATE_UNKNOWN, FATE_STAYS, FATE_REMOVED, FATE_FALLS };

struct diff {
    const struct fact_set *seen;
    const struct fact_set *desired;
    /* Beside each seen fact its fate and the desired one with the same key, if any; beside each
     * desired one the seen one. */
    enum fate *fates;
    const struct fact **wanted, **found;
    bool base_is_fresh;
};

static void diff_clear(struct diff *d)
{
    free(d->fates);
    free(d->wanted);
    free(d->found);
}

static enum fate fate_of(const struct diff *d, const struct fact *seen);

/* Will the thing that both sets may have under this key be there for the first time, or not at all?
 * What neither set speaks of is somebody else's concern and taken to be there. */
static bool is_fresh(const struct diff *d, const struct fact *key)
{
    const struct fact *seen = fact_set_find(d->seen, key);

    if (seen)
        return fate_of(d, seen) != FATE_STAYS;
    return fact_set_find(d->desired, key) != NULL;
}

static bool netns_is_fresh(const struct diff *d, const struct kstate_ns *ns)
{
    return ns && is_fresh(d, &(struct fact){.kind = FACT_NETNS, .ns = ns});
}

static struct fact link_key(const struct kstate_ns *ns, const char *name)
{
    struct fact key = {.kind = FACT_LINK, .ns = ns};

    (void)str_copy(key.link.name, sizeof key.link.name, name);
    return key;
}

static bool is_borrowed(const struct fact_set *set, const struct fact *key)
{
    const struct fact *fact = fact_set_find(set, key);

    return fact && fact->link.kind == LINK_BORROWED;
}

/* A borrowed link is there before and after. */
static bool link_is_fresh(const struct diff *d, const struct kstate_ns *ns, const char *name)
{
    struct fact key = link_key(ns, name);

    return !is_borrowed(d->seen, &key) && !is_borrowed(d->desired, &key) && is_fresh(d, &key);
}

/* A ruleset of another version is loaded anew, without its elements. One that was tampered with is
 * put right in place. */
static bool base_is_fresh(const struct diff *d)
{
    struct fact key = {.kind = FACT_NFT_BASE};
    const struct fact *seen = fact_set_find(d->seen, &key);
    const struct fact *desired = fact_set_find(d->desired, &key);

    return is_fresh(d, &key) ||
           (seen && desired && !str_equal(seen->base.version, desired->base.version));
}

/* A link's own sysctls lie in net/FAMILY/conf/LINK/ and net/FAMILY/neigh/LINK/. */
static bool sysctl_link_is_fresh(const struct diff *d, const struct fact *sysctl)
{
    char name[IFNAMSIZ];

    return sscanf(sysctl->sysctl.path, "net/%*[^/]/%*[^/]/%15[^/]/", name) == 1 &&
           link_is_fresh(d, sysctl->ns, name);
}

static const struct fact *other_end(const struct fact_set *set, const struct fact_link *link)
{
    struct fact key = link_key(link->peer_ns, link->peer_name);

    return fact_set_find(set, &key);
}

/* Both ends of a desired veth pair were seen, and belong together as far as it is known. */
static bool pair_is_whole(const struct diff *d, const struct fact *seen, const struct fact *desired)
{
    const struct fact *end = other_end(d->seen, &desired->link);
    enum link_kind kind = desired->link.kind == LINK_VETH ? LINK_VETH_PEER : LINK_VETH;

    if (!end || end->link.kind != kind || netns_is_fresh(d, desired->link.peer_ns))
        return false;
    return !*seen->link.peer_name || (kstate_ns_equal(seen->link.peer_ns, desired->link.peer_ns) &&
                                      str_equal(seen->link.peer_name, desired->link.peer_name));
}

static bool is_veth(const struct fact *link)
{
    return link->link.kind == LINK_VETH || link->link.kind == LINK_VETH_PEER;
}

static bool falls_with_other_end(const struct diff *d, const struct fact *seen)
{
    const struct fact *end =
        seen->link.kind == LINK_VETH_PEER ? other_end(d->seen, &seen->link) : NULL;

    return end && end->link.kind == LINK_VETH && fate_of(d, end) == FATE_REMOVED;
}

static bool lies_on_parent(const struct fact_link *link)
{
    return link->kind == LINK_VLAN || link->kind == LINK_MACVLAN || link->kind == LINK_IPVLAN;
}

static bool falls_with_parent(const struct diff *d, const struct fact *seen)
{
    return lies_on_parent(&seen->link) && *seen->link.parent &&
           link_is_fresh(d, NULL, seen->link.parent);
}

/* What came from the host must not be left to the end of its namespace. That would take a link that
 * is only lent out along. A macvlan or ipvlan would go, too, but later, when the kernel gets to it,
 * and would until then keep its MAC or addresses from being used again on its parent. */
static bool outlives_its_namespace(const struct fact *seen)
{
    return seen->kind == FACT_LINK && seen->owned &&
           (seen->link.kind == LINK_MOVED || seen->link.kind == LINK_MACVLAN ||
            seen->link.kind == LINK_IPVLAN);
}

/* Does it go, or has it gone, with what it rests on? */
static bool falls(const struct diff *d, const struct fact *seen)
{
    if (seen->kind != FACT_NETNS && netns_is_fresh(d, seen->ns) && !outlives_its_namespace(seen))
        return true;
    switch (seen->kind) {
    case FACT_LINK:
        return falls_with_other_end(d, seen) || falls_with_parent(d, seen);
    case FACT_SYSCTL:
        return sysctl_link_is_fresh(d, seen);
    case FACT_SHAPE:
        return link_is_fresh(d, seen->ns, seen->shape.link);
    case FACT_REDIRECT:
        return link_is_fresh(d, seen->ns, seen->redirect.link);
    case FACT_ADDR:
        return link_is_fresh(d, seen->ns, seen->addr.link);
    case FACT_ROUTE:
        return link_is_fresh(d, seen->ns, seen->route.link);
    case FACT_NFT_ELEM:
        return d->base_is_fresh;
    case FACT_NETNS:
    case FACT_RESOLVER:
    case FACT_NFT_BASE:
    case FACT_NFT_ACCEPT:
    case FACT_KIND_COUNT:
        break;
    }
    return false;
}

/* Of a borrowed link only the master can be taken back. */
static bool can_be_removed(const struct fact *seen)
{
    if (seen->kind == FACT_SYSCTL)
        return *seen->sysctl.idle;
    if (seen->kind != FACT_LINK)
        return true;
    return seen->link.kind != LINK_LOOPBACK &&
           (seen->link.kind != LINK_BORROWED || *seen->link.master);
}

/* What a link has from birth. */
static bool is_born_alike(const struct fact_link *seen, const struct fact_link *desired)
{
    if (desired->kind == LINK_MOVED)
        return str_equal(seen->parent, desired->parent);
    return !lies_on_parent(desired) ||
           (str_equal(seen->parent, desired->parent) &&
            (!desired->mode || seen->mode == desired->mode) &&
            (!desired->port_mode || seen->port_mode == desired->port_mode) &&
            (desired->kind != LINK_VLAN || seen->vlan == desired->vlan));
}

/* A link of another kind or birth, half a pair, or one whose namespace is made anew cannot be
 * changed into what is desired. */
static bool must_be_made_anew(const struct diff *d, const struct fact *seen,
                              const struct fact *desired)
{
    if (seen->kind != FACT_LINK || desired->link.kind == LINK_BORROWED)
        return false;
    return seen->link.kind != desired->link.kind || !is_born_alike(&seen->link, &desired->link) ||
           (is_veth(desired) && !pair_is_whole(d, seen, desired)) || netns_is_fresh(d, seen->ns);
}

static enum fate work_out_fate(const struct diff *d, const struct fact *seen)
{
    const struct fact *desired = d->wanted[seen - d->seen->facts];

    if (falls(d, seen))
        return FATE_FALLS;
    if (!desired)
        return seen->owned && can_be_removed(seen) ? FATE_REMOVED : FATE_STAYS;
    if (!must_be_made_anew(d, seen, desired))
        return FATE_STAYS;
    /* Somebody else's link is in the way: not removed, but not taken for weft's either. Adding
     * weft's then fails with the kernel's own words. */
    return seen->owned ? FATE_REMOVED : FATE_FALLS;
}

static enum fate fate_of(const struct diff *d, const struct fact *seen)
{
    enum fate *fate = &d->fates[seen - d->seen->facts];

    if (*fate == FATE_UNKNOWN)
        *fate = work_out_fate(d, seen);
    return *fate;
}

#define DEPTH_MAX 16 /* a bound for sets that contradict themselves */

/* How many links of the set lie below a link: its master and its parent, and what these lie on. */
static unsigned link_depth(const struct fact_set *set, const struct fact *link, unsigned bound)
{
    unsigned master = 0, parent = 0;
    struct fact key;
    const struct fact *below;

    if (*link->link.master && bound) {
        key = link_key(link->ns, link->link.master);
        below = fact_set_find(set, &key);
        master = below ? 1 + link_depth(set, below, bound - 1) : 0;
    }
    if (lies_on_parent(&link->link) && *link->link.parent && bound) {
        key = link_key(NULL, link->link.parent);
        below = fact_set_find(set, &key);
        parent = below ? 1 + link_depth(set, below, bound - 1) : 0;
    }
    return master > parent ? master : parent;
}

static int plan_add(const struct diff *d, struct plan *plan, enum op_verb verb,
                    const struct fact *fact, const struct fact *old)
{
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity ? 2 * plan->capacity : 16;
        struct op *ops = reallocarray(plan->ops, capacity, sizeof *ops);

        if (!ops)
            return -ENOMEM;
        plan->ops = ops;
        plan->capacity = capacity;
    }
    plan->ops[plan->count] = (struct op){.verb = verb, .fact = *fact};
    if (old)
        plan->ops[plan->count].old = *old;
    if (fact->kind == FACT_LINK)
        plan->ops[plan->count].depth =
            link_depth(verb == OP_REMOVE ? d->seen : d->desired, fact, DEPTH_MAX);
    plan->count++;
    return 0;
}

static int plan_removals(const struct diff *d, struct plan *plan)
{
    int r = 0;

    for (size_t i = d->seen->count; i-- > 0 && r == 0;) {
        const struct fact *seen = &d->seen->facts[i];

        if (fate_of(d, seen) == FATE_REMOVED)
            r = plan_add(d, plan, OP_REMOVE, seen, seen);
    }
    return r;
}

/* What a changed link will be: what is desired, and what that leaves open as it was. */
static void keep_open_attributes(struct fact_link *link, const struct fact_link *seen)
{
    link->up |= seen->up;
    link->no_autoconf |= seen->no_autoconf;
    if (!*link->master)
        (void)str_copy(link->master, sizeof link->master, seen->master);
    if (str_equal(link->master, seen->master)) {
        link->isolated |= seen->isolated;
        link->hairpin |= seen->hairpin;
        link->trunk |= seen->trunk;
        /* That of a VLAN interface is its own, not one that it is in as a port. */
        if (!link->vlan && seen->kind != LINK_VLAN)
            link->vlan = seen->vlan;
    }
    link->stp |= seen->stp;
    link->vlan_aware |= seen->vlan_aware;
    if (!mac_is_set(&link->mac))
        link->mac = seen->mac;
    if (!link->mtu)
        link->mtu = seen->mtu;
}

/* A route whose link goes, and that is to lead over another which is there already: it is moved
 * before the link goes, so that there is no moment without it. */
static bool moves_early(const struct diff *d, const struct fact *seen, const struct fact *desired)
{
    return seen->kind == FACT_ROUTE && !netns_is_fresh(d, seen->ns) &&
           !link_is_fresh(d, desired->ns, desired->route.link);
}

static int plan_desired(const struct diff *d, const struct fact *desired, struct plan *plan)
{
    const struct fact *seen = d->found[desired - d->desired->facts];
    struct fact from, to;

    if (seen && fate_of(d, seen) == FATE_FALLS && moves_early(d, seen, desired)) {
        int r = plan_add(d, plan, OP_CHANGE, desired, seen);

        if (r == 0)
            plan->ops[plan->count - 1].early = true;
        return r;
    }
    if (!seen || fate_of(d, seen) != FATE_STAYS)
        return plan_add(d, plan, OP_ADD, desired, NULL);
    from = *seen;
    /* A port outlives its bridge, but then it is nobody's port. */
    if (from.kind == FACT_LINK && link_is_fresh(d, from.ns, from.link.master)) {
        from.link.master[0] = '\0';
        from.link.isolated = from.link.hairpin = from.link.trunk = false;
        if (from.link.kind != LINK_VLAN)
            from.link.vlan = 0;
    }
    if (fact_satisfies(&from, desired))
        return 0;
    to = *desired;
    if (to.kind == FACT_LINK)
        keep_open_attributes(&to.link, &from.link);
    return plan_add(d, plan, OP_CHANGE, &to, &from);
}

/* Kinds in the order in which they come true; but the guard of a port stands before the port comes,
 * and until it has gone, and a route by a router comes after those on links, of which one may lead
 * to the router. */
static int rank(const struct fact *fact)
{
    if (fact->kind == FACT_ROUTE && addr_is_set(&fact->route.via))
        return 2 * FACT_ROUTE + 1;
    if (fact->kind == FACT_NFT_ELEM && fact->elem.table == NFT_TABLE_BRIDGE)
        return 2 * FACT_LINK - 1;
    return 2 * (int)fact->kind;
}

/* Within one stage: by namespace, then as facts come true; a link after those below it. */
static int compare_within_stage(const struct op *a, const struct op *b)
{
    int c = kstate_ns_compare(a->fact.ns, b->fact.ns);

    if (c == 0)
        c = rank(&a->fact) - rank(&b->fact);
    if (c == 0 && a->fact.kind == FACT_LINK && b->fact.kind == FACT_LINK)
        c = (int)a->depth - (int)b->depth;
    if (c == 0 && a->fact.kind == FACT_LINK && b->fact.kind == FACT_LINK)
        c = (int)a->fact.link.kind - (int)b->fact.link.kind;
    return c ? c : fact_compare_key(&a->fact, &b->fact);
}

static int stage(const struct op *op)
{
    bool removing = op->verb == OP_REMOVE;

    if (op->early)
        return -1;
    if (op->fact.kind == FACT_NETNS)
        return removing ? 2 : 3;
    if (!op->fact.ns)
        return removing ? 1 : 4;
    return removing ? 0 : 5;
}

static int compare_ops(const void *left, const void *right)
{
    const struct op *a = left, *b = right;
    int c = stage(a) - stage(b);

    if (c)
        return c;
    return a->verb == OP_REMOVE ? compare_within_stage(b, a) : compare_within_stage(a, b);
}

/* Large plans are about one set mostly: then they are in order already. */
static void sort_ops(struct plan *plan)
{
    size_t i = 1;

    while (i < plan->count && compare_ops(&plan->ops[i - 1], &plan->ops[i]) <= 0)
        i++;
    if (i < plan->count)
        qsort(plan->ops, plan->count, sizeof *plan->ops, compare_ops);
}

/* Finds for each fact the one of the other set: both are sorted. 0 or -ENOMEM. */
static int pair_up(struct diff *d)
{
    const struct fact_set *seen = d->seen, *desired = d->desired;

    d->fates = calloc(seen->count + 1, sizeof *d->fates);
    d->wanted = calloc(seen->count + 1, sizeof(struct fact *));
    d->found = calloc(desired->count + 1, sizeof(struct fact *));
    if (!d->fates || !d->wanted || !d->found)
        return -ENOMEM;
    for (size_t s = 0, i = 0; s < seen->count && i < desired->count;) {
        int c = fact_compare_key(&seen->facts[s], &desired->facts[i]);

        if (c == 0) {
            d->wanted[s] = &desired->facts[i];
            d->found[i] = &seen->facts[s];
        }
        s += c <= 0;
        i += c >= 0;
    }
    return 0;
}

int plan_diff(struct fact_set *seen, struct fact_set *desired, struct plan *ret)
{
    _cleanup_plan_ struct plan plan = {0};
    _cleanup_(diff_clear) struct diff d = {.seen = seen, .desired = desired};
    int r;

    fact_set_sort(seen);
    fact_set_sort(desired);
    if (pair_up(&d) < 0)
        return -ENOMEM;
    d.base_is_fresh = base_is_fresh(&d);
    r = plan_removals(&d, &plan);
    for (size_t i = 0; i < desired->count && r == 0; i++)
        r = plan_desired(&d, &desired->facts[i], &plan);
    if (r < 0)
        return r;
    sort_ops(&plan);
    *ret = TAKE_GENERIC(plan, (struct plan){0});
    return 0;
}

void fact_set_own(struct fact_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        set->facts[i].owned = true;
}
