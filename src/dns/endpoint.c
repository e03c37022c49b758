/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: an endpoint is put in two steps. The first makes whatever needs memory: the
 * names that are new on the network (without endpoints behind them yet), room for one more endpoint
 * behind those that are there, room in the tables and lists. If that fails, names without endpoints
 * are dropped again, and nothing was changed. The second step only fills in, and cannot fail.
 *
 * When an endpoint is renewed, what it had and still has stays where it is: its names are there all
 * the time, and the order behind an alias is the same.
 */

#include "dns/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void *dns_list_grow(void *list, size_t count)
{
    /* There is room for the next power of two at least. */
    if (count & (count - 1))
        return list;
    return realloc(list, (count ? 2 * count : 1) * sizeof(void *));
}

/* Makes sure that two more keys can be put without memory. */
static int reserve_two(struct hash *h)
{
    static const char *const spare[] = {"\1", "\2"}; /* no name, no address: see write_key() */
    int r = hash_put(h, spare[0], NULL);

    if (r == 0) {
        r = hash_put(h, spare[1], NULL);
        hash_remove(h, spare[1]);
    }
    hash_remove(h, spare[0]);
    return r;
}

/* An address as a key: a letter for every four bits. */
static void write_key(const struct addr *addr, char *to)
{
    for (size_t i = 0; i < addr_size(addr); i++) {
        *to++ = (char)('a' + (addr->bytes[i] >> 4));
        *to++ = (char)('a' + (addr->bytes[i] & 0xf));
    }
    *to = '\0';
}

struct dns_endpoint *dns_network_endpoint(const struct dns_network *net, const struct addr *addr)
{
    char key[33];

    if (!addr_is_set(addr))
        return NULL;
    write_key(addr, key);
    return hash_get(&net->addresses, key);
}

struct dns_endpoint *dns_endpoint_find(const struct dns_network *net, const struct dns_sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->network == net)
            return sb->endpoints[i];
    return NULL;
}

static bool has_name(struct dns_table_name *const *names, size_t count,
                     const struct dns_table_name *name)
{
    for (size_t i = 0; i < count; i++)
        if (names[i] == name)
            return true;
    return false;
}

static struct dns_table_name *name_new(struct dns_network *net, const struct dns_name *name)
{
    struct dns_table_name *new = calloc(1, sizeof *new + name->length);

    if (!new)
        return NULL;
    new->endpoints = &new->only;
    memcpy(new->wire, name->wire, name->length);
    if (hash_put(&net->names, (const char *)new->wire, new) < 0) {
        free(new);
        return NULL;
    }
    return new;
}

static void name_free_unused(struct dns_network *net, struct dns_table_name *name)
{
    if (name->count > 0)
        return;
    hash_remove(&net->names, (const char *)name->wire);
    if (name->endpoints != &name->only)
        free(name->endpoints);
    free(name);
}

/* Room for one endpoint more. */
static int name_reserve(struct dns_table_name *name)
{
    struct dns_endpoint **list;

    if (name->count == 0)
        return 0;
    list = name->endpoints == &name->only ? NULL : name->endpoints;
    list = list ? dns_list_grow(list, name->count) : calloc(2, sizeof(void *));
    if (!list)
        return -ENOMEM;
    if (name->endpoints == &name->only)
        list[0] = name->only;
    name->endpoints = list;
    return 0;
}

static void name_remove(struct dns_table_name *name, const struct dns_endpoint *ep)
{
    size_t i = 0;

    while (name->endpoints[i] != ep)
        i++;
    name->count--;
    memmove(name->endpoints + i, name->endpoints + i + 1, (name->count - i) * sizeof(void *));
}

/* What an endpoint is to become. */
struct plan {
    struct dns_network *network;
    struct dns_sandbox *sandbox;
    struct dns_endpoint *old; /* NULL: it is new */
    struct dns_table_name **names;
    struct dns_msg_port *ports;
    uint32_t name_count;
};

static int plan_name(struct plan *p, const char *text)
{
    struct dns_table_name *entry;
    struct dns_name name;

    /* Neither what DNS cannot say, nor what would be no C string. */
    if (dns_name_from_text(text, &name) < 0 || name.length == 1 ||
        memchr(name.wire, 0, name.length) != name.wire + name.length - 1)
        return 0;
    entry = hash_get(&p->network->names, (const char *)name.wire);
    if (!entry && !(entry = name_new(p->network, &name)))
        return -ENOMEM;
    if (has_name(p->names, p->name_count, entry))
        return 0;
    p->names[p->name_count++] = entry;
    if (p->old && has_name(p->old->names, p->old->name_count, entry))
        return 0;
    return name_reserve(entry);
}

