/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ipvlan: all endpoints have the parent's MAC address; it is by their addresses that the kernel
 * tells them apart. In mode l2 they are like hosts of the network that the parent is on; in modes
 * l3 and l3s the parent routes for them, and no gateway is needed.
 */

#include "driver/on_parent.h"
#include "driver/wire.h"

static struct fact_link ipvlan_link(const struct network *net)
{
    const char *mode = network_option(net, OPTION_IPVLAN_MODE);
    const char *flag = network_option(net, OPTION_IPVLAN_FLAG);
    struct fact_link link = {.kind = LINK_IPVLAN,
                             .mode = LINK_MODE_L2,
                             .port_mode = LINK_MODE_BRIDGE};

    if (str_equal(mode, "l3"))
        link.mode = LINK_MODE_L3;
    else if (str_equal(mode, "l3s"))
        link.mode = LINK_MODE_L3S;
    if (str_equal(flag, "private"))
        link.port_mode = LINK_MODE_PRIVATE;
    else if (str_equal(flag, "vepa"))
        link.port_mode = LINK_MODE_VEPA;
    return link;
}

static int ipvlan_prepare_network(struct network *net, uint32_t default_mtu _unused_,
                                  struct weft_error *err)
{
    return on_parent_prepare(net, err);
}

static int ipvlan_check_endpoint(const struct network *net, const struct endpoint_want *want,
                                 struct weft_error *err)
{
    if (mac_is_set(&want->mac))
        return weft_fail(err, WEFT_INVALID,
                         "MAC %s asked for, but endpoints on network %s all have the MAC of the "
                         "parent %s",
                         mac_text(&want->mac), net->name, net->parent);
    return on_parent_check_endpoint(net, want, err);
}

static int ipvlan_render_network(const struct network *net, struct fact_set *out)
{
    struct fact_link link = ipvlan_link(net);

    return on_parent_render_network(net, &link, out);
}

static int ipvlan_render_endpoint(const struct endpoint *ep, const struct kstate_ns *ns,
                                  struct fact_set *out)
{
    struct fact_link link = ipvlan_link(ep->network);

    return on_parent_render_endpoint(ep, &link, ns, out);
}

static int ipvlan_render_gateway(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                                 struct fact_set *out)
{
    struct addr gateway = endpoint_gateway(ep, family);

    if (!endpoint_has_way_out(ep, family))
        return 0;
    return wire_render_gateway(ep, family, &gateway, ns, out);
}

const struct driver_ops driver_ipvlan = {
    .name = "ipvlan",
    .has_pools = true,
    .prepare_network = ipvlan_prepare_network,
    .check_endpoint = ipvlan_check_endpoint,
    .render_network = ipvlan_render_network,
    .render_endpoint = ipvlan_render_endpoint,
    .render_gateway = ipvlan_render_gateway,
};
