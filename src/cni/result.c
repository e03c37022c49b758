/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define MTU_MAX 65535

/* ---- ADD ---- */

static int check_version(const json_t *doc, struct weft_error *err)
{
    const char *version = NULL;
    int r = json_get_string(doc, "cniVersion", &version, err);

    if (r < 0 || !version)
        return r;
    if (cni_version_find(version) == CNI_VERSIONS)
        return weft_fail(err, WEFT_INVALID, "its cniVersion is \"%s\"", version);
    return 0;
}

/* One in a sandbox: those of the host have none, or an empty one. */
static bool is_inside(const json_t *interface, const char *ifname)
{
    const char *name = json_string_value(json_object_get(interface, "name"));
    const char *sandbox = json_string_value(json_object_get(interface, "sandbox"));

    return str_equal(name, ifname) && !str_is_empty(sandbox);
}

static int read_interface(const json_t *interface, struct cni_result *res, struct weft_error *err)
{
    const char *mac = NULL;
    int64_t mtu = 0;
    int r = json_get_string(interface, "mac", &mac, err);

    if (r == 0)
        r = json_get_i64(interface, "mtu", &mtu, err);
    if (r < 0)
        return r;
    if (mtu < 0 || mtu > MTU_MAX)
        return weft_fail(err, WEFT_INVALID, "mtu %lld is none", (long long)mtu);
    res->mtu = (uint32_t)mtu;
    return str_is_empty(mac) ? 0 : mac_parse(mac, &res->mac, err);
}

/* All the attachment's links; *ret: the one that the container gets, −1 when it is not among them.
 */
static int read_interfaces(const json_t *list, const char *ifname, struct cni_result *res,
                           int64_t *ret, struct weft_error *err)
{
    const json_t *interface;
    size_t i;

    *ret = -1;
    json_array_foreach (list, i, interface) {
        if (!json_is_object(interface))
            return weft_fail(err, WEFT_INVALID, "interfaces must be an array of objects");
        if (*ret >= 0 || !is_inside(interface, ifname))
            continue;
        *ret = (int64_t)i;
        if (read_interface(interface, res, err) < 0) {
            weft_error_prefix(err, "interface %s", ifname);
            return -EINVAL;
        }
    }
    return 0;
}

static struct prefix *address_of(struct cni_result *res, int family)
{
    return family == AF_INET6 ? &res->ipv6 : &res->ipv4;
}

static struct addr *gateway_of(struct cni_result *res, int family)
{
    return family == AF_INET6 ? &res->gateway6 : &res->gateway4;
}

/* An address without an interface is the container's; one of another interface is not looked at.
 * routers: the gateways that go with the addresses, for routes that name none. */
static int read_ip(const json_t *ip, int64_t own, size_t interface_count, struct cni_result *res,
                   struct addr routers[2], struct weft_error *err)
{
    const char *text = NULL;
    struct prefix address;
    struct addr gateway = {0};
    int64_t interface = own;
    int r = json_get_string(ip, "address", &text, err);

    if (r == 0)
        r = json_get_i64(ip, "interface", &interface, err);
    if (r < 0)
        return r;
    if (!text)
        return weft_fail(err, WEFT_INVALID, "address is missing");
    r = prefix_parse(text, &address, err);
    if (r == 0)
        r = json_get_addr(ip, "gateway", &gateway, err);
    if (r < 0)
        return r;
    if (interface < -1 || interface >= (int64_t)interface_count)
        return weft_fail(err, WEFT_INVALID, "address %s has interface %lld, of %zu", text,
                         (long long)interface, interface_count);
    if (addr_is_set(&gateway) && gateway.family != address.addr.family)
        return weft_fail(err, WEFT_INVALID, "address %s has gateway %s, of the other family", text,
                         addr_text(&gateway));
    if (interface != own || prefix_is_set(address_of(res, address.addr.family)))
        return 0;
    *address_of(res, address.addr.family) = address;
    routers[address.addr.family == AF_INET6] = gateway;
    return 0;
}

