/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * weft's packet policy as facts: one base ruleset (base.nft, a readable file) of constant size, and
 * the elements by which networks, endpoints and published ports appear in its sets and maps.
 */

#include "kstate/fact.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/publish.h"
#include "model/sandbox.h"

/* What of the host decides how ports are published. */
struct firewall_host {
    /* It leads bridged frames through the IP filters of the family (br_netfilter). */
    bool filters_bridged_ipv4, filters_bridged_ipv6;
};

/* The base ruleset. 0 or -ENOMEM. */
int firewall_render_base(struct fact_set *out);
/* Published ports are closed to others unless the administrator's chain accepts. 0 or -ENOMEM. */
int firewall_render_default_deny(struct fact_set *out);
/* The elements of a network with a link of its own: who may talk to whom, and under which address
 * it reaches the world. Networks without a link have none. 0 or -ENOMEM. */
int firewall_render_network(const struct network *net, struct fact_set *out);
/* The source guard of an active endpoint on a network with a link. 0 or -ENOMEM. */
int firewall_render_endpoint(const struct endpoint *ep, struct fact_set *out);
/* The elements of a published port of an active sandbox: each binding leads to the address that the
 * sandbox's gateway endpoint (sandbox_gateway_endpoint) of the binding's family has there, or, if
 * it has none, is left to the relay. 0 or -ENOMEM. */
int firewall_render_publish(const struct firewall_host *host, const struct sandbox *sb,
                            const struct publish *p, struct fact_set *out);
/* Accept rules for the chains of others that would drop what is forwarded from and to weft's links.
 * 0 or -ENOMEM. */
int firewall_render_accepts(const struct nft_chain *cutting, size_t count, struct fact_set *out);
