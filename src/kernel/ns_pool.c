/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/ns_pool.h"

#include <errno.h>
#include <linux/netlink.h>
#include <unistd.h>

#include "kernel/netns.h"

/* The position of the namespace's entry, or -errno. */
static int find(struct ns_pool *pool, const struct kstate_ns *ns, struct weft_error *err)
{
    int fd;

    for (size_t i = pool->count; i-- > 0;) /* the last one is the likeliest */
        if (kstate_ns_equal(pool->entries[i].ns, ns))
            return (int)i;
    if (pool->count == NS_POOL_MAX)
        return weft_fail_errno(err, EMFILE, "too many network namespaces open");
    fd = netns_open(ns->path, err);
    /* The file that it was mounted on: it has gone. */
    if (fd == -EINVAL)
        return weft_fail_errno(err, ENOENT, "network namespace %s", ns->path);
    if (fd < 0)
        return fd;
    pool->entries[pool->count] = (struct ns_pool_entry){.ns = ns, .fd = fd};
    return (int)pool->count++;
}

int ns_pool_fd(struct ns_pool *pool, const struct kstate_ns *ns, struct weft_error *err)
{
    int i;

    if (!ns)
        return pool->k->host_ns;
    i = find(pool, ns, err);
    return i < 0 ? i : pool->entries[i].fd;
}

static int open_netlink(const struct ns_pool *pool, int fd, struct netlink *nl, int protocol,
                        struct weft_error *err)
{
    int r = netns_enter(fd, err);

    if (r < 0)
        return r;
    r = netlink_open(nl, protocol, err);
    netns_leave(pool->k->host_ns);
    return r;
}

static int find_netlink(struct ns_pool *pool, const struct kstate_ns *ns, int protocol,
                        struct netlink **ret, struct weft_error *err)
{
    bool routing = protocol == NETLINK_ROUTE;
    struct ns_pool_entry *entry;
    struct netlink *nl;
    int i, r = 0;

    if (!ns) {
        *ret = routing ? &pool->k->rtnl : &pool->k->nft;
        return 0;
    }
    i = find(pool, ns, err);
    if (i < 0)
        return i;
    entry = &pool->entries[i];
    nl = routing ? &entry->rtnl : &entry->nft;
    if (!nl->socket)
        r = open_netlink(pool, entry->fd, nl, protocol, err);
    if (r < 0)
        return r;
    *ret = nl;
    return 0;
}

int ns_pool_rtnl(struct ns_pool *pool, const struct kstate_ns *ns, struct netlink **ret,
                 struct weft_error *err)
{
    return find_netlink(pool, ns, NETLINK_ROUTE, ret, err);
}

int ns_pool_nft(struct ns_pool *pool, const struct kstate_ns *ns, struct netlink **ret,
                struct weft_error *err)
{
    return find_netlink(pool, ns, NETLINK_NETFILTER, ret, err);
}

void ns_pool_make_room(struct ns_pool *pool, size_t count)
{
    if (pool->count + count > NS_POOL_MAX)
        ns_pool_clear(pool);
}

void ns_pool_clear(struct ns_pool *pool)
{
    for (size_t i = 0; i < pool->count; i++) {
        netlink_close(&pool->entries[i].rtnl);
        netlink_close(&pool->entries[i].nft);
        (void)close(pool->entries[i].fd);
    }
    pool->count = 0;
}