static int plan_lists(struct plan *p, const struct dns_msg_endpoint *m)
{
    void *list;

    p->names = calloc(strv_length(m->names) + 1, sizeof(void *));
    p->ports = calloc(m->port_count + 1, sizeof *p->ports);
    if (!p->names || !p->ports || reserve_two(&p->network->addresses) < 0)
        return -ENOMEM;
    list = dns_list_grow(p->network->endpoints, p->network->endpoint_count);
    if (!list)
        return -ENOMEM;
    p->network->endpoints = list;
    list = dns_list_grow(p->sandbox->endpoints, p->sandbox->endpoint_count);
    if (!list)
        return -ENOMEM;
    p->sandbox->endpoints = list;
    if (m->port_count > 0)
        memcpy(p->ports, m->ports, m->port_count * sizeof *m->ports);
    for (size_t i = 0; m->names && m->names[i]; i++)
        if (plan_name(p, m->names[i]) < 0)
            return -ENOMEM;
    return 0;
}

static void plan_drop(struct plan *p)
{
    for (size_t i = 0; i < p->name_count; i++)
        name_free_unused(p->network, p->names[i]);
    free(p->names);
    free(p->ports);
}

/* Into the lists of its network and sandbox. */
static void enlist(struct dns_endpoint *ep)
{
    struct dns_network *net = ep->network;
    struct dns_sandbox *sb = ep->sandbox;

    ep->index = net->endpoint_count;
    net->endpoints[net->endpoint_count++] = ep;
    sb->endpoints[sb->endpoint_count++] = ep;
}

static void delist(struct dns_endpoint *ep)
{
    struct dns_network *net = ep->network;
    struct dns_sandbox *sb = ep->sandbox;
    size_t i = 0;

    net->endpoints[ep->index] = net->endpoints[--net->endpoint_count];
    net->endpoints[ep->index]->index = ep->index;
    while (sb->endpoints[i] != ep)
        i++;
    sb->endpoints[i] = sb->endpoints[--sb->endpoint_count];
}

static void remove_address(struct dns_endpoint *ep, struct addr *addr, char *key)
{
    /* It may have gone over to another. */
    if (*key && hash_get(&ep->network->addresses, key) == ep)
        hash_remove(&ep->network->addresses, key);
    *addr = (struct addr){0};
    *key = '\0';
}

/* An address belongs to who got it last: between two of weftd's lives, the one that had it before
 * may still be there until END. */
static void put_address(struct dns_endpoint *ep, const struct addr *addr, struct addr *field,
                        char *key)
{
    struct hash *addresses = &ep->network->addresses;

    remove_address(ep, field, key);
    if (!addr_is_set(addr))
        return;
    *field = *addr;
    write_key(addr, key);
    hash_remove(addresses, key);
    hash_put(addresses, key, ep);
}

/* The names that it has from now on, instead of those that it had. */
static void put_names(struct dns_endpoint *ep, struct plan *p)
{
    for (size_t i = 0; i < p->name_count; i++) {
        struct dns_table_name *name = p->names[i];

        if (!has_name(ep->names, ep->name_count, name))
            name->endpoints[name->count++] = ep;
    }
    for (size_t i = 0; i < ep->name_count; i++) {
        if (has_name(p->names, p->name_count, ep->names[i]))
            continue;
        name_remove(ep->names[i], ep);
        name_free_unused(ep->network, ep->names[i]);
    }
    free(ep->names);
    ep->names = TAKE_PTR(p->names);
    ep->name_count = p->name_count;
    p->name_count = 0;
}

int dns_endpoint_put(struct dns_network *net, struct dns_sandbox *sb,
                     const struct dns_msg_endpoint *m, uint64_t generation)
{
    _cleanup_(plan_drop) struct plan p = {.network = net,
                                          .sandbox = sb,
                                          .old = dns_endpoint_find(net, sb)};
    _cleanup_free_ struct dns_endpoint *new = p.old ? NULL : calloc(1, sizeof *new);
    struct dns_endpoint *ep = p.old ? p.old : new;

    if (!ep || plan_lists(&p, m) < 0)
        return -ENOMEM;
    if (new) {
        new->network = net;
        new->sandbox = sb;
        enlist(TAKE_PTR(new));
    }
    put_names(ep, &p);
    put_address(ep, &m->ipv4, &ep->ipv4, ep->key4);
    put_address(ep, &m->ipv6, &ep->ipv6, ep->key6);
    free(ep->ports);
    ep->ports = TAKE_PTR(p.ports);
    ep->port_count = (uint32_t)m->port_count;
    ep->generation = generation;
    return 0;
}

void dns_endpoint_remove(struct dns_endpoint *ep)
{
    for (size_t i = 0; i < ep->name_count; i++) {
        name_remove(ep->names[i], ep);
        name_free_unused(ep->network, ep->names[i]);
    }
    remove_address(ep, &ep->ipv4, ep->key4);
    remove_address(ep, &ep->ipv6, ep->key6);
    delist(ep);
    free(ep->names);
    free(ep->ports);
    free(ep);
}
