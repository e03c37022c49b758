/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Facts in a few words. To be included behind cmocka.h. */

#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

#include "kstate/plan.h"

static const struct kstate_ns web = {.id = "1", .name = "web", .path = "/run/weft/netns/1"};
static const struct kstate_ns db = {.id = "2", .name = "db", .path = "/run/weft/netns/2"};

static inline struct fact netns(const struct kstate_ns *ns)
{
    return (struct fact){.kind = FACT_NETNS, .ns = ns};
}

static inline struct fact resolver(const struct kstate_ns *ns)
{
    return (struct fact){.kind = FACT_RESOLVER, .ns = ns};
}

static inline struct fact base(const char *version)
{
    struct fact fact = {.kind = FACT_NFT_BASE, .base.text = "table inet weft {\n}\n"};

    (void)snprintf(fact.base.version, sizeof fact.base.version, "%s", version);
    return fact;
}

static inline struct fact link_of(enum link_kind kind, const struct kstate_ns *ns, const char *name)
{
    struct fact fact = {.kind = FACT_LINK, .ns = ns, .link = {.kind = kind, .up = true}};

    (void)snprintf(fact.link.name, IFNAMSIZ, "%s", name);
    return fact;
}

/* On a link of the host's; or moved, from there. */
static inline struct fact link_on(enum link_kind kind, const struct kstate_ns *ns, const char *name,
                                  const char *parent)
{
    struct fact fact = link_of(kind, ns, name);

    (void)snprintf(fact.link.parent, IFNAMSIZ, "%s", parent);
    return fact;
}

static inline struct fact macvlan(const struct kstate_ns *ns, const char *name, const char *parent)
{
    struct fact fact = link_on(LINK_MACVLAN, ns, name, parent);

    fact.link.mode = LINK_MODE_BRIDGE;
    return fact;
}

static inline struct fact vlan(const char *name, const char *parent, uint16_t id)
{
    struct fact fact = link_on(LINK_VLAN, NULL, name, parent);

    fact.link.vlan = id;
    return fact;
}

static inline struct fact port_of(struct fact fact, const char *master)
{
    (void)snprintf(fact.link.master, IFNAMSIZ, "%s", master);
    return fact;
}

static inline struct fact bridge(const char *name)
{
    return link_of(LINK_BRIDGE, NULL, name);
}

/* The host's end of a pair, whose other end is eth0 in ns. */
static inline struct fact veth(const char *name, const char *master, const struct kstate_ns *ns)
{
    struct fact fact = link_of(LINK_VETH, NULL, name);

    fact.link.peer_ns = ns;
    (void)snprintf(fact.link.peer_name, IFNAMSIZ, "eth0");
    (void)snprintf(fact.link.master, IFNAMSIZ, "%s", master);
    return fact;
}

static inline struct fact peer(const struct kstate_ns *ns, const char *other_end)
{
    struct fact fact = link_of(LINK_VETH_PEER, ns, "eth0");

    (void)snprintf(fact.link.peer_name, IFNAMSIZ, "%s", other_end);
    return fact;
}

static inline struct fact address(const struct kstate_ns *ns, const char *link, const char *text)
{
    struct fact fact = {.kind = FACT_ADDR, .ns = ns};

    assert_int_equal(prefix_parse(text, &fact.addr.prefix, NULL), 0);
    (void)snprintf(fact.addr.link, IFNAMSIZ, "%s", link);
    return fact;
}

static inline struct fact route(const struct kstate_ns *ns, const char *destination,
                                const char *via, const char *link)
{
    struct fact fact = {.kind = FACT_ROUTE, .ns = ns};

    assert_int_equal(prefix_parse(destination, &fact.route.destination, NULL), 0);
    assert_int_equal(addr_parse(via, &fact.route.via, NULL), 0);
    (void)snprintf(fact.route.link, IFNAMSIZ, "%s", link);
    return fact;
}

static inline struct fact sysctl_of(const struct kstate_ns *ns, const char *path, const char *value)
{
    struct fact fact = {.kind = FACT_SYSCTL, .ns = ns};

    (void)snprintf(fact.sysctl.path, sizeof fact.sysctl.path, "%s", path);
    (void)snprintf(fact.sysctl.value, sizeof fact.sysctl.value, "%s", value);
    return fact;
}

static inline struct fact element(const char *set, const char *ifname)
{
    struct fact fact = {.kind = FACT_NFT_ELEM, .elem.key[0].type = NFT_FIELD_IFNAME};

    (void)snprintf(fact.elem.set, sizeof fact.elem.set, "%s", set);
    (void)snprintf(fact.elem.key[0].ifname, IFNAMSIZ, "%s", ifname);
    return fact;
}

/* tcp port → address . port */
static inline struct fact map_element(uint16_t port, const char *to, uint16_t to_port)
{
    struct fact fact = {
        .kind = FACT_NFT_ELEM,
        .elem =
            {
                .set = "published",
                .key = {{.type = NFT_FIELD_PROTO, .number = 6},
                        {.type = NFT_FIELD_PORT, .number = port}},
                .data = {{.type = NFT_FIELD_ADDR}, {.type = NFT_FIELD_PORT, .number = to_port}},
            },
    };

    assert_int_equal(addr_parse(to, &fact.elem.data[0].addr, NULL), 0);
    return fact;
}

/* On the source guard's table: a neighbour advertisement that may be sent. */
static inline struct fact guard_element(const char *ifname, const char *target)
{
    struct fact fact = element("target6", ifname);

    fact.elem.table = NFT_TABLE_BRIDGE;
    fact.elem.key[1] = (struct nft_field){.type = NFT_FIELD_MAC, .mac = {{2, 0, 0, 0, 0, 7}}};
    fact.elem.key[2].type = NFT_FIELD_ADDR;
    assert_int_equal(addr_parse(target, &fact.elem.key[2].addr, NULL), 0);
    return fact;
}

static inline struct fact tampered(const char *version)
{
    struct fact fact = base(version);

    fact.base.tampered = true;
    return fact;
}

static inline struct fact isolated(struct fact fact)
{
    fact.link.isolated = true;
    return fact;
}

/* The accept rule for what goes out to weft's links. */
static inline struct fact accept_to(uint8_t family, const char *table, const char *chain,
                                    bool ends_in_drop)
{
    struct fact fact = {.kind = FACT_NFT_ACCEPT,
                        .accept = {.chain = {.family = family, .ends_in_drop = ends_in_drop},
                                   .outgoing = true}};

    (void)snprintf(fact.accept.chain.table, sizeof fact.accept.chain.table, "%s", table);
    (void)snprintf(fact.accept.chain.name, sizeof fact.accept.chain.name, "%s", chain);
    return fact;
}

static inline struct fact owned(struct fact fact)
{
    fact.owned = true;
    return fact;
}

static inline void fill(struct fact_set *set, const struct fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fact_set_add(set, &facts[i]), 0);
}
#define FILL(set, ...)                                                                             \
    fill((set), (struct fact[]){__VA_ARGS__}, ARRAY_SIZE(((struct fact[]){__VA_ARGS__})))
