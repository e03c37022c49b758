/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Namespaces that are open at the moment, each with the netlink sockets that were asked for. They
 * are kept for as long as one apply, or one namespace's observation, takes: a daemon with a
 * thousand sandboxes has no thousand sockets.
 */

#include "kernel/private.h"

#define NS_POOL_MAX 128

struct ns_pool {
    struct kernel *k;
    struct ns_pool_entry {
        const struct kstate_ns *ns;
        int fd;
        struct netlink rtnl, nft;
    } entries[NS_POOL_MAX];
    size_t count;
};

/* The namespace's descriptor (NULL: the host's), still the pool's. -ENOENT when it is not there. */
int ns_pool_fd(struct ns_pool *pool, const struct kstate_ns *ns, struct weft_error *err);
/* A routing socket in it, still the pool's. 0 or -errno. */
int ns_pool_rtnl(struct ns_pool *pool, const struct kstate_ns *ns, struct netlink **ret,
                 struct weft_error *err);
/* A netfilter socket in it, likewise. */
int ns_pool_nft(struct ns_pool *pool, const struct kstate_ns *ns, struct netlink **ret,
                struct weft_error *err);
/* Closes all if there is not room for `count` more. */
void ns_pool_make_room(struct ns_pool *pool, size_t count);
void ns_pool_clear(struct ns_pool *pool);
