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

struct endpoint {
    char id[ID_TEXT_MAX];
    struct network *network; /* borrowed */
    struct sandbox *sandbox; /* borrowed */
    struct endpoint_want want;
    char ifname[IFNAMSIZ]; /* inside: eth0, eth1 … */
    struct addr ipv4;      /* none while the sandbox is inactive */
    struct addr ipv6;
    struct mac mac;
};

/* The host's end of the veth pair, "veth" and the first seven digits of the endpoint's id. It is
 * derived, never stored; the engine picks ids whose names are unique. */
#define ENDPOINT_HOST_LINK_DIGITS 7
void endpoint_host_link(const struct endpoint *ep, char ret[static IFNAMSIZ]);

/* Parses Docker's EndpointSettings (NULL or null: all defaults) into *ret, which must be zeroed.
 * Checks literals, the families, MAC, interface name options and link-local addresses. 0 or -errno
 * with *ret zeroed. */
int endpoint_want_from_json(const json_t *doc, struct endpoint_want *ret, struct weft_error *err);
/* EndpointSettings with only what was asked for. New reference, or NULL. */
json_t *endpoint_want_to_json(const struct endpoint_want *want);
void endpoint_want_clear(struct endpoint_want *want);

/* The stored document: {"Id","IfName","IPv4","IPv6","Mac","Want":{…}}; network and sandbox are
 * columns. */
json_t *endpoint_to_json(const struct endpoint *ep);
/* The reverse; network and sandbox are left NULL. 0 or -errno. */
int endpoint_from_json(const json_t *doc, struct endpoint **ret, struct weft_error *err);
void endpoint_free(struct endpoint *ep);
DEFINE_CLEANUP(struct endpoint *, endpoint_free)
#define _cleanup_endpoint_ _cleanup_(endpoint_free_p)
