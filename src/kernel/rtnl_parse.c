/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "kernel/rtnl.h"

/* Room for a dump request: header, family header and one attribute. */
#define REQUEST_SIZE 64

static int get_addr(const struct nlattr *attr, uint8_t family, struct addr *ret)
{
    struct addr addr = {.family = family};

    if (mnl_attr_get_payload_len(attr) != addr_size(&addr))
        return -EBADMSG;
    memcpy(addr.bytes, mnl_attr_get_payload(attr), addr_size(&addr));
    *ret = addr;
    return 0;
}

static int parse_route_attr(const struct nlattr *attr, uint8_t family, struct rtnl_route *route)
{
    switch (mnl_attr_get_type(attr)) {
    case RTA_DST:
        return get_addr(attr, family, &route->destination.addr);
    case RTA_GATEWAY:
        return get_addr(attr, family, &route->via);
    case RTA_OIF:
        route->oif = (int)mnl_attr_get_u32(attr);
        return 0;
    case RTA_PRIORITY:
        route->metric = mnl_attr_get_u32(attr);
        return 0;
    case RTA_TABLE:
        route->table = mnl_attr_get_u32(attr);
        return 0;
    default:
        return 0;
    }
}

int rtnl_parse_route(const struct nlmsghdr *nlh, struct rtnl_route *ret)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    struct rtnl_route route = {0};
    const struct nlattr *attr;

    if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof *rtm ||
        (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6))
        return -ENODATA;
    route.destination.addr.family = rtm->rtm_family;
    route.destination.len = rtm->rtm_dst_len;
    route.table = rtm->rtm_table;
    route.type = rtm->rtm_type;
    route.protocol = rtm->rtm_protocol;
    mnl_attr_for_each(attr, nlh, sizeof *rtm) if (parse_route_attr(attr, rtm->rtm_family, &route) <
                                                  0) return -ENODATA;
    *ret = route;
    return 0;
}

int rtnl_dump_routes(struct netlink *nl, uint32_t table, netlink_message_fn *cb,
                     netlink_reset_fn *reset, void *ctx, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);

    nlh->nlmsg_type = RTM_GETROUTE;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtmsg));
    if (table != RT_TABLE_UNSPEC)
        mnl_attr_put_u32(nlh, RTA_TABLE, table);
    return netlink_dump(nl, nlh, cb, reset, ctx, err);
}

static int read_nsid(void *ctx, const struct nlmsghdr *nlh)
{
    const struct nlattr *attr;
    int *nsid = ctx;

    mnl_attr_for_each(attr, nlh,
                      sizeof(struct rtgenmsg)) if (mnl_attr_get_type(attr) == NETNSA_NSID) *nsid =
        (int)mnl_attr_get_u32(attr);
    return 0;
}

int rtnl_nsid(struct netlink *nl, int ns_fd, int *ret, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    int nsid = -1, r;

    nlh->nlmsg_type = RTM_GETNSID;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct rtgenmsg));
    mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)ns_fd);
    r = netlink_request(nl, nlh, read_nsid, &nsid, err);
    if (r < 0)
        return r;
    *ret = nsid;
    return 0;
}
