/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Facts to test the kernel layer with. To be included behind cmocka.h. */

#include <string.h>

#include "kstate/fact.h"

#define BASE_DIR "/run/weft-test"
#define NETNS_DIR BASE_DIR "/netns"

static const struct kstate_ns web = {"1111", "web", NETNS_DIR "/web", NULL};
static const struct kstate_ns db = {"2222", "db", NETNS_DIR "/db", NULL};
static const struct kstate_ns pinned = {"3333", "pinned", NETNS_DIR "/pinned", BASE_DIR "/theirs"};

static const struct fact ruleset = {
    .kind = FACT_NFT_BASE,
    .base = {.version = "one",
             .text = "table inet weft {\n"
                     "    comment \"weft one\"\n"
                     "    set links { typeof iifname; }\n"
                     "    set same_link { typeof iifname . oifname; }\n"
                     "    set protocols { type inet_proto; }\n"
                     "    map published { type inet_proto . ipv4_addr . inet_service : "
                     "ipv4_addr . inet_service; }\n"
                     "    map published6 { type inet_proto . ipv6_addr . inet_service : "
                     "ipv6_addr . inet_service; }\n"
                     "    set fixed { type inet_service; flags constant; elements = { 53 } }\n"
                     "    set met { type ipv4_addr; flags dynamic; }\n"
                     "    set ranges { type ipv4_addr; flags interval; "
                     "elements = { 10.0.0.0/8 } }\n"
                     "    map verdicts { typeof iifname : verdict; }\n"
                     "    set families { type ifname . nf_proto; }\n"
                     "    chain before {\n"
                     "    }\n"
                     "    chain after {\n"
                     "    }\n"
                     "    chain forward {\n"
                     "        type filter hook forward priority filter; policy accept;\n"
                     "        jump before\n"
                     "        tcp dport { 1, 2 } accept\n"
                     "        iifname @links counter accept\n"
                     "    }\n"
                     "}\n"
                     "table bridge weft {\n"
                     "    set source4 { type ifname . ether_addr . ipv4_addr; }\n"
                     "    set target6 { typeof iifname . ether saddr . @th,64,128; }\n"
                     "    chain prerouting {\n"
                     "        type filter hook prerouting priority -350; policy accept;\n"
                     "        iifname . ether saddr . ip saddr @source4 accept\n"
                     "    }\n"
                     "}\n"},
};

static inline struct prefix prefix(const char *text)
{
    struct prefix p;

    assert_int_equal(prefix_parse(text, &p, NULL), 0);
    return p;
}

static inline struct addr addr(const char *text)
{
    struct addr a;

    assert_int_equal(addr_parse(text, &a, NULL), 0);
    return a;
}

static inline struct mac mac(const char *text)
{
    struct mac m;

    assert_int_equal(mac_parse(text, &m, NULL), 0);
    return m;
}

static inline void add(struct fact_set *set, struct fact fact)
{
    assert_int_equal(fact_set_add(set, &fact), 0);
}

static inline void add_bridge(struct fact_set *set, const char *name, uint32_t mtu)
{
    struct fact f = {.kind = FACT_LINK,
                     .link = {.kind = LINK_BRIDGE, .up = true, .no_autoconf = true, .mtu = mtu}};

    strcpy(f.link.name, name);
    f.link.mac = mac("02:00:00:00:00:01");
    add(set, f);
}

static inline void add_addr(struct fact_set *set, const struct kstate_ns *ns, const char *link,
                            const char *address)
{
    struct fact f = {.kind = FACT_ADDR, .ns = ns, .addr.prefix = prefix(address)};

    strcpy(f.addr.link, link);
    add(set, f);
}

static inline void add_route(struct fact_set *set, const struct kstate_ns *ns,
                             const char *destination, const char *via, const char *link)
{
    struct fact f = {.kind = FACT_ROUTE, .ns = ns, .route.destination = prefix(destination)};

    if (via)
        f.route.via = addr(via);
    strcpy(f.route.link, link);
    add(set, f);
}

static inline void add_sysctl(struct fact_set *set, const struct kstate_ns *ns, const char *path,
                              const char *value)
{
    struct fact f = {.kind = FACT_SYSCTL, .ns = ns};

    strcpy(f.sysctl.path, path);
    strcpy(f.sysctl.value, value);
    add(set, f);
}

