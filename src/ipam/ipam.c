/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Allocation within one network.
 *
 * All addresses that are held, of every pool and both families, stand in one array sorted by
 * address. Looking one up is a binary search; so is finding the end of a run of neighbours, because
 * in a run the n-th entry is the n-th address. The next free address is therefore found in
 * logarithmic time however full the pool is, and an entry costs one pointer and one small block.
 */

#include "ipam/ipam.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum holder_kind { HOLDER_ENDPOINT, HOLDER_GATEWAY, HOLDER_AUX };

struct holder {
    struct addr addr;
    uint8_t kind; /* enum holder_kind */
    char owner[]; /* for HOLDER_AUX the name the user gave it, for HOLDER_GATEWAY "" */
};

struct ipam {
    const struct network *net;
    struct holder **held; /* sorted by address */
    size_t count, capacity;
    struct addr cursors[]; /* the address given last, one a pool */
};

/* The index of the first entry that is not below addr. */
static size_t lower_bound(const struct ipam *ipam, const struct addr *addr)
{
    size_t low = 0, high = ipam->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (addr_compare(&ipam->held[middle]->addr, addr) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_held_at(const struct ipam *ipam, size_t i, const struct addr *addr)
{
    return i < ipam->count && addr_equal(&ipam->held[i]->addr, addr);
}

/* How many entries from i on are neighbours without a gap. */
static size_t run_length(const struct ipam *ipam, size_t i)
{
    const struct addr *first = &ipam->held[i]->addr;
    size_t inside = i, outside = ipam->count;

    while (outside - inside > 1) {
        size_t middle = inside + (outside - inside) / 2;

        if (addr_offset(first, &ipam->held[middle]->addr) == middle - i)
            inside = middle;
        else
            outside = middle;
    }
    return outside - i;
}

/* The first free address from first to last, and where in the array it belongs. */
static bool find_free(const struct ipam *ipam, const struct addr *first, const struct addr *last,
                      struct addr *ret, size_t *ret_index)
{
    size_t i = lower_bound(ipam, first), run = 0;

    if (addr_compare(first, last) > 0)
        return false;
    if (is_held_at(ipam, i, first))
        run = run_length(ipam, i);
    if (run > addr_offset(first, last))
        return false;
    *ret = addr_add(first, run);
    *ret_index = i + run;
    return true;
}

static int hold(struct ipam *ipam, size_t i, const struct addr *addr, enum holder_kind kind,
                const char *owner)
{
    size_t size = strlen(owner) + 1;

    if (ipam->count == ipam->capacity) {
        size_t capacity = ipam->capacity ? ipam->capacity * 2 : 8;
        struct holder **grown = reallocarray(ipam->held, capacity, sizeof(struct holder *));

        if (!grown)
            return -ENOMEM;
        ipam->held = grown;
        ipam->capacity = capacity;
    }
    struct holder *holder = malloc(sizeof *holder + size);
    if (!holder)
        return -ENOMEM;
    holder->addr = *addr;
    holder->kind = (uint8_t)kind;
    memcpy(holder->owner, owner, size);
    memmove(&ipam->held[i + 1], &ipam->held[i], (ipam->count - i) * sizeof(struct holder *));
    ipam->held[i] = holder;
    ipam->count++;
    return 0;
}

static int fail_held(const struct ipam *ipam, const struct holder *holder, struct weft_error *err)
{
    const char *addr = addr_text(&holder->addr), *net = ipam->net->name;

    switch ((enum holder_kind)holder->kind) {
    case HOLDER_GATEWAY:
        return weft_fail(err, WEFT_FORBIDDEN, "address %s of network %s is its gateway", addr, net);
    case HOLDER_AUX:
        return weft_fail(err, WEFT_FORBIDDEN,
                         "address %s of network %s is its auxiliary address %s", addr, net,
                         holder->owner);
    case HOLDER_ENDPOINT:
        break;
    }
    return weft_fail(err, WEFT_FORBIDDEN, "address %s of network %s is in use by %s", addr, net,
                     holder->owner);
}

static int reserve(struct ipam *ipam, const struct addr *addr, enum holder_kind kind,
                   const char *owner, struct weft_error *err)
{
    size_t i = lower_bound(ipam, addr);

    if (is_held_at(ipam, i, addr))
        return fail_held(ipam, ipam->held[i], err);
    return hold(ipam, i, addr, kind, owner) < 0 ? weft_oom(err) : 0;
}

static int reserve_fixed(struct ipam *ipam, struct weft_error *err)
{
    for (size_t i = 0; i < ipam->net->pool_count; i++) {
        const struct pool *pool = &ipam->net->pools[i];
        int r = 0;

        if (addr_is_set(&pool->gateway))
            r = reserve(ipam, &pool->gateway, HOLDER_GATEWAY, "", err);
        for (size_t j = 0; r == 0 && j < pool->aux_count; j++)
            r = reserve(ipam, &pool->aux[j].addr, HOLDER_AUX, pool->aux[j].name, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int ipam_new(const struct network *net, struct ipam **ret, struct weft_error *err)
{
    _cleanup_ipam_ struct ipam *ipam =
        calloc(1, sizeof *ipam + net->pool_count * sizeof ipam->cursors[0]);
    int r;

    if (!ipam)
        return weft_oom(err);
    ipam->net = net;
    r = reserve_fixed(ipam, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(ipam);
    return 0;
}

void ipam_free(struct ipam *ipam)
{
    if (!ipam)
        return;
    for (size_t i = 0; i < ipam->count; i++)
        free(ipam->held[i]);
    free(ipam->held);
    free(ipam);
}

/* The next free address of one pool, behind its cursor and then from its start. */
static bool find_next(const struct ipam *ipam, size_t pool_index, struct addr *ret,
                      size_t *ret_index)
{
    const struct pool *pool = &ipam->net->pools[pool_index];
    const struct addr *cursor = &ipam->cursors[pool_index];
    const struct prefix *area = pool_area(pool);
    struct addr start = prefix_first(area), first = start, last = prefix_last(area);
    struct addr next = addr_add(cursor, 1);

    if (!pool_is_usable(pool, &first))
        first = addr_add(&start, 1);
    if (!pool_is_usable(pool, &last)) /* IPv4's broadcast address */
        last = addr_add(&start, prefix_size(area) - 2);
    if (addr_compare(cursor, &first) < 0 || addr_compare(cursor, &last) >= 0)
        return find_free(ipam, &first, &last, ret, ret_index);
    return find_free(ipam, &next, &last, ret, ret_index) ||
           find_free(ipam, &first, cursor, ret, ret_index);
}

static int fail_exhausted(const struct ipam *ipam, int family, struct weft_error *err)
{
    const char *net = ipam->net->name, *version = family == AF_INET6 ? "IPv6" : "IPv4";
    const struct pool *pool = network_pool(ipam->net, family);
    size_t used = 0;
    unsigned pools = 0;

    for (size_t i = 0; i < ipam->net->pool_count; i++)
        pools += ipam->net->pools[i].subnet.addr.family == family;
    if (pools == 0)
        return weft_fail(err, WEFT_INVALID, "network %s has no %s pool", net, version);
    for (size_t i = 0; i < ipam->count; i++) {
        const struct holder *holder = ipam->held[i];

        used += holder->kind == HOLDER_ENDPOINT && holder->addr.family == family &&
                (pools > 1 || prefix_contains(pool_area(pool), &holder->addr));
    }
    if (pools > 1)
        return weft_fail(err, WEFT_EXHAUSTED,
                         "all %u %s pools of network %s are exhausted: %zu addresses in use", pools,
                         version, net, used);
    return weft_fail(err, WEFT_EXHAUSTED,
                     "pool %s of network %s is exhausted: %zu addresses in use",
                     prefix_text(pool_area(pool)), net, used);
}

int ipam_allocate(struct ipam *ipam, int family, const char *owner, struct addr *ret,
                  struct weft_error *err)
{
    for (size_t i = 0; i < ipam->net->pool_count; i++) {
        struct addr addr;
        size_t at;

        if (ipam->net->pools[i].subnet.addr.family != family || !find_next(ipam, i, &addr, &at))
            continue;
        if (hold(ipam, at, &addr, HOLDER_ENDPOINT, owner) < 0)
            return weft_oom(err);
        ipam->cursors[i] = addr;
        *ret = addr;
        return 0;
    }
    return fail_exhausted(ipam, family, err);
}

static int fail_outside(const struct ipam *ipam, const struct addr *addr, struct weft_error *err)
{
    const struct pool *pool = network_pool(ipam->net, addr->family);
    const char *text = addr_text(addr), *net = ipam->net->name;

    if (!pool)
        return weft_fail(err, WEFT_INVALID,
                         "address %s is outside network %s, which has no %s pool", text, net,
                         addr->family == AF_INET6 ? "IPv6" : "IPv4");
    return weft_fail(err, WEFT_INVALID, "address %s is outside subnet %s of network %s", text,
                     prefix_text(&pool->subnet), net);
}

int ipam_reserve(struct ipam *ipam, const struct addr *addr, const char *owner,
                 struct weft_error *err)
{
    const struct pool *pool = network_pool_of(ipam->net, addr);

    if (!pool)
        return fail_outside(ipam, addr, err);
    if (!pool_is_usable(pool, addr))
        return weft_fail(err, WEFT_INVALID,
                         "address %s of network %s stands for the subnet %s, not for a host",
                         addr_text(addr), ipam->net->name, prefix_text(&pool->subnet));
    return reserve(ipam, addr, HOLDER_ENDPOINT, owner, err);
}

void ipam_release(struct ipam *ipam, const struct addr *addr)
{
    size_t i = lower_bound(ipam, addr);

    if (!is_held_at(ipam, i, addr) || ipam->held[i]->kind != HOLDER_ENDPOINT)
        return;
    free(ipam->held[i]);
    ipam->count--;
    memmove(&ipam->held[i], &ipam->held[i + 1], (ipam->count - i) * sizeof(struct holder *));
}

struct addr ipam_cursor(const struct ipam *ipam, int family)
{
    const struct pool *pool = network_pool(ipam->net, family);

    return pool ? ipam->cursors[pool - ipam->net->pools] : (struct addr){0};
}

void ipam_set_cursor(struct ipam *ipam, int family, const struct addr *last)
{
    const struct pool *pool = network_pool(ipam->net, family);

    if (pool && (!addr_is_set(last) || pool == network_pool_of(ipam->net, last)))
        ipam->cursors[pool - ipam->net->pools] = *last;
}

uint8_t ipam_prefix_length(const struct network *net, const struct addr *addr)
{
    const struct pool *pool = network_pool_of(net, addr);

    return pool ? pool->subnet.len : 0;
}
