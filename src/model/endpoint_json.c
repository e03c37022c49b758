/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/option.h"

static int read_addr(const json_t *doc, const char *key, int family, struct addr *ret,
                     struct weft_error *err)
{
    int r = json_get_addr(doc, key, ret, err);

    if (r < 0 || !addr_is_set(ret) || ret->family == family)
        return r;
    return weft_fail(err, WEFT_INVALID, "%s %s is not an %s address", key, addr_text(ret),
                     family == AF_INET6 ? "IPv6" : "IPv4");
}

static int read_mac(const json_t *doc, const char *key, struct mac *ret, struct weft_error *err)
{
    const char *text = NULL;
    int r = json_get_string(doc, key, &text, err);

    return r < 0 || str_is_empty(text) ? r : mac_parse(text, ret, err);
}

static int read_link_local(const json_t *doc, struct endpoint_want *want, struct weft_error *err)
{
    static const struct prefix allowed[] = {
        {{AF_INET, {169, 254}}, 16},    /* RFC 3927 */
        {{AF_INET6, {0xfe, 0x80}}, 64}, /* RFC 4291, 2.5.6 */
    };
    _cleanup_strv_ strv texts = NULL;
    int r = json_get_strv(doc, "LinkLocalIPs", &texts, err);

    if (r < 0 || !texts)
        return r;
    want->link_local = calloc(strv_length(texts) + 1, sizeof *want->link_local);
    if (!want->link_local)
        return weft_oom(err);
    for (size_t i = 0; texts[i]; i++) {
        struct addr *addr = &want->link_local[i];

        r = addr_parse(texts[i], addr, err);
        if (r < 0)
            return r;
        if (!prefix_contains(&allowed[0], addr) && !prefix_contains(&allowed[1], addr))
            return weft_fail(err, WEFT_INVALID,
                             "link-local address %s is in neither 169.254.0.0/16 nor fe80::/64",
                             texts[i]);
        want->link_local_count++;
    }
    return 0;
}

static int read_ipam(const json_t *doc, struct endpoint_want *want, struct weft_error *err)
{
    json_t *ipam = NULL;
    int r = json_get_object(doc, "IPAMConfig", &ipam, err);

    if (r < 0 || !ipam)
        return r;
    r = read_addr(ipam, "IPv4Address", AF_INET, &want->ipv4, err);
    if (r == 0)
        r = read_addr(ipam, "IPv6Address", AF_INET6, &want->ipv6, err);
    return r < 0 ? r : read_link_local(ipam, want, err);
}

static int want_read(const json_t *doc, struct endpoint_want *want, struct weft_error *err)
{
    int r = read_ipam(doc, want, err);

    if (r == 0)
        r = json_get_strv(doc, "Links", &want->links, err);
    if (r == 0)
        r = json_get_strv(doc, "Aliases", &want->aliases, err);
    if (r == 0)
        r = read_mac(doc, "MacAddress", &want->mac, err);
    if (r == 0)
        r = json_get_strmap(doc, "DriverOpts", &want->driver_opts, err);
    if (r == 0)
        r = json_get_i64(doc, "GwPriority", &want->gw_priority, err);
    if (r == 0)
        r = options_check(OPTION_SCOPE_ENDPOINT, NULL, "the endpoint", &want->driver_opts, err);
    return r;
}

int endpoint_want_from_json(const json_t *doc, struct endpoint_want *ret, struct weft_error *err)
{
    if (!doc || json_is_null(doc))
        return 0;
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "an endpoint's settings must be a JSON object");
    int r = want_read(doc, ret, err);
    if (r < 0)
        endpoint_want_clear(ret);
    return r;
}

/* Sets the key unless value is empty ({}, [], ""). Takes the reference. 0 or -1 without memory. */
static int set_if_any(json_t *doc, const char *key, json_t *value)
{
    if (value && json_object_size(value) == 0 && json_array_size(value) == 0 &&
        json_string_length(value) == 0) {
        json_decref(value);
        return 0;
    }
    return json_object_set_new(doc, key, value);
}

static json_t *link_local_to_json(const struct endpoint_want *want)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < want->link_local_count; i++)
        if (json_array_append_new(list, json_from_addr(&want->link_local[i])) < 0)
            return NULL;
    return TAKE_PTR(list);
}

