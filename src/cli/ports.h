/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Published ports as docker shows them. */

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "client/client.h"

/* A line for each binding of a map like NetworkSettings.Ports, in the order of the ports:
 * "80/tcp -> 0.0.0.0:8080". 0 or -ENOMEM. */
int ports_print(const json_t *map, struct weft_error *err);
/* The same for the bindings of one port, "0.0.0.0:8080". */
int ports_print_bindings(const json_t *bindings, struct weft_error *err);

/* The Ports of GET /containers/json in one line, ports that follow each other joined:
 * "53/udp, 0.0.0.0:8000-8010->8000-8010/tcp". */
void ports_summary(const json_t *list, struct strbuf *ret);

/* Asks for a change ("publish", "unpublish") of a container's ports: docker's PortBindings. dry_run
 * and ret as send_change. */
int ports_send(struct client *daemon, const char *verb, const char *container, json_t *bindings,
               bool dry_run, json_t **ret, struct weft_error *err);
