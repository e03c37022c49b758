/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What drivers have in common whose networks lie on a link of the host's: macvlan, ipvlan. */

#include "driver/driver.h"

/* Takes "eth0.10" apart: the link below into `lower`, and the text behind the last dot. NULL when
 * the name is of no such form. */
const char *parent_split(const char *name, char lower[static IFNAMSIZ]);
/* The VLAN id in a parent's name, 0 when there is none, or none from VLAN_MIN to VLAN_MAX. */
uint16_t parent_vlan(const char *name);

/* Fills net->parent (a network without one: the name of an ifb of its own, and it becomes
 * internal), and net->mtu (0: the parent's). 0 or -EINVAL. */
int on_parent_prepare(struct network *net, struct weft_error *err);
/* Refuses what no endpoint on a parent can have. driver_opts are checked. 0 or -EINVAL. */
int on_parent_check_endpoint(const struct network *net, const struct endpoint_want *want,
                             struct weft_error *err);
/* The parent, if it is weft's, and the host's own link; kind and modes are `like`'s. 0 or -ENOMEM.
 */
int on_parent_render_network(const struct network *net, const struct fact_link *like,
                             struct fact_set *out);
/* The endpoint's interface, a link `like` this with the endpoint's name, and the host's way to it.
 * 0 or -ENOMEM. */
int on_parent_render_endpoint(const struct endpoint *ep, const struct fact_link *like,
                              const struct kstate_ns *ns, struct fact_set *out);
