/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Drift: somebody else removes or changes what is weft's. The kernel tells at once what happens to
 * links, addresses, rules and elements; it is put right within milliseconds.
 *
 * Each event is weighed by a look at the model, which costs next to nothing: most tell of what is
 * others', or of what weft itself has done (see kernel/monitor.h for what is not even heard). Only
 * what contradicts the model makes a mend due. It waits a moment for the rest of a burst, and then
 * the dump shows what is really missing. Some events only say that something may be wrong where a
 * cheaper look can tell; that is then taken first.
 *
 * A mend is a dump, and a dump answers everything that was said before it: so what has been heard
 * by then is forgotten, the echo of a ruleset that was just loaded included.
 *
 * What cannot be mended is tried again, ever more seldom. Where somebody undoes each mend at once,
 * weft goes on, but not faster than the machine can bear.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/state.h"
#include "firewall/firewall.h"
#include "kernel/monitor.h"
#include "kernel/sysctl.h"

#define BURST_MS 10
#define MENDS_PER_SECOND 10

/* What was heard, and asks for … */
enum due {
    DUE_LINKS = 1,    /* a look at what was said of links since, */
    DUE_SWITCHES = 2, /* at the sysctls of forwarding, */
    DUE_OTHERS = 4,   /* at chains of others and what comes with them, */
    DUE_HOST = 8,     /* mending of the host, */
    DUE_ALL = 16,     /* of everything */
};

struct drift {
    struct engine *engine;
    struct kernel_monitor *monitor;
    uv_poll_t polls[2];
    uv_timer_t timer;
    unsigned open_handles;
    unsigned due;         /* enum due */
    unsigned dumps;       /* number of the next one, from 1 */
    unsigned wrong_links; /* how many were last said to be so, since the one before */
    unsigned failures;    /* of mends, in a row */
    uint64_t second;      /* ms: when the second began in which */
    unsigned mends;       /* so many were made, */
    unsigned needed;      /* and so many found something to do */
    bool limited;         /* it was said that they are too many */
    unsigned in_vain;     /* mends that found nothing to do */
};

/* ---- what was heard ---- */

/* The slot of a link that is to be there; NULL: of none. */
static struct link_slot *find_slot(const struct drift *d, const char *name)
{
    struct link_slot *slot = hash_get(&d->engine->links, name);

    if (!slot)
        return NULL;
    return (slot->ep ? endpoint_is_wired(slot->ep) : slot->net->stage == NETWORK_SETTLED) ? slot
                                                                                          : NULL;
}

static bool is_there(const struct drift *d, const char *name)
{
    return kernel_link_index(d->engine->kernel, NULL, name) > 0;
}

static bool is_uplink(const struct link_slot *slot)
{
    return !slot->ep && *slot->net->link &&
           str_equal(network_option(slot->net, OPTION_UPLINK), slot->name);
}

/* Not so if weft itself has made it anew meanwhile, and for what only others can bring back. */
static bool link_is_lost(struct drift *d, const char *name)
{
    const struct link_slot *slot = find_slot(d, name);

    if (!slot || is_there(d, name) || is_uplink(slot))
        return false;
    if (slot->ep)
        engine_sandbox_slot(d->engine, slot->ep->sandbox)->unsure = true;
    return true;
}

/* With a parent go the endpoints' interfaces that lay on it. */
static void note_lost_parent(struct drift *d, const char *name)
{
    const struct engine *e = d->engine;

    for (size_t i = 0; i < e->network_count; i++) {
        const struct network *net = e->networks[i];
        const struct net_slot *slot;

        if (!str_equal(net->parent, name) || is_there(d, name))
            continue;
        slot = engine_net_slot(e, net);
        for (size_t j = 0; j < slot->endpoint_count; j++)
            if (endpoint_is_wired(slot->endpoints[j]))
                engine_sandbox_slot(e, slot->endpoints[j]->sandbox)->unsure = true;
        if (!net->made_parent && slot->endpoint_count > 0)
            log_warning("parent %s of network %s has gone: its endpoints are cut off", name,
                        net->name);
    }
}

