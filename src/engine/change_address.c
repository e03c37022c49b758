/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An endpoint's addresses in a transaction.
 *
 * Those from weft's own pools are given when the sandbox becomes active, and what is wanted by
 * number is reserved from the start. Those that others give (a plugin, a DHCP server) come later,
 * all of them, and are nobody's while the sandbox is at rest. Either way an address that an
 * endpoint has is a lease in the store, so that no two have the same.
 */

#include <errno.h>
#include <string.h>

#include "engine/change_step.h"
#include "engine/outside.h"

/* NULL where others give the addresses. */
static struct ipam *ipam_of(const struct change *ch, const struct endpoint *ep)
{
    return engine_net_slot(ch->engine, ep->network)->ipam;
}

/* ---- leases ---- */

/* Another endpoint of the network that has the address, NULL when there is none. */
static const struct endpoint *find_holder(const struct engine *e, const struct endpoint *except,
                                          const struct addr *addr)
{
    const struct net_slot *slot = engine_net_slot(e, except->network);

    for (size_t i = 0; i < slot->endpoint_count; i++) {
        const struct endpoint *ep = slot->endpoints[i];

        if (ep != except && (addr_equal(&ep->ipv4, addr) || addr_equal(&ep->ipv6, addr)))
            return ep;
    }
    return NULL;
}

/* An address that others gave. Nothing keeps them from giving it twice. */
static int put_given_lease(struct change *ch, const struct endpoint *ep, const struct addr *addr,
                           struct weft_error *err)
{
    const struct endpoint *holder = find_holder(ch->engine, ep, addr);
    const struct pool *pool = network_pool_of(ep->network, addr);

    if (holder)
        return weft_fail(err, WEFT_CONFLICT,
                         "address %s, which %s was given on network %s, is in use by %s",
                         addr_text(addr), sandbox_owner_text(ep->sandbox), ep->network->name,
                         sandbox_owner_text(holder->sandbox));
    if (pool && addr_equal(&pool->gateway, addr))
        return weft_fail(err, WEFT_CONFLICT,
                         "address %s, which %s was given on network %s, is the network's gateway",
                         addr_text(addr), sandbox_owner_text(ep->sandbox), ep->network->name);
    return store_put_lease(ch->engine->store, ep->network->id, addr, ep->id, err);
}

/* An address that was taken from weft's own pool. */
static int record_lease(struct change *ch, const struct endpoint *ep, const struct addr *addr,
                        struct weft_error *err)
{
    struct change_step step = {.kind = STEP_RESERVE, .pool_of = ep->network, .addr = *addr};
    int r = change_record(ch, &step, err);

    if (r < 0) {
        ipam_release(ipam_of(ch, ep), addr);
        return r;
    }
    return store_put_lease(ch->engine->store, ep->network->id, addr, ep->id, err);
}

static int reserve(struct change *ch, const struct endpoint *ep, const struct addr *addr,
                   struct weft_error *err)
{
    struct ipam *ipam = ipam_of(ch, ep);
    int r;

    if (!addr_is_set(addr))
        return 0;
    if (!ipam)
        return put_given_lease(ch, ep, addr, err);
    r = ipam_reserve(ipam, addr, sandbox_owner_text(ep->sandbox), err);
    return r < 0 ? r : record_lease(ch, ep, addr, err);
}

static int release(struct change *ch, const struct endpoint *ep, const struct addr *addr,
                   struct weft_error *err)
{
    struct change_step step = {.kind = STEP_RELEASE, .pool_of = ep->network, .addr = *addr};
    struct ipam *ipam = ipam_of(ch, ep);
    int r = 0;

    if (!addr_is_set(addr) || (!ipam && find_holder(ch->engine, ep, addr)))
        return 0;
    if (ipam) {
        sandbox_owner(ep->sandbox, step.owner);
        r = change_record(ch, &step, err);
        if (r < 0)
            return r;
        ipam_release(ipam, addr);
    }
    return store_delete_lease(ch->engine->store, ep->network->id, addr, err);
}

/* ---- what is wanted by number ---- */

static int reserve_wanted(struct change *ch, const struct endpoint *ep, const struct addr *addr,
                          struct weft_error *err)
{
    if (!addr_is_set(addr))
        return 0;
    if (!ipam_of(ch, ep) && network_is_asked(ep->network))
        return 0;
    if (!ipam_of(ch, ep))
        return weft_fail(err, WEFT_INVALID, "network %s has no addresses to give: %s was asked for",
                         ep->network->name, addr_text(addr));
    return reserve(ch, ep, addr, err);
}

int change_reserve_wanted(struct change *ch, const struct endpoint *ep, struct weft_error *err)
{
    int r = reserve_wanted(ch, ep, &ep->want.ipv4, err);

    return r < 0 ? r : reserve_wanted(ch, ep, &ep->want.ipv6, err);
}

int change_release_wanted(struct change *ch, const struct endpoint *ep, struct weft_error *err)
{
    int r;

    if (!ipam_of(ch, ep))
        return 0;
    r = release(ch, ep, &ep->want.ipv4, err);
    return r < 0 ? r : release(ch, ep, &ep->want.ipv6, err);
}

/* ---- giving and taking ---- */

static int store_cursor(struct engine *e, const struct network *net, int family,
                        const struct addr *last, struct weft_error *err)
{
    char key[ID_TEXT_MAX + 16];

    snprintf(key, sizeof key, "cursor/%s/%c", net->id, family == AF_INET ? '4' : '6');
    return store_put_setting(e->store, key, addr_text(last), err);
}

/* The address the endpoint gets: the one it reserved, or the pool's next; none if the network lacks
 * the family, or others give it. */
