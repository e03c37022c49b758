/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: what a message says is first copied whole (a "fresh" network or sandbox that
 * nobody knows yet) and then, when nothing can fail any more, takes the place of what was there. So
 * a message is applied or not, and objects keep their place.
 *
 * BEGIN starts a new generation. Whatever is named is of the current one; END removes what is
 * older.
 */

#include "dns/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/endpoint.h"

struct dns_table {
    struct dns_table_hooks hooks;
    struct hash networks_by_id, sandboxes_by_id;
    struct dns_network **networks; /* in the order in which they came */
    struct dns_sandbox **sandboxes;
    size_t network_count, sandbox_count;
    uint64_t generation;
};

struct dns_network *dns_table_network(const struct dns_table *t, const char *id)
{
    return hash_get(&t->networks_by_id, id);
}

struct dns_sandbox *dns_table_sandbox(const struct dns_table *t, const char *id)
{
    return hash_get(&t->sandboxes_by_id, id);
}

struct dns_network *dns_table_next_network(const struct dns_table *t, size_t *i)
{
    return *i < t->network_count ? t->networks[(*i)++] : NULL;
}

struct dns_sandbox *dns_table_next_sandbox(const struct dns_table *t, size_t *i)
{
    return *i < t->sandbox_count ? t->sandboxes[(*i)++] : NULL;
}

size_t dns_table_endpoint_count(const struct dns_table *t)
{
    size_t count = 0;

    for (size_t i = 0; i < t->network_count; i++)
        count += t->networks[i]->endpoint_count;
    return count;
}

/* ---- networks ---- */

/* What a message gives. */
static void clear_network(struct dns_network *net)
{
    free(net->name);
    free(net->subnets);
}

static void network_free(struct dns_network *net)
{
    if (!net)
        return;
    clear_network(net);
    hash_clear(&net->names);
    hash_clear(&net->addresses);
    free(net->endpoints);
    free(net);
}
DEFINE_CLEANUP(struct dns_network *, network_free)

static void forget_links(struct dns_sandbox *sb, const struct dns_network *net)
{
    size_t kept = 0;

    for (size_t i = 0; i < sb->link_count; i++) {
        if (sb->links[i].network == net) {
            free(sb->links[i].target);
            free(sb->links[i].alias);
        } else {
            sb->links[kept++] = sb->links[i];
        }
    }
    sb->link_count = kept;
}

static void forget_network(struct dns_sandbox *sb, const struct dns_network *net)
{
    size_t kept = 0;

    for (size_t i = 0; i < sb->network_count; i++)
        if (sb->networks[i] != net)
            sb->networks[kept++] = sb->networks[i];
    sb->network_count = kept;
    forget_links(sb, net);
}

static void remove_network(struct dns_table *t, struct dns_network *net)
{
    size_t i = 0;

    if (t->hooks.network_gone)
        t->hooks.network_gone(t->hooks.arg, net);
    while (net->endpoint_count > 0)
        dns_endpoint_remove(net->endpoints[net->endpoint_count - 1]);
    for (size_t s = 0; s < t->sandbox_count; s++)
        forget_network(t->sandboxes[s], net);
    while (t->networks[i] != net)
        i++;
    t->network_count--;
    memmove(t->networks + i, t->networks + i + 1, (t->network_count - i) * sizeof(void *));
    hash_remove(&t->networks_by_id, net->id);
    network_free(net);
}

static int read_network(const struct dns_msg_network *m, struct dns_network *ret)
{
    if (str_copy(ret->id, sizeof ret->id, m->id) < 0)
        return -EINVAL;
    ret->name = strdup(m->name);
    ret->subnets = calloc(m->subnet_count + 1, sizeof *ret->subnets);
    if (!ret->name || !ret->subnets)
        return -ENOMEM;
    if (m->subnet_count > 0)
        memcpy(ret->subnets, m->subnets, m->subnet_count * sizeof *m->subnets);
    ret->subnet_count = m->subnet_count;
    if (dns_name_from_text(m->name, &ret->suffix) < 0 || ret->suffix.length == 1)
        ret->suffix.length = 0;
    ret->forwards = m->forwards;
    ret->ipv4 = m->ipv4;
    ret->ipv6 = m->ipv6;
    return 0;
}

static int add_network(struct dns_table *t, struct dns_network *net)
{
    void *list = dns_list_grow(t->networks, t->network_count);

    if (!list)
        return -ENOMEM;
    t->networks = list;
    if (hash_put(&t->networks_by_id, net->id, net) < 0)
        return -ENOMEM;
    t->networks[t->network_count++] = net;
    return 0;
}

