/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From the model to names.
 *
 * An endpoint's names are its container's name, its aliases, the short id, and the host name with
 * and without the domain; an attached namespace's are its own name and its aliases. The first is
 * what reverse lookups give. What is no name in DNS (a label of 64 octets, two dots) is left out:
 * it could not be asked for.
 */

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dns/codec.h"
#include "driver/cni.h"
#include "engine/dhcp_lease.h"
#include "engine/dns.h"

bool sandbox_has_names(const struct sandbox *sb)
{
    if (!sb->active || sb->kind == SANDBOX_HOST)
        return false;
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (endpoint_is_wired(sb->endpoints[i]) && network_has_names(sb->endpoints[i]->network))
            return true;
    return false;
}

bool sandbox_has_resolver(const struct sandbox *sb)
{
    return sb->kind == SANDBOX_CONTAINER && sandbox_has_names(sb);
}

/* ---- networks ---- */

int dns_names_of_network(const struct network *net, struct dns_message *ret)
{
    struct dns_msg_network *m = &ret->network;

    *ret = (struct dns_message){.type = DNS_MSG_NETWORK};
    m->id = net->id;
    m->name = net->name;
    m->forwards = !net->internal;
    m->ipv4 = network_host_addr(net, AF_INET);
    m->ipv6 = network_host_addr(net, AF_INET6);
    m->subnets = calloc(net->pool_count + 1, sizeof *m->subnets);
    if (!m->subnets)
        return -ENOMEM;
    for (size_t i = 0; i < net->pool_count; i++)
        m->subnets[m->subnet_count++] = prefix_network(&net->pools[i].subnet);
    return 0;
}

/* ---- sandboxes ---- */

static int compare_nearness(const void *a, const void *b)
{
    const struct endpoint *x = *(struct endpoint *const *)a, *y = *(struct endpoint *const *)b;

    if (x == y)
        return 0;
    return endpoint_is_nearer(x, y) ? -1 : 1;
}

static int add_networks(const struct sandbox *sb, struct dns_msg_sandbox *m)
{
    _cleanup_free_ struct endpoint **sorted =
        calloc(sb->endpoint_count + 1, sizeof(struct endpoint *));
    size_t count = 0;
    int r = 0;

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < sb->endpoint_count; i++) {
        struct endpoint *ep = sb->endpoints[i];

        if (!endpoint_is_wired(ep))
            continue;
        m->forwards = m->forwards || !ep->network->internal;
        if (network_has_names(ep->network))
            sorted[count++] = ep;
    }
    qsort(sorted, count, sizeof(struct endpoint *), compare_nearness);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = strv_add(&m->networks, sorted[i]->network->id);
    return r;
}

/* One of an endpoint's links, "TARGET:ALIAS" or "TARGET". */
static int add_link(const struct endpoint *ep, const char *text, dns_target_fn *target, void *arg,
                    struct dns_msg_sandbox *m)
{
    const char *colon = strchr(text, ':');
    _cleanup_free_ char *ref = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
    const char *name;
    char *copy;

    if (!ref)
        return -ENOMEM;
    name = target(arg, ref);
    copy = strdup(name ? name : ref);
    if (!copy)
        return -ENOMEM;
    m->links[m->link_count++] = (struct dns_link){
        .network = ep->network->id,
        .target = copy,
        .alias = colon ? colon + 1 : text,
    };
    return 0;
}

static int add_links(const struct sandbox *sb, dns_target_fn *target, void *arg,
                     struct dns_msg_sandbox *m)
{
    size_t room = 1;
    int r = 0;

    for (size_t i = 0; i < sb->endpoint_count; i++)
        room += strv_length(sb->endpoints[i]->want.links);
    m->links = calloc(room, sizeof *m->links);
    if (!m->links)
        return -ENOMEM;
    for (size_t i = 0; i < sb->endpoint_count; i++) {
        const struct endpoint *ep = sb->endpoints[i];

        if (!endpoint_is_wired(ep) || !network_has_names(ep->network))
            continue;
        for (char **link = ep->want.links; r == 0 && link && *link; link++)
            r = add_link(ep, *link, target, arg, m);
    }
    return r;
}

int endpoint_dns_given(const struct endpoint *ep, const char *key, strv *list)
{
    int r;

    if (!endpoint_is_wired(ep))
        return 0;
    r = cni_endpoint_dns(ep, key, list);
    return r < 0 ? r : dhcp_endpoint_dns(ep, key, list);
}

/* A plugin may have copied the host's file: what is on the host's loopback is not reached. */
static int add_given_servers(const struct endpoint *ep, strv *ret)
{
    _cleanup_strv_ strv given = NULL;
    struct addr addr;
    int r = endpoint_dns_given(ep, "nameservers", &given);

    for (char **text = given; r == 0 && text && *text; text++)
        if (addr_parse(*text, &addr, NULL) == 0 && !addr_is_loopback(&addr))
            r = strv_add(ret, *text);
    return r;
}

int sandbox_servers(const struct sandbox *sb, const struct container *c, strv *ret)
{
    int r = strv_copy(c->config.dns, ret);

    for (size_t i = 0; r == 0 && strv_length(c->config.dns) == 0 && i < sb->endpoint_count; i++)
        r = add_given_servers(sb->endpoints[i], ret);
    return r;
}

