/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A network: a named set of endpoints that reach each other, the pools their addresses come from,
 * and the driver that wires them.
 *
 * The JSON form is the Docker Engine API's: what POST /networks/create takes, what
 * GET /networks/{id} gives, and what the store keeps are one shape (API v1.41 to v1.48).
 */

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/str.h"

/* A reserved address of a pool with the name the user gave it (--aux-address NAME=ADDR). */
struct aux_address {
    char *name;
    struct addr addr;
};

/* What a network allocates from. A network has at most one pool a family in practice; more are kept
 * and used in order. */
struct pool {
    struct prefix subnet;
    struct prefix range; /* none: the whole subnet */
    struct addr gateway; /* chosen by ipam when the user named none */
    struct aux_address *aux;
    size_t aux_count;
};

struct network {
    char id[ID_TEXT_MAX];
    char *name;
    char *driver;    /* "bridge", "host", "null" */
    int64_t created; /* ns since the epoch */
    bool enable_ipv4;
    bool enable_ipv6;
    bool internal;
    bool attachable;
    bool predefined;     /* bridge, host, none: made by weftd, cannot be removed */
    char link[IFNAMSIZ]; /* the bridge's name; "" where the driver has none */
    unsigned mtu;        /* bytes; 0: the kernel's default */
    struct pool *pools;
    size_t pool_count;
    struct strmap options; /* driver options, as given */
    struct strmap ipam_options;
    struct strmap labels;
};

/* Parses a create request or a stored document. Checks types, names and literals, and everything
 * that can be said of one network alone: no host bits in subnets and ranges; range, gateway and
 * auxiliary addresses inside the subnet; IPv6 pools only on networks with IPv6; known driver
 * options are typed. Unknown keys that Docker's clients send are ignored. Fills created and id only
 * if the document has them. 0 or -errno; *ret is the caller's. */
int network_from_json(const json_t *doc, struct network **ret, struct weft_error *err);

/* The stored document: everything. New reference, NULL when memory ran out. */
json_t *network_to_json(const struct network *net);

void network_free(struct network *net);
DEFINE_CLEANUP(struct network *, network_free)
#define _cleanup_network_ _cleanup_(network_free_p)

/* The first pool of a family, NULL when there is none. */
const struct pool *network_pool(const struct network *net, int family);
/* The pool whose subnet contains addr, NULL when none does. */
const struct pool *network_pool_of(const struct network *net, const struct addr *addr);
/* Whether a host may have this address: inside the subnet and neither IPv4's network or broadcast
 * address (both are usable in a /31, RFC 3021) nor IPv6's subnet-router anycast address (RFC 4291,
 * 2.6.1; usable in a /127, RFC 6164). */
bool pool_is_usable(const struct pool *pool, const struct addr *addr);
/* The range, or the subnet of a pool without one: where addresses are handed out from. */
const struct prefix *pool_area(const struct pool *pool);
/* The auxiliary address that is this one, NULL when none is. */
const struct aux_address *pool_aux(const struct pool *pool, const struct addr *addr);
/* The option's value, NULL when it was not given. */
const char *network_option(const struct network *net, const char *key);
/* A boolean option ("true"/"false"), or fallback when it was not given. */
bool network_option_bool(const struct network *net, const char *key, bool fallback);

/* How the world and a network's containers see each other, by family (AF_INET, AF_INET6). */
enum gateway_mode {
    GATEWAY_NAT, /* containers have the host's address; published ports are translated */
    GATEWAY_NAT_UNPROTECTED, /* the same, and who has a route reaches every port */
    GATEWAY_ROUTED,          /* nothing is translated; who has a route reaches published ports */
    GATEWAY_ISOLATED,        /* internal networks only: not even the host has an address there */
};
enum gateway_mode network_gateway_mode(const struct network *net, int family);
/* Whether the host has the pool's gateway address on the network's link. */
bool network_has_gateway(const struct network *net, const struct pool *pool);
/* The host's first address of a family on the network's link; none: it has no such. */
struct addr network_host_addr(const struct network *net, int family);
/* Whether weft answers for its endpoints' names: it is a user's, and has a link. */
bool network_has_names(const struct network *net);
/* Whether ports of its endpoints can be published: it has a link and is not internal. */
bool network_publishes(const struct network *net);

#define NETWORK_NAME_MAX 255
#define NETWORK_MTU_MIN 68 /* bytes, RFC 791 */
#define NETWORK_MTU_MAX 65535
#define NETWORK_MTU_MIN_IPV6 1280 /* RFC 8200, 5 */
#define IFACE_PREFIX_MAX 12       /* of OPTION_IFACE_PREFIX: three digits follow */

#define OPTION_BRIDGE_NAME "com.docker.network.bridge.name"
#define OPTION_BRIDGE_MASQUERADE "com.docker.network.bridge.enable_ip_masquerade"
#define OPTION_BRIDGE_DEFAULT "com.docker.network.bridge.default_bridge"
#define OPTION_BRIDGE_INHIBIT_IPV4 "com.docker.network.bridge.inhibit_ipv4"
#define OPTION_BRIDGE_ICC "com.docker.network.bridge.enable_icc"
#define OPTION_BRIDGE_GATEWAY_MODE_IPV4 "com.docker.network.bridge.gateway_mode_ipv4"
#define OPTION_BRIDGE_GATEWAY_MODE_IPV6 "com.docker.network.bridge.gateway_mode_ipv6"
#define OPTION_BRIDGE_HOST_BINDING_IPV4 "com.docker.network.bridge.host_binding_ipv4"
#define OPTION_BRIDGE_TRUSTED_INTERFACES "com.docker.network.bridge.trusted_host_interfaces"
#define OPTION_HOST_IPV4 "com.docker.network.host_ipv4"
#define OPTION_HOST_IPV6 "com.docker.network.host_ipv6"
#define OPTION_ENABLE_IPV4 "com.docker.network.enable_ipv4"
#define OPTION_ENABLE_IPV6 "com.docker.network.enable_ipv6"
#define OPTION_MTU "com.docker.network.driver.mtu"
#define OPTION_IFACE_PREFIX "com.docker.network.container_iface_prefix"
/* weft's own: "false" lets endpoints send from any address. Of a network or an endpoint. */
#define OPTION_SOURCE_GUARD "weft.source_guard"
/* "true": the host itself may ask for the network's names, at its own address there. */
#define OPTION_HOST_DNS "weft.host_dns"
#define OPTION_ENDPOINT_IFNAME "com.docker.network.endpoint.ifname"
#define OPTION_ENDPOINT_SYSCTLS "com.docker.network.endpoint.sysctls"
