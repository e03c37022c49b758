/* SPDX-License-Identifier: Apache-2.0 */

/* No network: the sandbox has its loopback link and nothing else. */

#include "driver/silent.h"

const struct driver_ops driver_null = {
    .name = "null",
    .single = true,
    .prepare_network = silent_prepare_network,
    .check_endpoint = silent_check_endpoint,
    .render_network = silent_render_network,
    .render_endpoint = silent_render_endpoint,
    .render_gateway = silent_render_gateway,
};
