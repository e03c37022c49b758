/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links in routing netlink: the part of rtnl.h for FACT_LINK, and what the kernel calls their kinds
 * and modes. */

#include "kernel/rtnl.h"

/* As rtnl_encode. */
int rtnl_link_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
                     enum rtnl_phase phase, struct weft_error *err);
/* Whether the operation makes a link appear or disappear: peers and loopbacks only have settings
 * changed. */
bool rtnl_link_comes_or_goes(const struct op *op);

/* The requests for the VLANs of a bridge or a port that is as `old` says. */
int rtnl_encode_vlans(struct netlink_batch *b, const struct rtnl_target *target,
                      const struct fact_link *link, const struct fact_link *old,
                      struct weft_error *err);

/* Reads IFLA_AF_SPEC of a port in the family AF_BRIDGE, as dumped with
 * RTEXT_FILTER_BRVLAN_COMPRESSED. The link has its kind. */
void rtnl_read_port_vlans(const struct nlattr *spec, struct fact_link *link);

/* The index of a link in the socket's namespace, or -errno with a sentence. */
int rtnl_find_link(const struct netlink *nl, const char *name, struct weft_error *err);

/* Reads RTM_NEWLINK. fact has its kind and namespace; ends has its namespace's number. The names
 * behind indices are left out. -ENODATA: it is something else. */
int rtnl_link_read(const struct nlmsghdr *nlh, struct fact *fact, struct rtnl_link *ends);

/* IFLA_INFO_KIND of a kind of link that weft makes; NULL: it makes none such. */
const char *rtnl_kind_name(enum link_kind kind);
/* The reverse; LINK_OTHER for all the rest. The ends of a veth pair are told apart by where they
 * are. */
enum link_kind rtnl_kind(const char *name, bool is_host);

/* IFLA_MACVLAN_MODE, IFLA_IPVLAN_MODE and IFLA_IPVLAN_FLAGS, and the reverse. */
uint32_t rtnl_macvlan_mode(enum link_mode mode);
enum link_mode rtnl_from_macvlan_mode(uint32_t mode);
uint16_t rtnl_ipvlan_mode(enum link_mode mode);
enum link_mode rtnl_from_ipvlan_mode(uint16_t mode);
uint16_t rtnl_ipvlan_flags(enum link_mode port_mode);
enum link_mode rtnl_from_ipvlan_flags(uint16_t flags);
