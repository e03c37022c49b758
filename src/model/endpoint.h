/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * An endpoint: a sandbox's place on a network.
 *
 * It has two halves. What the user asked for (`want`) holds as long as the sandbox is a member of
 * the network. What it was given (addresses, MAC) holds while the sandbox is active; an inactive
 * sandbox keeps only the addresses that it asked for by number, so that nobody takes them.
 * The JSON form of `want` is Docker's EndpointSettings (API v1.41 to v1.48).
 */

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/str.h"

struct endpoint_want {
    struct addr ipv4; /* --ip; none: any */
    struct addr ipv6; /* --ip6 */
    struct mac mac;   /* --mac-address; zero: derived from the address */
    struct addr *link_local;
    size_t link_local_count;
    strv aliases;
    strv links;
    struct strmap driver_opts;
    int64_t gw_priority;
};

struct network;
struct sandbox;

/*
 * Where an endpoint stands with those outside weft who have a say in it: a plugin, a DHCP server.
 * While it is asking or leaving, no other verb may touch it or its sandbox.
 */
enum endpoint_stage {
    ENDPOINT_SETTLED, /* wired while its sandbox is active, at rest while it is not */
    ENDPOINT_ASKING,  /* they are being asked, and may hold something for it already. The sandbox is
                         active, and the endpoint is not in the kernel yet */
    ENDPOINT_LEAVING, /* it is not in the kernel any more, and they are being told */
};

struct endpoint_route {
    struct prefix destination;
    struct addr via; /* none: on the link itself */
};

/* What an active endpoint was given by others than weft's own pools. Zero: nothing. */
struct endpoint_given {
    uint8_t ipv4_len, ipv6_len;     /* prefix lengths of the addresses; 0: the pool's */
    struct addr gateway4, gateway6; /* none: the pool's */
    bool no_gateway;                /* they want no default route through it */
    bool makes_routes;              /* they make its routes themselves: weft makes none */
    struct endpoint_route *routes;  /* beside the default route */
    size_t route_count;
    char link[IFNAMSIZ]; /* a link of the host's that is moved into the sandbox; "" for none */
    uint32_t mtu;        /* bytes; 0: the network's */
    json_t *state;       /* what they are to be told again: a lease, a CNI result; NULL: nothing */
};
void endpoint_given_clear(struct endpoint_given *given);

struct endpoint {
    char id[ID_TEXT_MAX];
    struct network *network; /* borrowed */
    struct sandbox *sandbox; /* borrowed */
    struct endpoint_want want;
    char ifname[IFNAMSIZ]; /* inside: eth0, eth1 … */
    struct addr ipv4;      /* none while the sandbox is inactive */
    struct addr ipv6;
    struct mac mac;
    enum endpoint_stage stage;
    struct endpoint_given given;
};

/* Whether it is in the kernel and can be reached: its sandbox is active, and nobody is being asked.
 */
bool endpoint_is_wired(const struct endpoint *ep);
/* The prefix length of its address of a family, 0 when it has none. */
uint8_t endpoint_prefix_len(const struct endpoint *ep, int family);
/* The router it may use for a family; none when it has no address of it, or there is no router. On
 * internal networks there is none. */
struct addr endpoint_gateway(const struct endpoint *ep, int family);
/* Whether a default route of a family can lead through it: to its gateway, or, where the network's
 * parent routes, on the interface itself. */
bool endpoint_has_way_out(const struct endpoint *ep, int family);

/* The host's end of the veth pair, "veth" and the first seven digits of the endpoint's id. It is
 * derived, never stored; the engine picks ids whose names are unique. */
#define ENDPOINT_HOST_LINK_DIGITS 7
void endpoint_host_link(const struct endpoint *ep, char ret[static IFNAMSIZ]);
/* Likewise "ifb" and seven digits: in its queue waits what a limited endpoint sends. */
void endpoint_egress_link(const struct endpoint *ep, char ret[static IFNAMSIZ]);

/* Parses Docker's EndpointSettings (NULL or null: all defaults) into *ret, which must be zeroed.
 * Checks literals, the families, MAC, interface name options and link-local addresses. 0 or -errno
 * with *ret zeroed. */
int endpoint_want_from_json(const json_t *doc, struct endpoint_want *ret, struct weft_error *err);
/* EndpointSettings with only what was asked for. New reference, or NULL. */
json_t *endpoint_want_to_json(const struct endpoint_want *want);
void endpoint_want_clear(struct endpoint_want *want);

/* The stored document: {"Id","IfName","IPv4","IPv6","Mac","Want":{…},"Stage","Given":{…}}; network
 * and sandbox are columns. */
json_t *endpoint_to_json(const struct endpoint *ep);
/* The reverse; network and sandbox are left NULL. 0 or -errno. */
int endpoint_from_json(const json_t *doc, struct endpoint **ret, struct weft_error *err);
void endpoint_free(struct endpoint *ep);
DEFINE_CLEANUP(struct endpoint *, endpoint_free)
#define _cleanup_endpoint_ _cleanup_(endpoint_free_p)
