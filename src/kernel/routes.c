/* SPDX-License-Identifier: Apache-2.0 */

/* Questions about the host's routes. */

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/str.h"
#include "kernel/private.h"
#include "kernel/rtnl.h"

struct destinations {
    struct prefix *prefixes;
    size_t count;
    size_t capacity;
};

static int take_destination(void *ctx, const struct nlmsghdr *nlh)
{
    struct destinations *d = ctx;
    struct rtnl_route route;

    if (rtnl_parse_route(nlh, &route) < 0 || route.table == RT_TABLE_LOCAL ||
        route.destination.len == 0)
        return 0;
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 32;
        struct prefix *grown = reallocarray(d->prefixes, capacity, sizeof *grown);

        if (!grown)
            return -ENOMEM;
        d->prefixes = grown;
        d->capacity = capacity;
    }
    d->prefixes[d->count++] = route.destination;
    return 0;
}

static void forget_destinations(void *ctx)
{
    ((struct destinations *)ctx)->count = 0;
}

int kernel_routes(struct kernel *k, struct prefix **ret, size_t *ret_count, struct weft_error *err)
{
    struct destinations d = {0};
    int r =
        rtnl_dump_routes(&k->rtnl, RT_TABLE_UNSPEC, take_destination, forget_destinations, &d, err);

    if (r < 0) {
        free(d.prefixes);
        return r;
    }
    *ret = d.prefixes;
    *ret_count = d.count;
    return 0;
}

/* IPv4 before IPv6, then the lower metric. */
static bool is_better(const struct rtnl_route *a, const struct rtnl_route *b)
{
    if (a->destination.addr.family != b->destination.addr.family)
        return a->destination.addr.family == AF_INET;
    return a->metric < b->metric;
}

static int take_default(void *ctx, const struct nlmsghdr *nlh)
{
    struct rtnl_route *best = ctx, route;

    if (rtnl_parse_route(nlh, &route) == 0 && route.type == RTN_UNICAST &&
        route.destination.len == 0 && route.oif && (!best->oif || is_better(&route, best)))
        *best = route;
    return 0;
}

static void forget_default(void *ctx)
{
    *(struct rtnl_route *)ctx = (struct rtnl_route){0};
}

int kernel_default_mtu(struct kernel *k, uint32_t *ret, struct weft_error *err)
{
    int fd = mnl_socket_get_fd(k->rtnl.socket);
    struct rtnl_route best = {0};
    struct ifreq request = {0};
    int r = rtnl_dump_routes(&k->rtnl, RT_TABLE_MAIN, take_default, forget_default, &best, err);

    if (r < 0)
        return r;
    request.ifr_ifindex = best.oif;
    if (!best.oif || ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFMTU, &request) < 0)
        *ret = 0; /* no such route, or its link has just gone */
    else
        *ret = (uint32_t)request.ifr_mtu;
    return 0;
}
