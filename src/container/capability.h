/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Linux capabilities by name (capabilities(7)), and which of them a container gets. */

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/* "NET_ADMIN", "cap_net_admin", "ALL": known? 0 or -EINVAL. */
int capability_check(const char *name, struct weft_error *err);

/* Docker's default set, plus add, less drop; "ALL" in either means all that weft itself may hand
 * on. all: privileged, the lists do not count. Names are "CAP_…". 0 or -ENOMEM. */
int capability_set(bool all, char *const *add, char *const *drop, strv *ret);
