/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of connections has no index by address or port: who looks for some walks it, all its
 * buckets, of which a host with more than 4 GB of memory has 262,144, shared by all namespaces. So
 * the work is to walk seldom, and where it is cheap. Of each family:
 *
 *   - Without any entry in the namespace there is nothing to do. Asking for their number costs 2
 * µs.
 *   - The kernel removes what fits a filter by itself (Linux 6.8): it walks without locks, over
 * empty buckets without stopping, 0.2 ms on an idle host and 20 ms past 100,000 entries. It can do
 * so for IPv4, TCP and UDP, and is worth it for a few matches (conntrack_filter.c). Older kernels
 *     refuse, since what they read is a tuple with parts missing.
 *   - A dump takes the lock of every bucket: 5 ms, and 150 ms with 100,000 entries, but it serves
 * any number of matches at once (conntrack_dump.c).
 *   - The file in /proc is a walk without locks again, 0.3 ms, but text costs 2 µs an entry, and
 * not every kernel has it. Where there are few entries, a look at it saves the dump that would find
 *     nothing.
 */

#include "kernel/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/conntrack_work.h"
#include "kernel/private.h"

#define REQUEST_SIZE 64

/* Up to as many, reading them as text is cheaper than a dump. */
#define TEXT_ENTRIES_MAX 1000

int conntrack_match_compare(const void *left, const void *right)
{
    const struct conntrack_match *a = left, *b = right;
    int r = addr_compare(&a->addr, &b->addr);

    if (r == 0)
        r = (a->kind > b->kind) - (a->kind < b->kind);
    if (r == 0)
        r = a->proto - b->proto;
    return r ? r : a->port - b->port;
}

bool conntrack_match_is_any(const struct conntrack_match *m)
{
    const struct addr any = {.family = m->addr.family};

    return m->kind == CONNTRACK_SERVICE && addr_equal(&m->addr, &any);
}

struct nlmsghdr *conntrack_begin_delete(struct conntrack_work *w)
{
    struct nlmsghdr *nlh =
        netlink_batch_begin_request(&w->batch, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
                                    0);
    struct nfgenmsg *header = nlh ? mnl_nlmsg_put_extra_header(nlh, sizeof *header) : NULL;

    if (header)
        header->nfgen_family = w->family;
    return nlh;
}

void conntrack_note_refusal(void *ctx, unsigned message, int errnum, const char *why)
{
    struct conntrack_work *w = ctx;

    (void)message;
    (void)why;
    if (!w->errnum)
        w->errnum = errnum;
}

static int read_count(void *ctx, const struct nlmsghdr *nlh)
{
    const struct nlattr *attr;

    mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attr) == CTA_STATS_GLOBAL_ENTRIES)
            *(uint32_t *)ctx = ntohl(mnl_attr_get_u32(attr));
    }
    return 0;
}

/* The number of entries in the namespace: none if the kernel does not track at all. */
static int count_entries(struct netlink *nl, uint32_t *ret, struct weft_error *err)
{
    char request[REQUEST_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(request);
    int r;

    nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS;
    nlh->nlmsg_flags = NLM_F_REQUEST;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
    *ret = 0;
    r = netlink_request(nl, nlh, read_count, ret, NULL);
    /* nfnetlink says EINVAL of what it has never heard of. */
    if (r >= 0 || r == -EINVAL || r == -EOPNOTSUPP || r == -ENOENT || r == -EPROTONOSUPPORT)
        return 0;
    return weft_fail_errno(err, -r, "cannot count tracked connections");
}

static int forget(struct conntrack_work *w, uint32_t entries, struct weft_error *err)
{
    int r = conntrack_forget_by_filter(w, err);

    if (r != -EOPNOTSUPP)
        return r;
    if (entries <= TEXT_ENTRIES_MAX && !conntrack_may_match(w))
        return 0;
    return conntrack_forget_by_dump(w, err);
}

/* The matches of a family, sorted. What does not belong to a match is left out: it is compared. */
static size_t select_matches(struct conntrack_match *to, uint8_t family,
                             const struct conntrack_match *matches, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        const struct conntrack_match *m = &matches[i];

        if (m->addr.family != family)
            continue;
        to[n] = (struct conntrack_match){.kind = m->kind, .addr = m->addr};
        if (m->kind == CONNTRACK_SERVICE) {
            to[n].proto = m->proto;
            to[n].port = m->port;
        }
        n++;
    }
    qsort(to, n, sizeof *to, conntrack_match_compare);
    return n;
}

