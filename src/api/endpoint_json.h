/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Endpoints as Docker's clients see them. All return new references, NULL when memory ran out. */

#include <jansson.h>

#include "engine/engine.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/sandbox.h"

/* "10.0.0.2/24": the address with the length of its network's subnet; "" for none. */
const char *endpoint_prefix_text(const struct endpoint *ep, const struct addr *addr,
                                 char buf[static PREFIX_TEXT_MAX]);
/* EndpointSettings: what was asked for, and what was given. */
json_t *endpoint_settings_json(struct engine *e, const struct endpoint *ep);
/* An entry of a network's "Containers". */
json_t *endpoint_resource_json(const struct endpoint *ep);
