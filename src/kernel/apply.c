/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running a plan.
 *
 * The plan is cut into groups: as many neighbouring operations as one netlink batch can carry. A
 * group of routing operations belongs to one namespace and is cut before an operation that needs
 * the index of a link which the group itself makes. A group of elements is one nftables
 * transaction. Other operations stand alone.
 *
 * Routing netlink is not transactional: past a refused request the kernel goes on with the next. So
 * a group always ends with knowing of each operation whether it was done, and for those that were
 * the inverse is remembered. When something failed, the inverses run, last first, through the same
 * code.
 *
 * To remove what is not there is no failure: a link that somebody deleted is as gone as it should
 * be.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "kernel/netns.h"
#include "kernel/nft.h"
#include "kernel/ns_pool.h"
#include "kernel/removal.h"
#include "kernel/rtnl.h"
#include "kernel/sysctl.h"

#define RTNL_GROUP_MAX 64
#define NFT_GROUP_MAX 1024
_Static_assert(RTNL_GROUP_MAX < NS_POOL_MAX,
               "each operation of a group may need one namespace more");

enum carrier { CARRIER_NONE, CARRIER_RTNL, CARRIER_NFT, CARRIER_REMOVAL };

enum state {
    PENDING, /* nothing said against it yet: once the group has been run, it is done */
    GONE,    /* nothing was there to be removed */
    REFUSED,
    HALF, /* refused, but some of it may have been done */
};

struct run {
    struct kernel *k;
    bool forward; /* not undoing: operations count for fault injection */
    bool lenient; /* failures are logged and do not end it */
    struct ns_pool pool;
    struct netlink_batch batch;

    const struct op *group;
    size_t count;
    struct {
        enum state state;
        unsigned first_message, messages;
    } slots[NFT_GROUP_MAX];

    struct op *undo; /* inverses of what was done, in the order in which it was; NULL: not wanted */
    size_t undo_count;
    unsigned failures;
    int first_errnum;
    struct weft_error *err; /* gets the first failure */
};

/* The host's links: their removal is waited for no longer than it must be. */
static bool is_removal(const struct op *op)
{
    const struct fact *f = &op->fact;

    return op->verb == OP_REMOVE && f->kind == FACT_LINK && !f->ns &&
           (f->link.kind == LINK_VETH || f->link.kind == LINK_BRIDGE);
}

static enum carrier carrier_of(const struct op *op)
{
    if (is_removal(op))
        return CARRIER_REMOVAL;
    if (op->fact.kind == FACT_NFT_ELEM)
        return CARRIER_NFT;
    return rtnl_handles(op) ? CARRIER_RTNL : CARRIER_NONE;
}

static bool fits_group(const struct op *group, size_t count)
{
    const struct op *op = &group[count];

    if (carrier_of(op) != carrier_of(group) || !kstate_ns_equal(op->fact.ns, group->fact.ns))
        return false;
    for (size_t i = 0; i < count && carrier_of(op) == CARRIER_RTNL; i++)
        if (rtnl_must_wait(op, &group[i]))
            return false;
    return true;
}

/* How many of the operations, one at least, go together. */
static size_t group_length(const struct op *ops, size_t count)
{
    static const size_t max[] = {
        [CARRIER_NONE] = 1,
        [CARRIER_RTNL] = RTNL_GROUP_MAX,
        [CARRIER_NFT] = NFT_GROUP_MAX,
        [CARRIER_REMOVAL] = RTNL_GROUP_MAX,
    };
    size_t limit = max[carrier_of(ops)], n = 1;

    while (n < count && n < limit && fits_group(ops, n))
        n++;
    return n;
}

/* Something that is not there, be it a link, an address, a route, or an element. */
static bool means_absence(int errnum)
{
    return errnum == ENOENT || errnum == ENODEV || errnum == EADDRNOTAVAIL || errnum == ESRCH;
}

