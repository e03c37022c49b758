/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What plugins are told of an endpoint, beside their configuration: values for the capabilities
 * that CNI's CONVENTIONS.md names. What no plugin of the network takes is not gathered.
 *
 * Ports: weft publishes them itself where the sandbox is on a network that can, and else has them
 * published by the first CNI network that can. As plugins do not hold a port of the host, which
 * one is free is found by taking it for a moment, and by looking at what others have been given.
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/json.h"
#include "engine/dns.h"
#include "engine/outside_cni.h"
#include "model/limit.h"

#define PORT_MAPPINGS "portMappings"

/* Consumes value; nothing to say (NULL, or empty) is not said. */
static int say(json_t *out, const char *capability, json_t *value, struct weft_error *err)
{
    if (!value)
        return weft_oom(err);
    if ((json_is_array(value) && json_array_size(value) == 0) ||
        (json_is_object(value) && json_object_size(value) == 0)) {
        json_decref(value);
        return 0;
    }
    return json_object_set_new(out, capability, value) < 0 ? weft_oom(err) : 0;
}

/* ---- ips ---- */

/* Whether value, a subnet or an address with a prefix length, is one around addr. */
static bool surrounds(const json_t *value, const struct addr *addr, struct prefix *ret)
{
    const char *text = json_string_value(value);
    struct prefix prefix;

    if (!text || prefix_parse(text, &prefix, NULL) < 0 || !prefix_contains(&prefix, addr))
        return false;
    *ret = (struct prefix){*addr, prefix.len};
    return true;
}

/* The subnet around addr in an "ipam" object: {"subnet"}, {"ranges": [[{"subnet"}]]} of host-local,
 * {"addresses": [{"address"}]} of static. */
static bool find_subnet(const json_t *ipam, const struct addr *addr, struct prefix *ret)
{
    const json_t *set, *item;
    size_t i, j;

    if (surrounds(json_object_get(ipam, "subnet"), addr, ret))
        return true;
    json_array_foreach (json_object_get(ipam, "addresses"), i, item)
        if (surrounds(json_object_get(item, "address"), addr, ret))
            return true;
    json_array_foreach (json_object_get(ipam, "ranges"), i, set)
        json_array_foreach (set, j, item)
            if (surrounds(json_object_get(item, "subnet"), addr, ret))
                return true;
    return false;
}

/* Some plugins need a prefix length, which the user has not said: that of the pool that the
 * configuration speaks of. */
static int add_ip(json_t *list, const struct cni_config *config, const struct addr *addr)
{
    struct prefix prefix = {0};
    const json_t *plugin;
    size_t i;

    if (!addr_is_set(addr))
        return 0;
    json_array_foreach (config->plugins, i, plugin)
        if (find_subnet(json_object_get(plugin, "ipam"), addr, &prefix))
            break;
    return json_array_append_new(list, json_string(prefix_is_set(&prefix) ? prefix_text(&prefix)
                                                                          : addr_text(addr)));
}

static json_t *make_ips(const struct endpoint *ep, const struct cni_config *config)
{
    _cleanup_json_ json_t *list = json_array();

    if (!list || add_ip(list, config, &ep->want.ipv4) < 0 ||
        add_ip(list, config, &ep->want.ipv6) < 0)
        return NULL;
    return TAKE_PTR(list);
}

/* ---- bandwidth ---- */

/* Rates and bursts in bits. */
static int add_limit(json_t *out, const char *rate, const char *burst, const struct limit *limit)
{
    if (!limit->rate)
        return 0;
    return json_object_set_new(out, rate, json_integer((json_int_t)limit->rate)) < 0 ||
                   json_object_set_new(out, burst, json_integer((json_int_t)limit->burst * 8)) < 0
               ? -1
               : 0;
}

static json_t *make_bandwidth(const struct endpoint *ep)
{
    _cleanup_json_ json_t *out = json_object();
    struct limits limits = {0};

    (void)limits_read(&ep->want.driver_opts, &limits, NULL); /* known to be good */
    if (!out || add_limit(out, "ingressRate", "ingressBurst", &limits.ingress) < 0 ||
        add_limit(out, "egressRate", "egressBurst", &limits.egress) < 0)
        return NULL;
    return TAKE_PTR(out);
}

/* ---- names ---- */

static json_t *make_aliases(struct engine *e, const struct endpoint *ep)
{
    _cleanup_strv_ strv names = NULL;

    return engine_endpoint_names(e, ep, &names) < 0 ? NULL : json_from_strv(names);
}

static json_t *server_texts(const struct resolv_conf *host)
{
    json_t *list = json_array();

    for (size_t i = 0; i < host->count; i++)
        (void)json_array_append_new(list, json_string(host->texts[i]));
    return list;
}

/* The container's servers and search list, or else the host's. */
static json_t *make_dns(const struct engine *e, const struct endpoint *ep)
{
    const struct container *c = sandbox_container(e, ep->sandbox);
    _cleanup_resolv_conf_ struct resolv_conf host = {0};
    bool servers = c && strv_length(c->config.dns), search = c && strv_length(c->config.dns_search);
    bool options = c && strv_length(c->config.dns_options);

    if (resolv_conf_read(&host) < 0)
        return NULL;
    return json_pack("{s:o, s:o, s:o}", "servers",
                     servers ? json_from_strv(c->config.dns) : server_texts(&host), "searches",
                     json_from_strv(search ? c->config.dns_search : host.search), "options",
                     json_from_strv(options ? c->config.dns_options : host.options));
}

