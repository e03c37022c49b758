/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Some things can only be set on a link that exists, hence requests that follow its making: the way
 * it gets a link-local address (IFLA_AF_SPEC), which must be settled before the link goes up; the
 * MTU of a bridge, which otherwise follows its ports' (br_mtu_auto_adjust() in net/bridge/br_if.c)
 * and jumps to 1500 with the last of them gone; and what a bridge knows of a port (isolation,
 * hairpin), which the kernel takes only of a link that has a bridge already (rtnl_changelink() in
 * net/core/rtnetlink.c).
 *
 * A macvlan or ipvlan of a namespace lies on a link of the host's. It is asked for on the host's
 * socket, for there its parent has an index; but before Linux 6.15 the kernel then refuses any name
 * that a link of the host's has, and eth0 is the likeliest of all. So it is born in its namespace
 * under a name that nobody has, and renamed there.
 */

#include "kernel/rtnl_link.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"

/* Below this MTU (IPV6_MIN_MTU) a link has no IPv6 at all, and nothing to say how its addresses are
 * made. */
#define IPV6_MTU_MIN 1280
/* What the kernel, too, calls a link that comes back to find its name taken. */
#define RETURNED_NAME "dev%d"

/* What to set on a link that exists. -1: as it is. */
struct settings {
    int master; /* index, 0: none */
    int isolated, hairpin;
    int stp, vlan_aware;
    int addr_gen_mode;
    int up;
    uint32_t mtu;          /* 0: as it is */
    const struct mac *mac; /* NULL: as it is */
};
static const struct settings nothing = {.master = -1,
                                        .isolated = -1,
                                        .hairpin = -1,
                                        .stp = -1,
                                        .vlan_aware = -1,
                                        .addr_gen_mode = -1,
                                        .up = -1};

static bool is_made(const struct fact_link *link)
{
    return rtnl_kind_name(link->kind);
}

bool rtnl_link_comes_or_goes(const struct op *op)
{
    const struct fact *f = &op->fact;

    return f->kind == FACT_LINK && op->verb != OP_CHANGE &&
           (is_made(&f->link) || f->link.kind == LINK_MOVED);
}

bool rtnl_begins_abroad(const struct op *op)
{
    const struct fact *f = &op->fact;

    return f->kind == FACT_LINK && f->ns && op->verb == OP_ADD &&
           (f->link.kind == LINK_MACVLAN || f->link.kind == LINK_IPVLAN ||
            f->link.kind == LINK_MOVED);
}

/* Requests that go by name must not hit a stranger's link whose name kept ours from coming. */
static int refuse_taken_name(const struct netlink *nl, const char *name, struct weft_error *err)
{
    return netlink_link_index(nl, name) > 0 ? weft_fail_errno(err, EEXIST, "link %s", name) : 0;
}

static void put_mac(struct nlmsghdr *nlh, const struct mac *mac)
{
    if (mac_is_set(mac))
        mnl_attr_put(nlh, IFLA_ADDRESS, sizeof mac->bytes, mac->bytes);
}

static void put_mtu(struct nlmsghdr *nlh, uint32_t mtu)
{
    if (mtu)
        mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
}

static void put_addr_gen_mode(struct nlmsghdr *nlh, int mode)
{
    struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

    mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, (uint8_t)mode);
    mnl_attr_nest_end(nlh, inet6);
    mnl_attr_nest_end(nlh, spec);
}

static void put_port(struct nlmsghdr *nlh, const struct settings *s)
{
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

    mnl_attr_put_strz(nlh, IFLA_INFO_SLAVE_KIND, "bridge");
    data = mnl_attr_nest_start(nlh, IFLA_INFO_SLAVE_DATA);
    if (s->isolated >= 0)
        mnl_attr_put_u8(nlh, IFLA_BRPORT_ISOLATED, (uint8_t)s->isolated);
    if (s->hairpin >= 0)
        mnl_attr_put_u8(nlh, IFLA_BRPORT_MODE, (uint8_t)s->hairpin);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
}

static void put_bridge(struct nlmsghdr *nlh, int stp, int vlan_aware)
{
    if (stp >= 0)
        mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, (uint32_t)stp);
    if (vlan_aware >= 0)
        mnl_attr_put_u8(nlh, IFLA_BR_VLAN_FILTERING, (uint8_t)vlan_aware);
}

/* Begins a request about a link; up is as in struct settings. */
static struct nlmsghdr *begin_link(struct netlink_batch *b, uint16_t type, uint16_t flags,
                                   const char *name, int up)
{
    struct nlmsghdr *nlh = netlink_batch_begin_request(b, type, flags);
    struct ifinfomsg *info;

    if (!nlh)
        return NULL;
    info = mnl_nlmsg_put_extra_header(nlh, sizeof *info);
    if (up >= 0)
        info->ifi_change = IFF_UP;
    if (up > 0)
        info->ifi_flags = IFF_UP;
    mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    return nlh;
}