/* A parent that was lost, and is somebody else's: now its endpoints can be mended. */
static bool parent_is_back(const struct drift *d, const struct kernel_event *event)
{
    const struct engine *e = d->engine;

    for (size_t i = 0; event->link.up && i < e->network_count; i++) {
        const struct net_slot *slot;

        if (!str_equal(e->networks[i]->parent, event->name))
            continue;
        slot = engine_net_slot(e, e->networks[i]);
        for (size_t j = 0; j < slot->endpoint_count; j++)
            if (engine_sandbox_slot(e, slot->endpoints[j]->sandbox)->unsure)
                return true;
    }
    return false;
}

/* A link of a network's as it shall be. False when there is nothing to say about it. */
static bool find_link(const struct network *net, const char *name, struct fact_link *ret)
{
    _cleanup_fact_set_ struct fact_set facts = {0};

    if (render_network(net, &facts) < 0)
        return false;
    for (size_t i = 0; i < facts.count; i++) {
        if (facts.facts[i].kind != FACT_LINK || !str_equal(facts.facts[i].link.name, name))
            continue;
        *ret = facts.facts[i].link;
        return true;
    }
    return false;
}

static bool is_as_it_shall_be(const struct link_slot *slot, const struct kernel_event *event)
{
    const struct network *net = slot->net;
    struct fact_link link = {0};

    if (slot->ep)
        return event->link.up && (!net->mtu || event->link.mtu == net->mtu) &&
               str_equal(event->link.master, net->link);
    if (!find_link(net, slot->name, &link))
        return true;
    return event->link.up && (!link.mtu || event->link.mtu == link.mtu) &&
           (!*link.master || str_equal(event->link.master, link.master)) &&
           (!mac_is_set(&link.mac) || mac_equal(&event->link.mac, &link.mac));
}

/* Weft makes its own links step by step, too, and the kernel does not say of each step who made it:
 * only the last word on a link counts. */
static bool link_is_wrong(struct drift *d, const struct kernel_event *event)
{
    struct link_slot *slot = find_slot(d, event->name);
    bool wrong;

    if (!slot)
        return false;
    wrong = !is_as_it_shall_be(slot, event);
    if (wrong && slot->wrong_since != d->dumps)
        d->wrong_links++;
    if (!wrong && slot->wrong_since == d->dumps)
        d->wrong_links--;
    slot->wrong_since = wrong ? d->dumps : 0;
    return wrong;
}

/* The endpoint whose packets wait in this link before they go on; NULL: it is no such link. */
static const struct endpoint *queue_owner(const struct drift *d, const char *name)
{
    const struct link_slot *slot;
    char link[IFNAMSIZ + 1];

    if (!str_starts_with(name, "ifb"))
        return NULL;
    (void)snprintf(link, sizeof link, "veth%s", name + strlen("ifb"));
    slot = find_slot(d, link);
    if (!slot || !slot->ep || !strmap_get(&slot->ep->want.driver_opts, OPTION_EGRESS_RATE))
        return NULL;
    return slot->ep;
}

/* Without it, what its endpoint sends is lost. */
static bool queue_is_lost(const struct drift *d, const char *name)
{
    return queue_owner(d, name) && !is_there(d, name);
}

/* It is weft's, but under a name that nobody knows: that of another was taken from it. What weft
 * itself removes is gone by the time that its last words are heard. */
static bool link_is_strange(const struct drift *d, const struct kernel_event *event)
{
    return event->link.ours && !find_slot(d, event->name) && !queue_owner(d, event->name) &&
           is_there(d, event->name);
}

/* With its link, an address goes unmentioned: the link is news enough. */
static bool is_host_address(const struct drift *d, const struct kernel_event *event)
{
    const struct link_slot *slot = hash_get(&d->engine->links, event->name);
    const struct addr *addr = &event->prefix.addr;
    struct addr access;

    if (!slot || slot->ep)
        return false;
    access = network_access_addr(slot->net, addr->family);
    for (size_t i = 0; i < slot->net->pool_count; i++)
        if (addr_equal(&slot->net->pools[i].gateway, addr))
            return true;
    return addr_is_set(&access) && addr_equal(&access, addr);
}

