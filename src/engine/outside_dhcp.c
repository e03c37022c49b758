/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Networks whose addresses come from the LAN's DHCP server.
 *
 * Theory of operation: every endpoint has a client (src/dhcp) in weftd, from before it is wired
 * until it leaves. It speaks by the link that leads to the LAN (the parent, or the bridge with an
 * uplink) with the endpoint's own MAC, so the server sees the container, and its reservations hold.
 * An ipvlan endpoint has no MAC of its own: there the client identifier tells one from the other,
 * in the form of RFC 4361: this machine's DUID, and a number for the interface. MAC and number
 * follow from the names of container and network, so that a container made anew gets the same
 * address.
 *
 * What the endpoint was granted last lies in given.state, in wall-clock time. A weftd that starts
 * goes on from there; a lease that ran out meanwhile is asked for once more before it is given up.
 * An endpoint whose lease is lost has no IPv4 address (RFC 2131, 4.4.5) until there is another.
 *
 * IPv6 is none of DHCP's here: with ipv6=slaac the interface makes its own address of what routers
 * advertise.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/time.h"
#include "dhcp/client.h"
#include "driver/driver.h"
#include "engine/dhcp_lease.h"
#include "engine/outside.h"

#define NS_PER_MS 1000000

/* An endpoint with its client. */
struct member {
    struct member *next;
    struct outside_dhcp *dhcp;
    struct endpoint *ep;
    struct errand *errand; /* JOIN: who waits for the first lease; NULL: wired */
    struct dhcp_client *client;
};

struct outside_dhcp {
    struct engine *engine;
    struct dhcp_lan lan;
    struct member *members;
};

/* ---- networks ---- */

static int check_options(const struct network *net, struct weft_error *err)
{
    const struct strmap *options = &net->ipam_options;
    const char *ipv6 = strmap_get(options, "ipv6");

    for (size_t i = 0; i < options->count; i++)
        if (!str_equal(options->entries[i].key, "ipv6"))
            return weft_fail(err, WEFT_INVALID,
                             "IPAM option %s of network %s is unknown to the dhcp driver: it has "
                             "ipv6=slaac",
                             options->entries[i].key, net->name);
    if (ipv6 && !str_equal(ipv6, "slaac"))
        return weft_fail(err, WEFT_INVALID, "IPAM option ipv6 of network %s is \"%s\": only slaac",
                         net->name, ipv6);
    if (ipv6 && !net->enable_ipv6)
        return weft_fail(err, WEFT_INVALID,
                         "IPAM option ipv6=slaac of network %s needs IPv6, which is not enabled",
                         net->name);
    if (ipv6 && driver_find(net->driver) == &driver_bridge &&
        network_option_bool(net, OPTION_SOURCE_GUARD, true))
        return weft_fail(err, WEFT_INVALID,
                         "IPAM option ipv6=slaac of network %s needs " OPTION_SOURCE_GUARD
                         "=false on a bridge: what addresses containers make themselves is not "
                         "known",
                         net->name);
    if (!ipv6 && net->enable_ipv6)
        return weft_fail(err, WEFT_INVALID,
                         "network %s has IPv6, for which DHCP gives no addresses: choose "
                         "ipv6=slaac, addresses that routers advertise",
                         net->name);
    return 0;
}

static int check_given_pools(const struct network *net, struct weft_error *err)
{
    for (size_t i = 0; i < net->pool_count; i++) {
        const struct pool *pool = &net->pools[i];

        if (pool->subnet.addr.family == AF_INET6)
            return weft_fail(err, WEFT_INVALID,
                             "subnet %s of network %s: with DHCP, IPv6 addresses are those that "
                             "routers advertise",
                             prefix_text(&pool->subnet), net->name);
        if (prefix_is_set(&pool->range))
            return weft_fail(err, WEFT_INVALID,
                             "range %s of network %s: the DHCP server chooses the addresses",
                             prefix_text(&pool->range), net->name);
    }
    return 0;
}

/* A bridge reaches the LAN by a port of the host's, or is somebody's who has seen to that. */
static int check_bridge(const struct network *net, struct weft_error *err)
{
    const char *name = network_option(net, OPTION_BRIDGE_NAME);

    if (network_option(net, OPTION_UPLINK) || (name && if_nametoindex(name) != 0))
        return 0;
    return weft_fail(err, WEFT_INVALID,
                     "network %s has no way to a DHCP server: a bridge needs option " OPTION_UPLINK
                     ", or to be one that exists",
                     net->name);
}

/* That ipvlan's routing modes have no DHCP is known to network_check(). */
static int check_parent(const struct network *net, struct weft_error *err)
{
    if (!network_option(net, OPTION_PARENT))
        return weft_fail(err, WEFT_INVALID,
                         "network %s has no way to a DHCP server: it needs option " OPTION_PARENT,
                         net->name);
    return 0;
}