static void refuse(struct run *run, size_t i, int errnum, const char *why)
{
    _cleanup_strbuf_ struct strbuf command = {0};
    const struct op *op = &run->group[i];

    if (run->slots[i].state != PENDING)
        return; /* of several failed requests the first tells the reason */
    if (op->verb == OP_REMOVE && means_absence(errnum)) {
        run->slots[i].state = GONE;
        return;
    }
    run->slots[i].state = REFUSED;
    if (!*why)
        why = strerror(errnum);
    op_describe(op, &command);
    if (run->lenient)
        log_warning("%s%s: %s", run->forward ? "" : "cannot undo: ", strbuf_text(&command), why);
    if (run->failures++ == 0) {
        run->first_errnum = errnum;
        weft_fail(run->err, WEFT_KERNEL, "%s: %s", strbuf_text(&command), why);
        if (run->err)
            run->err->errnum = errnum;
    }
}

static void refuse_pending(struct run *run, int errnum, const char *why)
{
    for (size_t i = 0; i < run->count; i++)
        refuse(run, i, errnum, why);
}

static size_t count_pending(const struct run *run)
{
    size_t n = 0;

    for (size_t i = 0; i < run->count; i++)
        n += run->slots[i].state == PENDING;
    return n;
}

/* One of the group's messages was refused, or (of a transaction's begin message) all of it was. */
static void message_refused(void *ctx, unsigned message, int errnum, const char *why)
{
    struct run *run = ctx;

    for (size_t i = 0; i < run->count; i++) {
        unsigned nth = message - run->slots[i].first_message;

        if (nth >= run->slots[i].messages)
            continue;
        refuse(run, i, errnum, why);
        /* When the first was refused, no link was made and the others had nothing to work on. */
        if (!run->batch.is_transaction && (nth > 0 || run->group[i].verb == OP_CHANGE))
            run->slots[i].state = HALF;
        return;
    }
    refuse_pending(run, errnum, why);
}

static int encode_rtnl(struct run *run, const struct op *op, const struct netlink *nl,
                       struct weft_error *err)
{
    struct rtnl_target target = {.nl = nl, .peer_ns = -1, .has_ipv6 = run->k->has_ipv6};

    if (op->verb == OP_ADD && op->fact.kind == FACT_LINK && op->fact.link.kind == LINK_VETH) {
        target.peer_ns = ns_pool_fd(&run->pool, op->fact.link.peer_ns, err);
        if (target.peer_ns < 0)
            return target.peer_ns;
    }
    return rtnl_encode(&run->batch, &target, op, err);
}

/* Encodes what is pending. nl is NULL for elements. */
static void encode_group(struct run *run, const struct netlink *nl)
{
    for (size_t i = 0; i < run->count; i++) {
        struct netlink_batch before = run->batch;
        const struct op *op = &run->group[i];
        struct weft_error err;
        int r;

        run->slots[i].messages = 0;
        if (run->slots[i].state != PENDING)
            continue;
        r = nl ? encode_rtnl(run, op, nl, &err) : nft_encode(&run->batch, op, &err);
        if (r < 0) {
            netlink_batch_rollback(&run->batch, &before);
            refuse(run, i, -r, err.text);
        }
        run->slots[i].first_message = before.count;
        run->slots[i].messages = run->batch.count - before.count;
    }
}

/* The conversation broke off: nobody knows how far the kernel got. */
static void refuse_unheard(struct run *run, int errnum, const char *why)
{
    for (size_t i = 0; i < run->count; i++)
        if (run->slots[i].state == PENDING) {
            refuse(run, i, errnum, why);
            run->slots[i].state = HALF;
        }
}

static void run_rtnl(struct run *run)
{
    struct weft_error err;
    struct netlink *nl;
    int r;

    ns_pool_make_room(&run->pool, run->count + 1);
    r = ns_pool_rtnl(&run->pool, run->group->fact.ns, &nl, &err);
    if (r < 0) {
        refuse_pending(run, -r, err.text);
        return;
    }
    netlink_batch_reset(&run->batch, nl);
    encode_group(run, nl);
    if (run->batch.count == 0)
        return;
    r = netlink_batch_run(nl, &run->batch, message_refused, run, &err);
    if (r < 0)
        refuse_unheard(run, -r, err.text);
}

