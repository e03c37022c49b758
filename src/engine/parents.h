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
/* Touches the networks that need the same made links, so that what they share stays while one of
 * them is left. Before the network is added or removed. */
int parents_touch(struct change *ch, struct network *net, struct weft_error *err);
