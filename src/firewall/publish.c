/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Published ports as elements. A binding has one of three forms, or the first two at once:
 *
 *   host address . port → container address . port   where the container's network translates,
 *   host address . port, left to the relay           where the kernel cannot lead it there,
 *   container address . port                         where the network is routed.
 */

#include <errno.h>
#include <string.h>

#include "firewall/elem.h"
#include "firewall/firewall.h"
#include "model/publish_path.h"

static const struct addr *endpoint_addr(const struct endpoint *ep, int family)
{
    return family == AF_INET6 ? &ep->ipv6 : &ep->ipv4;
}

/* The container's own port, for those who have a route. */
static int add_open(struct fact_set *out, const struct endpoint *ep, int family,
                    const struct publish_want *want)
{
    return elem_add(out, elem_set("open", family),
                    &(struct fact_nft_elem){.key = {field_addr(endpoint_addr(ep, family)),
                                                    field_proto(want->proto),
                                                    field_port(want->port)}});
}

static int add_trusted(struct fact_set *out, const struct endpoint *ep, int family,
                       const struct publish_want *want)
{
    const char *list = network_option(ep->network, OPTION_BRIDGE_TRUSTED_INTERFACES);
    _cleanup_free_ char *copy = list ? strdup(list) : NULL;
    char *next = copy, *link;
    int r = 0;

    if (list && !copy)
        return -ENOMEM;
    while (r == 0 && (link = strsep(&next, ":")))
        r = elem_add(out, elem_set("trusted", family),
                     &(struct fact_nft_elem){
                         .key = {field_ifname(link), field_addr(endpoint_addr(ep, family)),
                                 field_proto(want->proto), field_port(want->port)}});
    return r;
}

static int add_translated(struct fact_set *out, const struct endpoint *ep,
                          const struct publish_want *want, const struct publish_binding *binding)
{
    int family = binding->host.family;
    struct nft_field proto = field_proto(want->proto), port = field_port(binding->host_port);
    struct fact_nft_elem elem = {
        .key = {proto, port},
        .data = {field_addr(endpoint_addr(ep, family)), field_port(want->port)},
    };

    if (publish_host_is_any(&binding->host))
        return elem_add(out, family == AF_INET6 ? "publish6_any" : "publish4_any", &elem);
    elem.key[0] = field_addr(&binding->host);
    elem.key[1] = proto;
    elem.key[2] = port;
    return elem_add(out, elem_set("publish", family), &elem);
}

static int add_relayed(struct fact_set *out, const struct publish_want *want,
                       const struct publish_binding *binding)
{
    bool any = publish_host_is_any(&binding->host);
    int family = binding->host.family;

    return elem_add(out, any ? "relayed_any" : elem_set("relayed", family),
                    &(struct fact_nft_elem){
                        .key = {any ? field_family(family) : field_addr(&binding->host),
                                field_proto(want->proto), field_port(binding->host_port)}});
}

/* Clients on weft's networks would be translated in vain: see base.nft. */
static bool is_relayed_inside(const struct firewall_host *host, const struct publish_want *want,
                              const struct publish_binding *binding)
{
    bool filtered =
        binding->host.family == AF_INET6 ? host->filters_bridged_ipv6 : host->filters_bridged_ipv4;

    return filtered && want->proto != IPPROTO_SCTP && !addr_is_loopback(&binding->host);
}

static int add_binding(struct fact_set *out, const struct firewall_host *host,
                       const struct sandbox *sb, const struct publish_want *want,
                       const struct publish_binding *binding)
{
    int family = binding->host.family, r;
    const struct endpoint *ep;

    if (publish_is_relayed(sb, binding))
        return add_relayed(out, want, binding);
    ep = publish_endpoint(sb, family);
    if (!ep)
        return 0;
    if (!binding->host_port)
        return add_open(out, ep, family, want);
    r = add_translated(out, ep, want, binding);
    if (r == 0 && is_relayed_inside(host, want, binding))
        r = add_relayed(out, want, binding);
    if (r < 0 || addr_is_loopback(&binding->host))
        return r;
    return add_trusted(out, ep, family, want);
}

int firewall_render_publish(const struct firewall_host *host, const struct sandbox *sb,
                            const struct publish *p, struct fact_set *out)
{
    int r = 0;

    for (size_t i = 0; i < p->binding_count && r == 0; i++)
        r = add_binding(out, host, sb, &p->want, &p->bindings[i]);
    return r;
}
