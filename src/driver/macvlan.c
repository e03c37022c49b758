/* SPDX-License-Identifier: Apache-2.0 */

/*
 * macvlan: each endpoint has a MAC address of its own on the network that the parent is on. In mode
 * passthru there is one endpoint, and it has the parent's.
 */

#include "driver/on_parent.h"
#include "driver/wire.h"

static struct fact_link macvlan_link(const struct network *net)
{
    static const struct {
        const char *name;
        enum link_mode mode;
    } modes[] = {
        {"private", LINK_MODE_PRIVATE},
        {"vepa", LINK_MODE_VEPA},
        {"passthru", LINK_MODE_PASSTHRU},
    };
    struct fact_link link = {.kind = LINK_MACVLAN, .mode = LINK_MODE_BRIDGE};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (str_equal(network_option(net, OPTION_MACVLAN_MODE), modes[i].name))
            link.mode = modes[i].mode;
    return link;
}

static int macvlan_prepare_network(struct network *net, uint32_t default_mtu _unused_,
                                   struct weft_error *err)
{
    return on_parent_prepare(net, err);
}

static int macvlan_check_endpoint(const struct network *net, const struct endpoint_want *want,
                                  struct weft_error *err)
{
    if (network_is_passthru(net) && mac_is_set(&want->mac))
        return weft_fail(err, WEFT_INVALID,
                         "MAC %s asked for, but network %s is passed through: its endpoint has the "
                         "MAC of the parent %s",
                         mac_text(&want->mac), net->name, net->parent);
    return on_parent_check_endpoint(net, want, err);
}

static int macvlan_render_network(const struct network *net, struct fact_set *out)
{
    struct fact_link link = macvlan_link(net);

    return on_parent_render_network(net, &link, out);
}

static int macvlan_render_endpoint(const struct endpoint *ep, const struct kstate_ns *ns,
                                   struct fact_set *out)
{
    struct fact_link link = macvlan_link(ep->network);

    return on_parent_render_endpoint(ep, &link, ns, out);
}

static int macvlan_render_gateway(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                                  struct fact_set *out)
{
    struct addr gateway = endpoint_gateway(ep, family);

    return addr_is_set(&gateway) ? wire_render_gateway(ep, family, &gateway, ns, out) : 0;
}

const struct driver_ops driver_macvlan = {
    .name = "macvlan",
    .has_pools = true,
    .prepare_network = macvlan_prepare_network,
    .check_endpoint = macvlan_check_endpoint,
    .render_network = macvlan_render_network,
    .render_endpoint = macvlan_render_endpoint,
    .render_gateway = macvlan_render_gateway,
};
