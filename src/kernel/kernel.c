/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/kernel.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "kernel/conntrack.h"
#include "kernel/netns.h"
#include "kernel/ns_pool.h"
#include "kernel/private.h"
#include "kernel/sysctl.h"

DEFINE_CLEANUP(struct kernel *, kernel_close)

int kernel_open(struct kernel **ret, struct weft_error *err)
{
    _cleanup_(kernel_close_p) struct kernel *k = calloc(1, sizeof *k);
    int r;

    if (!k)
        return weft_oom(err);
    k->host_ns = netns_open_current(err);
    if (k->host_ns < 0)
        return k->host_ns;
    r = netlink_open(&k->rtnl, NETLINK_ROUTE, err);
    if (r >= 0)
        r = netlink_open(&k->nft, NETLINK_NETFILTER, err);
    if (r < 0)
        return r;
    k->has_ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
    *ret = TAKE_PTR(k);
    return 0;
}

void kernel_close(struct kernel *k)
{
    if (!k)
        return;
    removal_finish(&k->removals);
    (void)kernel_conntrack_finish(k, NULL);
    netlink_close(&k->rtnl);
    netlink_close(&k->nft);
    if (k->host_ns >= 0)
        (void)close(k->host_ns);
    free(k);
}

int kernel_link_index(struct kernel *k, const struct kstate_ns *ns, const char *name)
{
    struct ns_pool pool = {.k = k};
    struct netlink *nl;
    int r = ns_pool_rtnl(&pool, ns, &nl, NULL);

    if (r >= 0)
        r = netlink_link_index(nl, name);
    ns_pool_clear(&pool);
    return r == -ENOENT ? -ENODEV : r;
}

void kernel_set_fault(struct kernel *k, enum kernel_fault fault, unsigned nth)
{
    k->fault = fault;
    k->fault_nth = nth;
    k->fault_count = 0;
}

unsigned kernel_fault_count(const struct kernel *k)
{
    return k->fault_count;
}

bool kernel_filters_bridged(int family)
{
    char value[4] = "";

    /* Without the module there is no such sysctl, and nobody leads frames anywhere. */
    (void)sysctl_read(family == AF_INET6 ? "net/bridge/bridge-nf-call-ip6tables"
                                         : "net/bridge/bridge-nf-call-iptables",
                      value, sizeof value, NULL);
    return *value && !str_equal(value, "0");
}
