/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* weftd's configuration: weft.json(5). Every key is optional. */

#include "base/addr.h"
#include "base/error.h"
#include "base/log.h"
#include "ipam/ipam.h"

#define CONFIG_DEFAULT_PATH "/etc/weft/weft.json"

struct config {
    char *socket;
    char *group; /* who may use the socket beside root; NULL: nobody */
    char *state_dir;
    char *run_dir;
    char *bridge_name;
    struct prefix bridge_subnet; /* none: the engine chooses */
    struct ipam_base *pools;     /* NULL: ipam_default_bases */
    size_t pool_count;
    uint32_t mtu; /* bytes; 0: that of the default route's link */
    char *runtime;
    bool publish_deny; /* published ports are closed until the administrator opens them */
    enum log_level log_level;
};

/* Reads the file over the defaults. A missing file is an error only if `required`. Errors name the
 * file, the line (of bad JSON) or the key, and the reason. 0 or -errno with *ret cleared. */
int config_load(const char *path, bool required, struct config *ret, struct weft_error *err);
void config_clear(struct config *config);
