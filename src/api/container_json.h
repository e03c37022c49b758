/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Containers as Docker's clients see them. New references, NULL when memory ran out. */

#include <jansson.h>

#include "engine/engine.h"

/* The sandbox that is the container's own, or NULL: one that shares another's stack has no networks
 * and no ports. */
const struct sandbox *container_own_sandbox(struct engine *e, const struct container *c);

/* GET /containers/{ref}/json */
json_t *container_inspect_json(struct engine *e, const struct container *c);
/* An entry of GET /containers/json. */
json_t *container_summary_json(struct engine *e, const struct container *c);
/* The Ports of such an entry. */
json_t *container_ports_json(struct engine *e, const struct container *c);

/* "5 minutes", as Docker's clients put it. */
#define DURATION_TEXT_MAX 32
const char *duration_format(int64_t ns, char buf[static DURATION_TEXT_MAX]);
