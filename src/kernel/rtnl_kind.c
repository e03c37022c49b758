/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_link.h>

#include "base/str.h"
#include "kernel/rtnl_link.h"

static const struct {
    enum link_kind kind;
    const char *name;
} kinds[] = {
    {LINK_BRIDGE, "bridge"}, {LINK_VETH, "veth"},       {LINK_VLAN, "vlan"},
    {LINK_IFB, "ifb"},       {LINK_MACVLAN, "macvlan"}, {LINK_IPVLAN, "ipvlan"},
};

const char *rtnl_kind_name(enum link_kind kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return NULL;
}

enum link_kind rtnl_kind(const char *name, bool is_host)
{
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (str_equal(kinds[i].name, name))
            return kinds[i].kind == LINK_VETH && !is_host ? LINK_VETH_PEER : kinds[i].kind;
    return LINK_OTHER;
}

/* Macvlan and ipvlan have different modes, so one table tells both. */
static const struct {
    enum link_mode mode;
    bool ipvlan;
    uint32_t number;
} modes[] = {
    {LINK_MODE_BRIDGE, false, MACVLAN_MODE_BRIDGE},
    {LINK_MODE_PRIVATE, false, MACVLAN_MODE_PRIVATE},
    {LINK_MODE_VEPA, false, MACVLAN_MODE_VEPA},
    {LINK_MODE_PASSTHRU, false, MACVLAN_MODE_PASSTHRU},
    {LINK_MODE_L2, true, IPVLAN_MODE_L2},
    {LINK_MODE_L3, true, IPVLAN_MODE_L3},
    {LINK_MODE_L3S, true, IPVLAN_MODE_L3S},
};

static uint32_t mode_number(enum link_mode mode, bool ipvlan, uint32_t fallback)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (modes[i].mode == mode && modes[i].ipvlan == ipvlan)
            return modes[i].number;
    return fallback;
}

static enum link_mode mode_of_number(uint32_t number, bool ipvlan)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (modes[i].number == number && modes[i].ipvlan == ipvlan)
            return modes[i].mode;
    return LINK_MODE_NONE;
}

uint32_t rtnl_macvlan_mode(enum link_mode mode)
{
    return mode_number(mode, false, MACVLAN_MODE_BRIDGE);
}

enum link_mode rtnl_from_macvlan_mode(uint32_t mode)
{
    return mode_of_number(mode, false);
}

uint16_t rtnl_ipvlan_mode(enum link_mode mode)
{
    return (uint16_t)mode_number(mode, true, IPVLAN_MODE_L2);
}

enum link_mode rtnl_from_ipvlan_mode(uint16_t mode)
{
    return mode_of_number(mode, true);
}

uint16_t rtnl_ipvlan_flags(enum link_mode port_mode)
{
    if (port_mode == LINK_MODE_PRIVATE)
        return IPVLAN_F_PRIVATE;
    return port_mode == LINK_MODE_VEPA ? IPVLAN_F_VEPA : 0;
}

enum link_mode rtnl_from_ipvlan_flags(uint16_t flags)
{
    if (flags & IPVLAN_F_PRIVATE)
        return LINK_MODE_PRIVATE;
    return flags & IPVLAN_F_VEPA ? LINK_MODE_VEPA : LINK_MODE_BRIDGE;
}
