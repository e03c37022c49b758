/* SPDX-License-Identifier: Apache-2.0 */

#include <stdlib.h>

#include "kernel/private.h"
#include "kernel/rtnl.h"

int kernel_links(struct kernel *k, struct fact_set *ret, struct weft_error *err)
{
    static const struct fact_set nothing;
    struct rtnl_links links = {0};
    int r = rtnl_observe(&k->rtnl, NULL, 0, &nothing, &links, ret, err);

    if (r >= 0)
        r = rtnl_name_parents(&k->rtnl, k->host_ns, 0, &links, ret, err);
    free(links.links);
    return r < 0 ? r : 0;
}
