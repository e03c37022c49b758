/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The names: networks, the sandboxes that may see them, and the endpoints that they lead to.
 *
 * Fed with the messages of dns/message.h, one at a time. Each network has a table of its names (the
 * short forms: "web"; the long ones, web.NETWORK and web.NETWORK.weft, are taken apart at the
 * query) and one of its addresses. A name has one endpoint mostly, or many: an alias.
 */

#include "base/hash.h"
#include "dns/codec.h"
#include "dns/message.h"

struct dns_table;
struct dns_endpoint;

/* A name on a network, and the endpoints behind it. */
struct dns_table_name {
    struct dns_endpoint **endpoints; /* &only until it is an alias of several */
    struct dns_endpoint *only;
    uint32_t count;
    uint16_t turns[2]; /* see dns_found */
    uint8_t wire[];    /* as struct dns_name's */
};

struct dns_network {
    char id[ID_TEXT_MAX];
    char *name;
    struct dns_name suffix; /* its name; length 0: it is none that DNS can say */
    bool forwards;
    struct addr ipv4, ipv6;
    struct prefix *subnets;
    size_t subnet_count;
    struct hash names;     /* key: wire name; value: struct dns_table_name */
    struct hash addresses; /* key: dns_endpoint.key4 or key6; value: struct dns_endpoint */
    struct dns_endpoint **endpoints;
    size_t endpoint_count;
    uint64_t generation;
    void *sockets; /* the server's */
};

struct dns_sandbox {
    char id[ID_TEXT_MAX];
    char *name;
    bool forwards;
    struct dns_network **networks; /* the nearest first; ids that are not known are left out */
    size_t network_count;
    struct dns_table_link {
        struct dns_network *network;
        uint8_t *target, *alias; /* as struct dns_name's wire */
    } * links;
    size_t link_count;
    struct dns_server *servers;
    size_t server_count;
    struct dns_endpoint **endpoints;
    size_t endpoint_count;
    size_t index; /* its place among the table's sandboxes */
    uint64_t generation;
    void *sockets;   /* the server's */
    unsigned asking; /* queries of its that are being forwarded: the server's */
};

struct dns_endpoint {
    struct dns_network *network;
    struct dns_sandbox *sandbox;
    struct addr ipv4, ipv6;
    char key4[9], key6[33];        /* the addresses, a letter for every four bits; "": none */
    struct dns_table_name **names; /* the network's; reverse lookups give the first */
    struct dns_msg_port *ports;
    uint32_t name_count, port_count;
    size_t index; /* its place in network->endpoints */
    uint64_t generation;
};

/* Told before a network or a sandbox is freed; either may be NULL. */
struct dns_table_hooks {
    void (*network_gone)(void *arg, struct dns_network *net);
    void (*sandbox_gone)(void *arg, struct dns_sandbox *sb);
    void (*servers_changed)(void *arg, struct dns_sandbox *sb); /* its own servers, or it is new */
    void *arg;
};

int dns_table_new(const struct dns_table_hooks *hooks, struct dns_table **ret);
void dns_table_free(struct dns_table *t);
/* Applies BEGIN, END, NETWORK…, SANDBOX…, ENDPOINT…; others are ignored. 0, or, nothing having
 * changed, -ENOMEM, -ENOENT: an endpoint's network or sandbox was not named, -EINVAL: an id is too
 * long. What goes and is not there has gone. Names that DNS cannot say are left out. Objects that
 * are named again keep their place in memory; the message's memory is copied as needed. */
int dns_table_apply(struct dns_table *t, const struct dns_message *m);
struct dns_network *dns_table_network(const struct dns_table *t, const char *id);
struct dns_sandbox *dns_table_sandbox(const struct dns_table *t, const char *id);
/* for (size_t i = 0; …;) — all of them; networks in the order in which they came. */
struct dns_network *dns_table_next_network(const struct dns_table *t, size_t *i);
struct dns_sandbox *dns_table_next_sandbox(const struct dns_table *t, size_t *i);
/* The endpoint that has an address on a network, NULL: none. */
struct dns_endpoint *dns_network_endpoint(const struct dns_network *net, const struct addr *addr);
size_t dns_table_endpoint_count(const struct dns_table *t);

/* Who asks: what exists for it. */
struct dns_scope {
    const struct dns_table *table;
    struct dns_sandbox *sandbox; /* a sandbox: the networks it is on */
    struct dns_network *network; /* else the host, on a listener of this network: that one alone */
    bool all;                    /* else the host: all networks */
};

/* The endpoints behind a name on one network, the array being the table's. */
struct dns_found {
    struct dns_network *network;
    struct dns_endpoint *const *endpoints;
    size_t count;
    /* Not NULL: the name stands for the host (host.docker.internal, gateway.docker.internal), and
     * its addresses are the network's own ipv4 and ipv6. */
    struct dns_network *host;
    /* Count the answers, so that their order rotates: [1] those of AAAA, [0] all others, for
     * clients ask for A and AAAA in pairs. */
    uint16_t *turns;
};
/* Looks a name up as scope sees it: the nearest network that has it. False: there is no such name.
 */
bool dns_table_find(const struct dns_scope *scope, const struct dns_name *name,
                    struct dns_found *ret);
/* Whether a name is that of a network in scope: there are names below it. */
bool dns_table_has_network(const struct dns_scope *scope, const struct dns_name *name);
/* The endpoint (or, *ret_host set, the host's side of a network) that an address belongs to, as
 * scope sees it. *ret_inside: the address lies in a subnet of a network in scope, whoever has it.
 */
struct dns_endpoint *dns_table_find_addr(const struct dns_scope *scope, const struct addr *addr,
                                         struct dns_network **ret_host, bool *ret_inside);
