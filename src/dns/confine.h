/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"

/* Gives up all that answering queries does not take, for good. 0 or -errno. */
int dns_confine(struct weft_error *err);
