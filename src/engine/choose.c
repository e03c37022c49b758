/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the user left open of a network: a subnet that overlaps neither another network nor a route
 * of the host, and a gateway in it.
 *
 * A subnet that the user names must not overlap another network; that it overlaps a route is the
 * user's choice, as with docker and podman: a narrower route simply wins.
 */

#include <errno.h>
#include <string.h>

#include "engine/parents.h"

struct taken_list {
    struct ipam_taken *items;
    size_t count;
};

static void taken_clear(struct taken_list *t)
{
    free(t->items);
}
#define _cleanup_taken_ _cleanup_(taken_clear)

static void taken_add(struct taken_list *t, const struct prefix *p, const char *by)
{
    t->items[t->count++] = (struct ipam_taken){.prefix = *p, .by = by};
}

/* Every subnet of every other network. */
static int taken_by_networks(struct engine *e, const struct network *except, size_t extra,
                             struct taken_list *ret, struct weft_error *err)
{
    size_t room = extra;

    for (size_t i = 0; i < e->network_count; i++)
        room += e->networks[i]->pool_count;
    ret->items = calloc(room + 1, sizeof *ret->items);
    if (!ret->items)
        return weft_oom(err);
    for (size_t i = 0; i < e->network_count; i++) {
        const struct network *net = e->networks[i];

        for (size_t j = 0; net != except && j < net->pool_count; j++)
            taken_add(ret, &net->pools[j].subnet, net->name);
    }
    return 0;
}

static int check_overlaps(struct engine *e, const struct network *net, struct weft_error *err)
{
    _cleanup_taken_ struct taken_list taken = {0};
    int r = taken_by_networks(e, net, 0, &taken, err);

    for (size_t i = 0; r == 0 && i < net->pool_count; i++) {
        const struct prefix *subnet = &net->pools[i].subnet;
        const struct ipam_taken *other = ipam_find_overlap(taken.items, taken.count, subnet);

        if (other)
            r = weft_fail(err, WEFT_FORBIDDEN,
                          "subnet %s of network %s overlaps subnet %s of network %s",
                          prefix_text(subnet), net->name, prefix_text(&other->prefix), other->by);
    }
    return r;
}

struct pool *network_add_pool(struct network *net, const struct prefix *subnet)
{
    struct pool *grown = realloc(net->pools, (net->pool_count + 1) * sizeof *grown);

    if (!grown)
        return NULL;
    net->pools = grown;
    net->pools[net->pool_count] = (struct pool){.subnet = *subnet};
    return &net->pools[net->pool_count++];
}

/* A subnet of the family for a network that names none. */
static int choose_subnet(struct engine *e, struct network *net, int family, struct weft_error *err)
{
    _cleanup_taken_ struct taken_list taken = {0};
    _cleanup_free_ struct prefix *routes = NULL;
    struct prefix subnet;
    size_t route_count = 0;
    int r = kernel_routes(e->kernel, &routes, &route_count, err);

    if (r == 0)
        r = taken_by_networks(e, net, route_count, &taken, err);
    if (r != 0)
        return r;
    for (size_t i = 0; i < route_count; i++)
        taken_add(&taken, &routes[i], "a route of the host");
    if (family == AF_INET)
        r = ipam_choose_subnet(e->config.pools, e->config.pool_count, taken.items, taken.count,
                               &subnet, err);
    else
        r = ipam_choose_ula(e->ula_global_id, 0, taken.items, taken.count, &subnet, err);
    if (r == 0 && !network_add_pool(net, &subnet))
        r = weft_oom(err);
    return r;
}

int check_pools(struct engine *e, const struct network *net, struct weft_error *err)
{
    return *net->link ? check_overlaps(e, net, err) : 0;
}

int choose_pools(struct engine *e, struct network *net, struct weft_error *err)
{
    int r = adopt_bridge(e, net, err);

    if (r == 0 && net->enable_ipv4 && !network_pool(net, AF_INET))
        r = choose_subnet(e, net, AF_INET, err);
    if (r == 0 && net->enable_ipv6 && !network_pool(net, AF_INET6))
        r = choose_subnet(e, net, AF_INET6, err);
    if (r == 0)
        r = check_overlaps(e, net, err);
    for (size_t i = 0; r == 0 && i < net->pool_count; i++)
        if (!addr_is_set(&net->pools[i].gateway) && !network_routes_by_parent(net))
            r = ipam_choose_gateway(&net->pools[i], &net->pools[i].gateway, err);
    return r;
}