static void removal_refused(void *ctx, size_t link, int errnum, const char *why)
{
    struct run *run = ctx;
    size_t pending = 0;

    for (size_t i = 0; i < run->count; i++)
        if (run->slots[i].messages && pending++ == link)
            refuse(run, i, errnum, why);
}

static struct removal_target removal_target(struct run *run, const struct fact_link *link)
{
    struct removal_target target = {.name = link->name, .peer_name = link->peer_name};
    struct netlink *nl;

    /* A namespace that cannot be entered is gone, and all its links with it. */
    if (link->kind == LINK_VETH && *link->peer_name &&
        ns_pool_rtnl(&run->pool, link->peer_ns, &nl, NULL) >= 0)
        target.peer_nl = nl;
    return target;
}

static void run_removal(struct run *run)
{
    struct removal_target targets[RTNL_GROUP_MAX];
    struct weft_error err;
    size_t count = 0;
    int r;

    ns_pool_make_room(&run->pool, run->count);
    for (size_t i = 0; i < run->count; i++) {
        run->slots[i].messages = run->slots[i].state == PENDING;
        if (run->slots[i].messages)
            targets[count++] = removal_target(run, &run->group[i].fact.link);
    }
    if (count == 0)
        return;
    r = removal_run(&run->k->removals, targets, count, removal_refused, run, &err);
    if (r < 0)
        refuse_pending(run, -r, err.text);
}

static void try_nft(struct run *run)
{
    struct netlink *nl = &run->k->nft;
    struct weft_error err;
    int r;

    netlink_batch_reset(&run->batch, nl);
    r = nft_batch_begin(&run->batch, &err);
    if (r >= 0)
        encode_group(run, NULL);
    if (r >= 0)
        r = nft_batch_end(&run->batch, &err);
    if (r < 0)
        refuse_pending(run, -r, err.text);
    if (count_pending(run) == 0)
        return;
    r = netlink_batch_run(nl, &run->batch, message_refused, run, &err);
    if (r < 0)
        refuse_unheard(run, -r, err.text);
}

/* All or nothing: when some are refused, none is done. The others are tried again without them if
 * these were only gone already, or failures do not matter. */
static void run_nft(struct run *run)
{
    size_t pending;

    do {
        if (run->failures && !run->lenient) {
            refuse_pending(run, run->first_errnum, "");
            return;
        }
        pending = count_pending(run);
        try_nft(run);
    } while (count_pending(run) < pending);
}

static int run_netns(struct run *run, const struct op *op, struct weft_error *err)
{
    ns_pool_clear(&run->pool); /* not to hold what is removed, nor to take the new for the old */
    if (op->verb == OP_REMOVE)
        return netns_remove(op->fact.ns->path, err);
    return netns_add(run->k->host_ns, op->fact.ns, err);
}

/* A value cannot be taken away again: removing does nothing, and undoing puts the previous one
 * back. Where there is no IPv6, nothing needs to be set for it. */
static int run_sysctl(struct run *run, const struct op *op, struct op *inverse,
                      struct weft_error *err)
{
    const struct fact_sysctl *s = &op->fact.sysctl;
    int fd, r;

    if (op->verb == OP_REMOVE || (!run->k->has_ipv6 && str_starts_with(s->path, "net/ipv6/")))
        return 0;
    fd = ns_pool_fd(&run->pool, op->fact.ns, err);
    if (fd < 0)
        return fd;
    r = netns_enter(fd, err);
    if (r < 0)
        return r;
    *inverse = (struct op){.verb = OP_CHANGE, .fact = op->fact, .old = op->fact};
    r = sysctl_read(s->path, inverse->fact.sysctl.value, sizeof inverse->fact.sysctl.value, err);
    if (r >= 0)
        r = sysctl_write(s->path, s->value, err);
    netns_leave(run->k->host_ns);
    return r;
}

