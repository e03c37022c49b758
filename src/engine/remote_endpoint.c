/* SPDX-License-Identifier: Apache-2.0 */

/* What a network driver answers about an endpoint: its addresses, its link, its routes. */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "engine/remote.h"

/* ---- CreateEndpoint ---- */

/* An address that the driver chose: there was none for it. */
static int take_address(struct errand *er, const struct prefix *found, struct addr *addr,
                        uint8_t *len, struct weft_error *err)
{
    int family = found->addr.family;
    bool enabled = family == AF_INET6 ? er->net->enable_ipv6 : er->net->enable_ipv4;

    if (addr_is_set(addr) && addr_equal(addr, &found->addr))
        return 0;
    if (addr_is_set(addr))
        return weft_fail(err, WEFT_INTERNAL, "the endpoint has address %s, but the answer says %s",
                         addr_text(addr), addr_text(&found->addr));
    if (!enabled)
        return weft_fail(err, WEFT_INTERNAL, "address %s is of a family that network %s has not",
                         addr_text(&found->addr), er->net->name);
    if (network_pool(er->net, family) && !network_pool_of(er->net, &found->addr))
        return weft_fail(err, WEFT_INTERNAL, "address %s lies outside the pool of network %s",
                         addr_text(&found->addr), er->net->name);
    *addr = found->addr;
    *len = found->len;
    return 0;
}

static int take_mac(struct errand *er, const char *text, struct weft_error *err)
{
    struct mac mac;

    if (!*text)
        return 0;
    if (mac_parse(text, &mac, NULL) < 0)
        return weft_fail(err, WEFT_INTERNAL, "MacAddress \"%.64s\" is no MAC address", text);
    if (mac_is_set(&er->mac) && !mac_equal(&mac, &er->mac))
        return weft_fail(err, WEFT_INTERNAL,
                         "the endpoint has MAC address %s, but the answer says %s",
                         mac_text(&er->mac), mac_text(&mac));
    er->mac = mac;
    return 0;
}

int remote_heed_create_endpoint(struct remote_run *run, const json_t *answer,
                                struct weft_error *err)
{
    struct errand *er = run->er;
    struct prefix ipv4 = {0}, ipv6 = {0};
    json_t *interface = NULL;
    const char *mac = "";
    int r = json_get_object(answer, "Interface", &interface, err);

    if (r == 0)
        r = remote_parse_cidr(interface, "Address", AF_INET, &ipv4, err);
    if (r == 0)
        r = remote_parse_cidr(interface, "AddressIPv6", AF_INET6, &ipv6, err);
    if (r == 0)
        r = json_get_string(interface, "MacAddress", &mac, err);
    if (r == 0 && prefix_is_set(&ipv4))
        r = take_address(er, &ipv4, &er->ipv4, &er->given.ipv4_len, err);
    if (r == 0 && prefix_is_set(&ipv6))
        r = take_address(er, &ipv6, &er->ipv6, &er->given.ipv6_len, err);
    return r < 0 ? r : take_mac(er, mac, err);
}

/* ---- Join ---- */

static bool has_ifname(const struct errand *er, const char *name)
{
    for (size_t i = 0; i < er->sb->endpoint_count; i++)
        if (er->sb->endpoints[i] != er->ep && str_equal(er->sb->endpoints[i]->ifname, name))
            return true;
    return false;
}

/* The driver says how the interface is called inside, or how its name begins, unless the user said
 * it. The endpoint has a name already, which may do. */
static int name_interface(struct errand *er, const char *name, const char *prefix,
                          struct weft_error *err)
{
    struct endpoint *ep = er->ep;
    size_t len = strlen(prefix);
    char found[IFNAMSIZ];

    if (strmap_get(&ep->want.driver_opts, OPTION_ENDPOINT_IFNAME) || (!*name && !*prefix))
        return 0;
    if (*name && has_ifname(er, name))
        return weft_fail(err, WEFT_INTERNAL, "DstName %s is taken: %s has such an interface", name,
                         sandbox_owner_text(er->sb));
    if (*name)
        return str_copy(ep->ifname, sizeof ep->ifname, name);
    if (str_starts_with(ep->ifname, prefix) && ep->ifname[len] &&
        strspn(ep->ifname + len, "0123456789") == strlen(ep->ifname + len))
        return 0;
    sandbox_free_ifname(er->sb, prefix, found);
    return str_copy(ep->ifname, sizeof ep->ifname, found);
}

static int check_prefix(const char *prefix, struct weft_error *err)
{
    if (!*prefix || (strlen(prefix) <= IFACE_PREFIX_MAX && ifname_check(prefix, NULL) == 0))
        return 0;
    return weft_fail(err, WEFT_INTERNAL, "DstPrefix \"%.32s\" cannot begin an interface's name",
                     prefix);
}