static int allocate(struct change *ch, const struct endpoint *ep, int family,
                    const struct addr *wanted, struct addr *ret, struct weft_error *err)
{
    struct ipam *ipam = ipam_of(ch, ep);
    struct change_step cursor = {.kind = STEP_CURSOR, .pool_of = ep->network, .family = family};
    int r;

    if (!ipam)
        return 0;
    *ret = *wanted;
    if (addr_is_set(wanted) || !network_pool(ep->network, family))
        return 0;
    cursor.addr = ipam_cursor(ipam, family);
    r = change_record(ch, &cursor, err);
    if (r == 0)
        r = ipam_allocate(ipam, family, sandbox_owner_text(ep->sandbox), ret, err);
    if (r == 0)
        r = record_lease(ch, ep, ret, err);
    return r < 0 ? r : store_cursor(ch->engine, ep->network, family, ret, err);
}

static int record_addresses(struct change *ch, struct endpoint *ep, struct weft_error *err)
{
    struct change_step step = {
        .kind = STEP_ADDRESS,
        .ep = ep,
        .old_ipv4 = ep->ipv4,
        .old_ipv6 = ep->ipv6,
        .old_mac = ep->mac,
    };

    return change_record(ch, &step, err);
}

int change_give_addresses(struct change *ch, struct endpoint *ep, struct weft_error *err)
{
    struct addr ipv4 = {0}, ipv6 = {0};
    struct mac mac;
    int r = allocate(ch, ep, AF_INET, &ep->want.ipv4, &ipv4, err);

    if (r == 0)
        r = allocate(ch, ep, AF_INET6, &ep->want.ipv6, &ipv6, err);
    if (r == 0)
        r = mac_choose(ch->engine, ep, &ipv4, &ipv6, &mac, err);
    if (r == 0)
        r = record_addresses(ch, ep, err);
    if (r < 0)
        return r;
    ep->ipv4 = ipv4;
    ep->ipv6 = ipv6;
    ep->mac = mac;
    return change_write_endpoint(ch->engine, ep, err);
}

/* *given is taken. */
static int replace_given(struct change *ch, struct endpoint *ep, struct endpoint_given *given,
                         struct weft_error *err)
{
    struct change_step step = {.kind = STEP_GIVEN, .ep = ep, .old_given = ep->given};
    int r = change_record(ch, &step, err);

    if (r < 0)
        endpoint_given_clear(given);
    else
        ep->given = TAKE_GENERIC(*given, (struct endpoint_given){0});
    return r;
}

/* An address that is wanted by number stays its own, where it is weft's own to give. */
static int take_address(struct change *ch, const struct endpoint *ep, const struct addr *addr,
                        const struct addr *wanted, struct weft_error *err)
{
    if (ipam_of(ch, ep) && addr_equal(addr, wanted))
        return 0;
    return release(ch, ep, addr, err);
}

int change_take_addresses(struct change *ch, struct endpoint *ep, struct weft_error *err)
{
    struct endpoint_given nothing = {0};
    int r = take_address(ch, ep, &ep->ipv4, &ep->want.ipv4, err);

    if (r == 0)
        r = take_address(ch, ep, &ep->ipv6, &ep->want.ipv6, err);
    if (r == 0)
        r = record_addresses(ch, ep, err);
    if (r == 0 && network_is_asked(ep->network))
        r = replace_given(ch, ep, &nothing, err);
    if (r < 0)
        return r;
    ep->ipv4 = ep->ipv6 = (struct addr){0};
    ep->mac = (struct mac){0};
    return change_write_endpoint(ch->engine, ep, err);
}

/* ---- what others give ---- */

static int given_copy(const struct endpoint_given *given, struct endpoint_given *ret,
                      struct weft_error *err)
{
    struct endpoint_given copy = *given;

    copy.routes = calloc(given->route_count + 1, sizeof *copy.routes);
    copy.state = given->state ? json_deep_copy(given->state) : NULL;
    if (!copy.routes || (given->state && !copy.state)) {
        endpoint_given_clear(&copy);
        return weft_oom(err);
    }
    if (given->route_count > 0)
        memcpy(copy.routes, given->routes, given->route_count * sizeof *copy.routes);
    *ret = copy;
    return 0;
}

static int exchange(struct change *ch, const struct endpoint *ep, const struct addr *old,
                    const struct addr *new, struct weft_error *err)
{
    int r;

    if (addr_equal(old, new))
        return 0;
    r = release(ch, ep, old, err);
    return r < 0 ? r : reserve(ch, ep, new, err);
}

int change_give(struct change *ch, struct endpoint *ep, const struct addr *ipv4,
                const struct addr *ipv6, const struct mac *mac, const struct endpoint_given *given,
                struct weft_error *err)
{
    struct endpoint_given copy = {0};
    struct mac chosen = *mac;
    int r = change_touch_sandbox(ch, ep->sandbox, err);

    if (r == 0 && !mac_is_set(mac))
        r = mac_choose(ch->engine, ep, ipv4, ipv6, &chosen, err);
    if (r == 0)
        r = exchange(ch, ep, &ep->ipv4, ipv4, err);
    if (r == 0)
        r = exchange(ch, ep, &ep->ipv6, ipv6, err);
    if (r == 0)
        r = record_addresses(ch, ep, err);
    if (r == 0)
        r = given_copy(given, &copy, err);
    if (r == 0)
        r = replace_given(ch, ep, &copy, err);
    if (r < 0)
        return r;
    ep->ipv4 = *ipv4;
    ep->ipv6 = *ipv6;
    ep->mac = chosen;
    return change_write_endpoint(ch->engine, ep, err);
}
