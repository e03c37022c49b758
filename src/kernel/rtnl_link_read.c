/* SPDX-License-Identifier: Apache-2.0 */

/* Links as dumped. In IFLA_LINKINFO a kind comes before what it says of the link. */

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/str.h"
#include "kernel/rtnl_link.h"

static void read_bridge(const struct nlattr *attr, struct fact_link *link)
{
    if (mnl_attr_get_type(attr) == IFLA_BR_STP_STATE)
        link->stp = mnl_attr_get_u32(attr);
    else if (mnl_attr_get_type(attr) == IFLA_BR_VLAN_FILTERING)
        link->vlan_aware = mnl_attr_get_u8(attr);
}

static void read_ipvlan(const struct nlattr *attr, struct fact_link *link)
{
    if (mnl_attr_get_type(attr) == IFLA_IPVLAN_MODE)
        link->mode = rtnl_from_ipvlan_mode(mnl_attr_get_u16(attr));
    else if (mnl_attr_get_type(attr) == IFLA_IPVLAN_FLAGS)
        link->port_mode = rtnl_from_ipvlan_flags(mnl_attr_get_u16(attr));
}

static void read_data(const struct nlattr *data, struct fact_link *link)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, data)
    {
        if (link->kind == LINK_BRIDGE)
            read_bridge(attr, link);
        else if (link->kind == LINK_IPVLAN)
            read_ipvlan(attr, link);
        else if (link->kind == LINK_MACVLAN && mnl_attr_get_type(attr) == IFLA_MACVLAN_MODE)
            link->mode = rtnl_from_macvlan_mode(mnl_attr_get_u32(attr));
        else if (link->kind == LINK_VLAN && mnl_attr_get_type(attr) == IFLA_VLAN_ID)
            link->vlan = mnl_attr_get_u16(attr);
    }
}

static bool has_data(enum link_kind kind)
{
    return kind == LINK_BRIDGE || kind == LINK_IPVLAN || kind == LINK_MACVLAN || kind == LINK_VLAN;
}

static void read_port(const struct nlattr *port, struct fact_link *link)
{
    const struct nlattr *attr;

    mnl_attr_for_each_nested(attr, port)
    {
        if (mnl_attr_get_type(attr) == IFLA_BRPORT_ISOLATED)
            link->isolated = mnl_attr_get_u8(attr);
        else if (mnl_attr_get_type(attr) == IFLA_BRPORT_MODE)
            link->hairpin = mnl_attr_get_u8(attr);
    }
}

static void read_info(const struct nlattr *info, bool is_host, struct fact_link *link)
{
    const struct nlattr *attr;
    bool is_port = false; /* of a bridge */

    mnl_attr_for_each_nested(attr, info)
    {
        switch (mnl_attr_get_type(attr)) {
        case IFLA_INFO_KIND:
            link->kind = rtnl_kind(mnl_attr_get_str(attr), is_host);
            break;
        case IFLA_INFO_DATA:
            if (has_data(link->kind))
                read_data(attr, link);
            break;
        case IFLA_INFO_SLAVE_KIND:
            is_port = str_equal(mnl_attr_get_str(attr), "bridge");
            break;
        case IFLA_INFO_SLAVE_DATA:
            if (is_port)
                read_port(attr, link);
            break;
        default:
            break;
        }
    }
}

/* A link without IPv6 does not make itself an address either. */
static bool read_no_autoconf(const struct nlattr *spec)
{
    const struct nlattr *family, *attr;

    mnl_attr_for_each_nested(family, spec)
    {
        if (mnl_attr_get_type(family) != AF_INET6)
            continue;
        mnl_attr_for_each_nested(
            attr, family) if (mnl_attr_get_type(attr) ==
                              IFLA_INET6_ADDR_GEN_MODE) return mnl_attr_get_u8(attr) ==
            IN6_ADDR_GEN_MODE_NONE;
    }
    return true;
}

static void read_attr(const struct nlattr *attr, struct fact *fact, struct rtnl_link *ends,
                      const char **alias)
{
    struct fact_link *link = &fact->link;

    switch (mnl_attr_get_type(attr)) {
    case IFLA_IFNAME:
        (void)str_copy(link->name, sizeof link->name, mnl_attr_get_str(attr));
        break;
    case IFLA_IFALIAS:
        *alias = mnl_attr_get_str(attr);
        break;
    case IFLA_MTU:
        link->mtu = mnl_attr_get_u32(attr);
        break;
    case IFLA_ADDRESS:
        if (mnl_attr_get_payload_len(attr) == sizeof link->mac.bytes)
            memcpy(link->mac.bytes, mnl_attr_get_payload(attr), sizeof link->mac.bytes);
        break;
    case IFLA_GROUP:
        fact->owned = mnl_attr_get_u32(attr) == FACT_LINK_GROUP;
        break;
    case IFLA_MASTER:
        ends->master = (int)mnl_attr_get_u32(attr);
        break;
    case IFLA_LINK:
        ends->peer_index = (int)mnl_attr_get_u32(attr);
        break;
    case IFLA_LINK_NETNSID:
        ends->peer_nsid = (int)mnl_attr_get_u32(attr);
        break;
    case IFLA_LINKINFO:
        read_info(attr, !fact->ns, link);
        break;
    case IFLA_AF_SPEC:
        link->no_autoconf = read_no_autoconf(attr);
        break;
    default:
        break;
    }
}

int rtnl_link_read(const struct nlmsghdr *nlh, struct fact *fact, struct rtnl_link *ends)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *attr;
    const char *alias = "";

    if (nlh->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(nlh) < sizeof *info)
        return -ENODATA;
    ends->index = info->ifi_index;
    ends->peer_nsid = -1;
    fact->link.no_autoconf = true;
    fact->link.kind = info->ifi_flags & IFF_LOOPBACK ? LINK_LOOPBACK : LINK_OTHER;
    fact->link.up = info->ifi_flags & IFF_UP;
    mnl_attr_for_each(attr, nlh, sizeof *info) read_attr(attr, fact, ends, &alias);
    if (fact->owned && str_starts_with(alias, FACT_MOVED_ALIAS)) {
        fact->link.kind = LINK_MOVED;
        (void)str_copy(fact->link.parent, sizeof fact->link.parent,
                       alias + strlen(FACT_MOVED_ALIAS));
    }
    return 0;
}