static int read_ips(const json_t *list, int64_t own, size_t interface_count, struct cni_result *res,
                    struct addr routers[2], struct weft_error *err)
{
    const json_t *ip;
    size_t i;
    int r = 0;

    json_array_foreach (list, i, ip) {
        r = json_is_object(ip) ? read_ip(ip, own, interface_count, res, routers, err)
                               : weft_fail(err, WEFT_INVALID, "it is not an object");
        if (r < 0) {
            weft_error_prefix(err, "ips");
            break;
        }
    }
    return r;
}

static int read_route(const json_t *route, struct cni_result *res, const struct addr routers[2],
                      struct weft_error *err)
{
    const char *text = NULL;
    struct prefix destination;
    struct addr via = {0};
    int r = json_get_string(route, "dst", &text, err);

    if (r < 0)
        return r;
    if (!text)
        return weft_fail(err, WEFT_INVALID, "dst is missing");
    r = prefix_parse(text, &destination, err);
    if (r == 0)
        r = json_get_addr(route, "gw", &via, err);
    if (r < 0)
        return r;
    if (!addr_is_set(&via))
        via = routers[destination.addr.family == AF_INET6];
    if (destination.len == 0)
        *gateway_of(res, destination.addr.family) = via;
    else
        res->routes[res->route_count++] = (struct cni_route){prefix_network(&destination), via};
    return 0;
}

static int read_routes(const json_t *list, struct cni_result *res, const struct addr routers[2],
                       struct weft_error *err)
{
    const json_t *route;
    size_t i;
    int r = 0;

    if (json_array_size(list) == 0)
        return 0;
    res->routes = calloc(json_array_size(list), sizeof *res->routes);
    if (!res->routes)
        return weft_oom(err);
    json_array_foreach (list, i, route) {
        r = json_is_object(route) ? read_route(route, res, routers, err)
                                  : weft_fail(err, WEFT_INVALID, "it is not an object");
        if (r < 0) {
            weft_error_prefix(err, "routes");
            break;
        }
    }
    return r;
}

static int read_dns(const json_t *dns, struct cni_result *res, struct weft_error *err)
{
    _cleanup_strv_ strv searches = NULL;
    const char *domain = NULL;
    int r = json_get_strv(dns, "nameservers", &res->nameservers, err);

    if (r == 0)
        r = json_get_string(dns, "domain", &domain, err);
    if (r == 0)
        r = json_get_strv(dns, "search", &searches, err);
    if (r == 0)
        r = json_get_strv(dns, "options", &res->options, err);
    if (r < 0) {
        weft_error_prefix(err, "dns");
        return r;
    }
    if (!str_is_empty(domain) && strv_add(&res->searches, domain) < 0)
        return weft_oom(err);
    for (char **search = searches; search && *search; search++)
        if (!strv_contains(res->searches, *search) && strv_add(&res->searches, *search) < 0)
            return weft_oom(err);
    return 0;
}

static int read_result(struct cni_result *res, const char *ifname, struct weft_error *err)
{
    json_t *interfaces = NULL, *ips = NULL, *routes = NULL, *dns = NULL;
    struct addr routers[2] = {0};
    int64_t own = -1;
    int r = check_version(res->doc, err);

    if (r == 0)
        r = json_get_array(res->doc, "interfaces", &interfaces, err);
    if (r == 0)
        r = json_get_array(res->doc, "ips", &ips, err);
    if (r == 0)
        r = json_get_array(res->doc, "routes", &routes, err);
    if (r == 0)
        r = json_get_object(res->doc, "dns", &dns, err);
    if (r == 0)
        r = read_interfaces(interfaces, ifname, res, &own, err);
    if (r == 0)
        r = read_ips(ips, own, json_array_size(interfaces), res, routers, err);
    if (r == 0)
        r = read_routes(routes, res, routers, err);
    return r < 0 ? r : read_dns(dns, res, err);
}

