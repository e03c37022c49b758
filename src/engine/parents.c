/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parents: the links of the host that macvlan and ipvlan networks lie on.
 *
 * A parent is the user's, or weft's own: a VLAN interface that was not there, which the networks on
 * it share and the last of them takes along, or the ifb of a network without parent. A VLAN
 * interface that weft has made (it carries weft's mark) counts as made for the next network too.
 *
 * The kernel has its rules about what may lie together on one link, but says no more than "invalid
 * argument" or "busy", and only when the first endpoint comes. So they are checked here, when the
 * network is made.
 */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "driver/on_parent.h"
#include "engine/change_step.h"
#include "engine/parents.h"

const struct fact *host_link_find(const struct fact_set *facts, const char *name)
{
    for (size_t i = 0; i < facts->count; i++)
        if (facts->facts[i].kind == FACT_LINK && !facts->facts[i].ns &&
            str_equal(facts->facts[i].link.name, name))
            return &facts->facts[i];
    return NULL;
}

static bool is_child(const struct fact *fact)
{
    return fact->kind == FACT_LINK &&
           (fact->link.kind == LINK_MACVLAN || fact->link.kind == LINK_IPVLAN);
}

static const char *child_kind(const struct fact *fact)
{
    return fact->link.kind == LINK_MACVLAN ? "macvlan" : "ipvlan";
}

static const char *a_child(const struct fact *fact)
{
    return fact->link.kind == LINK_MACVLAN ? "a macvlan" : "an ipvlan";
}

/* ---- what a parent may be ---- */

/* Of a parent, or the link below one that is to be made. */
static int check_link(const struct network *net, const struct fact *fact, struct weft_error *err)
{
    const char *name = fact->link.name;

    if (fact->link.kind == LINK_LOOPBACK)
        return weft_fail(err, WEFT_INVALID, "parent %s of network %s is the loopback link", name,
                         net->name);
    if (is_child(fact))
        return weft_fail(err, WEFT_INVALID, "parent %s of network %s is itself %s link: name %s",
                         name, net->name, a_child(fact),
                         *fact->link.parent ? fact->link.parent : "the link that it lies on");
    if (fact->owned)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is a link of weft's own, made for something else",
                         name, net->name);
    if (!fact->link.up)
        return weft_fail(err, WEFT_INVALID, "parent %s of network %s is down: set it up first",
                         name, net->name);
    return 0;
}

/* The bridge that it is a port of, NULL when it is none. */
static const struct fact *bridge_of(const struct fact_set *links, const struct fact *fact)
{
    const struct fact *master = host_link_find(links, fact->link.master);

    return master && master->link.kind == LINK_BRIDGE ? master : NULL;
}

static int check_parent(struct network *net, const struct fact_set *links, const struct fact *fact,
                        struct weft_error *err)
{
    const struct fact *bridge;

    if (fact->owned && fact->link.kind == LINK_VLAN) {
        net->made_parent = true;
        return 0;
    }
    bridge = bridge_of(links, fact);
    if (bridge && bridge->owned)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is the uplink of another network, by bridge %s",
                         fact->link.name, net->name, fact->link.master);
    if (bridge)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is a port of bridge %s: name %s", fact->link.name,
                         net->name, fact->link.master, fact->link.master);
    return check_link(net, fact, err);
}

/* The same VLAN of the same link under another name; NULL: it is not there. */
static const struct fact *find_vlan(const struct fact_set *links, const char *lower, uint16_t id)
{
    for (size_t i = 0; i < links->count; i++) {
        const struct fact *fact = &links->facts[i];

        if (fact->kind == FACT_LINK && fact->link.kind == LINK_VLAN && fact->link.vlan == id &&
            str_equal(fact->link.parent, lower))
            return fact;
    }
    return NULL;
}

/* A parent that is not there: is it a VLAN that can be made? */
static int plan_vlan(struct network *net, const struct fact_set *links, struct weft_error *err)
{
    char lower[IFNAMSIZ];
    const char *text = parent_split(net->parent, lower);
    const struct fact *fact = text ? host_link_find(links, lower) : NULL, *other;
    uint16_t id = parent_vlan(net->parent);

    if (!text)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is missing: the host has no such link",
                         net->parent, net->name);
    if (!fact)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is missing, and so is %s, on which it would lie",
                         net->parent, net->name, lower);
    if (!id)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is missing and cannot be made: VLAN id %s is not "
                         "a number from %d to %d",
                         net->parent, net->name, text, VLAN_MIN, VLAN_MAX);
    other = find_vlan(links, lower, id);
    if (other)
        return weft_fail(err, WEFT_INVALID,
                         "parent %s of network %s is missing and cannot be made: VLAN %d of %s is "
                         "link %s",
                         net->parent, net->name, id, lower, other->link.name);
    net->made_parent = true;
    return check_link(net, fact, err);
}

