/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a name is looked for in this order, each time on the networks of the scope,
 * the nearest first:
 *
 *   1. as an alias of one of the sandbox's links;
 *   2. as it is, among the network's names;
 *   3. as the host's own: host.docker.internal and gateway.docker.internal;
 *   4. as NAME.NETWORK or NAME.NETWORK.weft, NAME being one of 1 or 2. Names of networks may have
 *      dots themselves, so that each network looks whether the name ends in its own.
 *
 * Nothing is allocated: names are hashed once for each network.
 */

#include <string.h>

#include "dns/table.h"

static const struct dns_name weft = {.length = 6, .wire = "\4weft"};
static const char host_name[] = "\4host\6docker\10internal";
static const char gateway_name[] = "\7gateway\6docker\10internal";

/* For as long as it gives one. */
static struct dns_network *next_network(const struct dns_scope *scope, size_t *i)
{
    if (scope->sandbox)
        return *i < scope->sandbox->network_count ? scope->sandbox->networks[(*i)++] : NULL;
    if (scope->network)
        return (*i)++ == 0 ? scope->network : NULL;
    return scope->all ? dns_table_next_network(scope->table, i) : NULL;
}

static bool find_key(struct dns_network *net, const void *key, struct dns_found *ret)
{
    struct dns_table_name *name = hash_get(&net->names, key);

    if (!name)
        return false;
    *ret = (struct dns_found){.network = net,
                              .endpoints = name->endpoints,
                              .count = name->count,
                              .turns = name->turns};
    return true;
}

/* A link to what is not there any more hides nothing. */
static bool find_link(const struct dns_sandbox *sb, struct dns_network *net, const uint8_t *name,
                      struct dns_found *ret)
{
    for (size_t i = 0; i < sb->link_count; i++) {
        const struct dns_table_link *link = &sb->links[i];

        if (link->network == net && strcmp((const char *)link->alias, (const char *)name) == 0 &&
            find_key(net, link->target, ret))
            return true;
    }
    return false;
}

static bool find_host(const struct dns_scope *scope, const char *name, struct dns_found *ret)
{
    struct dns_network *net;

    if (strcmp(name, host_name) != 0 && strcmp(name, gateway_name) != 0)
        return false;
    for (size_t i = 0; (net = next_network(scope, &i));) {
        if (addr_is_set(&net->ipv4) || addr_is_set(&net->ipv6)) {
            *ret = (struct dns_found){.network = net, .host = net};
            return true;
        }
    }
    return false;
}

/* Without its last octets, of which the suffix has so many. */
static void cut(const struct dns_name *name, size_t length, struct dns_name *ret)
{
    memcpy(ret->wire, name->wire, length);
    ret->wire[length] = 0;
    ret->length = (uint8_t)(length + 1);
}

/* name: without ".weft". */
static bool find_long(const struct dns_scope *scope, const struct dns_name *name,
                      struct dns_found *ret)
{
    struct dns_network *net;

    for (size_t i = 0; (net = next_network(scope, &i));) {
        int length = dns_name_find_suffix(name, &net->suffix);
        struct dns_name head;

        if (length <= 0)
            continue;
        cut(name, (size_t)length, &head);
        if (scope->sandbox && find_link(scope->sandbox, net, head.wire, ret))
            return true;
        if (find_key(net, head.wire, ret))
            return true;
    }
    return false;
}

static bool find_short(const struct dns_scope *scope, const struct dns_name *name,
                       struct dns_found *ret)
{
    struct dns_network *net;

    if (scope->sandbox && scope->sandbox->link_count > 0)
        for (size_t i = 0; (net = next_network(scope, &i));)
            if (find_link(scope->sandbox, net, name->wire, ret))
                return true;
    for (size_t i = 0; (net = next_network(scope, &i));)
        if (find_key(net, name->wire, ret))
            return true;
    return false;
}

bool dns_table_find(const struct dns_scope *scope, const struct dns_name *name,
                    struct dns_found *ret)
{
    struct dns_name head;
    int length;

    if (find_short(scope, name, ret) || find_host(scope, (const char *)name->wire, ret) ||
        find_long(scope, name, ret))
        return true;
    length = dns_name_find_suffix(name, &weft);
    if (length <= 0)
        return false;
    cut(name, (size_t)length, &head);
    return find_long(scope, &head, ret);
}

bool dns_table_has_network(const struct dns_scope *scope, const struct dns_name *name)
{
    struct dns_network *net;

    for (size_t i = 0; (net = next_network(scope, &i));)
        if (dns_name_find_suffix(name, &net->suffix) == 0)
            return true;
    return false;
}

struct dns_endpoint *dns_table_find_addr(const struct dns_scope *scope, const struct addr *addr,
                                         struct dns_network **ret_host, bool *ret_inside)
{
    struct dns_network *net;

    *ret_host = NULL;
    *ret_inside = false;
    for (size_t i = 0; (net = next_network(scope, &i));) {
        struct dns_endpoint *ep = dns_network_endpoint(net, addr);

        for (size_t s = 0; !*ret_inside && s < net->subnet_count; s++)
            *ret_inside = prefix_contains(&net->subnets[s], addr);
        if (ep)
            return ep;
        if (addr_equal(&net->ipv4, addr) || addr_equal(&net->ipv6, addr)) {
            *ret_host = net;
            return NULL;
        }
    }
    return NULL;
}
