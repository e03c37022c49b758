/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `run` was told, and the body of POST /containers/create (API v1.48) that says it. */

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/endpoint.h"
#include "cli/options.h"

struct run_args {
    bool detach;
    bool dry_run;
    bool remove;
    const char *name;

    strv networks;                 /* as --network has them */
    struct endpoint_args endpoint; /* of the first */
    strv published;                /* as --publish has them */
    strv exposed;
    bool publish_all;
    strv links;
    strv dns;
    strv dns_searches;
    strv dns_options;
    strv hosts;
    strv sysctls;

    const char *hostname;
    const char *entrypoint;
    strv env;
    strv env_files;
    const char *workdir;
    const char *user;
    strv labels;
    const char *stop_signal;
    struct option_number stop_timeout;

    const char *rootfs;
    strv volumes;
    bool read_only;
    bool privileged;
    strv cap_adds;
    strv cap_drops;
    const char *runtime;
};

/* The whole body, with command as Cmd. 0, -EINVAL, -errno of --rootfs and --env-file, -ENOMEM. */
int run_body(const struct run_args *args, strv command, json_t **ret, struct weft_error *err);

/*
 * The networks: *ret_mode gets a copy of the first one's name ("default" when there is none),
 * *ret_endpoints {name: EndpointSettings}. Each of networks is a name, or docker's long form
 * "name=web,alias=db,ip=10.5.0.8". first holds what --ip and its like say of the first network.
 */
int run_networks(strv networks, const struct endpoint_args *first, char **ret_mode,
                 json_t **ret_endpoints, struct weft_error *err);