/* ---- who else is there ---- */

static const char *ipvlan_mode(const struct network *net)
{
    const char *mode = network_option(net, OPTION_IPVLAN_MODE);

    return mode ? mode : "l2";
}

static const char *ipvlan_flag(const struct network *net)
{
    const char *flag = network_option(net, OPTION_IPVLAN_FLAG);

    return flag ? flag : "bridge";
}

/* Two networks on one parent. */
static int check_neighbour(const struct network *net, const struct network *other,
                           struct weft_error *err)
{
    if (!str_equal(net->driver, other->driver))
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by network %s, which is of driver %s: "
                         "the two cannot share a link",
                         net->parent, net->name, other->name, other->driver);
    if (network_is_passthru(other))
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by network %s in mode passthru",
                         net->parent, net->name, other->name);
    if (network_is_passthru(net))
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by network %s: mode passthru needs it "
                         "alone",
                         net->parent, net->name, other->name);
    if (str_equal(net->driver, "ipvlan") && (!str_equal(ipvlan_mode(net), ipvlan_mode(other)) ||
                                             !str_equal(ipvlan_flag(net), ipvlan_flag(other))))
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by network %s in mode %s %s: an ipvlan "
                         "parent has one mode",
                         net->parent, net->name, other->name, ipvlan_mode(other),
                         ipvlan_flag(other));
    return 0;
}

/* A link that is not weft's and lies on the parent, in the host. */
static int check_stranger(const struct network *net, const struct fact *fact,
                          struct weft_error *err)
{
    const char *link = fact->link.name;

    if (!str_equal(net->driver, child_kind(fact)))
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by link %s, which is %s: the two "
                         "cannot share a link",
                         net->parent, net->name, link, a_child(fact));
    if (fact->link.mode == LINK_MODE_PASSTHRU)
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by link %s in mode passthru",
                         net->parent, net->name, link);
    if (network_is_passthru(net))
        return weft_fail(err, WEFT_CONFLICT,
                         "parent %s of network %s is in use by link %s: mode passthru needs it "
                         "alone",
                         net->parent, net->name, link);
    if (fact->link.kind == LINK_IPVLAN &&
        (!str_equal(ipvlan_mode(net), link_mode_name(fact->link.mode)) ||
         !str_equal(ipvlan_flag(net), link_mode_name(fact->link.port_mode))))
        return weft_fail(
            err, WEFT_CONFLICT,
            "parent %s of network %s is in use by link %s in mode %s %s: an ipvlan parent "
            "has one mode",
            net->parent, net->name, link, link_mode_name(fact->link.mode),
            link_mode_name(fact->link.port_mode));
    return 0;
}

static int check_sharing(struct engine *e, const struct network *net, const struct fact_set *links,
                         struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < e->network_count; i++) {
        const struct network *other = e->networks[i];

        if (other != net && network_lies_on_parent(other) && str_equal(other->parent, net->parent))
            r = check_neighbour(net, other, err);
    }
    for (size_t i = 0; r == 0 && i < links->count; i++) {
        const struct fact *fact = &links->facts[i];

        if (is_child(fact) && !fact->owned && str_equal(fact->link.parent, net->parent))
            r = check_stranger(net, fact, err);
    }
    return r;
}

/* ---- what follows ---- */

/* Its packets cannot be larger than those of the link that they leave by: the parent, or what is to
 * be below it. */
static int check_mtu(const struct network *net, const struct fact_set *links,
                     struct weft_error *err)
{
    const struct fact *fact = host_link_find(links, net->parent);
    char lower[IFNAMSIZ];

    if (!fact && parent_split(net->parent, lower))
        fact = host_link_find(links, lower);
    if (!fact || net->mtu <= fact->link.mtu)
        return 0;
    return weft_fail(err, WEFT_INVALID,
                     "MTU %u of network %s is more than that of its parent %s, %u", net->mtu,
                     net->name, net->parent, fact->link.mtu);
}

/* No endpoint gets an address that the host has on the parent; and endpoints do not reach the host
 * there, so it is no gateway. */
static int keep_host_addresses(struct network *net, const char *parent,
                               const struct fact_set *links, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < links->count; i++) {
        const struct fact *fact = &links->facts[i];
        const struct addr *addr = &fact->addr.prefix.addr;
        const struct pool *pool;

        if (fact->kind != FACT_ADDR || !str_equal(fact->addr.link, parent))
            continue;
        pool = network_pool_of(net, addr);
        if (pool && addr_equal(&pool->gateway, addr) && !net->internal)
            return weft_fail(err, WEFT_INVALID,
                             "gateway %s of network %s is the host's own address on %s, where %s "
                             "endpoints do not reach it: the gateway must be the router",
                             addr_text(addr), net->name, parent, net->driver);
        r = aux_add(net, "parent", addr, err);
    }
    return r;
}

