/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Ports as Docker's clients see them (API v1.41 to v1.48). New references, NULL when memory ran
 * out. sb may be NULL: the container has no network of its own. */

#include <jansson.h>

#include "base/str.h"
#include "base/strbuf.h"
#include "model/sandbox.h"

/* NetworkSettings.Ports: {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "90/tcp": null}.
 * Null is what is exposed only; without a HostPort the port is reached at the container's own
 * address. {} while the sandbox is not in use, and for the host's own stack. */
json_t *port_map_json(const struct sandbox *sb, char *const *exposed);

/* The same of single ports, those of one number side by side, as text: there may be thousands. */
void port_map_print(const struct publish *items, size_t count, struct strbuf *out);

/* Ports of GET /containers/json, out of such a map: [{"IP": "0.0.0.0", "PrivatePort": 80,
 * "PublicPort": 8080, "Type": "tcp"}, {"PrivatePort": 90, "Type": "tcp"}]. */
json_t *port_list_json(const json_t *map);

/* HostConfig.PortBindings: what was asked for. */
json_t *port_bindings_json(const struct sandbox *sb);

/* Adds the published ports to Config.ExposedPorts. 0 or -1. */
int port_expose(json_t *config, const struct sandbox *sb);
