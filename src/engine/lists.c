/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "engine/state.h"

int list_add(void ***list, size_t *count, void *item)
{
    /* Room grows by doubling: at counts of 0, 1, 2, 4, 8 … the array is full. */
    if ((*count & (*count - 1)) == 0 || *count == 0) {
        size_t capacity = *count ? *count * 2 : 1;
        void **grown = realloc(*list, capacity * sizeof(void *));

        if (!grown)
            return -ENOMEM;
        *list = grown;
    }
    (*list)[(*count)++] = item;
    return 0;
}

void list_remove(void **list, size_t *count, const void *item)
{
    for (size_t i = 0; i < *count; i++) {
        if (list[i] != item)
            continue;
        memmove(&list[i], &list[i + 1], (*count - i - 1) * sizeof *list);
        (*count)--;
        return;
    }
}

/* Enters a slot under an id and a name; neither or both. */
static int index_put(struct hash *ids, struct hash *names, const char *id, const char *name,
                     void *slot)
{
    int r = hash_put(ids, id, slot);

    if (r < 0)
        return r;
    r = hash_put(names, name, slot);
    if (r < 0)
        hash_remove(ids, id);
    return r;
}

/* Makes a link known by its name; a link without one is none. 0 or -ENOMEM. */
static int put_link(struct engine *e, const char *name, const struct network *net,
                    const struct endpoint *ep)
{
    struct link_slot *slot;
    int r;

    if (!*name)
        return 0;
    slot = calloc(1, sizeof *slot);
    if (!slot)
        return -ENOMEM;
    (void)str_copy(slot->name, sizeof slot->name, name);
    slot->net = net;
    slot->ep = ep;
    r = hash_put(&e->links, slot->name, slot);
    if (r < 0)
        free(slot);
    return r == -EEXIST ? 0 : r; /* the first keeps the name */
}

static void drop_link(struct engine *e, const char *name, const struct network *net,
                      const struct endpoint *ep)
{
    const struct link_slot *slot = hash_get(&e->links, name);

    if (slot && slot->net == net && slot->ep == ep)
        free(hash_remove(&e->links, name));
}

/* The host's end of an endpoint's pair; "" on networks that have none. */
static const char *host_link(const struct endpoint *ep, char buf[static IFNAMSIZ])
{
    buf[0] = '\0';
    if (ep->network->link[0])
        endpoint_host_link(ep, buf);
    return buf;
}

/* The links of the host that a network has: its bridge and what is borrowed for it, or the parent
 * that is weft's, and the host's own. */
static int put_network_links(struct engine *e, const struct network *net)
{
    const char *uplink = *net->link ? network_option(net, OPTION_UPLINK) : NULL;
    char access[IFNAMSIZ] = "";
    int r = put_link(e, net->link, net, NULL);

    if (network_has_access(net))
        network_access_link(net, access);
    if (r == 0 && uplink)
        r = put_link(e, uplink, net, NULL);
    if (r == 0 && net->made_parent)
        r = put_link(e, net->parent, net, NULL);
    return r < 0 ? r : put_link(e, access, net, NULL);
}

/* A parent that others lie on, too, becomes one of theirs. */
static void drop_network_links(struct engine *e, const struct network *net)
{
    const char *uplink = *net->link ? network_option(net, OPTION_UPLINK) : NULL;
    char access[IFNAMSIZ];

    network_access_link(net, access);
    drop_link(e, net->link, net, NULL);
    drop_link(e, access, net, NULL);
    if (uplink)
        drop_link(e, uplink, net, NULL);
    if (!net->made_parent)
        return;
    drop_link(e, net->parent, net, NULL);
    for (size_t i = 0; i < e->network_count; i++)
        if (e->networks[i] != net && e->networks[i]->made_parent &&
            str_equal(e->networks[i]->parent, net->parent))
            (void)put_link(e, net->parent, e->networks[i], NULL);
}

int engine_add_network(struct engine *e, struct network *net, struct weft_error *err)
{
    _cleanup_free_ struct net_slot *slot = calloc(1, sizeof *slot);
    struct ipam *ipam = NULL;
    int r;

    if (!slot)
        return weft_oom(err);
    slot->net = net;
    if (net->pool_count > 0 && network_has_own_pools(net)) {
        r = ipam_new(net, &ipam, err);
        if (r < 0)
            return r;
        slot->ipam = ipam;
    }
    r = index_put(&e->networks_by_id, &e->networks_by_name, net->id, net->name, slot);
    if (r == 0) {
        r = put_network_links(e, net);
        if (r == 0)
            r = list_add((void ***)&e->networks, &e->network_count, net);
        if (r < 0) {
            drop_network_links(e, net);
            hash_remove(&e->networks_by_id, net->id);
            hash_remove(&e->networks_by_name, net->name);
        }
    }
    if (r < 0) {
        ipam_free(ipam);
        return r == -EEXIST
                   ? weft_fail(err, WEFT_CONFLICT, "network with name %s already exists", net->name)
                   : weft_oom(err);
    }
    TAKE_PTR(slot);
    return 0;
}