static int dhcp_check(struct engine *e _unused_, struct network *net, struct weft_error *err)
{
    const struct driver_ops *driver = driver_find(net->driver);
    int r;

    if (driver == &driver_bridge)
        r = check_bridge(net, err);
    else if (driver == &driver_macvlan || driver == &driver_ipvlan)
        r = check_parent(net, err);
    else
        r = weft_fail(err, WEFT_INVALID,
                      "IPAM driver dhcp of network %s works with the drivers macvlan, ipvlan and "
                      "bridge, not with %s",
                      net->name, net->driver);
    if (r == 0 && !net->enable_ipv4)
        r = weft_fail(err, WEFT_INVALID, "network %s uses DHCP, but has no IPv4", net->name);
    if (r == 0)
        r = check_options(net, err);
    return r < 0 ? r : check_given_pools(net, err);
}

/* ---- who asks ---- */

static const char *lan_link(const struct network *net)
{
    return *net->parent ? net->parent : net->link;
}

/* RFC 4361, 6.1: 255, a number for the interface, a DUID: that of the parent's MAC (RFC
 * 8415, 11.4).
 */
static void identify_by_name(const struct endpoint *ep, struct dhcp_identity *who)
{
    static const uint8_t head[] = {255}, duid_ll[] = {0, 3, 0, 1};
    const char *name = ep->sandbox->name, *network = ep->network->name;
    uint64_t hash = hash_bytes(HASH_START, name, strlen(name) + 1);
    uint32_t number = (uint32_t)hash_bytes(hash, network, strlen(network));
    uint8_t *at = mempcpy(who->id, head, sizeof head);

    at = mempcpy(at, &number, sizeof number);
    at = mempcpy(at, duid_ll, sizeof duid_ll);
    at = mempcpy(at, who->mac.bytes, sizeof who->mac.bytes);
    who->id_length = (uint8_t)(at - who->id);
}

/* RFC 2132, 9.14: the hardware's type and address. */
static void identify_by_mac(struct dhcp_identity *who)
{
    who->id[0] = 1;
    memcpy(who->id + 1, who->mac.bytes, sizeof who->mac.bytes);
    who->id_length = 1 + sizeof who->mac.bytes;
}

/* The container's host name, if its user chose one, else its name. */
static void name_host(struct engine *e, const struct endpoint *ep, struct dhcp_identity *who)
{
    const struct container *c = sandbox_container(e, ep->sandbox);
    const char *name = ep->sandbox->name;

    if (c && c->config.hostname && !str_starts_with(c->id, c->config.hostname))
        name = c->config.hostname;
    dhcp_hostname(name, who->hostname);
}

/* mac: the endpoint's; none: it has the parent's. */
static int identify(struct engine *e, const struct endpoint *ep, const struct mac *mac,
                    struct dhcp_identity *ret, struct weft_error *err)
{
    *ret = (struct dhcp_identity){.mac = *mac};
    name_host(e, ep, ret);
    if (!mac_is_set(mac)) {
        int r = dhcp_link_mac(lan_link(ep->network), &ret->mac, err);

        if (r < 0)
            return r;
        identify_by_name(ep, ret);
        return 0;
    }
    identify_by_mac(ret);
    return 0;
}

/* ---- members ---- */

static struct outside_dhcp *get_dhcp(struct engine *e)
{
    if (!e->dhcp)
        e->dhcp = calloc(1, sizeof *e->dhcp);
    if (e->dhcp) {
        e->dhcp->engine = e;
        e->dhcp->lan.loop = e->loop;
    }
    return e->dhcp;
}

static struct member *find_member(struct engine *e, const struct endpoint *ep)
{
    struct member *m = e->dhcp ? e->dhcp->members : NULL;

    while (m && m->ep != ep)
        m = m->next;
    return m;
}

static void member_free(struct member *m)
{
    struct member **at;

    if (!m)
        return;
    at = &m->dhcp->members;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    dhcp_client_free(m->client);
    free(m);
}

static const struct dhcp_client_hooks hooks;

static int member_new(struct engine *e, struct endpoint *ep, const struct mac *mac,
                      struct member **ret, struct weft_error *err)
{
    struct outside_dhcp *dhcp = get_dhcp(e);
    struct member *m = calloc(1, sizeof *m);
    struct dhcp_identity who;
    int r = dhcp && m ? identify(e, ep, mac, &who, err) : weft_oom(err);

    if (r == 0)
        r = dhcp_client_new(&dhcp->lan, lan_link(ep->network), &who, &hooks, m, &m->client, err);
    if (r < 0) {
        free(m);
        return r;
    }
    m->next = dhcp->members;
    m->dhcp = dhcp;
    m->ep = ep;
    dhcp->members = m;
    *ret = m;
    return 0;
}

