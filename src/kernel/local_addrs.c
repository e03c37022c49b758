/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/local_addrs.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_SIZE 64

int local_addrs_parse(const struct nlmsghdr *nlh, struct prefix *ret)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    struct prefix prefix = {0};
    const struct nlattr *attr;
    bool has_local = false;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof *ifa ||
        (ifa->ifa_family != AF_INET && ifa->ifa_family != AF_INET6))
        return -ENODATA;
    prefix.addr.family = ifa->ifa_family;
    prefix.len = ifa->ifa_prefixlen;
    mnl_attr_for_each(attr, nlh, sizeof *ifa)
    {
        uint16_t type = mnl_attr_get_type(attr);

        /* IFA_ADDRESS is the same, or on a point-to-point link the other side's. */
        if ((type != IFA_LOCAL && (type != IFA_ADDRESS || has_local)) ||
            mnl_attr_get_payload_len(attr) != addr_size(&prefix.addr))
            continue;
        memcpy(prefix.addr.bytes, mnl_attr_get_payload(attr), addr_size(&prefix.addr));
        has_local = type == IFA_LOCAL;
    }
    *ret = prefix;
    return 0;
}

static int take(void *ctx, const struct nlmsghdr *nlh)
{
    struct local_addrs *local = ctx;
    struct prefix prefix;

    if (nlh->nlmsg_type != RTM_NEWADDR || local_addrs_parse(nlh, &prefix) < 0)
        return 0;
    if (local->count == local->capacity) {
        size_t capacity = local->capacity ? 2 * local->capacity : 16;
        struct addr *grown = reallocarray(local->addrs, capacity, sizeof *grown);

        if (!grown)
            return -ENOMEM;
        local->addrs = grown;
        local->capacity = capacity;
    }
    local->addrs[local->count++] = prefix.addr;
    return 0;
}

static void forget(void *ctx)
{
    ((struct local_addrs *)ctx)->count = 0;
}

static int compare(const void *a, const void *b)
{
    return addr_compare(a, b);
}

int local_addrs_read(struct netlink *rtnl, struct local_addrs *ret, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    int r;

    nlh->nlmsg_type = RTM_GETADDR;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
    r = netlink_dump(rtnl, nlh, take, forget, ret, err);
    if (r >= 0 && ret->count)
        qsort(ret->addrs, ret->count, sizeof *ret->addrs, compare);
    return r;
}

bool local_addrs_contain(const struct local_addrs *local, const struct addr *addr)
{
    return local->count && bsearch(addr, local->addrs, local->count, sizeof *addr, compare);
}

void local_addrs_clear(struct local_addrs *local)
{
    free(local->addrs);
    *local = (struct local_addrs){0};
}
