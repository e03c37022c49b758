/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "driver/shape.h"

#define ETHERNET_MTU 1500      /* what the kernel gives bridges and veths */
#define IFNAME_WORD "/IFNAME/" /* in sysctls, once their dots are slashes */

int wire_prepare_mtu(struct network *net, uint32_t default_mtu, struct weft_error *err)
{
    const char *option = network_option(net, OPTION_MTU);
    int64_t mtu = default_mtu < NETWORK_MTU_MAX ? default_mtu : NETWORK_MTU_MAX;

    if (option && str_to_i64(option, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &mtu) < 0)
        return weft_fail(err, WEFT_INVALID, "MTU %s of network %s is not a number from %d to %d",
                         option, net->name, NETWORK_MTU_MIN, NETWORK_MTU_MAX);
    net->mtu = mtu == ETHERNET_MTU ? 0 : (unsigned)mtu;
    return 0;
}

/* "net.ipv4.conf.IFNAME.log_martians=1" → a sysctl of the link. Writes into text. The name goes in
 * after dots have become slashes: it may have dots of its own. 0 or -EINVAL. */
static int parse_sysctl(char *text, const char *ifname, struct fact_sysctl *ret)
{
    char *value = strchr(text, '=');
    char *word;
    int len;

    if (!value)
        return -EINVAL;
    *value++ = '\0';
    for (char *dot = text; (dot = strchr(dot, '.'));)
        *dot = '/';
    word = strstr(text, IFNAME_WORD);
    if (!word || str_copy(ret->value, sizeof ret->value, value) < 0)
        return -EINVAL;
    *word = '\0';
    len =
        snprintf(ret->path, sizeof ret->path, "%s/%s/%s", text, ifname, word + strlen(IFNAME_WORD));
    return len < (int)sizeof ret->path ? 0 : -EINVAL;
}

/* Adds the sysctls of a comma-separated list. 0, -EINVAL or -ENOMEM. */
static int render_sysctls(const char *list, const char *ifname, const struct kstate_ns *ns,
                          struct fact_set *out)
{
    _cleanup_free_ char *copy = strdup(list);
    char *next = copy, *item;

    if (!copy)
        return -ENOMEM;
    while ((item = strsep(&next, ","))) {
        struct fact fact = {.kind = FACT_SYSCTL, .ns = ns};
        int r = parse_sysctl(item, ifname, &fact.sysctl);

        if (r == 0)
            r = fact_set_add(out, &fact);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_sysctls(const char *list, const char *network, struct weft_error *err)
{
    /* A name as long as can be, so that it fits whatever the interface will be called. */
    static const char ifname[] = "eth456789012345";
    static_assert(sizeof ifname == IFNAMSIZ, "the longest name");
    _cleanup_fact_set_ struct fact_set scratch = {0};
    int r = render_sysctls(list, ifname, NULL, &scratch);

    if (r == -ENOMEM)
        return weft_oom(err);
    if (r < 0)
        return weft_fail(err, WEFT_INVALID,
                         "sysctls \"%s\" of an endpoint of network %s are malformed or too long",
                         list, network);
    return 0;
}

static const char *wanted_sysctls(const struct network *net, const struct endpoint_want *want)
{
    const char *own = strmap_get(&want->driver_opts, OPTION_ENDPOINT_SYSCTLS);

    return own ? own : network_option(net, OPTION_ENDPOINT_SYSCTLS);
}

int wire_check_endpoint(const struct network *net, const struct endpoint_want *want,
                        struct weft_error *err)
{
    const char *sysctls = wanted_sysctls(net, want);

    if (addr_is_set(&want->ipv4) && !net->enable_ipv4)
        return weft_fail(err, WEFT_INVALID, "address %s asked for, but network %s has no IPv4",
                         addr_text(&want->ipv4), net->name);
    if (addr_is_set(&want->ipv6) && !net->enable_ipv6)
        return weft_fail(err, WEFT_INVALID, "address %s asked for, but network %s has no IPv6",
                         addr_text(&want->ipv6), net->name);
    int r = sysctls ? check_sysctls(sysctls, net->name, err) : 0;
    return r < 0 ? r : shape_check(net, &want->driver_opts, err);
}

int wire_add_sysctl(struct fact_set *out, const char *path, const char *value)
{
    struct fact fact = {.kind = FACT_SYSCTL};

    (void)str_copy(fact.sysctl.path, sizeof fact.sysctl.path, path);
    (void)str_copy(fact.sysctl.value, sizeof fact.sysctl.value, value);
    return fact_set_add(out, &fact);
}

int wire_add_addr(struct fact_set *out, const struct kstate_ns *ns, const char *link,
                  const struct addr *addr, uint8_t len)
{
    struct fact fact = {.kind = FACT_ADDR, .ns = ns, .addr.prefix = {*addr, len}};

    (void)str_copy(fact.addr.link, sizeof fact.addr.link, link);
    return fact_set_add(out, &fact);
}

/* Its address of a family, if it has one. */
static int add_own_addr(struct fact_set *out, const struct endpoint *ep, const struct kstate_ns *ns,
                        const struct addr *addr)
{
    if (!addr_is_set(addr))
        return 0;
    return wire_add_addr(out, ns, ep->ifname, addr, endpoint_prefix_len(ep, addr->family));
}

static int add_link_local_addrs(struct fact_set *out, const struct endpoint *ep,
                                const struct kstate_ns *ns)
{
    int r = 0;

    for (size_t i = 0; i < ep->want.link_local_count && r == 0; i++) {
        const struct addr *addr = &ep->want.link_local[i];

        r = wire_add_addr(out, ns, ep->ifname, addr, addr->family == AF_INET6 ? 64 : 16);
    }
    return r;
}

static int add_route(struct fact_set *out, const struct endpoint *ep, const struct kstate_ns *ns,
                     const struct prefix *destination, const struct addr *via)
{
    struct fact fact = {.kind = FACT_ROUTE, .ns = ns};

    fact.route.destination = *destination;
    fact.route.via = *via;
    (void)str_copy(fact.route.link, sizeof fact.route.link, ep->ifname);
    return fact_set_add(out, &fact);
}

int wire_render_interface(const struct endpoint *ep, const struct kstate_ns *ns,
                          struct fact_set *out)
{
    const char *sysctls = wanted_sysctls(ep->network, &ep->want);
    int r = sysctls ? render_sysctls(sysctls, ep->ifname, ns, out) : 0;

    if (r == 0)
        r = add_own_addr(out, ep, ns, &ep->ipv4);
    if (r == 0)
        r = add_own_addr(out, ep, ns, &ep->ipv6);
    if (r == 0)
        r = add_link_local_addrs(out, ep, ns);
    for (size_t i = 0; r == 0 && i < ep->given.route_count; i++)
        r = add_route(out, ep, ns, &ep->given.routes[i].destination, &ep->given.routes[i].via);
    return r;
}

int wire_render_gateway(const struct endpoint *ep, int family, const struct addr *gateway,
                        const struct kstate_ns *ns, struct fact_set *out)
{
    struct prefix everything = {.addr.family = (uint8_t)family};

    return add_route(out, ep, ns, &everything, gateway);
}