static inline void add_veth(struct fact_set *set, const struct kstate_ns *ns, const char *name,
                            const char *inner_mac, uint32_t mtu)
{
    struct fact f = {.kind = FACT_LINK,
                     .link = {.kind = LINK_VETH,
                              .up = true,
                              .no_autoconf = true,
                              .master = "br-test",
                              .mtu = mtu,
                              .peer_ns = ns,
                              .peer_name = "eth0"}};
    struct fact inner = {.kind = FACT_LINK,
                         .ns = ns,
                         .link = {.name = "eth0",
                                  .kind = LINK_VETH_PEER,
                                  .up = true,
                                  .no_autoconf = true,
                                  .mtu = mtu}};
    struct fact lo = {.kind = FACT_LINK,
                      .ns = ns,
                      .link = {.name = "lo", .kind = LINK_LOOPBACK, .up = true}};

    strcpy(f.link.name, name);
    f.link.peer_mac = mac(inner_mac);
    inner.link.mac = f.link.peer_mac;
    strcpy(inner.link.peer_name, name);
    add(set, f);
    add(set, inner);
    add(set, lo);
}

static inline struct fact elem_links(const char *name)
{
    struct fact f = {.kind = FACT_NFT_ELEM, .elem = {.set = "links"}};

    f.elem.key[0].type = NFT_FIELD_IFNAME;
    strcpy(f.elem.key[0].ifname, name);
    return f;
}

static inline struct fact elem_published(const char *host, uint16_t port, const char *to,
                                         uint16_t to_port)
{
    struct fact f = {.kind = FACT_NFT_ELEM};
    struct nft_field *key = f.elem.key, *data = f.elem.data;

    strcpy(f.elem.set, addr(host).family == AF_INET ? "published" : "published6");
    key[0] = (struct nft_field){.type = NFT_FIELD_PROTO, .number = 6};
    key[1] = (struct nft_field){.type = NFT_FIELD_ADDR, .addr = addr(host)};
    key[2] = (struct nft_field){.type = NFT_FIELD_PORT, .number = port};
    data[0] = (struct nft_field){.type = NFT_FIELD_ADDR, .addr = addr(to)};
    data[1] = (struct nft_field){.type = NFT_FIELD_PORT, .number = to_port};
    return f;
}

/* What a port may send, in the bridge family's table. */
static inline struct fact elem_guard(const char *set, const char *link, const char *address)
{
    struct fact f = {.kind = FACT_NFT_ELEM, .elem.table = NFT_TABLE_BRIDGE};
    struct nft_field *key = f.elem.key;

    strcpy(f.elem.set, set);
    key[0].type = NFT_FIELD_IFNAME;
    strcpy(key[0].ifname, link);
    key[1] = (struct nft_field){.type = NFT_FIELD_MAC, .mac = mac("02:00:00:00:00:02")};
    key[2] = (struct nft_field){.type = NFT_FIELD_ADDR, .addr = addr(address)};
    return f;
}

/* A network and the ruleset. */
static inline void network_facts(struct fact_set *set)
{
    add_sysctl(set, NULL, "net/ipv4/ip_forward", "1");
    add(set, ruleset);
    add_bridge(set, "br-test", 1400);
    add_addr(set, NULL, "br-test", "10.9.0.1/24");
    add_addr(set, NULL, "br-test", "fd09::1/64");
    add(set, elem_links("br-test"));
}

/* An endpoint on it, with a namespace of its own. */
static inline void endpoint_facts(struct fact_set *set)
{
    add(set, (struct fact){.kind = FACT_NETNS, .ns = &web});
    add_sysctl(set, &web, "net/ipv4/ping_group_range", "0\t100");
    add_veth(set, &web, "vethweb", "02:00:00:00:00:02", 1400);
    add_addr(set, &web, "eth0", "10.9.0.2/24");
    add_addr(set, &web, "eth0", "fd09::2/64");
    add_route(set, &web, "0.0.0.0/0", "10.9.0.1", "eth0");
    add_route(set, &web, "::/0", "fd09::1", "eth0");
    add_route(set, &web, "10.77.0.0/16", NULL, "eth0");
    add(set, elem_published("192.0.2.1", 8080, "10.9.0.2", 80));
    add(set, elem_published("2001:db8::1", 8080, "fd09::2", 80));
}
