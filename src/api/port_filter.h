/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The filters `publish` and `expose` of GET /containers/json: PORT[-END][/PROTO]. */

#include <jansson.h>
#include <stdbool.h>

#include "api/filters.h"

/* Refuses values that are no ports. 0 or -EINVAL. */
int port_filters_check(const struct filters *f, struct weft_error *err);
bool port_filters_given(const struct filters *f);
/* Whether one of the ports, as port_list_json() has them, is published at a host port that was
 * named, or is a container port that was named as exposed. */
bool port_filters_match(const struct filters *f, const json_t *ports);