/* "container web on network lan", for the log. */
static const char *member_format(const struct member *m, char buf[static 256])
{
    (void)snprintf(buf, 256, "%s on network %s", sandbox_owner_text(m->ep->sandbox),
                   m->ep->network->name);
    return buf;
}
#define member_text(m) member_format((m), (char[256]){0})

/* ---- what clients tell ---- */

static const struct endpoint *find_holder(const struct member *m, const struct addr *addr)
{
    const struct net_slot *slot = engine_net_slot(m->dhcp->engine, m->ep->network);

    for (size_t i = 0; i < slot->endpoint_count; i++)
        if (slot->endpoints[i] != m->ep && addr_equal(&slot->endpoints[i]->ipv4, addr))
            return slot->endpoints[i];
    return NULL;
}

/* The network's user has said something about addresses. */
static int check_wishes(const struct member *m, const struct dhcp_lease *lease,
                        struct weft_error *err)
{
    const struct network *net = m->ep->network;
    const struct addr *wanted = &m->ep->want.ipv4;
    const struct pool *pool = network_pool(net, AF_INET);

    if (addr_is_set(wanted) && !addr_equal(wanted, &lease->addr))
        return weft_fail(err, WEFT_CONFLICT, "DHCP server %s on %s gives %s, not %s as asked for",
                         addr_text(&lease->server), lan_link(net), addr_text(&lease->addr),
                         addr_text(wanted));
    if (pool && !prefix_contains(&pool->subnet, &lease->addr))
        return weft_fail(err, WEFT_CONFLICT,
                         "subnet %s of network %s does not match the LAN: DHCP server %s on %s "
                         "gives %s",
                         prefix_text(&pool->subnet), net->name, addr_text(&lease->server),
                         lan_link(net), addr_text(&lease->addr));
    return 0;
}

static int member_accept(void *arg, const struct dhcp_lease *lease, struct weft_error *err)
{
    const struct member *m = arg;
    const struct network *net = m->ep->network;
    const struct pool *pool = network_pool_of(net, &lease->addr);
    const struct aux_address *aux = pool ? pool_aux(pool, &lease->addr) : NULL;
    const struct endpoint *holder = find_holder(m, &lease->addr);

    if (holder)
        return weft_fail(err, WEFT_CONFLICT, "DHCP server %s on %s gives %s, which %s has already",
                         addr_text(&lease->server), lan_link(net), addr_text(&lease->addr),
                         sandbox_owner_text(holder->sandbox));
    if (aux || (pool && addr_equal(&pool->gateway, &lease->addr)))
        return weft_fail(err, WEFT_CONFLICT,
                         "DHCP server %s on %s gives %s, which network %s reserves for %s",
                         addr_text(&lease->server), lan_link(net), addr_text(&lease->addr),
                         net->name, aux ? aux->name : "its gateway");
    return check_wishes(m, lease, err);
}

static void join_bound(struct member *m, const struct dhcp_lease *lease)
{
    struct errand *er = TAKE_PTR(m->errand);
    struct weft_error err;

    if (dhcp_lease_give(lease, time_now(), er->net, &er->given) < 0) {
        errand_done(er, weft_oom(&err), &err);
        return;
    }
    er->ipv4 = lease->addr;
    errand_done(er, 0, NULL);
}

/* The lease is as it was, but for its duration. given.state is stored. */
static int member_store(struct member *m, struct endpoint_given *given, struct weft_error *err)
{
    json_decref(m->ep->given.state);
    m->ep->given.state = TAKE_PTR(given->state);
    return outside_store(m->dhcp->engine, m->ep, err);
}

static int member_readdress(struct member *m, const struct addr *addr,
                            const struct endpoint_given *given, struct weft_error *err)
{
    struct addr ipv6 = m->ep->ipv6;

    return outside_readdress(m->dhcp->engine, m->ep, addr, &ipv6, given, err);
}

/* What others gave and DHCP says nothing about. */
static int copy_rest(const struct endpoint_given *from, struct endpoint_given *ret)
{
    *ret = (struct endpoint_given){.ipv6_len = from->ipv6_len,
                                   .gateway6 = from->gateway6,
                                   .no_gateway = from->no_gateway,
                                   .makes_routes = from->makes_routes};
    memcpy(ret->link, from->link, sizeof ret->link);
    ret->state = from->state ? json_deep_copy(from->state) : json_object();
    return ret->state ? 0 : -ENOMEM;
}

