/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Choosing a subnet for a network that names none.
 *
 * Two prefixes either nest or have nothing in common, so what is taken, sorted by first address,
 * can be swept once beside the candidates: a candidate that overlaps gives way to the next one
 * behind the obstacle. The cost is that of sorting, whatever the number of subnets that are taken.
 */

#include <stdlib.h>
#include <string.h>

#include "ipam/ipam.h"

/* clang-format off */
const struct ipam_base ipam_default_bases[] = {
    {{{AF_INET, {172, 18}}, 15}, 24},
    {{{AF_INET, {172, 20}}, 14}, 24},
    {{{AF_INET, {172, 24}}, 13}, 24},
    {{{AF_INET, {192, 168}}, 16}, 24},
    {{{AF_INET, {10, 128}}, 9}, 24},
};
/* clang-format on */
const size_t ipam_default_base_count = ARRAY_SIZE(ipam_default_bases);

static int compare_taken(const void *a, const void *b)
{
    const struct ipam_taken *left = a, *right = b;

    return addr_compare(&left->prefix.addr, &right->prefix.addr);
}

static void sort_taken(struct ipam_taken *taken, size_t count)
{
    for (size_t i = 0; i < count; i++)
        taken[i].prefix = prefix_network(&taken[i].prefix);
    if (count)
        qsort(taken, count, sizeof *taken, compare_taken);
}

/* The first prefix of the candidate's length, from it on up to end, that overlaps nothing taken. */
static bool sweep(const struct ipam_taken *taken, size_t count, struct prefix candidate,
                  const struct addr *end, struct prefix *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct addr candidate_last = prefix_last(&candidate);
        struct addr last = prefix_last(&taken[i].prefix);

        if (addr_compare(&last, &candidate.addr) < 0)
            continue;
        if (addr_compare(&taken[i].prefix.addr, &candidate_last) > 0)
            break;
        struct prefix blocked = {last, candidate.len};
        struct addr blocked_last = prefix_last(&blocked);
        if (addr_compare(&blocked_last, end) >= 0)
            return false;
        candidate.addr = addr_add(&blocked_last, 1);
    }
    *ret = candidate;
    return true;
}

int ipam_choose_subnet(const struct ipam_base *bases, size_t base_count, struct ipam_taken *taken,
                       size_t taken_count, struct prefix *ret, struct weft_error *err)
{
    sort_taken(taken, taken_count);
    for (size_t i = 0; i < base_count; i++) {
        const struct prefix *base = &bases[i].base;
        struct prefix first = {prefix_first(base), bases[i].size};
        struct addr end = prefix_last(base);

        if (bases[i].size < base->len || bases[i].size > addr_bits(&base->addr))
            return weft_fail(err, WEFT_INVALID, "address pool %s cannot be divided into /%u",
                             prefix_text(base), bases[i].size);
        if (sweep(taken, taken_count, first, &end, ret))
            return 0;
    }
    return weft_fail(err, WEFT_EXHAUSTED,
                     "no subnet is free: every one of the default address pools overlaps a network "
                     "or a route of this host");
}

int ipam_choose_ula(const uint8_t global_id[static 5], uint16_t hint, struct ipam_taken *taken,
                    size_t taken_count, struct prefix *ret, struct weft_error *err)
{
    struct prefix site = {{AF_INET6, {0xfd}}, 48};
    struct prefix first, hinted;
    struct addr end;

    memcpy(&site.addr.bytes[1], global_id, 5);
    end = prefix_last(&site);
    first = (struct prefix){site.addr, 64};
    hinted = first;
    hinted.addr.bytes[6] = (uint8_t)(hint >> 8);
    hinted.addr.bytes[7] = (uint8_t)hint;
    sort_taken(taken, taken_count);
    if (sweep(taken, taken_count, hinted, &end, ret) || sweep(taken, taken_count, first, &end, ret))
        return 0;
    return weft_fail(err, WEFT_EXHAUSTED, "no /64 of this host's IPv6 prefix %s is free",
                     prefix_text(&site));
}

const struct ipam_taken *ipam_find_overlap(const struct ipam_taken *taken, size_t taken_count,
                                           const struct prefix *p)
{
    for (size_t i = 0; i < taken_count; i++)
        if (prefix_overlaps(&taken[i].prefix, p))
            return &taken[i];
    return NULL;
}

int ipam_choose_gateway(const struct pool *pool, struct addr *ret, struct weft_error *err)
{
    const struct prefix *area = pool_area(pool);
    struct addr addr = prefix_first(area);

    for (; prefix_contains(area, &addr); addr = addr_add(&addr, 1)) {
        if (pool_is_usable(pool, &addr) && !pool_aux(pool, &addr)) {
            *ret = addr;
            return 0;
        }
    }
    return weft_fail(err, WEFT_EXHAUSTED, "pool %s has no free address for a gateway",
                     prefix_text(area));
}
