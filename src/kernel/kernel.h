/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The only code that speaks to the kernel about networking.
 *
 * `struct kernel` is weftd's hold on one host: its network namespace, a routing netlink socket and
 * a netfilter netlink socket, opened once. Other namespaces are entered for as long as it takes to
 * open a socket in them. Single-threaded: entering a namespace changes the calling thread's.
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/error.h"
#include "kstate/fact.h"
#include "kstate/plan.h"

struct kernel;

/* Opens the sockets in the caller's network namespace, which becomes "the host". 0 or -errno. */
int kernel_open(struct kernel **ret, struct weft_error *err);
void kernel_close(struct kernel *k);

/*
 * Runs the plan: all of it or nothing. On failure everything that was done is undone in reverse
 * order and the error carries the operation as a command and the kernel's own words (extended ACK).
 * An operation that cannot be undone is logged and left for the next start; what fell with a
 * removed link, namespace or ruleset is not in the plan and does not come back with it. Removing
 * what is not there is no failure.
 */
int kernel_apply(struct kernel *k, const struct plan *plan, struct weft_error *err);

/* Runs what can be run: a failing operation is logged and skipped. For mending at start. Returns
 * the number of operations that failed, or -errno when nothing could be tried. */
int kernel_apply_lenient(struct kernel *k, const struct plan *plan);

/*
 * Dumps the host and the given namespaces into facts: links, addresses and routes; the version and
 * the elements of weft's tables, and weft's accept rules in chains of others; the sysctls that
 * `desired` speaks of. Facts are marked owned where weft's mark is on them. The ruleset counts as
 * tampered with until `k` itself has loaded it. Namespaces that do not exist give no facts.
 * Interrupted dumps are retried. 0 or -errno.
 */
int kernel_observe(struct kernel *k, const struct kstate_ns *const *namespaces, size_t count,
                   const struct fact_set *desired, struct fact_set *ret, struct weft_error *err);

/* Base chains of others at the forward hook, in families ip, ip6 and inet, that drop what no rule
 * of theirs accepts: by their policy, or by a last rule without conditions that drops or rejects.
 * For the caller to free. 0 or -errno. */
int kernel_cutting_chains(struct kernel *k, struct nft_chain **ret, size_t *ret_count,
                          struct weft_error *err);

/* Weft's accept rules that are in chains of others now: owned FACT_NFT_ACCEPT facts, added to ret.
 * 0 or -errno. */
int kernel_accepts(struct kernel *k, struct fact_set *ret, struct weft_error *err);

/* Whether the host leads bridged frames of a family through its IP filters (br_netfilter's sysctls
 * net.bridge.bridge-nf-call-iptables and …-ip6tables). */
bool kernel_filters_bridged(int family);

/* The base ruleset as it is when weft has loaded it, in one number: rules that give another have
 * been tampered with. It is good for as long as the kernel has the ruleset, so it can outlive this
 * process. 0: this process has neither loaded the ruleset nor been told. */
uint64_t kernel_rules_mark(const struct kernel *k);
/* What an earlier process knew; text (static) is what it had loaded. */
void kernel_expect_rules(struct kernel *k, const char *text, uint64_t mark);

/* Destinations of the host's routes in all tables but local, the default routes left out: what a
 * new pool must not overlap. For the caller to free. */
int kernel_routes(struct kernel *k, struct prefix **ret, size_t *ret_count, struct weft_error *err);

/* The MTU of the link of the host's default route; 0 when there is none. */
int kernel_default_mtu(struct kernel *k, uint32_t *ret, struct weft_error *err);

/* The host's links, addresses and routes as they are, added to ret. Cheaper than kernel_observe. 0
 * or -errno. */
int kernel_links(struct kernel *k, struct fact_set *ret, struct weft_error *err);

/* The index of a link in a namespace (NULL: the host); -ENODEV when it is not there. Positive on
 * success. */
int kernel_link_index(struct kernel *k, const struct kstate_ns *ns, const char *name);

/* Identity of a namespace file (st_dev, st_ino), to tell whether two paths are one namespace. Fails
 * with WEFT_NOT_FOUND or WEFT_INVALID when the path is not a network namespace. */
struct netns_identity {
    uint64_t dev, ino;
};
int kernel_netns_identify(const char *path, struct netns_identity *ret, struct weft_error *err);
int kernel_netns_identify_host(struct kernel *k, struct netns_identity *ret,
                               struct weft_error *err);

/* Removes mounts and files below dir (RUN_DIR/netns) that are none of the given namespaces. For
 * mending at start. */
int kernel_netns_sweep(const char *dir, const struct kstate_ns *const *keep, size_t count,
                       struct weft_error *err);

/* A socket to be made in a namespace. */
struct kernel_socket {
    int family, type;   /* AF_INET, AF_INET6; SOCK_DGRAM, SOCK_STREAM */
    struct addr addr;   /* bound to it (and listening, if SOCK_STREAM); none: neither */
    uint16_t port;      /* host order */
    const char *device; /* only what arrives through this link (SO_BINDTODEVICE); NULL: any */
    int buffer;         /* octets of what waits to be received (SO_RCVBUFFORCE); 0: the default */
};
/* Makes sockets in a namespace (NULL: the host): non-blocking, close-on-exec, SO_REUSEADDR, IPv6
 * ones for IPv6 only; the address need not be there yet (IP_FREEBIND). All or none: fds[i] is for
 * sockets[i]. 0 or -errno. */
int kernel_sockets(struct kernel *k, const struct kstate_ns *ns,
                   const struct kernel_socket *sockets, size_t count, int *fds,
                   struct weft_error *err);

/* For tests of crashes and refusals: the nth operation from now on (1 is the next) fails as if the
 * kernel had answered EIO, or kills the process outright before it is sent. 0 turns it off. */
enum kernel_fault { KERNEL_FAULT_NONE, KERNEL_FAULT_FAIL, KERNEL_FAULT_CRASH };
void kernel_set_fault(struct kernel *k, enum kernel_fault fault, unsigned nth);
/* How many operations have been counted since the last kernel_set_fault. */
unsigned kernel_fault_count(const struct kernel *k);