static int apply_network(struct dns_table *t, const struct dns_msg_network *m)
{
    struct dns_network *net = dns_table_network(t, m->id);
    _cleanup_(network_free_p) struct dns_network *fresh = calloc(1, sizeof *fresh);
    int r = fresh ? read_network(m, fresh) : -ENOMEM;

    if (r < 0)
        return r;
    fresh->generation = t->generation;
    if (!net) {
        r = add_network(t, fresh);
        if (r == 0)
            fresh = NULL;
        return r;
    }
    clear_network(net);
    net->name = TAKE_PTR(fresh->name);
    net->subnets = TAKE_PTR(fresh->subnets);
    net->subnet_count = fresh->subnet_count;
    net->suffix = fresh->suffix;
    net->forwards = fresh->forwards;
    net->ipv4 = fresh->ipv4;
    net->ipv6 = fresh->ipv6;
    net->generation = fresh->generation;
    return 0;
}

/* ---- sandboxes ---- */

/* What a message gives. */
static void clear_sandbox(struct dns_sandbox *sb)
{
    for (size_t i = 0; i < sb->link_count; i++) {
        free(sb->links[i].target);
        free(sb->links[i].alias);
    }
    free(sb->links);
    free(sb->name);
    free(sb->networks);
    free(sb->servers);
}

static void sandbox_free(struct dns_sandbox *sb)
{
    if (!sb)
        return;
    clear_sandbox(sb);
    free(sb->endpoints);
    free(sb);
}
DEFINE_CLEANUP(struct dns_sandbox *, sandbox_free)

static void remove_sandbox(struct dns_table *t, struct dns_sandbox *sb)
{
    if (t->hooks.sandbox_gone)
        t->hooks.sandbox_gone(t->hooks.arg, sb);
    while (sb->endpoint_count > 0)
        dns_endpoint_remove(sb->endpoints[sb->endpoint_count - 1]);
    t->sandboxes[sb->index] = t->sandboxes[--t->sandbox_count];
    t->sandboxes[sb->index]->index = sb->index;
    hash_remove(&t->sandboxes_by_id, sb->id);
    sandbox_free(sb);
}

static bool has_network(const struct dns_sandbox *sb, const struct dns_network *net)
{
    for (size_t i = 0; i < sb->network_count; i++)
        if (sb->networks[i] == net)
            return true;
    return false;
}

static uint8_t *copy_wire(const struct dns_name *name)
{
    uint8_t *copy = malloc(name->length);

    return copy ? memcpy(copy, name->wire, name->length) : NULL;
}

static int read_link(const struct dns_table *t, const struct dns_link *m, struct dns_sandbox *ret)
{
    struct dns_table_link *link = &ret->links[ret->link_count];
    struct dns_network *net = dns_table_network(t, m->network);
    struct dns_name target, alias;

    if (!net || dns_name_from_text(m->target, &target) < 0 ||
        dns_name_from_text(m->alias, &alias) < 0)
        return 0;
    ret->link_count++; /* now ret frees it */
    link->network = net;
    link->target = copy_wire(&target);
    link->alias = copy_wire(&alias);
    return link->target && link->alias ? 0 : -ENOMEM;
}

static int read_sandbox(const struct dns_table *t, const struct dns_msg_sandbox *m,
                        struct dns_sandbox *ret)
{
    int r = 0;

    if (str_copy(ret->id, sizeof ret->id, m->id) < 0)
        return -EINVAL;
    ret->name = strdup(m->name);
    ret->networks = calloc(strv_length(m->networks) + 1, sizeof(void *));
    ret->links = calloc(m->link_count + 1, sizeof *ret->links);
    ret->servers = calloc(m->server_count + 1, sizeof *ret->servers);
    if (!ret->name || !ret->networks || !ret->links || !ret->servers)
        return -ENOMEM;
    ret->forwards = m->forwards;
    for (size_t i = 0; m->networks && m->networks[i]; i++) {
        struct dns_network *net = dns_table_network(t, m->networks[i]);

        if (net && !has_network(ret, net))
            ret->networks[ret->network_count++] = net;
    }
    for (size_t i = 0; r == 0 && i < m->link_count; i++)
        r = read_link(t, &m->links[i], ret);
    for (; ret->server_count < m->server_count; ret->server_count++)
        ret->servers[ret->server_count] = m->servers[ret->server_count];
    return r;
}

static bool same_servers(const struct dns_sandbox *a, const struct dns_sandbox *b)
{
    if (a->server_count != b->server_count)
        return false;
    for (size_t i = 0; i < a->server_count; i++)
        if (!addr_equal(&a->servers[i].addr, &b->servers[i].addr) ||
            a->servers[i].scope != b->servers[i].scope)
            return false;
    return true;
}

static int add_sandbox(struct dns_table *t, struct dns_sandbox *sb)
{
    void *list = dns_list_grow(t->sandboxes, t->sandbox_count);

    if (!list)
        return -ENOMEM;
    t->sandboxes = list;
    if (hash_put(&t->sandboxes_by_id, sb->id, sb) < 0)
        return -ENOMEM;
    sb->index = t->sandbox_count;
    t->sandboxes[t->sandbox_count++] = sb;
    return 0;
}