/* The same by index: the name is what it shall be called. */
static struct nlmsghdr *begin_renaming(struct netlink_batch *b, int index, const char *name)
{
    struct nlmsghdr *nlh = begin_link(b, RTM_SETLINK, 0, name, -1);

    if (nlh)
        ((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_index = index;
    return nlh;
}

/* ---- birth ---- */

/* The other end of a veth: a message in the message (struct ifinfomsg and attributes). */
static void put_veth_peer(struct nlmsghdr *nlh, const struct fact_link *link, int peer_ns)
{
    struct nlattr *peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);

    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(nlh, IFLA_IFNAME, link->peer_name);
    mnl_attr_put_u32(nlh, IFLA_GROUP, FACT_LINK_GROUP);
    mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)peer_ns);
    put_mac(nlh, &link->peer_mac);
    put_mtu(nlh, link->mtu);
    mnl_attr_nest_end(nlh, peer);
}

static void put_info(struct nlmsghdr *nlh, const struct fact_link *link, int peer_ns)
{
    struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO), *data;

    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, rtnl_kind_name(link->kind));
    data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    switch (link->kind) {
    case LINK_BRIDGE:
        put_bridge(nlh, link->stp ? 1 : -1, link->vlan_aware ? 1 : -1);
        break;
    case LINK_VETH:
        put_veth_peer(nlh, link, peer_ns);
        break;
    case LINK_VLAN:
        mnl_attr_put_u16(nlh, IFLA_VLAN_ID, link->vlan);
        break;
    case LINK_MACVLAN:
        mnl_attr_put_u32(nlh, IFLA_MACVLAN_MODE, rtnl_macvlan_mode(link->mode));
        break;
    case LINK_IPVLAN:
        mnl_attr_put_u16(nlh, IFLA_IPVLAN_MODE, rtnl_ipvlan_mode(link->mode));
        mnl_attr_put_u16(nlh, IFLA_IPVLAN_FLAGS, rtnl_ipvlan_flags(link->port_mode));
        break;
    default:
        break;
    }
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
}

/* Makes the link, born up or not; ns is where it is born: -1, or (abroad) its own namespace, where
 * it is not to be called by its name yet. */
static int encode_birth(struct netlink_batch *b, const struct rtnl_target *target,
                        const struct fact_link *link, int up, int ns, struct weft_error *err)
{
    char unborn[IFNAMSIZ];
    int master = 0, parent = 0;
    struct nlmsghdr *nlh;

    if (*link->master && ns < 0)
        master = rtnl_find_link(target->nl, link->master, err);
    if (*link->parent && master >= 0)
        parent = rtnl_find_link(target->host_nl, link->parent, err);
    if (master < 0 || parent < 0)
        return master < 0 ? master : parent;
    link_unborn_name(link->name, unborn);
    nlh = begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ns < 0 ? link->name : unborn, up);
    if (!nlh)
        return weft_oom(err);
    mnl_attr_put_u32(nlh, IFLA_GROUP, FACT_LINK_GROUP);
    if (link->mode != LINK_MODE_PASSTHRU)
        put_mac(nlh, &link->mac);
    if (master)
        mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)master);
    if (parent)
        mnl_attr_put_u32(nlh, IFLA_LINK, (uint32_t)parent);
    if (ns >= 0)
        mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)ns);
    if (link->kind != LINK_BRIDGE)
        put_mtu(nlh, link->mtu);
    put_info(nlh, link, target->peer_ns);
    netlink_batch_end(b, nlh);
    return 0;
}

static int encode_naming(struct netlink_batch *b, const struct rtnl_target *target,
                         const char *name, struct weft_error *err)
{
    char unborn[IFNAMSIZ];
    struct nlmsghdr *nlh;
    int index;

    link_unborn_name(name, unborn);
    index = rtnl_find_link(target->nl, unborn, err);
    if (index < 0)
        return index;
    nlh = begin_renaming(b, index, name);
    if (!nlh)
        return weft_oom(err);
    netlink_batch_end(b, nlh);
    return 0;
}

/* ---- links that move ---- */

static int encode_move(struct netlink_batch *b, int index, int ns, const char *name, uint32_t group,
                       const char *alias, struct weft_error *err)
{
    struct nlmsghdr *nlh = begin_renaming(b, index, name);

    if (!nlh)
        return weft_oom(err);
    if (ns >= 0)
        mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)ns);
    mnl_attr_put_u32(nlh, IFLA_GROUP, group);
    mnl_attr_put(nlh, IFLA_IFALIAS, strlen(alias), alias);
    netlink_batch_end(b, nlh);
    return 0;
}

