/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Limits of what an endpoint gets and sends, at the host's end of its pair. */

#include "driver/driver.h"

/* Refuses limits on networks whose endpoints have no such end, and those that could not be kept: a
 * burst without a rate, or less than one packet of the network. 0 or -EINVAL. */
int shape_check(const struct network *net, const struct strmap *options, struct weft_error *err);
/* The facts of the limits that the endpoint's options ask for, if they do. 0 or -ENOMEM. */
int shape_render(const struct endpoint *ep, struct fact_set *out);
