/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Links of the host that networks lie on: parents of macvlan and ipvlan, bridges that are somebody
 * else's, uplinks. Private to src/engine. */

#include "engine/change.h"

/*
 * Before a network is made, its driver's prepare_network having been called: looks at the host's
 * links and decides what is the network's own: net->made_parent (a VLAN interface, or the ifb of a
 * network without parent), net->adopted and what follows from it (the subnet and gateway that the
 * bridge has). Refuses what cannot be, naming the link and the reason: a parent that is missing,
 * down, a macvlan or ipvlan itself, in use in passthru mode, in use by networks of the other kind
 * … With a dry run and otherwise alike. 0 or -errno.
 */
int parents_complete(struct engine *e, struct network *net, struct weft_error *err);
/* Before a network's pools are chosen: no endpoint and no gateway gets an address that the host has
 * on the parent. 0 or -errno. */
int parents_reserve(struct engine *e, struct network *net, struct weft_error *err);
/* VLANs that count as made, but have become somebody else's (they were made anew while weftd was
 * away, say), are the user's from now on. For weftd's start. */
void parents_disown(struct engine *e);
/* Touches the networks that need the same made links, so that what they share stays while one of
 * them is left. Before the network is added or removed. */
int parents_touch(struct change *ch, struct network *net, struct weft_error *err);

/* ---- adopt.c ---- */

/* Before a network's pools are chosen: is its bridge there already, and somebody else's? Then
 * net->adopted, and the addresses that the host has on it make pools and gateways, where the user
 * names none. Once more is no harm. 0 or -errno. */
int adopt_bridge(struct engine *e, struct network *net, struct weft_error *err);
/* The rest of what parents_complete does for bridges: links are what the host has. */
int adopt_complete(struct engine *e, struct network *net, const struct fact_set *links,
                   struct weft_error *err);

/* Adds an auxiliary address to the pool of net that it belongs to, under this name or, if that is
 * taken there, the name with a number. No-op when the address has a use already, or there is no
 * such pool. 0 or -errno. */
int aux_add(struct network *net, const char *name, const struct addr *addr, struct weft_error *err);

/* The host's link of this name among facts, NULL when there is none. */
const struct fact *host_link_find(const struct fact_set *facts, const char *name);