/* The last address of a family's pool that has no other use: far from those that endpoints get. */
static int choose_access(struct network *net, int family, struct weft_error *err)
{
    const struct pool *pool = network_pool(net, family);
    struct addr own = network_access_addr(net, family), addr;

    if (!pool || addr_is_set(&own))
        return 0;
    addr = prefix_last(pool_area(pool));
    for (uint64_t left = prefix_size(pool_area(pool)); left > 0; left--) {
        if (pool_is_usable(pool, &addr) && !addr_equal(&addr, &pool->gateway) &&
            !pool_aux(pool, &addr))
            return aux_add(net, HOST_AUX_NAME, &addr, err);
        addr = addr_add(&addr, UINT64_MAX); /* one less */
    }
    return weft_fail(err, WEFT_EXHAUSTED, "pool %s of network %s has no address left for the host",
                     prefix_text(pool_area(pool)), net->name);
}

static int complete_access(struct network *net, struct weft_error *err)
{
    int r = 0;

    if (!network_option_bool(net, OPTION_HOST_ACCESS, false))
        return 0;
    if (network_has_own_pools(net)) {
        r = choose_access(net, AF_INET, err);
        return r < 0 ? r : choose_access(net, AF_INET6, err);
    }
    if (network_has_access(net))
        return 0;
    return weft_fail(err, WEFT_INVALID,
                     "network %s does not get its addresses from weft: host access needs a subnet "
                     "and an auxiliary address called " HOST_AUX_NAME,
                     net->name);
}

static int complete_on_parent(struct engine *e, struct network *net, const struct fact_set *links,
                              struct weft_error *err)
{
    const struct fact *fact = host_link_find(links, net->parent);
    int r = 0;

    if (str_is_empty(network_option(net, OPTION_PARENT)))
        net->made_parent = true;
    else
        r = fact ? check_parent(net, links, fact, err) : plan_vlan(net, links, err);
    if (r == 0)
        r = check_sharing(e, net, links, err);
    if (r == 0)
        r = check_mtu(net, links, err);
    if (r == 0)
        r = keep_host_addresses(net, net->parent, links, err);
    return r < 0 ? r : complete_access(net, err);
}

int parents_reserve(struct engine *e, struct network *net, struct weft_error *err)
{
    const char *parent = network_option(net, OPTION_PARENT);
    _cleanup_fact_set_ struct fact_set links = {0};
    int r;

    if (!network_lies_on_parent(net) || str_is_empty(parent) || net->pool_count == 0)
        return 0;
    r = kernel_links(e->kernel, &links, err);
    return r < 0 ? r : keep_host_addresses(net, parent, &links, err);
}

static int disown(struct engine *e, struct network *net, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    net->made_parent = false;
    if (r == 0)
        r = change_write_network(e, net, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

static bool has_made_parents(const struct engine *e)
{
    for (size_t i = 0; i < e->network_count; i++)
        if (e->networks[i]->made_parent)
            return true;
    return false;
}

void parents_disown(struct engine *e)
{
    _cleanup_fact_set_ struct fact_set links = {0};
    struct weft_error err = {0};

    if (!has_made_parents(e))
        return;
    if (kernel_links(e->kernel, &links, &err) < 0) {
        log_warning("%s", err.text);
        return;
    }
    for (size_t i = 0; i < e->network_count; i++) {
        struct network *net = e->networks[i];
        const struct fact *fact = host_link_find(&links, net->parent);

        if (!net->made_parent || !fact || fact->owned)
            continue;
        log_warning("parent %s of network %s is not the one that weft made: it is left to its "
                    "owner",
                    net->parent, net->name);
        if (disown(e, net, &err) < 0)
            log_error("%s", err.text);
    }
}

int parents_complete(struct engine *e, struct network *net, struct weft_error *err)
{
    bool on_parent = network_lies_on_parent(net);
    _cleanup_fact_set_ struct fact_set links = {0};
    int r;

    /* Most bridges are weft's own, with no link of the host's: they need no dump. */
    if (!on_parent && !(*net->link && (network_option(net, OPTION_BRIDGE_NAME) ||
                                       network_option(net, OPTION_UPLINK))))
        return 0;
    r = kernel_links(e->kernel, &links, err);
    if (r < 0)
        return r;
    return on_parent ? complete_on_parent(e, net, &links, err)
                     : adopt_complete(e, net, &links, err);
}

int parents_touch(struct change *ch, struct network *net, struct weft_error *err)
{
    struct engine *e = ch->engine;
    int r = 0;

    for (size_t i = 0; net->made_parent && r == 0 && i < e->network_count; i++) {
        struct network *other = e->networks[i];

        if (other != net && other->made_parent && str_equal(other->parent, net->parent))
            r = change_touch_network(ch, other, err);
    }
    return r;
}
