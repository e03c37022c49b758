/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a DHCP lease means for an endpoint, and how it is remembered. Private to src/engine. */

#include "dhcp/codec.h"
#include "engine/state.h"

/* The key of a lease in endpoint_given.state. */
#define DHCP_STATE_KEY "dhcp"

/* Appends what a lease says of names (key "nameservers" or "search") that is not in *list yet. 0 or
 * -ENOMEM. */
int dhcp_endpoint_dns(const struct endpoint *ep, const char *key, strv *list);

/* Fills what a lease says in the place of what another said. What the network's user has decided
 * (its gateway, a smaller MTU) stays. state is set. *given must be zeroed or hold what may be
 * freed. 0 or -ENOMEM. */
int dhcp_lease_give(const struct dhcp_lease *lease, int64_t since, const struct network *net,
                    struct endpoint_given *given);
/* Whether they are the same for the kernel and for names. */
bool dhcp_given_equal(const struct endpoint_given *a, const struct endpoint_given *b);
/* A lease of state, as far as is needed to renew it and to give it back; since: ns since the epoch.
 * False when there is none. */
bool dhcp_lease_recall(const json_t *state, struct dhcp_lease *ret, int64_t *ret_since);
