/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"
#include "model/network.h"

/* Checks everything that can be said of one network alone: its name, its pools, its options and how
 * they go together. 0 or -EINVAL. */
int network_check(const struct network *net, struct weft_error *err);
