/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The source guard: what the port of an endpoint may send.
 *
 * The endpoint's own addresses, and on networks with IPv6 those that the kernel in the sandbox
 * makes by itself: the link-local one, and none while it asks whether an address is free (RFC
 * 4862, 5.4).
 */

#include <string.h>

#include "firewall/elem.h"
#include "firewall/firewall.h"

static bool is_guarded(const struct endpoint *ep)
{
    const char *own = strmap_get(&ep->want.driver_opts, OPTION_SOURCE_GUARD);
    bool guarded = network_option_bool(ep->network, OPTION_SOURCE_GUARD, true);

    if (own)
        (void)str_to_bool(own, &guarded);
    return guarded && *ep->network->link && mac_is_set(&ep->mac);
}

/* The interface identifier is the MAC with ff:fe in the middle and the universal/local bit flipped
 * (RFC 4291, appendix A). */
static struct addr link_local_of(const struct mac *mac)
{
    struct addr addr = {.family = AF_INET6, .bytes = {0xfe, 0x80}};

    memcpy(addr.bytes + 8, mac->bytes, 3);
    addr.bytes[8] ^= 2;
    addr.bytes[11] = 0xff;
    addr.bytes[12] = 0xfe;
    memcpy(addr.bytes + 13, mac->bytes + 3, 3);
    return addr;
}

/* An element { port . MAC . address }; none for no address. */
static int add_source(struct fact_set *out, const char *set, const struct endpoint *ep,
                      const struct addr *addr)
{
    char port[IFNAMSIZ];

    if (!addr_is_set(addr))
        return 0;
    endpoint_host_link(ep, port);
    return elem_add(out, set,
                    &(struct fact_nft_elem){.table = NFT_TABLE_BRIDGE,
                                            .key = {field_ifname(port), field_mac(&ep->mac),
                                                    field_addr(addr)}});
}

/* An address of its own. */
static int add_own(struct fact_set *out, const struct endpoint *ep, const struct addr *addr)
{
    int r = add_source(out, elem_set("source", addr->family), ep, addr);

    if (r < 0 || addr->family != AF_INET6)
        return r;
    return add_source(out, "target6", ep, addr);
}

static int add_automatic(struct fact_set *out, const struct endpoint *ep)
{
    static const struct addr unspecified = {.family = AF_INET6};
    struct addr link_local = link_local_of(&ep->mac);
    int r = add_own(out, ep, &link_local);

    return r < 0 ? r : add_source(out, "source6", ep, &unspecified);
}

static int add_port(struct fact_set *out, const struct endpoint *ep)
{
    char port[IFNAMSIZ];

    endpoint_host_link(ep, port);
    return elem_add(out, "guarded",
                    &(struct fact_nft_elem){.table = NFT_TABLE_BRIDGE,
                                            .key = {field_ifname(port)}});
}

int firewall_render_endpoint(const struct endpoint *ep, struct fact_set *out)
{
    int r;

    if (!is_guarded(ep))
        return 0;
    r = add_port(out, ep);
    if (r == 0)
        r = add_own(out, ep, &ep->ipv4);
    if (r == 0)
        r = add_own(out, ep, &ep->ipv6);
    if (r == 0 && ep->network->enable_ipv6)
        r = add_automatic(out, ep);
    for (size_t i = 0; r == 0 && i < ep->want.link_local_count; i++)
        r = add_own(out, ep, &ep->want.link_local[i]);
    return r;
}
