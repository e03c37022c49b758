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
    bool gateway_found;  /* on an adopted bridge, which had it before: not weft's */
    struct aux_address *aux;
    size_t aux_count;
};

/* Where a network stands with those outside weft who have a say in it: a plugin, for one. */
enum network_stage {
    NETWORK_SETTLED, /* they agreed, or there is nobody to ask */
    NETWORK_ASKING,  /* they are being asked to make it; they may hold something already */
    NETWORK_LEAVING, /* they are being told that it goes; nobody may join it any more */
};

struct network {
    char id[ID_TEXT_MAX];
    char *name;
    char *driver; /* "bridge", "host", "null", "macvlan", "ipvlan", "cni", or a plugin's name */
    char *ipam_driver; /* NULL: weft's own pools; "dhcp", or a plugin's name */
    int64_t created;   /* ns since the epoch */
    bool enable_ipv4;
    bool enable_ipv6;
    bool internal;
    bool attachable;
    bool predefined;       /* bridge, host, none: made by weftd, cannot be removed */
    char link[IFNAMSIZ];   /* the bridge's name; "" where the driver has none */
    bool adopted;          /* the bridge is not weft's: never made, never removed */
    char parent[IFNAMSIZ]; /* macvlan, ipvlan: the link of the host that the endpoints lie on */
    bool made_parent;      /* it is weft's own: made with the first network that needs it (a VLAN,
                              or for a network without parent an ifb), removed with the last */
    unsigned mtu;          /* bytes; 0: the kernel's default */
    enum network_stage stage;
    json_t *outside; /* what those outside gave, to be told again (pool ids, a CNI configuration);
                        NULL: nothing */
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
/* Takes all its pools away. */
void network_clear_pools(struct network *net);
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
/* Whether addresses come from weft's own pools (and not from a plugin or a DHCP server). */
bool network_has_own_pools(const struct network *net);
/* Whether they come from the LAN's DHCP server. */
bool network_uses_dhcp(const struct network *net);
/* Whether weft answers for its endpoints' names: it is a user's. */
bool network_has_names(const struct network *net);
/* Whether ports of its endpoints can be published: it has a link and is not internal. */
bool network_publishes(const struct network *net);

/* Whether its endpoints lie on a link of the host's, net->parent: macvlan, ipvlan. */
bool network_lies_on_parent(const struct network *net);
/* Whether one endpoint has the parent for itself (macvlan_mode passthru). */
bool network_is_passthru(const struct network *net);
/* Whether the parent routes for the endpoints (ipvlan_mode l3, l3s): their default route needs no
 * gateway. */
bool network_routes_by_parent(const struct network *net);
/* The host's own address on a network that lies on a parent (OPTION_HOST_ACCESS), by family; none:
 * the host has none there. It is on the link network_access_link(). */
struct addr network_access_addr(const struct network *net, int family);
bool network_has_access(const struct network *net);
void network_access_link(const struct network *net, char ret[static IFNAMSIZ]);

#define NETWORK_NAME_MAX 255
#define VLAN_MIN 1 /* IEEE 802.1Q: 0 and 4095 are reserved */
#define VLAN_MAX 4094
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
/* macvlan and ipvlan, as docker spells them. */
#define OPTION_PARENT "parent"
#define OPTION_MACVLAN_MODE "macvlan_mode"
#define OPTION_IPVLAN_MODE "ipvlan_mode"
#define OPTION_IPVLAN_FLAG "ipvlan_flag"
/* "true": the host gets a link of its own on the network, with the auxiliary address called
 * HOST_AUX_NAME, or else one of the pool's. */
#define OPTION_HOST_ACCESS "host_access"
#define HOST_AUX_NAME "host"
/* Where an endpoint's MAC comes from unless one is asked for: "address" (from the IPv4 address),
 * "name" (from the names of container and network: the same every time), "random". */
#define OPTION_MAC_FROM "mac_from"
/* Bridges. */
#define OPTION_UPLINK "uplink"         /* a link of the host's that becomes a port of the bridge */
#define OPTION_STP "stp"               /* bool */
#define OPTION_HAIRPIN "hairpin"       /* bool: ports get back what they sent themselves */
#define OPTION_VLAN_AWARE "vlan_aware" /* bool: ports have VLANs */
/* Of an endpoint: its VLAN (1 to 4094), untagged inside. */
#define OPTION_ENDPOINT_VLAN "vlan"
/* Of an endpoint: the most it gets (ingress) and sends (egress). A rate is a number of bits a
 * second with a unit of tc(8) (bit, kbit, mbit, gbit; kibit …; bps, kbps … for bytes), a burst a
 * number of bytes with a unit (b, k, kb, m, mb …). */
#define OPTION_INGRESS_RATE "weft.ingress_rate"
#define OPTION_INGRESS_BURST "weft.ingress_burst"
#define OPTION_EGRESS_RATE "weft.egress_rate"
#define OPTION_EGRESS_BURST "weft.egress_burst"
/* cni. */
#define OPTION_CNI_PLUGIN "plugin" /* a path, or a name looked for in OPTION_CNI_PATH */
#define OPTION_CNI_CONFIG "config" /* a file: one plugin's configuration, or a list */
/* Folders with colons between; by default /opt/cni/bin:/usr/lib/cni. */
#define OPTION_CNI_PATH "path"
#define OPTION_ENDPOINT_IFNAME "com.docker.network.endpoint.ifname"
#define OPTION_ENDPOINT_SYSCTLS "com.docker.network.endpoint.sysctls"
