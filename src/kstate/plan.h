/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Plans: how to get from what is to what shall be.
 *
 * A plan is an ordered list of operations, each of which has an inverse. Operations that add run in
 * the order of fact kinds (a link before its address), operations that remove in the reverse order
 * and before those that add, and all of one namespace stand together so that they go to the kernel
 * as one batch: the host's first when adding, last when removing. Namespaces themselves are made
 * before everything else and removed after everything else that is removed. First of all, a route
 * whose link is going is moved to the link that takes over.
 *
 * What falls with its link is not listed: removing a veth removes its peer, their addresses and
 * routes, and removing a parent what lies on it. What falls with a link or a ruleset that is made
 * anew is added again. With their namespace fall all its links but those that came from the host,
 * which are removed, or given back, first.
 */

#include "base/strbuf.h"
#include "kstate/fact.h"

enum op_verb { OP_ADD, OP_CHANGE, OP_REMOVE };

struct op {
    enum op_verb verb;
    /* What is added, changed to, or removed. A changed link is spelt out whole: what is desired of
     * it, and what that leaves open as it was; so that the inverse is exact. */
    struct fact fact;
    struct fact old; /* OP_CHANGE: what it was. OP_REMOVE: equal to fact */
    bool early;      /* OP_CHANGE: runs before anything is removed */
    unsigned depth;  /* links: how many of the plan's others lie below it. Of the order only */
};

struct plan {
    struct op *ops;
    size_t count;
    size_t capacity;
};

/*
 * What to do so that everything in desired holds, given that seen does. Facts of seen that are
 * marked owned and not desired are removed; those not owned are left alone. Sysctls (but
 * those with an idle value) and loopback links are never removed. Both sets are sorted by this.
 * Pure. 0 or -ENOMEM; *ret (zeroed by the caller) is then empty.
 *
 * For the facts of one transaction (before → after, no dump) call fact_set_own on `seen` first:
 * what weft rendered is weft's.
 */
int plan_diff(struct fact_set *seen, struct fact_set *desired, struct plan *ret);
void fact_set_own(struct fact_set *set);

/* The operation that undoes op. */
struct op op_inverse(const struct op *op);

/* A POSIX shell script of ip, nft and sysctl commands that does what the plan does. Appends to out;
 * an empty plan appends nothing. Namespaces are spoken of by name, as `ip netns` does. */
void plan_explain(const struct plan *plan, struct strbuf *out);

/* The command of a single operation on one line, without newline, for logs and errors; where it
 * takes several commands, the first. */
void op_describe(const struct op *op, struct strbuf *out);

void plan_clear(struct plan *plan);
#define _cleanup_plan_ _cleanup_(plan_clear)
