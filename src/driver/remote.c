/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 * A plugin makes the network and, for each endpoint, a link in the host's namespace, whatever kind
 * it is. weft moves it into the sandbox, gives it its name there, addresses and routes, and gives
 * it back when the endpoint leaves. Nothing else of the network is known: it has no link that ports
 * could be published through, and only the way out that the plugin speaks of.
 */

#include "driver/wire.h"

static int remote_prepare_network(struct network *net _unused_, uint32_t default_mtu _unused_,
                                  struct weft_error *err _unused_)
{
    return 0;
}

static int remote_render_network(const struct network *net _unused_, struct fact_set *out _unused_)
{
    return 0;
}

static int add_link(const struct endpoint *ep, const struct kstate_ns *ns, struct fact_set *out)
{
    struct fact fact = {
        .kind = FACT_LINK,
        .ns = ns,
        .link =
            {
                .kind = LINK_MOVED,
                .up = true,
                .no_autoconf = !ep->network->enable_ipv6,
                .mac = ep->mac,
                .mtu = ep->given.mtu,
            },
    };

    (void)str_copy(fact.link.name, sizeof fact.link.name, ep->ifname);
    (void)str_copy(fact.link.parent, sizeof fact.link.parent, ep->given.link);
    return fact_set_add(out, &fact);
}

static int remote_render_endpoint(const struct endpoint *ep, const struct kstate_ns *ns,
                                  struct fact_set *out)
{
    int r = *ep->given.link ? add_link(ep, ns, out) : 0;

    return r < 0 || !*ep->given.link ? r : wire_render_interface(ep, ns, out);
}

/* Through the router that the plugin named: the pool's own may be none. */
static int remote_render_gateway(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                                 struct fact_set *out)
{
    const struct addr *gateway = family == AF_INET6 ? &ep->given.gateway6 : &ep->given.gateway4;

    return *ep->given.link && addr_is_set(gateway)
               ? wire_render_gateway(ep, family, gateway, ns, out)
               : 0;
}

const struct driver_ops driver_remote = {
    .name = "remote",
    .has_pools = true,
    .prepare_network = remote_prepare_network,
    .check_endpoint = wire_check_endpoint,
    .render_network = remote_render_network,
    .render_endpoint = remote_render_endpoint,
    .render_gateway = remote_render_gateway,
};