static void member_renewed(struct member *m, const struct dhcp_lease *lease)
{
    struct endpoint *ep = m->ep;
    struct endpoint_given given = {0};
    struct weft_error err;
    int r = copy_rest(&ep->given, &given);

    if (r == 0)
        r = dhcp_lease_give(lease, time_now(), ep->network, &given);
    if (r < 0)
        (void)weft_oom(&err);
    else if (addr_equal(&ep->ipv4, &lease->addr) && dhcp_given_equal(&ep->given, &given))
        r = member_store(m, &given, &err);
    else {
        log_info("%s: DHCP server %s gives %s", member_text(m), addr_text(&lease->server),
                 addr_text(&lease->addr));
        r = member_readdress(m, &lease->addr, &given, &err);
    }
    if (r < 0)
        log_warning("%s: a DHCP lease cannot be used: %s", member_text(m), err.text);
    endpoint_given_clear(&given);
}

static void member_bound(void *arg, const struct dhcp_lease *lease)
{
    struct member *m = arg;

    if (m->errand)
        join_bound(m, lease);
    else if (endpoint_is_wired(m->ep))
        member_renewed(m, lease);
}

static void member_failed(void *arg, const struct weft_error *err)
{
    struct member *m = arg;
    struct errand *er = TAKE_PTR(m->errand);

    member_free(m);
    if (er)
        errand_done(er, -err->errnum, err);
}

static void member_lost(void *arg, const struct weft_error *reason)
{
    struct member *m = arg;
    struct endpoint_given given = {0};
    struct addr none = {0};
    struct weft_error err;
    int r;

    log_warning("%s: %s; it has no IPv4 address until there is another", member_text(m),
                reason->text);
    if (!endpoint_is_wired(m->ep) || !addr_is_set(&m->ep->ipv4))
        return;
    r = copy_rest(&m->ep->given, &given);
    if (r == 0)
        r = member_readdress(m, &none, &given, &err);
    else
        (void)weft_oom(&err);
    if (r < 0)
        log_warning("%s keeps an address that it has no right to: %s", member_text(m), err.text);
    endpoint_given_clear(&given);
}

static const struct dhcp_client_hooks hooks = {
    .accept = member_accept,
    .bound = member_bound,
    .failed = member_failed,
    .lost = member_lost,
};

/* ---- errands ---- */

static void dhcp_join(struct errand *er)
{
    struct weft_error err;
    struct member *m;
    int r;

    member_free(find_member(er->engine, er->ep));
    r = member_new(er->engine, er->ep, &er->mac, &m, &err);
    if (r < 0) {
        errand_done(er, r, &err);
        return;
    }
    m->errand = er;
    dhcp_client_acquire(m->client, &er->ep->want.ipv4);
}

static void dhcp_unfollow(struct engine *e, struct endpoint *ep)
{
    member_free(find_member(e, ep));
}

/* The server is told, once: a frame that is lost is a lease that runs out by itself. */
static void dhcp_leave(struct errand *er)
{
    struct endpoint *ep = er->ep;
    struct dhcp_identity who;
    struct dhcp_lease lease;
    struct weft_error err;
    int64_t since;
    int r = 0;

    dhcp_unfollow(er->engine, ep);
    if (dhcp_lease_recall(ep->given.state, &lease, &since)) {
        r = identify(er->engine, ep, &ep->mac, &who, &err);
        if (r == 0)
            r = dhcp_release(lan_link(ep->network), &who, &lease, &err);
    }
    errand_done(er, r, r < 0 ? &err : NULL);
}

static void dhcp_follow(struct engine *e, struct endpoint *ep)
{
    struct member *m = find_member(e, ep);
    struct dhcp_lease lease;
    struct weft_error err;
    int64_t since, age;
    int r;

    if (m)
        return;
    if (!dhcp_lease_recall(ep->given.state, &lease, &since)) {
        log_warning("%s on network %s: its DHCP lease is not known any more",
                    sandbox_owner_text(ep->sandbox), ep->network->name);
        return;
    }
    r = member_new(e, ep, &ep->mac, &m, &err);
    if (r < 0) {
        log_warning("%s on network %s: its DHCP lease cannot be renewed: %s",
                    sandbox_owner_text(ep->sandbox), ep->network->name, err.text);
        return;
    }
    /* A clock that was set back makes no lease longer. */
    age = (time_now() - since) / NS_PER_MS;
    dhcp_client_resume(m->client, &lease, age > 0 ? age : 0);
}

static void dhcp_stop(struct engine *e)
{
    while (e->dhcp && e->dhcp->members)
        member_free(e->dhcp->members);
    free(e->dhcp);
    e->dhcp = NULL;
}

const struct outsider outsider_dhcp = {
    .name = "dhcp",
    .check = dhcp_check,
    .join = dhcp_join,
    .leave = dhcp_leave,
    .follow = dhcp_follow,
    .unfollow = dhcp_unfollow,
    .stop = dhcp_stop,
};
