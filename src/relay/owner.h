/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Who of the host holds a port. */

#include "relay/relay.h"

#define OWNER_TEXT_MAX 80

/* Writes "nginx (pid 123)", or what else is known, into buf and returns buf. For errors only: it
 * looks through /proc. */
const char *owner_find(const struct relay_port *port, char buf[static OWNER_TEXT_MAX]);
