/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Published ports as docker shows them. */

#include <jansson.h>

#include "base/error.h"
#include "base/strbuf.h"

/* A line for each binding of a map like NetworkSettings.Ports, in the order of the ports:
 * "80/tcp -> 0.0.0.0:8080". 0 or -ENOMEM. */
int ports_print(const json_t *map, struct weft_error *err);
/* The same for the bindings of one port, "0.0.0.0:8080". */
int ports_print_bindings(const json_t *bindings, struct weft_error *err);

/* The Ports of GET /containers/json in one line, ports that follow each other joined:
 * "53/udp, 0.0.0.0:8000-8010->8000-8010/tcp". */
void ports_summary(const json_t *list, struct strbuf *ret);
