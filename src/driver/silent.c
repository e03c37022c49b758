/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/silent.h"

#include "driver/shape.h"

int silent_prepare_network(struct network *net _unused_, uint32_t default_mtu _unused_,
                           struct weft_error *err _unused_)
{
    return 0;
}

int silent_check_endpoint(const struct network *net, const struct endpoint_want *want,
                          struct weft_error *err)
{
    if (addr_is_set(&want->ipv4) || addr_is_set(&want->ipv6) || mac_is_set(&want->mac) ||
        want->link_local_count > 0)
        return weft_fail(err, WEFT_INVALID, "network %s gives no interface to put an address on",
                         net->name);
    return shape_check(net, &want->driver_opts, err);
}

int silent_render_network(const struct network *net _unused_, struct fact_set *out _unused_)
{
    return 0;
}

int silent_render_endpoint(const struct endpoint *ep _unused_, const struct kstate_ns *ns _unused_,
                           struct fact_set *out _unused_)
{
    return 0;
}

int silent_render_gateway(const struct endpoint *ep _unused_, int family _unused_,
                          const struct kstate_ns *ns _unused_, struct fact_set *out _unused_)
{
    return 0;
}