static unsigned weigh(struct drift *d, const struct kernel_event *event)
{
    switch (event->kind) {
    case KERNEL_EVENT_RULES:
    case KERNEL_EVENT_ELEMENTS:
    case KERNEL_EVENT_ROUTE_GONE:
        return DUE_HOST;
    case KERNEL_EVENT_OTHERS:
        return DUE_OTHERS;
    case KERNEL_EVENT_LINK_GONE:
        note_lost_parent(d, event->name);
        return link_is_lost(d, event->name) || queue_is_lost(d, event->name) ? DUE_HOST : 0;
    case KERNEL_EVENT_LINK:
        if (parent_is_back(d, event))
            return DUE_HOST;
        return link_is_wrong(d, event) ? DUE_LINKS : link_is_strange(d, event) ? DUE_HOST : 0;
    case KERNEL_EVENT_ADDR_GONE:
        return is_host_address(d, event) ? DUE_HOST : 0;
    case KERNEL_EVENT_FORWARDING:
        return DUE_SWITCHES;
    case KERNEL_EVENT_LOST:
        return DUE_ALL;
    }
    return 0;
}

/* ---- looks that are cheaper than a dump ---- */

static bool is_forwarding(const struct fact *fact)
{
    return fact->kind == FACT_SYSCTL && strstr(fact->sysctl.path, "forward");
}

static bool is_switched_off(const struct fact_sysctl *wanted)
{
    char value[sizeof wanted->value];

    return sysctl_read(wanted->path, value, sizeof value, NULL) == 0 &&
           !str_equal(value, wanted->value);
}

static bool forwarding_is_off(const struct engine *e)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    bool off = false;

    for (size_t i = 0; i < e->network_count; i++)
        if (render_network(e->networks[i], &facts) < 0)
            return true;
    fact_set_sort(&facts);
    for (size_t i = 0; i < facts.count && !off; i++)
        off = is_forwarding(&facts.facts[i]) && is_switched_off(&facts.facts[i].sysctl);
    return off;
}

/* Who changes rules (docker, when it starts) may also have changed what the host does with frames.
 */
static bool host_has_changed(const struct engine *e)
{
    struct firewall_host host = look_at_host();

    return host.filters_bridged_ipv4 != e->host.filters_bridged_ipv4 ||
           host.filters_bridged_ipv6 != e->host.filters_bridged_ipv6;
}

/* Do the chains of others that drop, and they alone, have weft's accept rules? */
static bool accepts_are_wrong(const struct engine *e)
{
    _cleanup_fact_set_ struct fact_set seen = {0}, desired = {0};
    _cleanup_free_ struct nft_chain *cutting = NULL;
    _cleanup_plan_ struct plan plan = {0};
    size_t count = 0;

    return kernel_cutting_chains(e->kernel, &cutting, &count, NULL) < 0 ||
           kernel_accepts(e->kernel, &seen, NULL) < 0 ||
           firewall_render_accepts(cutting, count, &desired) < 0 ||
           plan_diff(&seen, &desired, &plan) < 0 || plan.count > 0;
}

/* ---- mending ---- */

static void wake(struct drift *d, uint64_t delay);

static void retry_later(struct drift *d, const char *why)
{
    static const uint64_t delays[] = {100, 1000, 10000}; /* ms */
    size_t last = ARRAY_SIZE(delays) - 1;
    size_t step = d->failures < last ? d->failures : last;

    if (d->failures++ <= last)
        log_warning("%s: next try in %g s", why, (double)delays[step] / 1000);
    d->due |= DUE_HOST;
    wake(d, delays[step]);
}

static void mend(struct drift *d, enum mend_reach reach)
{
    struct mend_outcome outcome = {0};
    struct weft_error err = {0};
    int r = engine_mend(d->engine, reach, &outcome, &err);

    d->mends++;
    d->needed += outcome.operations > 0;
    if (r < 0) {
        retry_later(d, err.text);
        return;
    }
    if (outcome.failed) {
        retry_later(d, "not everything could be mended");
        return;
    }
    d->failures = 0;
    if (outcome.operations == 0)
        log_debug("looked for drift in vain, %u times by now", ++d->in_vain);
}