int cni_result_parse(const char *text, size_t length, const char *ifname, struct cni_result **ret,
                     struct weft_error *err)
{
    _cleanup_cni_result_ struct cni_result *res = calloc(1, sizeof *res);
    int r;

    if (!res)
        return weft_oom(err);
    if (length == 0)
        return weft_fail(err, WEFT_INVALID, "it is empty");
    r = json_parse(text, length, &res->doc, err);
    if (r < 0)
        return r;
    if (!json_is_object(res->doc))
        return weft_fail(err, WEFT_INVALID, "it is not a JSON object");
    r = read_result(res, ifname, err);
    if (r == 0)
        *ret = TAKE_PTR(res);
    return r;
}

void cni_result_free(struct cni_result *result)
{
    if (!result)
        return;
    json_decref(result->doc);
    free(result->routes);
    strv_free(result->nameservers);
    strv_free(result->searches);
    strv_free(result->options);
    free(result);
}

/* ---- VERSION ---- */

int cni_versions_parse(const char *text, size_t length, unsigned *ret, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    json_t *list = NULL;
    const json_t *item;
    size_t i;
    int r = json_parse(text, length, &doc, err);

    if (r < 0)
        return r;
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "it is not a JSON object");
    r = json_get_array(doc, "supportedVersions", &list, err);
    if (r < 0)
        return r;
    *ret = 0;
    json_array_foreach (list, i, item) {
        enum cni_version version = cni_version_find(json_string_value(item));

        if (version < CNI_VERSIONS)
            *ret |= 1U << version;
    }
    return 0;
}

/* ---- errors ---- */

static enum weft_code code_of(json_int_t code)
{
    switch (code) {
    case 1: /* incompatible version */
    case 2: /* unsupported field */
    case 7: /* invalid configuration */
        return WEFT_INVALID;
    case 11: /* try again later */
    case 50: /* not available */
    case 51:
        return WEFT_EXHAUSTED;
    default:
        return WEFT_INTERNAL;
    }
}

/* One line of printable text, whatever the plugin sent. */
static char *plain(const char *text)
{
    char *copy = strdup(text ? text : "");

    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return copy;
}

static int tell_object(const json_t *doc, struct weft_error *err)
{
    json_int_t code = json_integer_value(json_object_get(doc, "code"));
    _cleanup_free_ char *msg = plain(json_string_value(json_object_get(doc, "msg")));
    _cleanup_free_ char *details = plain(json_string_value(json_object_get(doc, "details")));

    if (!msg || !details)
        return weft_oom(err);
    return weft_fail(err, code_of(code), "error %lld: %s%s%s", (long long)code,
                     *msg ? msg : "no message", *details ? ": " : "", details);
}

/* The last line with something in it; "" when there is none. */
static char *last_line(const char *text)
{
    size_t end = text ? strlen(text) : 0, start;
    _cleanup_free_ char *line = NULL;

    while (end > 0 && strchr(" \t\r\n", text[end - 1]))
        end--;
    for (start = end; start > 0 && text[start - 1] != '\n';)
        start--;
    line = strndup(text ? text + start : "", end - start);
    return line ? plain(line) : NULL;
}

int cni_failure(const struct cni_failure *failure, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = json_loadb(failure->out, failure->out_length, 0, NULL);
    _cleanup_free_ char *line = NULL;

    if (json_is_object(doc) && (json_object_get(doc, "code") || json_object_get(doc, "msg")))
        return tell_object(doc, err);
    line = last_line(failure->err);
    if (!line)
        return weft_oom(err);
    if (failure->signo)
        return weft_fail(err, WEFT_INTERNAL, "signal %d ended it%s%s", failure->signo,
                         *line ? ": " : "", line);
    return weft_fail(err, WEFT_INTERNAL, "it ended with status %d%s%s", failure->status,
                     *line ? ": " : " and said nothing", line);
}
