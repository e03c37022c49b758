/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What people say about an endpoint, and Docker's EndpointSettings (API v1.48) of it. */

#include <jansson.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/options.h"

struct endpoint_args {
    const char *ip;
    const char *ip6;
    const char *mac_address;
    strv link_local_ips;
    strv aliases;
    strv links;
    strv driver_opts; /* key=value */
    const char *ingress_rate;
    const char *ingress_burst;
    const char *egress_rate;
    const char *egress_burst;
    struct option_number gw_priority;
};

/* The options of commands that make one endpoint, and what they set. */
extern struct endpoint_args endpoint_args;
extern const struct cli_option endpoint_options[];

/* A new reference, {} when nothing was said. 0, -EINVAL, -ENOMEM. */
int endpoint_settings(const struct endpoint_args *args, json_t **ret, struct weft_error *err);
