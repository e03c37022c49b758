/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Where published ports of a sandbox lead.
 *
 * In each address family, ports are published through the endpoint that carries the default route
 * (Docker's rule), and its network's gateway mode says how: nat and nat-unprotected translate a
 * port of the host, routed opens the port at the sandbox's own address. Clients of a family in
 * which the sandbox has no way to the world are relayed to the other one, if that translates; SCTP
 * cannot be relayed.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/publish.h"
#include "model/sandbox.h"

/* The endpoint through which ports are published in a family (AF_INET, AF_INET6), NULL: none. */
const struct endpoint *publish_endpoint(const struct sandbox *sb, int family);

/* The sandbox's address in a family in which its ports are translated, else none: where the relay
 * may lead its clients. */
struct addr publish_target(const struct sandbox *sb, int family);

/*
 * The bindings (0 to 2, IPv4 before IPv6) that want gets in this sandbox as it is now, those on the
 * host with host_port. They are:
 *   asked for with an address: at most the one of its family, at that address;
 *   without: at all addresses of both families, or, where the option host_binding_ipv4 of the
 *     network names an address, at that one alone.
 * A family that is routed gets the wildcard address without a port instead, or, where a loopback
 * address was asked for, nothing: nobody else shall reach such a port.
 */
int publish_bindings(const struct sandbox *sb, const struct publish_want *want, uint16_t host_port,
                     struct publish_binding ret[static 2]);

/* Whether any of these bindings has a host port. */
bool publish_needs_host_port(const struct sandbox *sb, const struct publish_want *want);

/* The host port that bindings share, 0 when none has one. */
uint16_t publish_host_port(const struct publish_binding *bindings, size_t count);

/* The address at which that port is held on the host: none for all addresses of both families,
 * 0.0.0.0 or :: for all of one, or a certain one. None, too, when there is no host port. */
struct addr publish_hold_host(const struct publish_binding *bindings, size_t count);

/* Whether what is sent to the binding is left to the relay: the sandbox has no translated address
 * in the family, or it is ::1, from which the kernel sends nothing to other links. */
bool publish_is_relayed(const struct sandbox *sb, const struct publish_binding *binding);