static int heed_interface(struct errand *er, const json_t *interface, struct weft_error *err)
{
    const char *link = "", *name = "", *prefix = "";
    int r = json_get_string(interface, "SrcName", &link, err);

    if (r == 0)
        r = json_get_string(interface, "DstName", &name, err);
    if (r == 0)
        r = json_get_string(interface, "DstPrefix", &prefix, err);
    if (r == 0)
        r = check_prefix(prefix, err);
    if (r < 0 || !*link)
        return r;
    if (ifname_check(link, NULL) < 0 || (*name && ifname_check(name, NULL) < 0))
        return weft_fail(err, WEFT_INTERNAL, "\"%.32s\" is no name of an interface",
                         ifname_check(link, NULL) < 0 ? link : name);
    if (kernel_link_index(er->engine->kernel, NULL, link) < 0)
        return weft_fail(err, WEFT_INTERNAL, "SrcName %s is no link of the host", link);
    r = str_copy(er->given.link, sizeof er->given.link, link);
    return r < 0 ? r : name_interface(er, name, prefix, err);
}

static int heed_gateway(const json_t *answer, const char *key, int family, struct addr *ret,
                        struct weft_error *err)
{
    struct addr found = {0};
    int r = json_get_addr(answer, key, &found, err);

    if (r < 0)
        return r;
    if (addr_is_set(&found) && found.family != family)
        return weft_fail(err, WEFT_INTERNAL, "%s must be an %s address, not %s", key,
                         family == AF_INET6 ? "IPv6" : "IPv4", addr_text(&found));
    *ret = found;
    return 0;
}

static int read_route(const json_t *doc, struct endpoint_route *ret, struct weft_error *err)
{
    const char *destination = "";
    int64_t type = 0; /* 0: by NextHop, 1: on the link */
    int r = json_get_string(doc, "Destination", &destination, err);

    if (r == 0)
        r = json_get_i64(doc, "RouteType", &type, err);
    if (r == 0)
        r = json_get_addr(doc, "NextHop", &ret->via, err);
    if (r == 0)
        r = prefix_parse(destination, &ret->destination, err);
    if (r < 0)
        return r;
    if (type < 0 || type > 1 || addr_is_set(&ret->via) != (type == 0) ||
        (type == 0 && ret->via.family != ret->destination.addr.family))
        return weft_fail(err, WEFT_INTERNAL,
                         "the route to %s must have RouteType 0 and a NextHop of its family, or "
                         "RouteType 1 and none",
                         destination);
    ret->destination = prefix_network(&ret->destination);
    return 0;
}

/* A default route is the gateway's to lead to; there may be others in the sandbox. */
static void take_route(struct endpoint_given *given, const struct endpoint_route *route)
{
    if (route->destination.len > 0 || !addr_is_set(&route->via))
        given->routes[given->route_count++] = *route;
    else if (route->via.family == AF_INET6)
        given->gateway6 = route->via;
    else
        given->gateway4 = route->via;
}

static int heed_routes(struct endpoint_given *given, const json_t *answer, struct weft_error *err)
{
    json_t *list = NULL, *item;
    size_t i;
    int r = json_get_array(answer, "StaticRoutes", &list, err);

    if (r < 0 || json_array_size(list) == 0)
        return r;
    free(given->routes);
    given->route_count = 0;
    given->routes = calloc(json_array_size(list), sizeof *given->routes);
    if (!given->routes)
        return weft_oom(err);
    json_array_foreach (list, i, item) {
        struct endpoint_route route = {0};

        r = json_is_object(item) ? read_route(item, &route, err)
                                 : weft_fail(err, WEFT_INTERNAL, "StaticRoutes must hold objects");
        if (r < 0)
            return r;
        take_route(given, &route);
    }
    return 0;
}

int remote_heed_join(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    struct endpoint_given *given = &run->er->given;
    json_t *interface = NULL;
    int r = json_get_object(answer, "InterfaceName", &interface, err);

    if (r == 0)
        r = heed_interface(run->er, interface, err);
    if (r == 0)
        r = heed_gateway(answer, "Gateway", AF_INET, &given->gateway4, err);
    if (r == 0)
        r = heed_gateway(answer, "GatewayIPv6", AF_INET6, &given->gateway6, err);
    if (r == 0)
        r = heed_routes(given, answer, err);
    /* The pool's own gateway is none of the sandbox's, if the driver does not say so. */
    given->no_gateway = !addr_is_set(&given->gateway4) && !addr_is_set(&given->gateway6);
    return r;
}
