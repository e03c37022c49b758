/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation
 *
 * What an endpoint gets leaves the host by the host's end of its pair: there it waits in a token
 * bucket. What it sends comes in by that link, where nothing can wait; so it is redirected to an
 * ifb of the endpoint's own, in whose bucket it waits before it reaches the bridge.
 */

#include "driver/shape.h"

#include <stdio.h>

#include "model/limit.h"

#define ETHERNET_MTU 1500
#define ETHERNET_HEADER 18 /* bytes, with a VLAN's tag */

static int check_burst(const struct network *net, const char *key, const struct limit *limit,
                       struct weft_error *err)
{
    unsigned packet = (net->mtu ? net->mtu : ETHERNET_MTU) + ETHERNET_HEADER;

    if (!limit->rate || limit->burst >= packet)
        return 0;
    return weft_fail(err, WEFT_INVALID, "%s %ub is less than one packet of network %s (%u bytes)",
                     key, limit->burst, net->name, packet);
}

int shape_check(const struct network *net, const struct strmap *options, struct weft_error *err)
{
    struct limits limits;
    int r = limits_read(options, &limits, err);

    if (r < 0 || !limits_are_set(&limits))
        return r;
    if (!*net->link)
        return weft_fail(err, WEFT_INVALID,
                         "endpoints of network %s cannot be limited: driver %s gives them no link "
                         "on the host",
                         net->name, net->driver);
    r = check_burst(net, OPTION_INGRESS_BURST, &limits.ingress, err);
    return r < 0 ? r : check_burst(net, OPTION_EGRESS_BURST, &limits.egress, err);
}

static int add_shape(struct fact_set *out, const char *link, const struct limit *limit)
{
    struct fact fact = {.kind = FACT_SHAPE, .shape = {.rate = limit->rate, .burst = limit->burst}};

    (void)str_copy(fact.shape.link, sizeof fact.shape.link, link);
    return fact_set_add(out, &fact);
}

static int add_ifb(struct fact_set *out, const char *name, unsigned mtu)
{
    struct fact fact = {.kind = FACT_LINK,
                        .link = {.kind = LINK_IFB, .up = true, .no_autoconf = true, .mtu = mtu}};

    (void)str_copy(fact.link.name, sizeof fact.link.name, name);
    return fact_set_add(out, &fact);
}

static int add_redirect(struct fact_set *out, const char *link, const char *to)
{
    struct fact fact = {.kind = FACT_REDIRECT};

    (void)str_copy(fact.redirect.link, sizeof fact.redirect.link, link);
    (void)str_copy(fact.redirect.to, sizeof fact.redirect.to, to);
    return fact_set_add(out, &fact);
}

static int add_egress(struct fact_set *out, const struct endpoint *ep, const char *link,
                      const struct limit *limit)
{
    char ifb[IFNAMSIZ];
    int r;

    endpoint_egress_link(ep, ifb);
    r = add_ifb(out, ifb, ep->network->mtu);
    if (r == 0)
        r = add_shape(out, ifb, limit);
    return r < 0 ? r : add_redirect(out, link, ifb);
}

int shape_render(const struct endpoint *ep, struct fact_set *out)
{
    char link[IFNAMSIZ];
    struct limits limits;
    int r = 0;

    /* Options that are not understood were refused long ago. */
    if (limits_read(&ep->want.driver_opts, &limits, NULL) < 0)
        return 0;
    endpoint_host_link(ep, link);
    if (limits.ingress.rate)
        r = add_shape(out, link, &limits.ingress);
    if (r == 0 && limits.egress.rate)
        r = add_egress(out, ep, link, &limits.egress);
    return r;
}
