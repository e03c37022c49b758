/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The sockets that hold ports. */

#include "relay/relay.h"

/* A socket that holds the port: TCP listens, the others are bound only; UDP tells the address that
 * a datagram was sent to. Returns the descriptor, which does not block, or -errno. */
int hold_open(const struct relay_port *port);
