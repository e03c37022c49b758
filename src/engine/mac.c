/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which MAC address an endpoint gets.
 *
 * The one that was asked for; else what the network's option says: one that follows from the IPv4
 * address (docker's way, so that a neighbour table outlives a restart), or from the names of
 * container and network, or none that anybody could foretell. Those of names follow from the host
 * as well: two hosts on one LAN may have a container of the same name.
 */

#include <string.h>
#include <sys/random.h>

#include "driver/driver.h"
#include "engine/state.h"

static struct mac mac_of_number(uint64_t number)
{
    struct mac mac = {.bytes = {0x02}}; /* locally administered, unicast */

    for (size_t i = 1; i < sizeof mac.bytes; i++)
        mac.bytes[i] = (uint8_t)(number >> 8 * (i - 1));
    return mac;
}

static struct mac mac_of_names(const struct engine *e, const struct endpoint *ep)
{
    uint64_t hash = hash_bytes(HASH_START, e->ula_global_id, sizeof e->ula_global_id);

    hash = hash_bytes(hash, ep->sandbox->name, strlen(ep->sandbox->name) + 1);
    return mac_of_number(hash_bytes(hash, ep->network->name, strlen(ep->network->name)));
}

/* The parent's own, which one endpoint can have. */
static int mac_of_parent(struct engine *e, const struct endpoint *ep, struct mac *ret,
                         struct weft_error *err)
{
    const struct net_slot *slot = engine_net_slot(e, ep->network);
    _cleanup_fact_set_ struct fact_set facts = {0};
    int r;

    for (size_t i = 0; i < slot->endpoint_count; i++) {
        const struct endpoint *other = slot->endpoints[i];

        if (other != ep && other->sandbox->active)
            return weft_fail(err, WEFT_CONFLICT,
                             "network %s is passed through to %s: there can be only one on it",
                             ep->network->name, sandbox_owner_text(other->sandbox));
    }
    r = kernel_links(e->kernel, &facts, err);
    for (size_t i = 0; r == 0 && i < facts.count; i++)
        if (facts.facts[i].kind == FACT_LINK &&
            str_equal(facts.facts[i].link.name, ep->network->parent))
            *ret = facts.facts[i].link.mac;
    return r;
}

/* A plugin's interface has what the plugin gives it. */
static bool is_chosen(const struct network *net)
{
    const struct driver_ops *driver = driver_find(net->driver);

    return driver != &driver_ipvlan && driver != &driver_remote && driver != &driver_cni;
}

int mac_choose(struct engine *e, const struct endpoint *ep, const struct addr *ipv4,
               const struct addr *ipv6, struct mac *ret, struct weft_error *err)
{
    const char *from = network_option(ep->network, OPTION_MAC_FROM);
    const struct addr *addr = addr_is_set(ipv4) ? ipv4 : ipv6;
    uint64_t number = 0;

    *ret = ep->want.mac;
    if (network_is_passthru(ep->network))
        return mac_of_parent(e, ep, ret, err);
    if (mac_is_set(ret) || !is_chosen(ep->network))
        return 0;
    if (str_equal(from, "random") && getrandom(&number, sizeof number, 0) == sizeof number)
        *ret = mac_of_number(number);
    else if (str_equal(from, "name") || network_uses_dhcp(ep->network))
        *ret = mac_of_names(e, ep);
    else if (addr_is_set(addr))
        *ret = mac_from_addr(addr);
    return 0;
}
