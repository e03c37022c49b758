/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What drivers have in common: facts of an endpoint's interface in its namespace. */

#include "driver/driver.h"

/* Refuses addresses of families that the network has not, and malformed sysctls. 0 or -errno. */
int wire_check_endpoint(const struct network *net, const struct endpoint_want *want,
                        struct weft_error *err);
/* The sysctls, addresses and routes (the default route is none of them) of an endpoint's interface,
 * which exists by then. 0 or -ENOMEM. */
int wire_render_interface(const struct endpoint *ep, const struct kstate_ns *ns,
                          struct fact_set *out);
/* The default route of a family: through the endpoint's gateway, or (gateway none) on the interface
 * itself. 0 or -ENOMEM. */
int wire_render_gateway(const struct endpoint *ep, int family, const struct addr *gateway,
                        const struct kstate_ns *ns, struct fact_set *out);

int wire_add_sysctl(struct fact_set *out, const char *path, const char *value);
int wire_add_addr(struct fact_set *out, const struct kstate_ns *ns, const char *link,
                  const struct addr *addr, uint8_t len);
/* Fills net->mtu: the option, or default_mtu; 0 where that is the kernel's own. 0 or -EINVAL. */
int wire_prepare_mtu(struct network *net, uint32_t default_mtu, struct weft_error *err);
