/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/error.h"

/* Gives up every capability that neither weftd nor the containers it starts need. 0 or -errno. */
int privilege_drop(struct weft_error *err);