static int encode_taking(struct netlink_batch *b, const struct rtnl_target *target,
                         const struct fact_link *link, struct weft_error *err)
{
    char alias[sizeof FACT_MOVED_ALIAS + IFNAMSIZ];
    int index = rtnl_find_link(target->host_nl, link->parent, err);

    if (index < 0)
        return index;
    (void)snprintf(alias, sizeof alias, FACT_MOVED_ALIAS "%s", link->parent);
    return encode_move(b, index, target->ns, link->name, FACT_LINK_GROUP, alias, err);
}

/* It is in the host already when its namespace ended without weft, and then only has to get its
 * name back. */
static int encode_return(struct netlink_batch *b, const struct rtnl_target *target,
                         const struct fact *fact, struct weft_error *err)
{
    const struct fact_link *link = &fact->link;
    const char *name = *link->parent ? link->parent : link->name;
    int index = rtnl_find_link(target->nl, link->name, err);
    int there = netlink_link_index(target->host_nl, name);

    if (index < 0)
        return index;
    if (there > 0 && (fact->ns || there != index)) {
        log_warning("there is another link %s by now: the one that was lent out comes back under "
                    "another name",
                    name);
        name = RETURNED_NAME;
    }
    return encode_move(b, index, fact->ns ? target->host_ns : -1, name, 0, "", err);
}

/* ---- settings ---- */

static int encode_settings(struct netlink_batch *b, const char *name, const struct settings *s,
                           struct weft_error *err)
{
    struct nlmsghdr *nlh;

    if (s->master >= 0 || s->addr_gen_mode >= 0 || s->mtu || s->mac) {
        nlh = begin_link(b, RTM_SETLINK, 0, name, -1);
        if (!nlh)
            return weft_oom(err);
        if (s->master >= 0)
            mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)s->master);
        put_mtu(nlh, s->mtu);
        if (s->mac)
            put_mac(nlh, s->mac);
        if (s->addr_gen_mode >= 0)
            put_addr_gen_mode(nlh, s->addr_gen_mode);
        netlink_batch_end(b, nlh);
    }
    if (s->isolated >= 0 || s->hairpin >= 0) {
        nlh = begin_link(b, RTM_NEWLINK, 0, name, -1);
        if (!nlh)
            return weft_oom(err);
        put_port(nlh, s);
        netlink_batch_end(b, nlh);
    }
    if (s->up >= 0) {
        nlh = begin_link(b, RTM_SETLINK, 0, name, s->up);
        if (!nlh)
            return weft_oom(err);
        netlink_batch_end(b, nlh);
    }
    return 0;
}

static int encode_bridge_settings(struct netlink_batch *b, const char *name,
                                  const struct settings *s, struct weft_error *err)
{
    struct nlattr *info, *data;
    struct nlmsghdr *nlh;

    if (s->stp < 0 && s->vlan_aware < 0)
        return 0;
    nlh = begin_link(b, RTM_NEWLINK, 0, name, -1);
    if (!nlh)
        return weft_oom(err);
    info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
    data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    put_bridge(nlh, s->stp, s->vlan_aware);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
    netlink_batch_end(b, nlh);
    return 0;
}

static int addr_gen_mode(const struct rtnl_target *target, const struct fact_link *link)
{
    if (!target->has_ipv6 || (link->mtu && link->mtu < IPV6_MTU_MIN))
        return -1;
    return link->no_autoconf ? IN6_ADDR_GEN_MODE_NONE : IN6_ADDR_GEN_MODE_EUI64;
}

/* What has to be set on a link that is as `from` says. *ret refers to link. */
static int compare_settings(const struct rtnl_target *target, const struct fact_link *link,
                            const struct fact_link *from, struct settings *ret,
                            struct weft_error *err)
{
    struct settings s = nothing;
    bool same_port;

    if (!str_equal(link->master, from->master))
        s.master = *link->master ? rtnl_find_link(target->nl, link->master, err) : 0;
    if (s.master < -1)
        return s.master;
    same_port = s.master < 0; /* a new port is not isolated, and has no hairpin mode */
    if (*link->master && link->isolated != (from->isolated && same_port))
        s.isolated = link->isolated;
    if (*link->master && link->hairpin != (from->hairpin && same_port))
        s.hairpin = link->hairpin;
    if (link->no_autoconf != from->no_autoconf)
        s.addr_gen_mode = addr_gen_mode(target, link);
    if (link->mtu != from->mtu)
        s.mtu = link->mtu;
    if (mac_is_set(&link->mac) && !mac_equal(&link->mac, &from->mac))
        s.mac = &link->mac;
    if (link->up != from->up)
        s.up = link->up;
    if (link->kind == LINK_BRIDGE && link->stp != from->stp)
        s.stp = link->stp;
    if (link->kind == LINK_BRIDGE && link->vlan_aware != from->vlan_aware)
        s.vlan_aware = link->vlan_aware;
    *ret = s;
    return 0;
}

