/* SPDX-License-Identifier: Apache-2.0 */

/*
 * VLANs of bridges and ports are asked for by index, in a family of their own (AF_BRIDGE).
 *
 * A bridge without a notion of VLANs (CONFIG_BRIDGE_VLAN_FILTERING) was until lately silent when
 * asked to filter by them. So it is asked for a VLAN of its own, too, which it has already if it
 * can, and refuses if it cannot.
 *
 * A range of VLANs is two entries that follow each other, its first VLAN and its last. The kernel
 * tells ranges of VLANs with equal flags in the same way when it is asked to compress: one by one a
 * trunk's would not fit into a message.
 */

#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "kernel/rtnl_link.h"

#define UNTAGGED (BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED)

bool rtnl_ends_late(const struct op *op)
{
    const struct fact *f = &op->fact;

    return f->kind == FACT_LINK && op->verb != OP_REMOVE &&
           (f->link.vlan_aware || f->link.vlan || f->link.trunk ||
            (op->verb == OP_CHANGE && op->old.link.trunk));
}

static int encode_vlans(struct netlink_batch *b, uint16_t type, int index, bool of_bridge,
                        const struct bridge_vlan_info *vlans, size_t count, struct weft_error *err)
{
    struct nlmsghdr *nlh = netlink_batch_begin_request(b, type, 0);
    struct ifinfomsg *info;
    struct nlattr *spec;

    if (!nlh)
        return weft_oom(err);
    info = mnl_nlmsg_put_extra_header(nlh, sizeof *info);
    info->ifi_family = AF_BRIDGE;
    info->ifi_index = index;
    spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    if (of_bridge)
        mnl_attr_put_u16(nlh, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
    for (size_t i = 0; i < count; i++)
        mnl_attr_put(nlh, IFLA_BRIDGE_VLAN_INFO, sizeof vlans[i], &vlans[i]);
    mnl_attr_nest_end(nlh, spec);
    netlink_batch_end(b, nlh);
    return 0;
}

/* The port leaves, or joins tagged, the VLANs from this one on. */
static int encode_range(struct netlink_batch *b, uint16_t type, int index, uint16_t first,
                        struct weft_error *err)
{
    const struct bridge_vlan_info range[] = {
        {.flags = BRIDGE_VLAN_INFO_RANGE_BEGIN, .vid = first},
        {.flags = BRIDGE_VLAN_INFO_RANGE_END, .vid = LINK_VLAN_MAX},
    };

    return encode_vlans(b, type, index, false, range, ARRAY_SIZE(range), err);
}

static int encode_port_vlans(struct netlink_batch *b, int index, struct link_vlan_change change,
                             struct weft_error *err)
{
    const struct bridge_vlan_info join = {.flags = UNTAGGED, .vid = change.join};
    int r = 0;

    if (change.leave)
        r = encode_range(b, RTM_DELLINK, index, change.leave, err);
    if (r >= 0 && change.becomes_trunk)
        r = encode_range(b, RTM_SETLINK, index, LINK_TRUNK_FIRST, err);
    if (r >= 0 && change.join)
        r = encode_vlans(b, RTM_SETLINK, index, false, &join, 1, err);
    return r;
}

int rtnl_encode_vlans(struct netlink_batch *b, const struct rtnl_target *target,
                      const struct fact_link *link, const struct fact_link *old,
                      struct weft_error *err)
{
    static const struct bridge_vlan_info own = {.flags = UNTAGGED, .vid = LINK_VLAN_DEFAULT};
    struct link_vlan_change change = link_vlan_change(link, old);
    bool is_aware = link->kind == LINK_BRIDGE && link->vlan_aware && !old->vlan_aware;
    bool changes = change.leave || change.becomes_trunk || change.join;
    int index = is_aware || changes ? rtnl_find_link(target->nl, link->name, err) : 0;
    int r = index < 0 ? index : 0;

    if (r >= 0 && is_aware)
        r = encode_vlans(b, RTM_SETLINK, index, true, &own, 1, err);
    if (r >= 0 && changes)
        r = encode_port_vlans(b, index, change, err);
    return r;
}

/* How many of a trunk's VLANs lie from first to last. */
static unsigned count_trunk(uint16_t first, uint16_t last)
{
    if (first < LINK_TRUNK_FIRST)
        first = LINK_TRUNK_FIRST;
    if (last > LINK_VLAN_MAX)
        last = LINK_VLAN_MAX;
    return first <= last ? last - first + 1u : 0;
}

void rtnl_read_port_vlans(const struct nlattr *spec, struct fact_link *link)
{
    const struct nlattr *attr;
    uint16_t first = 0;
    unsigned count = 0;

    mnl_attr_for_each_nested(attr, spec)
    {
        const struct bridge_vlan_info *vlan = mnl_attr_get_payload(attr);
        bool is_own;

        if (mnl_attr_get_type(attr) != IFLA_BRIDGE_VLAN_INFO ||
            mnl_attr_get_payload_len(attr) < sizeof *vlan)
            continue;
        if (!(vlan->flags & BRIDGE_VLAN_INFO_RANGE_END))
            first = vlan->vid;
        if (vlan->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN)
            continue;
        is_own = vlan->flags & BRIDGE_VLAN_INFO_PVID;
        if (is_own && link->kind != LINK_VLAN)
            link->vlan = vlan->vid;
        if (is_own || !(vlan->flags & BRIDGE_VLAN_INFO_UNTAGGED))
            count += count_trunk(first, vlan->vid);
    }
    link->trunk = count == count_trunk(LINK_TRUNK_FIRST, LINK_VLAN_MAX);
}