static int add_servers(const struct sandbox *sb, const struct container *c,
                       struct dns_msg_sandbox *m)
{
    _cleanup_strv_ strv servers = NULL;

    if (sandbox_servers(sb, c, &servers) < 0)
        return -ENOMEM;
    m->servers = calloc(strv_length(servers) + 1, sizeof *m->servers);
    if (!m->servers)
        return -ENOMEM;
    for (char **text = servers; text && *text; text++)
        if (addr_parse(*text, &m->servers[m->server_count].addr, NULL) == 0)
            m->server_count++;
    return 0;
}

int dns_names_of_sandbox(const struct sandbox *sb, const struct container *c, dns_target_fn *target,
                         void *arg, struct dns_message *ret)
{
    struct dns_msg_sandbox *m = &ret->sandbox;
    int r;

    *ret = (struct dns_message){.type = DNS_MSG_SANDBOX};
    m->id = sb->id;
    m->name = sb->name;
    r = add_networks(sb, m);
    if (r == 0)
        r = add_links(sb, target, arg, m);
    if (r == 0 && c)
        r = add_servers(sb, c, m);
    return r;
}

/* ---- endpoints ---- */

static int add_name(strv *names, const char *name)
{
    struct dns_name ignored;

    if (str_is_empty(name) || dns_name_from_text(name, &ignored) < 0 || strv_contains(*names, name))
        return 0;
    return strv_add(names, name);
}

static int add_container_names(const struct container *c, strv *names)
{
    const struct container_config *config = &c->config;
    _cleanup_free_ char *full = NULL;
    char short_id[ID_SHORT + 1];
    int r;

    snprintf(short_id, sizeof short_id, "%.*s", ID_SHORT, c->id);
    r = add_name(names, short_id);
    if (r == 0)
        r = add_name(names, config->hostname);
    if (r < 0 || str_is_empty(config->hostname) || str_is_empty(config->domainname))
        return r;
    full = str_printf("%s.%s", config->hostname, config->domainname);
    return full ? add_name(names, full) : -ENOMEM;
}

/* There may be tens of thousands of them, so they are sorted as bits. */
struct port_set {
    uint64_t bits[3][(UINT16_MAX + 1) / 64];
};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};

static void port_set_add(struct port_set *set, uint8_t proto, uint16_t port)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i] == proto)
            set->bits[i][port / 64] |= UINT64_C(1) << port % 64;
}

static void port_set_list(const struct port_set *set, struct dns_msg_endpoint *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        for (unsigned word = 0; word < ARRAY_SIZE(set->bits[i]); word++)
            for (uint64_t left = set->bits[i][word]; left && m->port_count < DNS_PORTS_MAX;
                 left &= left - 1)
                m->ports[m->port_count++] = (struct dns_msg_port){
                    .proto = protocols[i],
                    .port = (uint16_t)(word * 64 + (unsigned)__builtin_ctzll(left)),
                };
}

static int add_ports(const struct sandbox *sb, const struct container *c,
                     struct dns_msg_endpoint *m)
{
    char *const *exposed = c ? c->config.exposed : NULL;
    size_t count = strv_length(exposed) + sb->publishes.count;
    _cleanup_free_ struct port_set *set = NULL;

    if (count == 0)
        return 0;
    set = calloc(1, sizeof *set);
    m->ports = calloc(count < DNS_PORTS_MAX ? count : DNS_PORTS_MAX, sizeof *m->ports);
    if (!set || !m->ports)
        return -ENOMEM;
    for (; exposed && *exposed; exposed++) {
        uint8_t proto;
        uint16_t port;

        if (publish_port_parse(*exposed, &proto, &port, NULL) == 0)
            port_set_add(set, proto, port);
    }
    for (size_t i = 0; i < sb->publishes.count; i++)
        port_set_add(set, sb->publishes.items[i].want.proto, sb->publishes.items[i].want.port);
    port_set_list(set, m);
    return 0;
}

int dns_names_of_endpoint(const struct endpoint *ep, const struct container *c,
                          struct dns_message *ret)
{
    struct dns_msg_endpoint *m = &ret->endpoint;
    int r;

    *ret = (struct dns_message){.type = DNS_MSG_ENDPOINT};
    m->network = ep->network->id;
    m->sandbox = ep->sandbox->id;
    m->ipv4 = ep->ipv4;
    m->ipv6 = ep->ipv6;
    r = add_name(&m->names, ep->sandbox->name);
    for (char **alias = ep->want.aliases; r == 0 && alias && *alias; alias++)
        r = add_name(&m->names, *alias);
    if (r == 0 && c)
        r = add_container_names(c, &m->names);
    return r < 0 ? r : add_ports(ep->sandbox, c, m);
}

void dns_names_clear(struct dns_message *m)
{
    switch (m->type) {
    case DNS_MSG_NETWORK:
        free(m->network.subnets);
        break;
    case DNS_MSG_SANDBOX:
        strv_free(m->sandbox.networks);
        for (size_t i = 0; i < m->sandbox.link_count; i++)
            free((char *)m->sandbox.links[i].target);
        free(m->sandbox.links);
        free(m->sandbox.servers);
        break;
    case DNS_MSG_ENDPOINT:
        strv_free(m->endpoint.names);
        free(m->endpoint.ports);
        break;
    default:
        break;
    }
    *m = (struct dns_message){0};
}