/* Milliseconds until the next mend may be. */
static uint64_t pause_left(struct drift *d)
{
    uint64_t now = uv_now(d->engine->loop);

    if (now - d->second >= 1000) {
        d->limited = d->limited && d->needed >= MENDS_PER_SECOND;
        d->second = now;
        d->mends = d->needed = 0;
    }
    return d->mends < MENDS_PER_SECOND ? 0 : d->second + 1000 - now;
}

static void check(uv_timer_t *timer)
{
    struct drift *d = timer->data;
    uint64_t pause = pause_left(d);
    unsigned due = d->due;

    if (due && pause > 0) {
        if (!d->limited && d->needed >= MENDS_PER_SECOND)
            log_warning("others keep undoing what weft mends: it does so %d times a second at most",
                        MENDS_PER_SECOND);
        d->limited = d->needed >= MENDS_PER_SECOND;
        wake(d, pause);
        return;
    }
    d->due = 0;
    if (due & DUE_ALL)
        mend(d, MEND_ALL);
    else if (due & DUE_HOST || (due & DUE_LINKS && d->wrong_links > 0) ||
             (due & DUE_SWITCHES && forwarding_is_off(d->engine)) ||
             (due & DUE_OTHERS && (accepts_are_wrong(d->engine) || host_has_changed(d->engine))))
        mend(d, MEND_HOST);
}

/* Checks what is due after delay milliseconds, or when it was going to anyway, if that is sooner.
 */
static void wake(struct drift *d, uint64_t delay)
{
    if (!uv_is_active((uv_handle_t *)&d->timer) || uv_timer_get_due_in(&d->timer) > delay)
        uv_timer_start(&d->timer, check, delay, 0);
}

/* ---- hearing ---- */

static void hear(void *arg, const struct kernel_event *event)
{
    struct drift *d = arg;
    unsigned due = weigh(d, event);

    d->due |= due;
    /* A retry that is due in a while need not wait for it when there is news. */
    if (due)
        wake(d, BURST_MS);
}

/* A monitor that cannot be read would be readable for ever. */
static void hear_all(struct drift *d)
{
    struct weft_error err = {0};

    if (kernel_monitor_read(d->monitor, hear, d, &err) == 0)
        return;
    log_error("what others change goes unnoticed from now on: %s", err.text);
    for (size_t i = 0; i < ARRAY_SIZE(d->polls); i++)
        uv_poll_stop(&d->polls[i]);
}

static void readable(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    hear_all(poll->data);
}

void drift_catch_up(struct engine *e, enum mend_reach reach)
{
    struct drift *d = e->drift;

    if (!d)
        return;
    hear_all(d);
    d->due &= reach == MEND_ALL ? 0 : DUE_ALL;
    d->dumps++;
    d->wrong_links = 0;
}

static void handle_closed(uv_handle_t *handle)
{
    struct drift *d = handle->data;

    if (--d->open_handles == 0)
        free(d);
}

static void close_handle(struct drift *d, uv_handle_t *handle)
{
    handle->data = d;
    uv_close(handle, handle_closed);
}

int drift_start(struct engine *e, struct weft_error *err)
{
    struct drift *d = calloc(1, sizeof *d);
    int fds[2], r;

    if (!d)
        return weft_oom(err);
    d->engine = e;
    d->dumps = 1;
    r = kernel_monitor_open(e->kernel, &d->monitor, err);
    if (r < 0) {
        free(d);
        return r;
    }
    kernel_monitor_fds(d->monitor, fds);
    uv_timer_init(e->loop, &d->timer);
    d->timer.data = d;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        uv_poll_init(e->loop, &d->polls[i], fds[i]);
        d->polls[i].data = d;
        uv_poll_start(&d->polls[i], UV_READABLE, readable);
    }
    d->open_handles = 1 + ARRAY_SIZE(fds);
    e->drift = d;
    return 0;
}

void drift_stop(struct engine *e)
{
    struct drift *d = TAKE_PTR(e->drift);

    if (!d)
        return;
    close_handle(d, (uv_handle_t *)&d->timer);
    for (size_t i = 0; i < ARRAY_SIZE(d->polls); i++)
        close_handle(d, (uv_handle_t *)&d->polls[i]);
    kernel_monitor_close(d->monitor);
}
