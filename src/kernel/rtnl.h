/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Routing netlink: operations to requests, dumps to facts. */

#include "kernel/netlink.h"
#include "kstate/fact.h"
#include "kstate/plan.h"

/*
 * An operation is mostly one or a few requests in its own namespace. Some links of a namespace's
 * need one on the host's socket first; and some settings want the index of a link that the same
 * operation makes, so that they can only be encoded when it is there.
 */
enum rtnl_phase {
    RTNL_ABROAD, /* on the host's socket */
    RTNL_HOME,   /* on a socket in the operation's namespace: nearly all */
    RTNL_LATE,   /* there, too, once what came before has been carried out */
    RTNL_PHASE_COUNT
};

/* Where an operation will be carried out. */
struct rtnl_target {
    const struct netlink *nl; /* a socket in the operation's namespace: for the indices of links */
    const struct netlink *host_nl; /* one in the host */
    int ns, host_ns;               /* the namespace and the host's, for links that move */
    int peer_ns;                   /* LINK_VETH: the namespace in which the other end is born */
    bool has_ipv6;
};

/* Whether what op speaks of is rtnetlink's. */
bool rtnl_handles(const struct op *op);

/* Whether `later` can only be encoded once the kernel has carried out `earlier`, because it needs
 * the index of a link that `earlier` makes or removes. Both are of one namespace. */
bool rtnl_must_wait(const struct op *later, const struct op *earlier);

/* Appends an operation's requests of one phase: none or a few. The first of all of them makes the
 * link if it is to be made. On failure the batch may hold some of them: see netlink_batch_rollback.
 * 0 or -errno. */
int rtnl_encode(struct netlink_batch *b, const struct rtnl_target *target, const struct op *op,
                enum rtnl_phase phase, struct weft_error *err);
/* Whether the operation has requests in the phase RTNL_ABROAD. */
bool rtnl_begins_abroad(const struct op *op);
/* Whether it may have some in the phase RTNL_LATE. */
bool rtnl_ends_late(const struct op *op);

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
        size_t fact;                   /* position in the set of facts */
        unsigned ns;                   /* number of the namespace; 0 is the host */
        int index, master, peer_index; /* the peer: the other end, or the parent */
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

/* Writes into the facts of a namespace's links, which have been observed last, what they lie on.
 * The host's are known by then; host_ns is its descriptor. 0 or -errno. */
int rtnl_name_parents(struct netlink *nl, int host_ns, unsigned ns_number,
                      const struct rtnl_links *links, struct fact_set *facts,
                      struct weft_error *err);

/* Writes into the facts of the host's veth links, and of their other ends, what they are ends of.
 * nsids[i] is the host's number of namespace i + 1. */
void rtnl_pair_links(const struct rtnl_links *links, const int *nsids, size_t count,
                     struct fact_set *facts);