static void renew_sandbox(struct dns_sandbox *sb, struct dns_sandbox *fresh)
{
    clear_sandbox(sb);
    sb->name = TAKE_PTR(fresh->name);
    sb->forwards = fresh->forwards;
    sb->networks = TAKE_PTR(fresh->networks);
    sb->network_count = fresh->network_count;
    sb->links = TAKE_PTR(fresh->links);
    sb->link_count = fresh->link_count;
    fresh->link_count = 0;
    sb->servers = TAKE_PTR(fresh->servers);
    sb->server_count = fresh->server_count;
    sb->generation = fresh->generation;
}

static int apply_sandbox(struct dns_table *t, const struct dns_msg_sandbox *m)
{
    struct dns_sandbox *sb = dns_table_sandbox(t, m->id);
    _cleanup_(sandbox_free_p) struct dns_sandbox *fresh = calloc(1, sizeof *fresh);
    int r = fresh ? read_sandbox(t, m, fresh) : -ENOMEM;
    bool changed = true;

    if (r < 0)
        return r;
    fresh->generation = t->generation;
    if (sb) {
        changed = !same_servers(sb, fresh);
        renew_sandbox(sb, fresh);
    } else {
        r = add_sandbox(t, fresh);
        if (r < 0)
            return r;
        sb = TAKE_PTR(fresh);
    }
    if (changed && t->hooks.servers_changed)
        t->hooks.servers_changed(t->hooks.arg, sb);
    return 0;
}

/* ---- endpoints, and all ---- */

static int apply_endpoint(struct dns_table *t, const struct dns_msg_endpoint *m)
{
    struct dns_network *net = dns_table_network(t, m->network);
    struct dns_sandbox *sb = dns_table_sandbox(t, m->sandbox);

    return net && sb ? dns_endpoint_put(net, sb, m, t->generation) : -ENOENT;
}

static void apply_gone(struct dns_table *t, const struct dns_message *m)
{
    bool whole_network = m->type == DNS_MSG_NETWORK_GONE;
    bool whole_sandbox = m->type == DNS_MSG_SANDBOX_GONE;
    struct dns_network *net = whole_sandbox ? NULL : dns_table_network(t, m->gone.network);
    struct dns_sandbox *sb = whole_network ? NULL : dns_table_sandbox(t, m->gone.sandbox);
    struct dns_endpoint *ep = net && sb ? dns_endpoint_find(net, sb) : NULL;

    if (whole_network && net)
        remove_network(t, net);
    else if (whole_sandbox && sb)
        remove_sandbox(t, sb);
    else if (ep)
        dns_endpoint_remove(ep);
}

/* Removes what was not named since BEGIN. Backwards: removing fills the gap from behind. */
static void sweep(struct dns_table *t)
{
    for (size_t n = t->network_count; n-- > 0;) {
        struct dns_network *net = t->networks[n];

        for (size_t i = net->endpoint_count; i-- > 0;)
            if (net->endpoints[i]->generation != t->generation)
                dns_endpoint_remove(net->endpoints[i]);
    }
    for (size_t i = t->sandbox_count; i-- > 0;)
        if (t->sandboxes[i]->generation != t->generation)
            remove_sandbox(t, t->sandboxes[i]);
    for (size_t n = t->network_count; n-- > 0;)
        if (t->networks[n]->generation != t->generation)
            remove_network(t, t->networks[n]);
}

int dns_table_apply(struct dns_table *t, const struct dns_message *m)
{
    switch (m->type) {
    case DNS_MSG_BEGIN:
        t->generation++;
        return 0;
    case DNS_MSG_END:
        sweep(t);
        return 0;
    case DNS_MSG_NETWORK:
        return apply_network(t, &m->network);
    case DNS_MSG_SANDBOX:
        return apply_sandbox(t, &m->sandbox);
    case DNS_MSG_ENDPOINT:
        return apply_endpoint(t, &m->endpoint);
    case DNS_MSG_NETWORK_GONE:
    case DNS_MSG_SANDBOX_GONE:
    case DNS_MSG_ENDPOINT_GONE:
        apply_gone(t, m);
        return 0;
    default:
        return 0;
    }
}

int dns_table_new(const struct dns_table_hooks *hooks, struct dns_table **ret)
{
    struct dns_table *t = calloc(1, sizeof *t);

    if (!t)
        return -ENOMEM;
    if (hooks)
        t->hooks = *hooks;
    *ret = t;
    return 0;
}

void dns_table_free(struct dns_table *t)
{
    if (!t)
        return;
    while (t->sandbox_count > 0)
        remove_sandbox(t, t->sandboxes[t->sandbox_count - 1]);
    while (t->network_count > 0)
        remove_network(t, t->networks[t->network_count - 1]);
    hash_clear(&t->networks_by_id);
    hash_clear(&t->sandboxes_by_id);
    free(t->networks);
    free(t->sandboxes);
    free(t);
}
