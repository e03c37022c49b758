/* SPDX-License-Identifier: Apache-2.0 */
#include "firewall/firewall.h"

#include <netinet/in.h>

#include "base_nft.h" /* made of base.nft by tools/embed-ruleset */
#include "firewall/elem.h"

int firewall_render_base(struct fact_set *out)
{
    static const struct fact base = {
        .kind = FACT_NFT_BASE,
        .base = {.text = BASE_NFT_TEXT, .version = BASE_NFT_VERSION},
    };

    return fact_set_add(out, &base);
}

int firewall_render_default_deny(struct fact_set *out)
{
    int r = elem_add(out, "default_deny", &(struct fact_nft_elem){.key = {field_family(AF_INET)}});

    if (r < 0)
        return r;
    return elem_add(out, "default_deny", &(struct fact_nft_elem){.key = {field_family(AF_INET6)}});
}

static int add_link(struct fact_set *out, const char *set, const char *link)
{
    return elem_add(out, set, &(struct fact_nft_elem){.key = {field_ifname(link)}});
}

static int add_link_pair(struct fact_set *out, const char *set, const char *link)
{
    return elem_add(out, set,
                    &(struct fact_nft_elem){.key = {field_ifname(link), field_ifname(link)}});
}

static int add_link_family(struct fact_set *out, const char *set, const char *link, int family)
{
    return elem_add(out, set,
                    &(struct fact_nft_elem){.key = {field_ifname(link), field_family(family)}});
}

/* Under which address the network reaches the world: that of the link its packets leave by, or the
 * one that the option names. */
static int add_source(struct fact_set *out, const struct network *net, int family)
{
    const char *option =
        network_option(net, family == AF_INET6 ? OPTION_HOST_IPV6 : OPTION_HOST_IPV4);
    struct addr addr;

    if (!network_option_bool(net, OPTION_BRIDGE_MASQUERADE, true))
        return 0;
    if (!option || addr_parse(option, &addr, NULL) < 0)
        return add_link_family(out, "masqueraded", net->link, family);
    return elem_add(out, elem_set("snat", family),
                    &(struct fact_nft_elem){.key = {field_ifname(net->link)},
                                            .data = {field_addr(&addr)}});
}

static int add_family(struct fact_set *out, const struct network *net, int family)
{
    int r;

    switch (network_gateway_mode(net, family)) {
    case GATEWAY_NAT:
        return add_source(out, net, family);
    case GATEWAY_NAT_UNPROTECTED:
        r = add_link_family(out, "unprotected", net->link, family);
        return r < 0 ? r : add_source(out, net, family);
    case GATEWAY_ROUTED:
        return add_link_family(out, "routed", net->link, family);
    case GATEWAY_ISOLATED:
        break;
    }
    return 0;
}

static int add_world(struct fact_set *out, const struct network *net)
{
    int r = 0;

    if (net->internal)
        return add_link(out, "internal", net->link);
    if (net->enable_ipv4)
        r = add_family(out, net, AF_INET);
    if (r == 0 && net->enable_ipv6)
        r = add_family(out, net, AF_INET6);
    return r;
}

/* Port 53 of the host's address on the network leads to weft's server there, as if it were
 * published: so no server of the host's, and no container that publishes port 53, is in its way. */
static int add_resolver(struct fact_set *out, const struct network *net, int family)
{
    static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP};
    struct addr host = network_host_addr(net, family);
    int r = 0;

    for (size_t i = 0; addr_is_set(&host) && r == 0 && i < ARRAY_SIZE(protocols); i++)
        r = elem_add(out, elem_set("publish", family),
                     &(struct fact_nft_elem){
                         .key = {field_addr(&host), field_proto(protocols[i]), field_port(53)},
                         .data = {field_addr(&host), field_port(FACT_RESOLVER_PORT)},
                     });
    return r;
}

static int add_resolvers(struct fact_set *out, const struct network *net)
{
    int r;

    if (!network_has_names(net))
        return 0;
    r = add_resolver(out, net, AF_INET);
    return r < 0 ? r : add_resolver(out, net, AF_INET6);
}

int firewall_render_network(const struct network *net, struct fact_set *out)
{
    int r;

    if (!*net->link)
        return 0;
    r = add_link(out, "links", net->link);
    if (r == 0)
        r = add_link_pair(out, "same_link", net->link);
    if (r == 0 && network_option_bool(net, OPTION_BRIDGE_ICC, true))
        r = add_link_pair(out, "icc", net->link);
    if (r == 0)
        r = add_resolvers(out, net);
    return r < 0 ? r : add_world(out, net);
}

int firewall_render_accepts(const struct nft_chain *cutting, size_t count, struct fact_set *out)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < 2 * count; i++) {
        struct fact fact = {
            .kind = FACT_NFT_ACCEPT,
            .accept = {.chain = cutting[i / 2], .outgoing = i % 2},
        };

        r = fact_set_add(out, &fact);
    }
    return r;
}
