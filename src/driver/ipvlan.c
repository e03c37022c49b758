/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/silent.h"

const struct driver_ops driver_ipvlan = {
    .name = "ipvlan",
    .has_pools = true,
    .prepare_network = silent_prepare_network,
    .check_endpoint = silent_check_endpoint,
    .render_network = silent_render_network,
    .render_endpoint = silent_render_endpoint,
    .render_gateway = silent_render_gateway,
};
