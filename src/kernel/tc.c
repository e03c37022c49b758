/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/tc.h"

bool tc_handles(const struct op *op)
{
    return op->fact.kind == FACT_SHAPE || op->fact.kind == FACT_REDIRECT;
}

int tc_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
              struct weft_error *err)
{
    (void)b, (void)target, (void)op;
    return weft_fail(err, WEFT_UNSUPPORTED, "limits cannot be set");
}

int tc_observe(struct netlink *nl, const struct kstate_ns *ns, unsigned ns_number,
               const struct rtnl_links *links, struct fact_set *ret, struct weft_error *err)
{
    (void)nl, (void)ns, (void)ns_number, (void)links, (void)ret, (void)err;
    return 0;
}
