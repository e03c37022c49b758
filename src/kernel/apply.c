/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Running a plan.
 *
 * The plan is cut into groups: as many neighbouring operations as one netlink batch can carry. A
 * group of routing operations belongs to one namespace and is cut before an operation that needs
 * the index of a link which the group itself makes. A group of elements is one nftables
 * transaction, and so is one of accept rules in others' chains. Other operations stand alone.
 *
 * Routing netlink is not transactional: past a refused request the kernel goes on with the next. So
 * a group always ends with knowing of each operation whether it was done, and those that were are
 * remembered. When something failed, their inverses run, last first, through the same
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
#include "kernel/apply.h"
#include "kernel/netns.h"
#include "kernel/nft.h"
#include "kernel/sysctl.h"

#define NFT_GROUP_MAX 4096

enum carrier { CARRIER_NONE, CARRIER_RTNL, CARRIER_ELEM, CARRIER_ACCEPT, CARRIER_REMOVAL };

static enum carrier carrier_of(const struct op *op)
{
    if (apply_is_removal(op))
        return CARRIER_REMOVAL;
    if (op->fact.kind == FACT_NFT_ELEM)
        return CARRIER_ELEM;
    if (op->fact.kind == FACT_NFT_ACCEPT)
        return CARRIER_ACCEPT;
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
        [CARRIER_ELEM] = NFT_GROUP_MAX,
        [CARRIER_ACCEPT] = NFT_GROUP_MAX,
        [CARRIER_REMOVAL] = RTNL_GROUP_MAX,
    };
    size_t limit = max[carrier_of(ops)], n = 1;

    while (n < count && n < limit && fits_group(ops, n))
        n++;
    return n;
}

/* Something that is not there, be it a link, an address, a route, an element, or a rule. */
static bool means_absence(int errnum)
{
    return errnum == ENOENT || errnum == ENODEV || errnum == EADDRNOTAVAIL || errnum == ESRCH;
}

void apply_refuse(struct run *run, size_t i, int errnum, const char *why)
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

void apply_refuse_pending(struct run *run, int errnum, const char *why)
{
    for (size_t i = 0; i < run->count; i++)
        apply_refuse(run, i, errnum, why);
}

static size_t count_pending(const struct run *run)
{
    size_t n = 0;

    for (size_t i = 0; i < run->count; i++)
        n += run->slots[i].state == PENDING;
    return n;
}

/* One of the group's messages was refused, or (of a transaction's begin message) all of it was. */
void apply_message_refused(void *ctx, unsigned message, int errnum, const char *why)
{
    struct run *run = ctx;

    for (size_t i = 0; i < run->count; i++) {
        unsigned nth = message - run->slots[i].first_message;

        if (nth >= run->slots[i].messages)
            continue;
        apply_refuse(run, i, errnum, why);
        /* When the first was refused, no link was made and the others had nothing to work on. */
        if (!run->batch.is_transaction &&
            (nth > 0 || run->slots[i].begun || run->group[i].verb == OP_CHANGE))
            run->slots[i].state = HALF;
        return;
    }
    apply_refuse_pending(run, errnum, why);
}

static int encode(struct run *run, const struct op *op, struct netlink *nl, struct weft_error *err)
{
    if (op->fact.kind == FACT_NFT_ELEM)
        return nft_encode(&run->batch, op, 1, err);
    if (op->fact.kind == FACT_NFT_ACCEPT)
        return nft_accept_encode(&run->batch, nl, op, err);
    return apply_encode_rtnl(run, op, err);
}

/* Encodes what is pending. */
void apply_encode_group(struct run *run, struct netlink *nl)
{
    for (size_t i = 0; i < run->count; i++) {
        struct netlink_batch before = run->batch;
        const struct op *op = &run->group[i];
        struct weft_error err;
        int r;

        run->slots[i].messages = 0;
        if (run->slots[i].state != PENDING)
            continue;
        r = encode(run, op, nl, &err);
        if (r < 0) {
            netlink_batch_rollback(&run->batch, &before);
            apply_refuse(run, i, -r, err.text);
            if (run->slots[i].begun)
                run->slots[i].state = HALF;
        }
        run->slots[i].first_message = before.count;
        run->slots[i].messages = run->batch.count - before.count;
    }
}

/* The conversation broke off: nobody knows how far the kernel got. */
void apply_refuse_unheard(struct run *run, int errnum, const char *why)
{
    for (size_t i = 0; i < run->count; i++)
        if (run->slots[i].state == PENDING) {
            apply_refuse(run, i, errnum, why);
            run->slots[i].state = HALF;
        }
}