/* What a link is like that has just come. Where nothing must be set before it goes up, it may have
 * come up. */
static struct fact_link newborn(const struct fact_link *link)
{
    struct fact_link born = {0};

    if (link->kind == LINK_BORROWED || link->kind == LINK_MOVED)
        return born;
    if (is_made(link)) {
        born = *link;
        born.no_autoconf = born.isolated = born.hairpin = born.up = false;
        if (link->kind == LINK_BRIDGE)
            born.mtu = 0;
        if (link->mode == LINK_MODE_PASSTHRU)
            born.mac = (struct mac){0}; /* it has its parent's, and the two change together */
        return born;
    }
    /* A peer's MAC; nor is it asked whose port it is. */
    born.mac = link->mac;
    memcpy(born.master, link->master, sizeof born.master);
    return born;
}

static bool is_plain(const struct settings *s)
{
    return s->addr_gen_mode < 0 && s->isolated < 0 && s->hairpin < 0 && !s->mtu;
}

static int encode_add_at_home(struct netlink_batch *b, const struct rtnl_target *target,
                              const struct op *op, struct weft_error *err)
{
    const struct fact_link *link = &op->fact.link;
    struct fact_link born = newborn(link);
    bool born_up = false;
    struct settings s;
    int r = compare_settings(target, link, &born, &s, err);

    if (r < 0)
        return r;
    if (rtnl_begins_abroad(op)) {
        if (is_made(link))
            r = encode_naming(b, target, link->name, err);
    } else if (is_made(link)) {
        born_up = link->up && is_plain(&s);
        if (born_up)
            s.up = -1;
        r = refuse_taken_name(target->nl, link->name, err);
        if (r >= 0)
            r = encode_birth(b, target, link, born_up ? 1 : -1, -1, err);
    }
    return r < 0 ? r : encode_settings(b, link->name, &s, err);
}

static int encode_abroad(struct netlink_batch *b, const struct rtnl_target *target,
                         const struct fact_link *link, struct weft_error *err)
{
    int r = refuse_taken_name(target->nl, link->name, err);

    if (r < 0)
        return r;
    if (link->kind == LINK_MOVED)
        return encode_taking(b, target, link, err);
    return encode_birth(b, target, link, -1, target->ns, err);
}

static int encode_change(struct netlink_batch *b, const struct rtnl_target *target,
                         const struct fact_link *link, const struct fact_link *old,
                         struct weft_error *err)
{
    struct settings s;
    int r = compare_settings(target, link, old, &s, err);

    if (r >= 0)
        r = encode_bridge_settings(b, link->name, &s, err);
    return r < 0 ? r : encode_settings(b, link->name, &s, err);
}

static int encode_remove(struct netlink_batch *b, const struct rtnl_target *target,
                         const struct fact *fact, struct weft_error *err)
{
    const struct fact_link *link = &fact->link;
    struct settings s = nothing;
    struct nlmsghdr *nlh;

    switch (link->kind) {
    case LINK_LOOPBACK:
    case LINK_VETH_PEER:
        s.up = false;
        return encode_settings(b, link->name, &s, err);
    case LINK_BORROWED:
        s.master = *link->master ? 0 : -1;
        return encode_settings(b, link->name, &s, err);
    case LINK_MOVED:
        return encode_return(b, target, fact, err);
    default:
        break;
    }
    nlh = begin_link(b, RTM_DELLINK, 0, link->name, -1);
    if (!nlh)
        return weft_oom(err);
    netlink_batch_end(b, nlh);
    return 0;
}

int rtnl_link_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
                     enum rtnl_phase phase, struct weft_error *err)
{
    const struct fact_link *link = &op->fact.link, none = {0};

    if (op->verb == OP_ADD && link->kind == LINK_OTHER)
        return weft_fail(err, WEFT_UNSUPPORTED, "links of this kind cannot be made");
    switch (phase) {
    case RTNL_ABROAD:
        return rtnl_begins_abroad(op) ? encode_abroad(b, target, link, err) : 0;
    case RTNL_LATE:
        if (op->verb == OP_REMOVE)
            return 0;
        return rtnl_encode_vlans(b, target, link, op->verb == OP_ADD ? &none : &op->old.link, err);
    default:
        break;
    }
    if (op->verb == OP_ADD)
        return encode_add_at_home(b, target, op, err);
    if (op->verb == OP_CHANGE)
        return encode_change(b, target, link, &op->old.link, err);
    return encode_remove(b, target, &op->fact, err);
}
