/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Hearing of what others change: the notifications of nf_tables and rtnetlink in the host's
 * namespace.
 *
 * Messages about what this process did over the sockets of `struct kernel` do not arrive: a socket
 * filter drops them in the kernel, by the port id of who asked. Of nf_tables that is all of them,
 * and the loader of the base ruleset is known, too. rtnetlink does not say who caused the
 * consequences of a request (a new link goes up, the addresses of a removed one fall) nor who wrote
 * a sysctl, and threads that remove links have sockets of their own: such events arrive, and
 * whoever compares them with the model recognises them.
 */

#include <net/if.h>

#include "kernel/kernel.h"

struct kernel_monitor;

enum kernel_event_kind {
    KERNEL_EVENT_RULES,      /* a rule, chain, set or all of weft's tables, but not in the
                                administrator's chains */
    KERNEL_EVENT_ELEMENTS,   /* elements of weft's sets and maps */
    KERNEL_EVENT_OTHERS,     /* tables, chains or rules of others */
    KERNEL_EVENT_LINK_GONE,  /* name */
    KERNEL_EVENT_LINK,       /* name, link: a link is new or has changed */
    KERNEL_EVENT_ADDR_GONE,  /* name (of the link, "" when it is gone too), prefix */
    KERNEL_EVENT_ROUTE_GONE, /* name: a route of weft's (FACT_ROUTE_PROTOCOL) over this link */
    KERNEL_EVENT_FORWARDING, /* forwarding was switched, on some link or for all */
    KERNEL_EVENT_LOST,       /* more was said than could be heard: anything may have changed */
};

struct kernel_event {
    enum kernel_event_kind kind;
    char name[IFNAMSIZ];
    struct {
        bool up;
        bool ours;             /* carries FACT_LINK_GROUP */
        char master[IFNAMSIZ]; /* "" when it is nobody's port */
        uint32_t mtu;          /* bytes */
        struct mac mac;
    } link;
    struct prefix prefix;
};

int kernel_monitor_open(struct kernel *k, struct kernel_monitor **ret, struct weft_error *err);
void kernel_monitor_close(struct kernel_monitor *m);
/* The descriptors to poll for reading: nf_tables' and rtnetlink's. */
void kernel_monitor_fds(const struct kernel_monitor *m, int ret[static 2]);
/* Reads all that is there and gives each event to fn. 0 or -errno. Never blocks. */
typedef void kernel_event_fn(void *arg, const struct kernel_event *event);
int kernel_monitor_read(struct kernel_monitor *m, kernel_event_fn *fn, void *arg,
                        struct weft_error *err);
