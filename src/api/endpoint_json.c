/* SPDX-License-Identifier: Apache-2.0 */
#include "api/endpoint_json.h"

#include "base/json.h"

static unsigned prefix_len(const struct endpoint *ep, const struct addr *addr)
{
    return addr_is_set(addr) ? endpoint_prefix_len(ep, addr->family) : 0;
}

const char *endpoint_prefix_text(const struct endpoint *ep, const struct addr *addr,
                                 char buf[static PREFIX_TEXT_MAX])
{
    struct prefix prefix = {.addr = *addr, .len = (uint8_t)prefix_len(ep, addr)};

    buf[0] = '\0';
    return addr_is_set(addr) ? prefix_format(&prefix, buf) : buf;
}

/* The router that the sandbox may use on this network. */
static const char *gateway_text(const struct endpoint *ep, const struct addr *addr,
                                char buf[static ADDR_TEXT_MAX])
{
    struct addr gateway = {0};

    buf[0] = '\0';
    if (addr_is_set(addr))
        gateway = endpoint_gateway(ep, addr->family);
    return addr_is_set(&gateway) ? addr_format(&gateway, buf) : buf;
}

/* The names that lead to the endpoint. None on the default bridge, which has no names. */
static json_t *dns_names_json(struct engine *e, const struct endpoint *ep)
{
    _cleanup_strv_ strv names = NULL;

    if (engine_endpoint_names(e, ep, &names) < 0)
        return NULL;
    return names ? json_from_strv(names) : json_null();
}

static const char *mac_or_empty(const struct mac *mac, char buf[static MAC_TEXT_MAX])
{
    buf[0] = '\0';
    return mac_is_set(mac) ? mac_format(mac, buf) : buf;
}

/* What only an active sandbox's endpoint has; the empty values otherwise, as Docker does. */
static json_t *given_json(const struct endpoint *ep)
{
    static const struct endpoint nothing;
    const struct endpoint *seen = endpoint_is_wired(ep) ? ep : &nothing;
    char gateway[2][ADDR_TEXT_MAX];
    char mac[MAC_TEXT_MAX];

    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:i, s:s}", "EndpointID", seen->id, "Gateway",
                     gateway_text(ep, &seen->ipv4, gateway[0]), "IPAddress", addr_text(&seen->ipv4),
                     "IPPrefixLen", (int)prefix_len(ep, &seen->ipv4), "IPv6Gateway",
                     gateway_text(ep, &seen->ipv6, gateway[1]), "GlobalIPv6Address",
                     addr_text(&seen->ipv6), "GlobalIPv6PrefixLen",
                     (int)prefix_len(ep, &seen->ipv6), "MacAddress", mac_or_empty(&seen->mac, mac));
}

json_t *endpoint_settings_json(struct engine *e, const struct endpoint *ep)
{
    _cleanup_json_ json_t *settings =
        json_pack("{s:n, s:n, s:n, s:n, s:i, s:s, s:o}", "IPAMConfig", "Links", "Aliases",
                  "DriverOpts", "GwPriority", 0, "NetworkID", ep->network->id, "DNSNames",
                  dns_names_json(e, ep));
    _cleanup_json_ json_t *wanted = endpoint_want_to_json(&ep->want);
    _cleanup_json_ json_t *given = given_json(ep);

    if (!settings || json_object_update(settings, wanted) < 0 ||
        json_object_update(settings, given) < 0)
        return NULL;
    return TAKE_PTR(settings);
}

json_t *endpoint_resource_json(const struct endpoint *ep)
{
    char ipv4[PREFIX_TEXT_MAX], ipv6[PREFIX_TEXT_MAX], mac[MAC_TEXT_MAX];

    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "Name", ep->sandbox->name, "EndpointID", ep->id,
                     "MacAddress", mac_or_empty(&ep->mac, mac), "IPv4Address",
                     endpoint_prefix_text(ep, &ep->ipv4, ipv4), "IPv6Address",
                     endpoint_prefix_text(ep, &ep->ipv6, ipv6));
}
