/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container's config.json, after the OCI runtime specification 1.0.2, with Docker's choices:
 * capabilities, mounts, masked and read-only paths. There is no seccomp profile: system calls are
 * not filtered.
 */

#include <jansson.h>

#include "container/runtime.h"

struct bundle {
    const struct container *container;
    const struct runtime_network *network;
    const char *rootfs;    /* mounted: users are looked up in it */
    const char *files_dir; /* where hosts, resolv.conf and hostname are */
};

int bundle_config(const struct bundle *b, json_t **ret, struct weft_error *err);
