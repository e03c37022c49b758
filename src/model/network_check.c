/* SPDX-License-Identifier: Apache-2.0 */
#include "model/network_check.h"

#include <string.h>

#include "model/option.h"

static const char *family_name(int family)
{
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

static int check_host_bits(const char *what, const struct prefix *p, const char *name,
                           struct weft_error *err)
{
    struct prefix network = prefix_network(p);

    if (!prefix_has_host_bits(p))
        return 0;
    return weft_fail(err, WEFT_INVALID, "%s %s of network %s has host bits set: did you mean %s?",
                     what, prefix_text(p), name, prefix_text(&network));
}

/* Addresses that no network's hosts can have. */
static int check_purpose(const struct prefix *subnet, const char *name, struct weft_error *err)
{
    static const struct {
        struct prefix prefix;
        const char *purpose;
    } reserved[] = {
        {{{AF_INET, {0}}, 8}, "\"this network\""}, /* RFC 1122, 3.2.1.3 */
        {{{AF_INET, {127}}, 8}, "loopback"},         {{{AF_INET, {224}}, 4}, "multicast"},
        {{{AF_INET6, {[15] = 1}}, 128}, "loopback"}, {{{AF_INET6, {0xff}}, 8}, "multicast"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
        if (prefix_overlaps(subnet, &reserved[i].prefix))
            return weft_fail(err, WEFT_INVALID, "subnet %s of network %s overlaps %s, which is %s",
                             prefix_text(subnet), name, prefix_text(&reserved[i].prefix),
                             reserved[i].purpose);
    return 0;
}

static int check_subnet(const struct network *net, const struct prefix *subnet,
                        struct weft_error *err)
{
    int family = subnet->addr.family;
    bool enabled = family == AF_INET6 ? net->enable_ipv6 : net->enable_ipv4;

    if (!enabled)
        return weft_fail(err, WEFT_INVALID, "subnet %s of network %s is %s, which is not enabled",
                         prefix_text(subnet), net->name, family_name(family));
    int r = check_host_bits("subnet", subnet, net->name, err);
    return r < 0 ? r : check_purpose(subnet, net->name, err);
}

static int check_range(const struct pool *pool, const char *name, struct weft_error *err)
{
    if (!prefix_is_set(&pool->range))
        return 0;
    int r = check_host_bits("range", &pool->range, name, err);
    if (r < 0)
        return r;
    if (!prefix_covers(&pool->subnet, &pool->range))
        return weft_fail(err, WEFT_INVALID, "range %s of network %s is outside its subnet %s",
                         prefix_text(&pool->range), name, prefix_text(&pool->subnet));
    return 0;
}

/* One address that the user named, a gateway or an auxiliary one; what says which. */
static int check_member(const struct pool *pool, const char *what, const struct addr *addr,
                        const char *name, struct weft_error *err)
{
    struct addr first = prefix_first(&pool->subnet);
    const char *role;

    if (!prefix_contains(&pool->subnet, addr))
        return weft_fail(err, WEFT_INVALID, "%s %s of network %s is outside its subnet %s", what,
                         addr_text(addr), name, prefix_text(&pool->subnet));
    if (pool_is_usable(pool, addr))
        return 0;
    if (!addr_equal(addr, &first))
        role = "broadcast";
    else
        role = addr->family == AF_INET ? "network" : "subnet-router anycast";
    return weft_fail(err, WEFT_INVALID, "%s %s of network %s is the %s address of subnet %s", what,
                     addr_text(addr), name, role, prefix_text(&pool->subnet));
}

static int check_aux(const struct pool *pool, const struct aux_address *aux, const char *name,
                     struct weft_error *err)
{
    const struct aux_address *other = pool_aux(pool, &aux->addr);
    int r = check_member(pool, "auxiliary address", &aux->addr, name, err);

    if (r < 0)
        return r;
    if (addr_equal(&aux->addr, &pool->gateway))
        return weft_fail(err, WEFT_INVALID, "auxiliary address %s of network %s is its gateway",
                         addr_text(&aux->addr), name);
    if (other != aux)
        return weft_fail(err, WEFT_INVALID,
                         "auxiliary address %s of network %s has two names, %s and %s",
                         addr_text(&aux->addr), name, other->name, aux->name);
    return 0;
}

/* Whether an endpoint can have an address here: one that is left beside those with a fixed use.
 * A gateway that is still to be chosen takes one more. */
static int check_room(const struct pool *pool, const char *name, struct weft_error *err)
{
    const struct prefix *area = pool_area(pool);
    uint64_t size = prefix_size(area), needed = addr_is_set(&pool->gateway) ? 1 : 2;
    struct addr addr = prefix_first(area);

    for (uint64_t i = 0; i < size && needed; i++, addr = addr_add(&addr, 1))
        if (pool_is_usable(pool, &addr) && !addr_equal(&addr, &pool->gateway) &&
            !pool_aux(pool, &addr))
            needed--;
    if (needed)
        return weft_fail(err, WEFT_INVALID, "pool %s of network %s has no address for an endpoint",
                         prefix_text(area), name);
    return 0;
}

static int check_pool(const struct network *net, const struct pool *pool, struct weft_error *err)
{
    int r = check_subnet(net, &pool->subnet, err);

    if (r == 0)
        r = check_range(pool, net->name, err);
    if (r == 0 && addr_is_set(&pool->gateway))
        r = check_member(pool, "gateway", &pool->gateway, net->name, err);
    for (size_t i = 0; r == 0 && i < pool->aux_count; i++)
        r = check_aux(pool, &pool->aux[i], net->name, err);
    return r < 0 ? r : check_room(pool, net->name, err);
}

static int check_pools(const struct network *net, struct weft_error *err)
{
    for (size_t i = 0; i < net->pool_count; i++) {
        int r = check_pool(net, &net->pools[i], err);

        if (r < 0)
            return r;
        for (size_t j = 0; j < i; j++)
            if (prefix_overlaps(&net->pools[j].subnet, &net->pools[i].subnet))
                return weft_fail(err, WEFT_INVALID, "subnets %s and %s of network %s overlap",
                                 prefix_text(&net->pools[j].subnet),
                                 prefix_text(&net->pools[i].subnet), net->name);
    }
    return 0;
}

static int check_name(const struct network *net, struct weft_error *err)
{
    if (str_is_empty(net->name))
        return weft_fail(err, WEFT_INVALID, "a network needs a name");
    if (strlen(net->name) > NETWORK_NAME_MAX)
        return weft_fail(err, WEFT_INVALID, "network name %.32s… is longer than %d bytes",
                         net->name, NETWORK_NAME_MAX);
    return name_check("network", net->name, err);
}

/* Options that depend on the rest of the network. Each value is known to be good. */
static int check_combinations(const struct network *net, struct weft_error *err)
{
    static const char *const modes[] = {OPTION_BRIDGE_GATEWAY_MODE_IPV4,
                                        OPTION_BRIDGE_GATEWAY_MODE_IPV6};
    const char *mtu = network_option(net, OPTION_MTU);
    int64_t ignored;

    if (!net->enable_ipv4 && !net->enable_ipv6)
        return weft_fail(err, WEFT_INVALID, "network %s has neither IPv4 nor IPv6", net->name);
    if (mtu && net->enable_ipv6 &&
        str_to_i64(mtu, NETWORK_MTU_MIN_IPV6, NETWORK_MTU_MAX, &ignored) < 0)
        return weft_fail(err, WEFT_INVALID, "MTU %s of network %s is too small: IPv6 needs %d", mtu,
                         net->name, NETWORK_MTU_MIN_IPV6);
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const char *mode = network_option(net, modes[i]);

        if (str_equal(mode, "isolated") && !net->internal)
            return weft_fail(err, WEFT_INVALID,
                             "gateway mode isolated of network %s needs an internal network",
                             net->name);
    }
    return 0;
}

/* Those of networks that lie on a link of the host's. */
static int check_on_parent(const struct network *net, struct weft_error *err)
{
    const char *mode = network_option(net, OPTION_MACVLAN_MODE);
    const char *flag = network_option(net, OPTION_IPVLAN_FLAG);
    bool host_access = network_option_bool(net, OPTION_HOST_ACCESS, network_has_access(net));

    if (network_is_passthru(net) && str_is_empty(network_option(net, OPTION_PARENT)))
        return weft_fail(err, WEFT_INVALID,
                         "macvlan_mode passthru of network %s needs a parent to pass through to",
                         net->name);
    if (host_access && (str_equal(mode, "private") || network_is_passthru(net)))
        return weft_fail(err, WEFT_INVALID,
                         "the host can have no access to network %s: in macvlan_mode %s nobody "
                         "reaches its endpoints directly",
                         net->name, mode);
    if (host_access && str_equal(flag, "private"))
        return weft_fail(err, WEFT_INVALID,
                         "the host can have no access to network %s: with ipvlan_flag private "
                         "nobody reaches its endpoints directly",
                         net->name);
    if (network_routes_by_parent(net) && network_uses_dhcp(net))
        return weft_fail(err, WEFT_INVALID,
                         "network %s cannot have addresses by DHCP: in ipvlan_mode %s nothing is "
                         "broadcast",
                         net->name, network_option(net, OPTION_IPVLAN_MODE));
    return 0;
}

int network_check(const struct network *net, struct weft_error *err)
{
    int r = check_name(net, err);

    if (r < 0)
        return r;
    _cleanup_free_ char *owner = str_printf("network %s", net->name);
    if (!owner)
        return weft_oom(err);
    r = options_check(OPTION_SCOPE_NETWORK, net->driver, owner, &net->options, err);
    if (r == 0)
        r = check_combinations(net, err);
    if (r == 0)
        r = check_on_parent(net, err);
    return r < 0 ? r : check_pools(net, err);
}