static void try_nft(struct run *run)
{
    struct netlink *nl = &run->k->nft;
    struct weft_error err;
    int r;

    netlink_batch_reset(&run->batch, nl);
    r = nft_batch_begin(&run->batch, &err);
    if (r >= 0)
        apply_encode_group(run, nl);
    if (r >= 0)
        r = nft_batch_end(&run->batch, &err);
    if (r < 0)
        apply_refuse_pending(run, -r, err.text);
    if (count_pending(run) == 0)
        return;
    r = netlink_batch_run(nl, &run->batch, apply_message_refused, run, &err);
    if (r < 0)
        apply_refuse_unheard(run, -r, err.text);
}

static void note_refusal(void *ctx, unsigned message _unused_, int errnum _unused_,
                         const char *why _unused_)
{
    *(bool *)ctx = true;
}

/* Elements in as few messages as may be. false: nothing was done. Of which element that speaks,
 * only a message of its own would tell. */
static bool run_packed(struct run *run)
{
    struct netlink *nl = &run->k->nft;
    struct weft_error err;
    bool refused = false;
    int r;

    netlink_batch_reset(&run->batch, nl);
    if (nft_batch_begin(&run->batch, &err) < 0 ||
        nft_encode(&run->batch, run->group, run->count, &err) < 0 ||
        nft_batch_end(&run->batch, &err) < 0)
        return false;
    r = netlink_batch_run(nl, &run->batch, note_refusal, &refused, &err);
    if (r < 0)
        apply_refuse_unheard(run, -r, err.text);
    return r < 0 || !refused;
}

/* All or nothing: when some are refused, none is done. The others are tried again without them if
 * these were only gone already, or failures do not matter. */
