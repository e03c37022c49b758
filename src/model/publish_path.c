/* SPDX-License-Identifier: Apache-2.0 */
#include "model/publish_path.h"

#include "model/network.h"

static const struct addr any_ipv4 = {.family = AF_INET}, any_ipv6 = {.family = AF_INET6};

const struct endpoint *publish_endpoint(const struct sandbox *sb, int family)
{
    const struct endpoint *ep = sandbox_gateway_endpoint(sb, family);

    return ep && network_publishes(ep->network) ? ep : NULL;
}

static bool is_routed(const struct endpoint *ep, int family)
{
    return ep && network_gateway_mode(ep->network, family) == GATEWAY_ROUTED;
}

struct addr publish_target(const struct sandbox *sb, int family)
{
    const struct endpoint *ep = publish_endpoint(sb, family);

    if (!ep || is_routed(ep, family))
        return (struct addr){0};
    return family == AF_INET6 ? ep->ipv6 : ep->ipv4;
}

bool publish_is_relayed(const struct sandbox *sb, const struct publish_binding *binding)
{
    struct addr own = publish_target(sb, binding->host.family);
    bool is_ipv6_loopback = binding->host.family == AF_INET6 && addr_is_loopback(&binding->host);

    return binding->host_port && (is_ipv6_loopback || !addr_is_set(&own));
}

/* Whether what arrives at the binding gets to the sandbox. */
static bool leads_somewhere(const struct sandbox *sb, uint8_t proto,
                            const struct publish_binding *binding)
{
    struct addr ipv4, ipv6;

    if (!publish_is_relayed(sb, binding))
        return true;
    ipv4 = publish_target(sb, AF_INET);
    ipv6 = publish_target(sb, AF_INET6);
    return proto != IPPROTO_SCTP && (addr_is_set(&ipv4) || addr_is_set(&ipv6));
}

/* The binding of one address of the host, if there is one. */
static bool bind_host(const struct sandbox *sb, uint8_t proto, const struct addr *host,
                      uint16_t host_port, struct publish_binding *ret)
{
    struct publish_binding binding = {.host = *host, .host_port = host_port};

    if (is_routed(publish_endpoint(sb, host->family), host->family)) {
        if (addr_is_loopback(host))
            return false;
        binding = (struct publish_binding){.host = {.family = host->family}};
    } else if (!leads_somewhere(sb, proto, &binding)) {
        return false;
    }
    *ret = binding;
    return true;
}

/* What the network says of ports that are wanted without an address: one of the host's, or none. */
static struct addr default_host(const struct sandbox *sb)
{
    const struct endpoint *ipv4 = publish_endpoint(sb, AF_INET);
    const struct endpoint *ep = ipv4 ? ipv4 : publish_endpoint(sb, AF_INET6);
    const char *option = ep ? network_option(ep->network, OPTION_BRIDGE_HOST_BINDING_IPV4) : NULL;
    struct addr addr = {0};

    if (!option || addr_parse(option, &addr, NULL) < 0 || publish_host_is_any(&addr))
        return (struct addr){0};
    return addr;
}

int publish_bindings(const struct sandbox *sb, const struct publish_want *want, uint16_t host_port,
                     struct publish_binding ret[static 2])
{
    struct addr host = addr_is_set(&want->host) ? want->host : default_host(sb);
    int count = 0;

    if (addr_is_set(&host))
        return bind_host(sb, want->proto, &host, host_port, &ret[0]);
    count += bind_host(sb, want->proto, &any_ipv4, host_port, &ret[count]);
    count += bind_host(sb, want->proto, &any_ipv6, host_port, &ret[count]);
    return count;
}

bool publish_needs_host_port(const struct sandbox *sb, const struct publish_want *want)
{
    struct publish_binding bindings[2];
    int count = publish_bindings(sb, want, UINT16_MAX, bindings);

    return publish_host_port(bindings, (size_t)count) != 0;
}

uint16_t publish_host_port(const struct publish_binding *bindings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bindings[i].host_port)
            return bindings[i].host_port;
    return 0;
}

struct addr publish_hold_host(const struct publish_binding *bindings, size_t count)
{
    struct addr host = {0};

    for (size_t i = 0; i < count; i++) {
        if (!bindings[i].host_port)
            continue;
        if (addr_is_set(&host))
            return (struct addr){0}; /* both families */
        host = bindings[i].host;
    }
    return host;
}
