/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The addresses of a namespace's links, and how rtnetlink speaks of one. */

#include "base/addr.h"
#include "kernel/netlink.h"

/* The address in an RTM_NEWADDR or RTM_DELADDR, with the prefix length of its network. 0, or
 * -ENODATA when the message is not about IPv4 or IPv6. */
int local_addrs_parse(const struct nlmsghdr *nlh, struct prefix *ret);

/* Zero-initialise. */
struct local_addrs {
    struct addr *addrs; /* sorted */
    size_t count;
    size_t capacity;
};
/* All of the socket's namespace. 0 or -errno. */
int local_addrs_read(struct netlink *rtnl, struct local_addrs *ret, struct weft_error *err);
bool local_addrs_contain(const struct local_addrs *local, const struct addr *addr);
void local_addrs_clear(struct local_addrs *local);
