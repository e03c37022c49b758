/* SPDX-License-Identifier: Apache-2.0 */

/* Which endpoint is the nearest, and which carries a sandbox's default route. Docker's order (API
 * v1.48), made total. */

#include <string.h>

#include "model/network.h"
#include "model/sandbox.h"

/* Routes that others have made stay until they have been told that the endpoint leaves. */
static bool can_be_gateway(const struct endpoint *ep, int family)
{
    bool is_there =
        ep->stage == ENDPOINT_SETTLED || (ep->stage == ENDPOINT_LEAVING && ep->given.makes_routes);

    return is_there && endpoint_has_way_out(ep, family);
}

static bool is_dual_stack(const struct network *net)
{
    return net->enable_ipv4 && net->enable_ipv6;
}

bool endpoint_is_nearer(const struct endpoint *a, const struct endpoint *b)
{
    if (a->want.gw_priority != b->want.gw_priority)
        return a->want.gw_priority > b->want.gw_priority;
    if (a->network->internal != b->network->internal)
        return b->network->internal;
    if (is_dual_stack(a->network) != is_dual_stack(b->network))
        return is_dual_stack(a->network);
    return strcmp(a->network->name, b->network->name) < 0;
}

const struct endpoint *sandbox_gateway_endpoint(const struct sandbox *sb, int family)
{
    const struct endpoint *best = NULL;

    for (size_t i = 0; i < sb->endpoint_count; i++) {
        const struct endpoint *ep = sb->endpoints[i];

        if (!can_be_gateway(ep, family))
            continue;
        if (ep->given.makes_routes)
            return ep;
        if (!best || endpoint_is_nearer(ep, best))
            best = ep;
    }
    return best;
}
