/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * weft's packet policy as facts: one base ruleset (base.nft, a readable file) of constant size, and
 * the elements by which networks appear in its sets.
 */

#include "kstate/fact.h"
#include "model/network.h"

/* The base ruleset. 0 or -ENOMEM. */
int firewall_render_base(struct fact_set *out);
/* The elements of a network with a link of its own: forwarding between its ports, masquerade,
 * internal. Networks without a link have none. 0 or -ENOMEM. */
int firewall_render_network(const struct network *net, struct fact_set *out);
