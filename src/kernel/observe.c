/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "kernel/netns.h"
#include "kernel/nft.h"
#include "kernel/ns_pool.h"
#include "kernel/rtnl.h"
#include "kernel/sysctl.h"

struct observer {
    struct kernel *k;
    struct ns_pool pool;
    const struct fact_set *desired;
    struct rtnl_links links;
    struct fact_set facts;
};

static bool is_absent(int r)
{
    return r == -ENOENT || r == -EINVAL;
}

static int observe_links(struct observer *o, const struct kstate_ns *ns, unsigned number,
                         struct weft_error *err)
{
    struct netlink *nl;
    int r = ns_pool_rtnl(&o->pool, ns, &nl, err);

    if (r >= 0)
        r = rtnl_observe(nl, ns, number, o->desired, &o->links, &o->facts, err);
    if (r >= 0)
        r = rtnl_name_parents(nl, o->k->host_ns, number, &o->links, &o->facts, err);
    return r;
}

static int observe_resolver(struct observer *o, const struct kstate_ns *ns, struct weft_error *err)
{
    struct fact fact = {.kind = FACT_RESOLVER, .owned = true, .ns = ns};
    struct netlink *nl;
    bool is_there;
    int r = ns_pool_nft(&o->pool, ns, &nl, err);

    if (r >= 0)
        r = nft_resolver_observe(nl, &is_there, err);
    if (r < 0 || !is_there)
        return r;
    return fact_set_add(&o->facts, &fact) < 0 ? weft_oom(err) : 0;
}

/* What is mounted at the path of a namespace of weft's is weft's, also if it was somebody else's
 * before. */
static int observe_ns(struct observer *o, const struct kstate_ns *ns, unsigned number, int *nsid,
                      struct weft_error *err)
{
    struct fact fact = {.kind = FACT_NETNS, .owned = true, .ns = ns};
    int fd = ns_pool_fd(&o->pool, ns, err);
    int r;

    if (fd < 0)
        return is_absent(fd) ? 0 : fd;
    if (fact_set_add(&o->facts, &fact) < 0)
        return weft_oom(err);
    r = rtnl_nsid(&o->k->rtnl, fd, nsid, err);
    if (r >= 0)
        r = observe_resolver(o, ns, err);
    return r < 0 ? r : observe_links(o, ns, number, err);
}

static int observe_namespaces(struct observer *o, const struct kstate_ns *const *namespaces,
                              size_t count, struct weft_error *err)
{
    _cleanup_free_ int *nsids = calloc(count + 1, sizeof *nsids);
    int r;

    if (!nsids)
        return weft_oom(err);
    r = observe_links(o, NULL, 0, err);
    for (size_t i = 0; r >= 0 && i < count; i++) {
        nsids[i] = -1;
        r = observe_ns(o, namespaces[i], (unsigned)i + 1, &nsids[i], err);
        if (r < 0)
            weft_error_prefix(err, "network namespace %s", namespaces[i]->name);
        ns_pool_clear(&o->pool);
    }
    if (r >= 0)
        rtnl_pair_links(&o->links, nsids, count, &o->facts);
    return r;
}

/* Reads the sysctl that the fact speaks of. One that is not there gives no fact. */
static int observe_sysctl(struct observer *o, const struct fact *desired, struct weft_error *err)
{
    struct fact fact = *desired;
    int fd = ns_pool_fd(&o->pool, desired->ns, err);
    int r;

    if (fd < 0)
        return is_absent(fd) ? 0 : fd;
    r = netns_enter(fd, err);
    if (r < 0)
        return r;
    r = sysctl_read(fact.sysctl.path, fact.sysctl.value, sizeof fact.sysctl.value, err);
    netns_leave(o->k->host_ns);
    if (r < 0)
        return r == -ENOENT ? 0 : r;
    fact.owned = false;
    return fact_set_add(&o->facts, &fact) < 0 ? weft_oom(err) : 0;
}

static int observe_sysctls(struct observer *o, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < o->desired->count; i++) {
        if (o->desired->facts[i].kind != FACT_SYSCTL)
            continue;
        ns_pool_make_room(&o->pool, 1);
        r = observe_sysctl(o, &o->desired->facts[i], err);
    }
    return r;
}

/* The text of the ruleset that is desired, or else of that which weft loaded. */
static const char *ruleset_text(const struct observer *o)
{
    for (size_t i = 0; i < o->desired->count; i++)
        if (o->desired->facts[i].kind == FACT_NFT_BASE && o->desired->facts[i].base.text)
            return o->desired->facts[i].base.text;
    return o->k->rules;
}

int kernel_observe(struct kernel *k, const struct kstate_ns *const *namespaces, size_t count,
                   const struct fact_set *desired, struct fact_set *ret, struct weft_error *err)
{
    struct observer o = {.k = k, .pool.k = k, .desired = desired};
    struct weft_error why; /* also written when something merely is not there */
    int r = observe_namespaces(&o, namespaces, count, &why);

    if (r >= 0)
        r = nft_observe(k, ruleset_text(&o), &o.facts, &why);
    if (r >= 0)
        r = nft_accept_observe(&k->nft, &o.facts, &why);
    if (r >= 0)
        r = observe_sysctls(&o, &why);
    ns_pool_clear(&o.pool);
    free(o.links.links);
    if (r < 0) {
        fact_set_clear(&o.facts);
        if (err)
            *err = why;
        return r;
    }
    *ret = o.facts;
    return 0;
}
