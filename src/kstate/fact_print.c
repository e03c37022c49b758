/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/strbuf.h"
#include "kstate/fact.h"
#include "kstate/nft_text.h"

static const char *link_kind_name(enum link_kind kind)
{
    static const char *const names[] = {
        [LINK_BRIDGE] = "bridge",     [LINK_VETH] = "veth",       [LINK_VETH_PEER] = "veth peer",
        [LINK_LOOPBACK] = "loopback", [LINK_OTHER] = "other",     [LINK_VLAN] = "vlan",
        [LINK_IFB] = "ifb",           [LINK_MACVLAN] = "macvlan", [LINK_IPVLAN] = "ipvlan",
        [LINK_BORROWED] = "borrowed", [LINK_MOVED] = "moved",
    };

    return names[kind];
}

const char *link_mode_name(enum link_mode mode)
{
    static const char *const names[] = {
        [LINK_MODE_NONE] = "",
        [LINK_MODE_BRIDGE] = "bridge",
        [LINK_MODE_PRIVATE] = "private",
        [LINK_MODE_VEPA] = "vepa",
        [LINK_MODE_PASSTHRU] = "passthru",
        [LINK_MODE_L2] = "l2",
        [LINK_MODE_L3] = "l3",
        [LINK_MODE_L3S] = "l3s",
    };

    return names[mode];
}

static const char *ns_name(const struct kstate_ns *ns)
{
    return ns ? ns->name : "host";
}

static void print_link(const struct fact_link *link, struct strbuf *out)
{
    strbuf_printf(out, "link %s %s", link->name, link_kind_name(link->kind));
    if (*link->peer_name) {
        strbuf_printf(out, " to %s:%s", ns_name(link->peer_ns), link->peer_name);
        if (mac_is_set(&link->peer_mac))
            strbuf_printf(out, " (%s)", mac_text(&link->peer_mac));
    }
    if (*link->parent)
        strbuf_printf(out, link->kind == LINK_MOVED ? " from %s" : " on %s", link->parent);
    if (link->mode)
        strbuf_printf(out, " mode %s", link_mode_name(link->mode));
    if (link->port_mode)
        strbuf_printf(out, " %s", link_mode_name(link->port_mode));
    if (*link->master)
        strbuf_printf(out, " master %s", link->master);
    if (link->vlan)
        strbuf_printf(out, " vlan %u", link->vlan);
    if (link->trunk)
        strbuf_puts(out, " trunk");
    if (mac_is_set(&link->mac))
        strbuf_printf(out, " mac %s", mac_text(&link->mac));
    if (link->mtu)
        strbuf_printf(out, " mtu %u", link->mtu);
    if (link->no_autoconf)
        strbuf_puts(out, " no-autoconf");
    if (link->isolated)
        strbuf_puts(out, " isolated");
    if (link->hairpin)
        strbuf_puts(out, " hairpin");
    if (link->stp)
        strbuf_puts(out, " stp");
    if (link->vlan_aware)
        strbuf_puts(out, " vlan-aware");
    if (link->up)
        strbuf_puts(out, " up");
}

static void print_route(const struct fact_route *route, struct strbuf *out)
{
    strbuf_printf(out, "route %s", prefix_text(&route->destination));
    if (addr_is_set(&route->via))
        strbuf_printf(out, " via %s", addr_text(&route->via));
    strbuf_printf(out, " dev %s", route->link);
    if (route->metric)
        strbuf_printf(out, " metric %u", route->metric);
}

static void print_netns(const struct kstate_ns *ns, struct strbuf *out)
{
    strbuf_printf(out, "namespace at %s", ns->path);
    if (ns->origin)
        strbuf_printf(out, " pins %s", ns->origin);
}

void fact_print(const struct fact *fact, struct strbuf *out)
{
    strbuf_printf(out, "%s: ", ns_name(fact->ns));
    switch (fact->kind) {
    case FACT_NETNS:
        print_netns(fact->ns, out);
        break;
    case FACT_RESOLVER:
        strbuf_puts(out, "resolver at " FACT_RESOLVER_ADDR);
        break;
    case FACT_NFT_BASE:
        strbuf_printf(out, "ruleset %s", fact->base.version);
        break;
    case FACT_LINK:
        print_link(&fact->link, out);
        break;
    case FACT_SHAPE:
        strbuf_printf(out, "shape %s rate %" PRIu64 "bit burst %u", fact->shape.link,
                      fact->shape.rate, fact->shape.burst);
        break;
    case FACT_REDIRECT:
        strbuf_printf(out, "redirect %s to %s", fact->redirect.link, fact->redirect.to);
        break;
    case FACT_SYSCTL:
        strbuf_printf(out, "sysctl %s = %s", fact->sysctl.path, fact->sysctl.value);
        break;
    case FACT_ADDR:
        strbuf_printf(out, "address %s dev %s", prefix_text(&fact->addr.prefix), fact->addr.link);
        break;
    case FACT_ROUTE:
        print_route(&fact->route, out);
        break;
    case FACT_NFT_ELEM:
        strbuf_printf(out, "element %s ", fact->elem.set);
        nft_elem_print(&fact->elem, out);
        break;
    case FACT_NFT_ACCEPT:
        strbuf_printf(out, "accept %s weft in %s %s", fact->accept.outgoing ? "to" : "from",
                      fact->accept.chain.table, fact->accept.chain.name);
        break;
    case FACT_KIND_COUNT:
        break;
    }
}

void fact_set_print(struct fact_set *set, struct strbuf *out)
{
    fact_set_sort(set);
    for (size_t i = 0; i < set->count; i++) {
        fact_print(&set->facts[i], out);
        strbuf_puts(out, "\n");
    }
}
