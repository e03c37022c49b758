/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Routing netlink: operations to requests, dumps to facts. */

#include "kernel/netlink.h"
#include "kstate/fact.h"
#include "kstate/plan.h"

/* Where an operation will be carried out. */
struct rtnl_target {
    const struct netlink *nl; /* a socket in the operation's namespace: for the indices of links */
    int peer_ns;              /* LINK_VETH: the namespace in which the other end is born */
    bool has_ipv6;
};

/* Whether what op speaks of is rtnetlink's. */
bool rtnl_handles(const struct op *op);

/* Whether `later` can only be encoded once the kernel has carried out `earlier`, because it needs
 * the index of a link that `earlier` makes or removes. Both are of one namespace. */
bool rtnl_must_wait(const struct op *later, const struct op *earlier);

/* Appends the requests of an operation: one or a few, the first of which makes the link if it is to
 * be made. On failure the batch may hold some of them: see netlink_batch_rollback. 0 or -errno. */
int rtnl_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
                struct weft_error *err);

/* A route as dumped. */
struct rtnl_route {
    struct prefix destination;
    struct addr via;
    uint32_t table, metric;
    int oif; /* 0: none, or several */
    uint8_t type, protocol;
};
/* -ENODATA when the message is not a route of IPv4 or IPv6. */
int rtnl_parse_route(const struct nlmsghdr *nlh, struct rtnl_route *ret);
/* Dumps the routes of both families, of one table or (RT_TABLE_UNSPEC) of all. */
int rtnl_dump_routes(struct netlink *nl, uint32_t table, netlink_message_fn *cb,
                     netlink_reset_fn *reset, void *ctx, struct weft_error *err);

/* Links as dumped, besides their facts: what ties them together. Zero-initialise. */
struct rtnl_links {
    struct rtnl_link {
        size_t fact; /* position in the set of facts */
        unsigned ns; /* number of the namespace; 0 is the host */
        int index, master, peer_index;
        int peer_nsid; /* as the link's namespace numbers it; -1: the same namespace */
    } * links;         /* by namespace and index */
    size_t count;
    size_t capacity;
};

/* Adds the facts of one namespace. Namespaces are observed in the order of their numbers. 0 or
 * -errno. */
int rtnl_observe(struct netlink *nl, const struct kstate_ns *ns, unsigned ns_number,
                 const struct fact_set *desired, struct rtnl_links *links, struct fact_set *ret,
                 struct weft_error *err);

/* The number by which nl's namespace knows another, -1 if it does not. */
int rtnl_nsid(struct netlink *nl, int ns_fd, int *ret, struct weft_error *err);

/* Writes into the facts of the host's veth links, and of their other ends, what they are ends of.
 * nsids[i] is the host's number of namespace i + 1. */
void rtnl_pair_links(const struct rtnl_links *links, const int *nsids, size_t count,
                     struct fact_set *facts);
