/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Limits of what an endpoint gets and sends, at the host's end of its pair. */

#include "driver/driver.h"

/* The facts of the limits that the endpoint's options ask for, if they do. 0 or -ENOMEM. */
int shape_render(const struct endpoint *ep, struct fact_set *out);