static void run_nft(struct run *run)
{
    size_t pending = count_pending(run);

    if (carrier_of(run->group) == CARRIER_ELEM && pending == run->count && run_packed(run))
        return;
    do {
        if (run->failures && !run->lenient) {
            apply_refuse_pending(run, run->first_errnum, "");
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

/* A value cannot be taken away again: removing does nothing, unless there is one for when nobody
 * wants it, and undoing puts the previous one back. Where there is no IPv6, nothing needs to be set
 * for it. */
static int run_sysctl(struct run *run, const struct op *op, struct done *done,
                      struct weft_error *err)
{
    const struct fact_sysctl *s = &op->fact.sysctl;
    const char *value = op->verb == OP_REMOVE ? s->idle : s->value;
    int fd, r;

    if (!*value || (!run->k->has_ipv6 && str_starts_with(s->path, "net/ipv6/")))
        return 0;
    fd = ns_pool_fd(&run->pool, op->fact.ns, err);
    if (fd < 0)
        return fd;
    r = netns_enter(fd, err);
    if (r < 0)
        return r;
    r = sysctl_read(s->path, done->previous, sizeof done->previous, err);
    if (r >= 0)
        r = sysctl_write(s->path, value, err);
    netns_leave(run->k->host_ns);
    return r;
}

static int run_resolver(struct run *run, const struct op *op, struct weft_error *err)
{
    struct netlink *nl;
    int r;

    ns_pool_make_room(&run->pool, 1);
    r = ns_pool_nft(&run->pool, op->fact.ns, &nl, err);
    if (r < 0)
        return r;
    if (op->verb != OP_REMOVE)
        return nft_resolver_add(nl, err);
    r = nft_resolver_remove(nl, err);
    if (nl != &run->k->nft)
        netlink_close_aside(nl);
    return r;
}

/* The ruleset that has to be put right cannot be: somebody changed what only making anew changes.
 * Then the elements, which the plan takes to stay, go over to the new one. */
static int replace_tampered_base(struct run *run, const struct fact_nft_base *base,
                                 struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set none = {0}, elements = {0};
    _cleanup_plan_ struct plan refill = {0};
    int r = nft_observe_elems(&run->k->nft, base->text, &elements, err);

    if (r >= 0)
        r = nft_base_replace(run->k, base->text, err);
    if (r < 0)
        return r;
    if (plan_diff(&none, &elements, &refill) < 0)
        return weft_oom(err);
    (void)kernel_apply_lenient(run->k, &refill); /* says itself what it could not do */
    return 0;
}

static int run_base(struct run *run, const struct op *op, struct weft_error *err)
{
    const struct fact_nft_base *base = &op->fact.base;
    bool in_place = op->verb == OP_CHANGE && str_equal(op->old.base.version, base->version);
    int r;

    if (op->verb == OP_REMOVE)
        return nft_base_remove(run->k, err);
    if (!base->text) /* the inverse: nobody knows the rules that were there */
        return in_place ? 0 : weft_fail(err, WEFT_KERNEL, "the text of this ruleset is not known");
    if (!in_place)
        return nft_base_replace(run->k, base->text, err);
    r = nft_base_reload(run->k, base->text, err);
    if (r >= 0)
        return 0;
    log_warning("the ruleset cannot be put right in place and is made anew: %s", err->text);
    return replace_tampered_base(run, base, err);
}

static void run_single(struct run *run, struct done *done)
{
    const struct op *op = run->group;
    struct weft_error err;
    int r;

    if (run->slots[0].state != PENDING)
        return;
    if (op->fact.kind == FACT_NETNS)
        r = run_netns(run, op, &err);
    else if (op->fact.kind == FACT_SYSCTL)
        r = run_sysctl(run, op, done, &err);
    else if (op->fact.kind == FACT_RESOLVER)
        r = run_resolver(run, op, &err);
    else
        r = run_base(run, op, &err);
    if (r < 0)
        apply_refuse(run, 0, -r, err.text);
}

/* Counts the group's operations for fault injection. */
static void count_faults(struct run *run)
{
    struct kernel *k = run->k;

    for (size_t i = 0; i < run->count; i++)
        if (++k->fault_count == k->fault_nth && k->fault == KERNEL_FAULT_FAIL)
            apply_refuse(run, i, EIO, "");
}

static void run_group(struct run *run, const struct op *ops, size_t count)
{
    struct done first = {.op = ops};

    run->group = ops;
    run->count = count;
    for (size_t i = 0; i < count; i++)
        run->slots[i] = (struct slot){.state = PENDING};
    if (run->forward)
        count_faults(run);
    switch (carrier_of(ops)) {
    case CARRIER_NONE:
        run_single(run, &first);
        break;
    case CARRIER_RTNL:
        apply_rtnl(run);
        break;
    case CARRIER_ELEM:
    case CARRIER_ACCEPT:
        run_nft(run);
        break;
    case CARRIER_REMOVAL:
        apply_removal(run);
        break;
    }
    for (size_t i = 0; run->done && i < count; i++)
        if (run->slots[i].state == PENDING || run->slots[i].state == HALF)
            run->done[run->done_count++] = i ? (struct done){.op = &ops[i]} : first;
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

/* 0, or -ENOMEM when nothing was tried. */
static int run_all(struct run *run, const struct op *ops, size_t count)
{
    run->slots = calloc(count < NFT_GROUP_MAX ? count + 1 : NFT_GROUP_MAX, sizeof *run->slots);
    if (!run->slots)
        return weft_oom(run->err);
    for (size_t i = 0, n; i < count && (run->lenient || !run->failures); i += n) {
        n = cut_at_crash(run, group_length(ops + i, count - i));
        run_group(run, ops + i, n);
    }
    ns_pool_clear(&run->pool);
    netlink_batch_free(&run->batch);
    free(run->slots);
    return 0;
}

static struct op inverse_of(const struct done *done)
{
    struct op op = op_inverse(done->op);

    if (*done->previous) {
        op = (struct op){.verb = OP_CHANGE, .fact = done->op->fact, .old = done->op->fact};
        memcpy(op.fact.sysctl.value, done->previous, sizeof op.fact.sysctl.value);
    }
    return op;
}

static void undo(const struct run *failed)
{
    struct run run = {.k = failed->k, .pool.k = failed->k, .lenient = true};
    size_t count = failed->done_count;
    _cleanup_free_ struct op *inverses = calloc(count + 1, sizeof *inverses);

    for (size_t i = 0; inverses && i < count; i++)
        inverses[i] = inverse_of(&failed->done[count - 1 - i]);
    if (!inverses || run_all(&run, inverses, count) < 0)
        log_error("cannot undo: out of memory");
}

int kernel_apply(struct kernel *k, const struct plan *plan, struct weft_error *err)
{
    struct run run = {.k = k, .pool.k = k, .forward = true, .err = err};
    int r;

    if (!plan->count)
        return 0;
    run.done = malloc(plan->count * sizeof *run.done);
    if (!run.done)
        return weft_oom(err);
    r = run_all(&run, plan->ops, plan->count);
    if (run.failures)
        undo(&run);
    free(run.done);
    return run.failures ? -run.first_errnum : r;
}

int kernel_apply_lenient(struct kernel *k, const struct plan *plan)
{
    struct run run = {.k = k, .pool.k = k, .forward = true, .lenient = true};
    int r = run_all(&run, plan->ops, plan->count);

    return r < 0 ? r : (int)run.failures;
}
