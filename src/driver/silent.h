/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* For drivers that put nothing into the kernel: their operations, all but the name. */

#include "driver/driver.h"

int silent_prepare_network(struct network *net, uint32_t default_mtu, struct weft_error *err);
/* Refuses addresses and limits: there is no interface that could have them. */
int silent_check_endpoint(const struct network *net, const struct endpoint_want *want,
                          struct weft_error *err);
int silent_render_network(const struct network *net, struct fact_set *out);
int silent_render_endpoint(const struct endpoint *ep, const struct kstate_ns *ns,
                           struct fact_set *out);
int silent_render_gateway(const struct endpoint *ep, int family, const struct kstate_ns *ns,
                          struct fact_set *out);
