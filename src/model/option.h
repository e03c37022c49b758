/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Driver options: which keys there are, where they may be given, and what values they take.
 *
 * Keys that begin with com.docker.network. or weft. are all known; a short one (parent, stp) is
 * known to the drivers that it belongs to. Networks that lie on a link of the host's (macvlan,
 * ipvlan) take no others; to bridges, as docker has it, and to plugins, other short keys are the
 * user's own.
 */

#include "base/error.h"
#include "base/str.h"

enum option_scope {
    OPTION_SCOPE_NETWORK = 1 << 0,  /* network create --opt */
    OPTION_SCOPE_ENDPOINT = 1 << 1, /* network connect --driver-opt */
};

/* Checks keys and values. driver is the network's, NULL where it is not known yet: then short keys
 * are left for later. owner says whose they are ("network web"), for the sentence. 0 or -EINVAL. */
int options_check(enum option_scope scope, const char *driver, const char *owner,
                  const struct strmap *options, struct weft_error *err);
