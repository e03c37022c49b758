/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Traffic control: operations to requests, dumps to facts. As rtnl.h, of which it is the part for
 * FACT_SHAPE and FACT_REDIRECT. */

#include "kernel/rtnl.h"

/* Whether what op speaks of is tc's. */
bool tc_handles(const struct op *op);
/* Appends the requests of an operation. 0 or -errno. */
int tc_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
              struct weft_error *err);
/* Adds the shapes and redirects of one namespace, whose links have been read: those of the owned
 * ones count as owned. 0 or -errno. */
int tc_observe(struct netlink *nl, const struct kstate_ns *ns, unsigned ns_number,
               const struct rtnl_links *links, struct fact_set *ret, struct weft_error *err);