static bool has_any(const struct conntrack_match *matches, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (conntrack_match_is_any(&matches[i]))
            return true;
    return false;
}

static int forget_families(struct netlink *nft, const struct local_addrs *local,
                           const struct conntrack_match *matches, size_t count, uint32_t entries,
                           struct weft_error *err)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    _cleanup_free_ struct conntrack_match *selected = calloc(count, sizeof *selected);
    int r = selected ? 0 : weft_oom(err);

    for (size_t i = 0; i < ARRAY_SIZE(families) && r >= 0; i++) {
        struct conntrack_work w = {.nl = nft,
                                   .family = families[i],
                                   .matches = selected,
                                   .local = local};

        w.count = select_matches(selected, families[i], matches, count);
        if (w.count)
            r = forget(&w, entries, err);
        netlink_batch_free(&w.batch);
    }
    return r;
}

/* ---- in a thread ---- */

struct forgetting {
    pthread_t thread;
    atomic_bool ended;
    uint32_t entries; /* that there were */
    int result;
    struct weft_error err;
    size_t count;
    struct conntrack_match matches[];
};

static int run_with(struct forgetting *f, struct netlink *nft, struct netlink *rtnl)
{
    _cleanup_(local_addrs_clear) struct local_addrs local = {0};
    int r = netlink_open(nft, NETLINK_NETFILTER, &f->err);

    if (r >= 0 && has_any(f->matches, f->count)) {
        r = netlink_open(rtnl, NETLINK_ROUTE, &f->err);
        if (r >= 0)
            r = local_addrs_read(rtnl, &local, &f->err);
    }
    return r < 0 ? r : forget_families(nft, &local, f->matches, f->count, f->entries, &f->err);
}

/* It has sockets of its own, in the host's namespace: that of the thread which started it. */
static void *run(void *arg)
{
    struct netlink nft = {0}, rtnl = {0};
    struct forgetting *f = arg;

    f->result = run_with(f, &nft, &rtnl);
    netlink_close(&nft);
    netlink_close(&rtnl);
    atomic_store(&f->ended, true);
    return NULL;
}

bool kernel_conntrack_is_busy(const struct kernel *k)
{
    return k->forgetting && !atomic_load(&k->forgetting->ended);
}

int kernel_conntrack_finish(struct kernel *k, struct weft_error *err)
{
    _cleanup_free_ struct forgetting *f = TAKE_PTR(k->forgetting);

    if (!f)
        return 0;
    (void)pthread_join(f->thread, NULL);
    if (f->result < 0 && err)
        *err = f->err;
    return f->result < 0 ? f->result : 0;
}

int kernel_conntrack_begin(struct kernel *k, const struct conntrack_match *matches, size_t count,
                           struct weft_error *err)
{
    _cleanup_free_ struct forgetting *f = NULL;
    uint32_t entries = 0;
    int r = kernel_conntrack_finish(k, err), error;

    if (r == 0 && count)
        r = count_entries(&k->nft, &entries, err);
    if (r < 0 || !entries)
        return r;
    f = calloc(1, sizeof *f + count * sizeof *matches);
    if (!f)
        return weft_oom(err);
    f->entries = entries;
    f->count = count;
    memcpy(f->matches, matches, count * sizeof *matches);
    error = pthread_create(&f->thread, NULL, run, f);
    if (error)
        return weft_fail_errno(err, error, "cannot start a thread");
    k->forgetting = TAKE_PTR(f);
    return 0;
}