static json_t *ipam_to_json(const struct endpoint_want *want)
{
    _cleanup_json_ json_t *doc = json_object();

    if (set_if_any(doc, "IPv4Address", json_from_addr(&want->ipv4)) < 0 ||
        set_if_any(doc, "IPv6Address", json_from_addr(&want->ipv6)) < 0 ||
        set_if_any(doc, "LinkLocalIPs", link_local_to_json(want)) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

static json_t *mac_to_json(const struct mac *mac)
{
    return json_string(mac_is_set(mac) ? mac_text(mac) : "");
}

json_t *endpoint_want_to_json(const struct endpoint_want *want)
{
    _cleanup_json_ json_t *doc = json_object();

    if (set_if_any(doc, "IPAMConfig", ipam_to_json(want)) < 0 ||
        set_if_any(doc, "Links", json_from_strv(want->links)) < 0 ||
        set_if_any(doc, "Aliases", json_from_strv(want->aliases)) < 0 ||
        set_if_any(doc, "MacAddress", mac_to_json(&want->mac)) < 0 ||
        set_if_any(doc, "DriverOpts", json_from_strmap(&want->driver_opts)) < 0)
        return NULL;
    if (want->gw_priority &&
        json_object_set_new(doc, "GwPriority", json_integer(want->gw_priority)) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

static json_t *routes_to_json(const struct endpoint_given *given)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < given->route_count; i++) {
        const struct endpoint_route *route = &given->routes[i];

        if (json_array_append_new(list, json_pack("{s:s, s:o}", "Destination",
                                                  prefix_text(&route->destination), "Via",
                                                  json_from_addr(&route->via))) < 0)
            return NULL;
    }
    return TAKE_PTR(list);
}

static json_t *given_to_json(const struct endpoint_given *given)
{
    return json_pack("{s:i, s:i, s:o, s:o, s:b, s:b, s:o, s:s, s:i, s:O*}", "IPv4Len",
                     (int)given->ipv4_len, "IPv6Len", (int)given->ipv6_len, "Gateway4",
                     json_from_addr(&given->gateway4), "Gateway6", json_from_addr(&given->gateway6),
                     "NoGateway", given->no_gateway, "MakesRoutes", given->makes_routes, "Routes",
                     routes_to_json(given), "Link", given->link, "Mtu", (int)given->mtu, "State",
                     given->state);
}

static bool is_given_anything(const struct endpoint_given *given)
{
    return given->ipv4_len || given->ipv6_len || given->no_gateway || given->makes_routes ||
           given->route_count || *given->link || given->mtu || given->state ||
           addr_is_set(&given->gateway4) || addr_is_set(&given->gateway6);
}

json_t *endpoint_to_json(const struct endpoint *ep)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "Id", ep->id, "IfName", ep->ifname, "IPv4",
                  json_from_addr(&ep->ipv4), "IPv6", json_from_addr(&ep->ipv6), "Mac",
                  mac_to_json(&ep->mac), "Want", endpoint_want_to_json(&ep->want));

    if (doc && ep->stage != ENDPOINT_SETTLED &&
        json_object_set_new(doc, "Stage", json_integer(ep->stage)) < 0)
        return NULL;
    if (doc && is_given_anything(&ep->given) &&
        json_object_set_new(doc, "Given", given_to_json(&ep->given)) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

static int read_names(const json_t *doc, struct endpoint *ep, struct weft_error *err)
{
    const char *id = "", *ifname = "";
    int r = json_get_string(doc, "Id", &id, err);

    if (r == 0)
        r = json_get_string(doc, "IfName", &ifname, err);
    if (r == 0 && *ifname)
        r = ifname_check(ifname, err);
    if (r < 0)
        return r;
    if (!id_is_valid(id))
        return weft_fail(err, WEFT_INVALID, "Id \"%s\" of an endpoint is not an id", id);
    r = str_copy(ep->id, sizeof ep->id, id);
    return r < 0 ? r : str_copy(ep->ifname, sizeof ep->ifname, ifname);
}

static int read_stage(const json_t *doc, struct endpoint *ep, struct weft_error *err)
{
    int64_t stage = ENDPOINT_SETTLED;
    int r = json_get_i64(doc, "Stage", &stage, err);

    if (r < 0)
        return r;
    if (stage < ENDPOINT_SETTLED || stage > ENDPOINT_LEAVING)
        return weft_fail(err, WEFT_INVALID, "Stage of endpoint %s is unknown", ep->id);
    ep->stage = (enum endpoint_stage)stage;
    return 0;
}

static int read_routes(const json_t *doc, struct endpoint_given *given, struct weft_error *err)
{
    json_t *list = NULL;
    int r = json_get_array(doc, "Routes", &list, err);

    if (r < 0 || json_array_size(list) == 0)
        return r;
    given->routes = calloc(json_array_size(list), sizeof *given->routes);
    if (!given->routes)
        return weft_oom(err);
    for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
        struct endpoint_route *route = &given->routes[given->route_count++];
        const char *destination = "";

        r = json_get_string(json_array_get(list, i), "Destination", &destination, err);
        if (r == 0)
            r = prefix_parse(destination, &route->destination, err);
        if (r == 0)
            r = json_get_addr(json_array_get(list, i), "Via", &route->via, err);
    }
    return r;
}

static int read_lengths(const json_t *doc, struct endpoint_given *given, struct weft_error *err)
{
    int64_t ipv4 = 0, ipv6 = 0, mtu = 0;
    int r = json_get_i64(doc, "IPv4Len", &ipv4, err);

    if (r == 0)
        r = json_get_i64(doc, "IPv6Len", &ipv6, err);
    if (r == 0)
        r = json_get_i64(doc, "Mtu", &mtu, err);
    if (r < 0)
        return r;
    if (ipv4 < 0 || ipv4 > 32 || ipv6 < 0 || ipv6 > 128 || mtu < 0 || mtu > NETWORK_MTU_MAX)
        return weft_fail(err, WEFT_INVALID, "what an endpoint was given is out of range");
    given->ipv4_len = (uint8_t)ipv4;
    given->ipv6_len = (uint8_t)ipv6;
    given->mtu = (uint32_t)mtu;
    return 0;
}

static int read_given(const json_t *doc, struct endpoint_given *given, struct weft_error *err)
{
    const char *link = "";
    json_t *object = NULL, *state;
    int r = json_get_object(doc, "Given", &object, err);

    if (r < 0 || !object)
        return r;
    r = read_lengths(object, given, err);
    if (r == 0)
        r = json_get_addr(object, "Gateway4", &given->gateway4, err);
    if (r == 0)
        r = json_get_addr(object, "Gateway6", &given->gateway6, err);
    if (r == 0)
        r = json_get_bool(object, "NoGateway", &given->no_gateway, err);
    if (r == 0)
        r = json_get_bool(object, "MakesRoutes", &given->makes_routes, err);
    if (r == 0)
        r = read_routes(object, given, err);
    if (r == 0)
        r = json_get_string(object, "Link", &link, err);
    if (r < 0)
        return r;
    state = json_object_get(object, "State");
    given->state = state && !json_is_null(state) ? json_incref(state) : NULL;
    return str_copy(given->link, sizeof given->link, link);
}

int endpoint_from_json(const json_t *doc, struct endpoint **ret, struct weft_error *err)
{
    _cleanup_endpoint_ struct endpoint *ep = calloc(1, sizeof *ep);
    int r;

    if (!ep)
        return weft_oom(err);
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "an endpoint must be a JSON object");
    r = read_names(doc, ep, err);
    if (r == 0)
        r = read_addr(doc, "IPv4", AF_INET, &ep->ipv4, err);
    if (r == 0)
        r = read_addr(doc, "IPv6", AF_INET6, &ep->ipv6, err);
    if (r == 0)
        r = read_mac(doc, "Mac", &ep->mac, err);
    if (r == 0)
        r = endpoint_want_from_json(json_object_get(doc, "Want"), &ep->want, err);
    if (r == 0)
        r = read_stage(doc, ep, err);
    if (r == 0)
        r = read_given(doc, &ep->given, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(ep);
    return 0;
}