/* ---- portMappings ---- */

/* Whether somebody else publishes the sandbox's ports. */
static bool is_published_elsewhere(const struct endpoint *ep)
{
    const struct sandbox *sb = ep->sandbox;

    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i] != ep &&
            (network_publishes(sb->endpoints[i]->network) || cni_endpoint_ports(sb->endpoints[i])))
            return true;
    return false;
}

static bool is_mapped(const json_t *mappings, const char *proto, uint16_t port)
{
    const json_t *mapping;
    size_t i;

    json_array_foreach (mappings, i, mapping)
        if (json_integer_value(json_object_get(mapping, "hostPort")) == port &&
            str_equal(json_string_value(json_object_get(mapping, "protocol")), proto))
            return true;
    return false;
}

/* Whether nothing on the host listens there. 0: *port is the one that was free. */
static bool can_be_bound(uint8_t proto, const struct addr *host, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(*port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
    bool is_ipv6 = host->family == AF_INET6;
    struct sockaddr *sa = is_ipv6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
    socklen_t length = is_ipv6 ? sizeof in6 : sizeof in;
    _cleanup_close_ int fd =
        socket(sa->sa_family, (proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);

    if (addr_is_set(host))
        memcpy(is_ipv6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr, host->bytes,
               addr_size(host));
    if (fd < 0 || bind(fd, sa, length) < 0 || getsockname(fd, sa, &length) < 0)
        return false;
    *port = ntohs(is_ipv6 ? in6.sin6_port : in.sin_port);
    return true;
}

/* Whether a plugin has been told to lead this port to somewhere else; out: those of the endpoint
 * itself. */
static bool is_taken(const struct engine *e, const json_t *out, const char *proto, uint16_t port)
{
    if (is_mapped(out, proto, port))
        return true;
    for (size_t i = 0; i < e->sandbox_count; i++)
        for (size_t k = 0; k < e->sandboxes[i]->endpoint_count; k++)
            if (is_mapped(cni_endpoint_ports(e->sandboxes[i]->endpoints[k]), proto, port))
                return true;
    return false;
}

#define EPHEMERAL_TRIES 64

static int choose_port(const struct engine *e, const json_t *out, const struct publish_want *want,
                       uint16_t *ret, struct weft_error *err)
{
    const char *proto = publish_proto_text(want->proto);
    unsigned last = want->first ? want->last : EPHEMERAL_TRIES;

    for (unsigned port = want->first ? want->first : 1; port <= last; port++) {
        *ret = want->first ? (uint16_t)port : 0;
        if (can_be_bound(want->proto, &want->host, ret) && !is_taken(e, out, proto, *ret))
            return 0;
    }
    if (!want->first)
        return weft_fail(err, WEFT_EXHAUSTED, "no ephemeral port of the host is free for %u/%s",
                         want->port, proto);
    return weft_fail(err, WEFT_CONFLICT,
                     "port %u/%s of the host is in use: %u/%s cannot be "
                     "published there",
                     want->first, proto, want->port, proto);
}

static int add_mapping(const struct engine *e, json_t *out, const struct publish_want *want,
                       struct weft_error *err)
{
    json_t *mapping;
    uint16_t port = 0;
    int r = choose_port(e, out, want, &port, err);

    if (r < 0)
        return r;
    mapping = json_pack("{s:i, s:i, s:s, s:s*}", "hostPort", port, "containerPort", want->port,
                        "protocol", publish_proto_text(want->proto), "hostIP",
                        addr_is_set(&want->host) ? addr_text(&want->host) : NULL);
    return json_array_append_new(out, mapping) < 0 ? weft_oom(err) : 0;
}

static int say_ports(const struct engine *e, const struct endpoint *ep, json_t *out,
                     struct weft_error *err)
{
    _cleanup_json_ json_t *list = json_array();
    int r = 0;

    if (!list)
        return weft_oom(err);
    if (is_published_elsewhere(ep))
        return 0;
    for (size_t i = 0; r == 0 && i < ep->sandbox->publishes.count; i++)
        r = add_mapping(e, list, &ep->sandbox->publishes.items[i].want, err);
    return r < 0 ? r : say(out, PORT_MAPPINGS, TAKE_PTR(list), err);
}

/* ---- all ---- */

int cni_say(struct engine *e, const struct endpoint *ep, const struct cni_config *config,
            json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *out = json_object();
    int r = out ? 0 : weft_oom(err);

    if (r == 0 && cni_config_takes(config, "ips"))
        r = say(out, "ips", make_ips(ep, config), err);
    if (r == 0 && cni_config_takes(config, "mac") && mac_is_set(&ep->want.mac))
        r = say(out, "mac", json_string(mac_text(&ep->want.mac)), err);
    if (r == 0 && cni_config_takes(config, "bandwidth"))
        r = say(out, "bandwidth", make_bandwidth(ep), err);
    if (r == 0 && cni_config_takes(config, "aliases"))
        r = say(out, "aliases", make_aliases(e, ep), err);
    if (r == 0 && cni_config_takes(config, "dns"))
        r = say(out, "dns", make_dns(e, ep), err);
    if (r == 0 && cni_config_takes(config, PORT_MAPPINGS))
        r = say_ports(e, ep, out, err);
    if (r == 0)
        *ret = TAKE_PTR(out);
    return r;
}