static int run_base(const struct op *op, struct weft_error *err)
{
    if (op->verb == OP_REMOVE)
        return nft_base_load(NULL, err);
    if (!op->fact.base.text)
        return weft_fail(err, WEFT_KERNEL, "the text of this ruleset is not known");
    return nft_base_load(op->fact.base.text, err);
}

/* The inverse of a sysctl becomes known on the way. */
static void run_single(struct run *run, struct op *inverse)
{
    const struct op *op = run->group;
    struct weft_error err;
    int r;

    if (run->slots[0].state != PENDING)
        return;
    if (op->fact.kind == FACT_NETNS)
        r = run_netns(run, op, &err);
    else if (op->fact.kind == FACT_SYSCTL)
        r = run_sysctl(run, op, inverse, &err);
    else
        r = run_base(op, &err);
    if (r < 0)
        refuse(run, 0, -r, err.text);
}

/* Counts the group's operations for fault injection. */
static void count_faults(struct run *run)
{
    struct kernel *k = run->k;

    for (size_t i = 0; i < run->count; i++)
        if (++k->fault_count == k->fault_nth && k->fault == KERNEL_FAULT_FAIL)
            refuse(run, i, EIO, "");
}

static void run_group(struct run *run, const struct op *ops, size_t count)
{
    struct op first_inverse = op_inverse(ops);

    run->group = ops;
    run->count = count;
    for (size_t i = 0; i < count; i++)
        run->slots[i].state = PENDING;
    if (run->forward)
        count_faults(run);
    switch (carrier_of(ops)) {
    case CARRIER_NONE:
        run_single(run, &first_inverse);
        break;
    case CARRIER_RTNL:
        run_rtnl(run);
        break;
    case CARRIER_NFT:
        run_nft(run);
        break;
    case CARRIER_REMOVAL:
        run_removal(run);
        break;
    }
    for (size_t i = 0; run->undo && i < count; i++)
        if (run->slots[i].state == PENDING || run->slots[i].state == HALF)
            run->undo[run->undo_count++] = i ? op_inverse(&ops[i]) : first_inverse;
}

/* Cuts a group short, so that all before the operation that is to crash is really done. */
static size_t cut_at_crash(const struct run *run, size_t count)
{
    const struct kernel *k = run->k;
    unsigned left = k->fault_nth - k->fault_count - 1;

    if (!run->forward || k->fault != KERNEL_FAULT_CRASH || left >= count)
        return count;
    if (left == 0)
        (void)raise(SIGKILL);
    return left;
}

static void run_all(struct run *run, const struct op *ops, size_t count)
{
    for (size_t i = 0, n; i < count && (run->lenient || !run->failures); i += n) {
        n = cut_at_crash(run, group_length(ops + i, count - i));
        run_group(run, ops + i, n);
    }
    ns_pool_clear(&run->pool);
    netlink_batch_free(&run->batch);
}

static void undo(struct run *failed)
{
    struct run run = {.k = failed->k, .pool.k = failed->k, .lenient = true};
    size_t count = failed->undo_count;

    for (size_t i = 0; i < count / 2; i++) {
        struct op op = failed->undo[i];

        failed->undo[i] = failed->undo[count - 1 - i];
        failed->undo[count - 1 - i] = op;
    }
    run_all(&run, failed->undo, count);
}

int kernel_apply(struct kernel *k, const struct plan *plan, struct weft_error *err)
{
    struct run run = {.k = k, .pool.k = k, .forward = true, .err = err};

    if (!plan->count)
        return 0;
    run.undo = malloc(plan->count * sizeof *run.undo);
    if (!run.undo)
        return weft_oom(err);
    run_all(&run, plan->ops, plan->count);
    if (run.failures)
        undo(&run);
    free(run.undo);
    return run.failures ? -run.first_errnum : 0;
}

int kernel_apply_lenient(struct kernel *k, const struct plan *plan)
{
    struct run run = {.k = k, .pool.k = k, .forward = true, .lenient = true};

    run_all(&run, plan->ops, plan->count);
    return (int)run.failures;
}
