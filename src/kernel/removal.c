/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/removal.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/str.h"
#include "kernel/netns.h"

/* Past this many the oldest is waited for: a bound for memory, and by then the kernel is the
 * bottleneck anyway. */
#define UNDER_WAY_MAX 128
#define STACK_SIZE 262144
#define PAUSE_MIN_NS 40000
#define PAUSE_MAX_NS 800000

struct removal {
    pthread_t thread;
    struct netlink nl;
    struct netlink_batch batch;
    int ended_fd; /* an eventfd, duplicated */
    char name[IFNAMSIZ];
    size_t number; /* in its run */
    bool gone;
    atomic_bool ended;
    int errnum; /* set before `ended` */
    char why[128];
    struct removal *next;
};

static void note_refusal(void *ctx, unsigned message _unused_, int errnum, const char *why)
{
    struct removal *r = ctx;

    r->errnum = errnum;
    strncat(r->why, why, sizeof r->why - 1);
}

static void *remove_link(void *arg)
{
    struct removal *r = arg;
    int result = netlink_batch_run(&r->nl, &r->batch, note_refusal, r, NULL);

    if (result < 0)
        r->errnum = -result;
    netlink_close(&r->nl); /* it holds its namespace */
    atomic_store(&r->ended, true);
    (void)eventfd_write(r->ended_fd, 1);
    return NULL;
}

static void removal_free(struct removal *r)
{
    netlink_close(&r->nl);
    netlink_batch_free(&r->batch);
    if (r->ended_fd >= 0)
        (void)close(r->ended_fd);
    free(r);
}
DEFINE_CLEANUP(struct removal *, removal_free)
#define _cleanup_removal_ _cleanup_(removal_free_p)

static int start_thread(struct removal *r)
{
    pthread_attr_t attr;
    int errnum = pthread_attr_init(&attr);

    if (errnum)
        return -errnum;
    (void)pthread_attr_setstacksize(&attr, STACK_SIZE);
    errnum = pthread_create(&r->thread, &attr, remove_link, r);
    (void)pthread_attr_destroy(&attr);
    return -errnum;
}

static int encode(struct removal *r)
{
    struct nlmsghdr *nlh;

    netlink_batch_reset(&r->batch, &r->nl);
    nlh = netlink_batch_begin_request(&r->batch, RTM_DELLINK, 0);
    if (!nlh)
        return -ENOMEM;
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(nlh, IFLA_IFNAME, r->name);
    netlink_batch_end(&r->batch, nlh);
    return 0;
}

static int open_socket(const struct removal_target *target, struct netlink *ret,
                       struct weft_error *err)
{
    int r = target->ns < 0 ? 0 : netns_enter(target->ns, err);

    if (r < 0)
        return r;
    r = netlink_open(ret, NETLINK_ROUTE, err);
    if (target->ns >= 0)
        netns_leave(target->host_ns);
    return r;
}

static int begin(const struct removal_target *target, int ended_fd, struct removal **ret,
                 struct weft_error *err)
{
    _cleanup_removal_ struct removal *r = calloc(1, sizeof *r);
    int result;

    if (!r)
        return weft_oom(err);
    r->ended_fd = -1;
    memcpy(r->name, target->name, sizeof r->name);
    result = open_socket(target, &r->nl, err);
    if (result < 0)
        return result;
    r->ended_fd = dup(ended_fd);
    if (r->ended_fd < 0)
        return weft_fail_errno(err, errno, "cannot duplicate a descriptor");
    if (encode(r) < 0)
        return weft_oom(err);
    result = start_thread(r);
    if (result < 0)
        return weft_fail_errno(err, result, "cannot start a thread");
    *ret = TAKE_PTR(r);
    return 0;
}

static void join(struct removal *r)
{
    (void)pthread_join(r->thread, NULL);
    removal_free(r);
}

/* Forgets those that have ended, and makes room for new ones, which come in front: from the oldest
 * on, those too many are waited for. */
static void tidy(struct removals *removals, size_t coming)
{
    struct removal **link = &removals->under_way;
    size_t spared = 0;

    while (*link) {
        struct removal *r = *link;

        if (!atomic_load(&r->ended) && ++spared + coming <= UNDER_WAY_MAX) {
            link = &r->next;
            continue;
        }
        *link = r->next;
        removals->count--;
        join(r);
    }
}

/* ---- one run ---- */

struct watch {
    struct removal **list;
    size_t count;
    int ended_fd; /* an eventfd: some call has ended */
};

static void watch_close(struct watch *w)
{
    if (w->ended_fd >= 0)
        (void)close(w->ended_fd);
    free(w->list);
}
#define _cleanup_watch_ _cleanup_(watch_close)

static int watch_open(struct watch *w, size_t count, struct weft_error *err)
{
    w->list = calloc(count, sizeof(struct removal *));
    w->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!w->list)
        return weft_oom(err);
    return w->ended_fd < 0 ? weft_fail_errno(err, errno, "cannot make an eventfd") : 0;
}

static bool is_out_of_sight(const struct removal *r, const struct removal_target *target)
{
    return netlink_link_index(target->nl, r->name) < 0 &&
           (!target->peer_nl || netlink_link_index(target->peer_nl, target->peer_name) < 0);
}

/* A refused link is there when its call has ended; any other is gone some time before that. */
static bool is_settled(struct removal *r, const struct removal_target *target)
{
    if (!r->gone && !atomic_load(&r->ended))
        r->gone = is_out_of_sight(r, target);
    return r->gone || atomic_load(&r->ended);
}

/* A look costs a microsecond, takes no lock, and the first is seldom in vain. */
static void wait_until_settled(const struct watch *w, struct removal *r,
                               const struct removal_target *target)
{
    struct timespec pause = {.tv_nsec = PAUSE_MIN_NS};
    struct pollfd fd = {.fd = w->ended_fd, .events = POLLIN};

    while (!is_settled(r, target)) {
        (void)ppoll(&fd, 1, &pause, NULL);
        if (pause.tv_nsec < PAUSE_MAX_NS)
            pause.tv_nsec += pause.tv_nsec / 8;
        if (fd.revents) /* some other call's end: stays readable, so do not spin on it */
            fd.fd = -1;
    }
}

static void begin_all(struct watch *w, const struct removal_target *targets, size_t count,
                      struct removals *removals, removal_refused_fn *refused, void *ctx)
{
    for (size_t i = 0; i < count; i++) {
        struct weft_error err;
        struct removal *r = NULL;
        int result = begin(&targets[i], w->ended_fd, &r, &err);

        if (result < 0) {
            refused(ctx, i, -result, err.text);
            continue;
        }
        r->number = i;
        w->list[w->count++] = r;
        r->next = removals->under_way;
        removals->under_way = r;
        removals->count++;
    }
}

int removal_run(struct removals *removals, const struct removal_target *targets, size_t count,
                removal_refused_fn *refused, void *ctx, struct weft_error *err)
{
    _cleanup_watch_ struct watch w = {.ended_fd = -1};
    int result = watch_open(&w, count, err);

    if (result < 0)
        return result;
    tidy(removals, count);
    begin_all(&w, targets, count, removals, refused, ctx);
    for (size_t i = 0; i < w.count; i++) {
        struct removal *r = w.list[i];

        wait_until_settled(&w, r, &targets[r->number]);
        if (!r->gone && r->errnum)
            refused(ctx, r->number, r->errnum, r->why);
    }
    return 0;
}

void removal_finish(struct removals *removals)
{
    while (removals->under_way) {
        struct removal *r = removals->under_way;

        removals->under_way = r->next;
        removals->count--;
        join(r);
    }
}
