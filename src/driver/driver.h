/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Drivers: given a network and an endpoint, which facts hold in the kernel. Pure functions: no I/O,
 * no memory of their own.
 */

#include "kstate/fact.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/sandbox.h"

struct driver_ops {
    const char *name; /* as `network create -d` spells it; "remote" stands for every plugin */
    bool has_pools;   /* networks need addresses */
    bool single;      /* only weftd's own predefined network may use it (host, null) */

    /* Checks options and fills what the driver decides (net->link, net->mtu). default_mtu in bytes,
     * 0: unknown. 0 or -errno. */
    int (*prepare_network)(struct network *net, uint32_t default_mtu, struct weft_error *err);
    /* Checks an endpoint's wishes against the network. 0 or -errno. */
    int (*check_endpoint)(const struct network *net, const struct endpoint_want *want,
                          struct weft_error *err);
    /* The facts of the network itself. 0 or -ENOMEM. */
    int (*render_network)(const struct network *net, struct fact_set *out);
    /* The facts of an active endpoint; ns is its sandbox's namespace. Without default routes:
     * render_gateway. 0 or -ENOMEM. */
    int (*render_endpoint)(const struct endpoint *ep, const struct kstate_ns *ns,
                           struct fact_set *out);
    /* The default route of a family (AF_INET, AF_INET6) through this endpoint, if the network has a
     * way out for it. 0 or -ENOMEM. */
    int (*render_gateway)(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                          struct fact_set *out);
};

extern const struct driver_ops driver_bridge, driver_cni, driver_host, driver_ipvlan,
    driver_macvlan, driver_null, driver_remote;

/* NULL for "". What is none of weft's own names a plugin: driver_remote. */
const struct driver_ops *driver_find(const char *name);
