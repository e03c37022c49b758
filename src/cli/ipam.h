/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The addresses of a network as `network create` is told them: lists that belong together by which
 * subnet contains what, as with docker. */

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"

struct ipam_args {
    const char *driver;
    strv options; /* key=value */
    strv subnets;
    strv ranges;
    strv gateways;
    strv aux_addresses; /* name=address */
};

/* Docker's IPAM object: Driver, Options, and Config with one entry for each subnet. 0, -EINVAL,
 * -ENOMEM. */
int ipam_settings(const struct ipam_args *args, json_t **ret, struct weft_error *err);