void engine_drop_network(struct engine *e, struct network *net)
{
    struct net_slot *slot = hash_remove(&e->networks_by_id, net->id);

    hash_remove(&e->networks_by_name, net->name);
    list_remove((void **)e->networks, &e->network_count, net);
    drop_network_links(e, net);
    ipam_free(slot->ipam);
    free(slot->endpoints);
    free(slot);
}

int engine_add_sandbox(struct engine *e, struct sandbox *sb, struct weft_error *err)
{
    _cleanup_free_ struct sandbox_slot *slot = calloc(1, sizeof *slot);
    int r;

    if (!slot)
        return weft_oom(err);
    slot->sandbox = sb;
    if (sb->kind != SANDBOX_HOST && !sb->netns) {
        sb->netns = str_printf("%s/%s", e->netns_dir, sb->id);
        if (!sb->netns)
            return weft_oom(err);
    }
    r = index_put(&e->sandboxes_by_id, &e->sandboxes_by_name, sb->id, sb->name, slot);
    if (r == -EEXIST)
        return weft_fail(err, WEFT_CONFLICT, "the name %s is in use by %s", sb->name,
                         hash_get(&e->containers_by_name, sb->name) ? "a container"
                                                                    : "an attached namespace");
    if (r == 0) {
        r = list_add((void ***)&e->sandboxes, &e->sandbox_count, sb);
        if (r < 0) {
            hash_remove(&e->sandboxes_by_id, sb->id);
            hash_remove(&e->sandboxes_by_name, sb->name);
        }
    }
    if (r < 0)
        return weft_oom(err);
    TAKE_PTR(slot);
    return 0;
}

void engine_drop_sandbox(struct engine *e, struct sandbox *sb)
{
    unwatch_sandbox(e, sb);
    free(hash_remove(&e->sandboxes_by_id, sb->id));
    hash_remove(&e->sandboxes_by_name, sb->name);
    list_remove((void **)e->sandboxes, &e->sandbox_count, sb);
}

int engine_add_endpoint(struct engine *e, struct endpoint *ep, struct weft_error *err)
{
    struct net_slot *slot = engine_net_slot(e, ep->network);
    char link[IFNAMSIZ];

    if (list_add((void ***)&slot->endpoints, &slot->endpoint_count, ep) < 0)
        return weft_oom(err);
    if (sandbox_add_endpoint(ep->sandbox, ep) < 0) {
        list_remove((void **)slot->endpoints, &slot->endpoint_count, ep);
        return weft_oom(err);
    }
    if (put_link(e, host_link(ep, link), ep->network, ep) < 0) {
        engine_drop_endpoint(e, ep);
        return weft_oom(err);
    }
    return 0;
}

void engine_drop_endpoint(struct engine *e, struct endpoint *ep)
{
    struct net_slot *slot = engine_net_slot(e, ep->network);
    char link[IFNAMSIZ];

    drop_link(e, host_link(ep, link), ep->network, ep);
    list_remove((void **)slot->endpoints, &slot->endpoint_count, ep);
    sandbox_remove_endpoint(ep->sandbox, ep);
}

int engine_add_container(struct engine *e, struct container *c, struct weft_error *err)
{
    _cleanup_free_ struct container_slot *slot = calloc(1, sizeof *slot);
    int r;

    if (!slot)
        return weft_oom(err);
    slot->engine = e;
    slot->container = c;
    r = index_put(&e->containers_by_id, &e->containers_by_name, c->id, c->name, slot);
    if (r == -EEXIST) {
        struct container_slot *other = hash_get(&e->containers_by_name, c->name);

        return weft_fail(err, WEFT_CONFLICT,
                         "the container name \"%s\" is already in use by container %.12s", c->name,
                         other ? other->container->id : c->id);
    }
    if (r == 0) {
        r = list_add((void ***)&e->containers, &e->container_count, c);
        if (r < 0) {
            hash_remove(&e->containers_by_id, c->id);
            hash_remove(&e->containers_by_name, c->name);
        }
    }
    if (r < 0)
        return weft_oom(err);
    TAKE_PTR(slot);
    return 0;
}

void engine_drop_container(struct engine *e, struct container *c)
{
    struct container_slot *slot = hash_remove(&e->containers_by_id, c->id);

    free(slot->failure);
    free(slot);
    hash_remove(&e->containers_by_name, c->name);
    list_remove((void **)e->containers, &e->container_count, c);
}

struct net_slot *engine_net_slot(const struct engine *e, const struct network *net)
{
    return hash_get(&e->networks_by_id, net->id);
}

struct sandbox_slot *engine_sandbox_slot(const struct engine *e, const struct sandbox *sb)
{
    return hash_get(&e->sandboxes_by_id, sb->id);
}

struct container_slot *engine_container_slot(const struct engine *e, const char *id)
{
    return hash_get(&e->containers_by_id, id);
}

const char *sandbox_owner(const struct sandbox *sb, char buf[static 128])
{
    const char *noun = sb->kind == SANDBOX_FOREIGN ? "namespace" : "container";

    snprintf(buf, 128, "%s %.100s", noun, sb->name);
    return buf;
}
