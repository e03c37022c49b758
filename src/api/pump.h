/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Writes a stream into a hijacked connection until the stream or the client ends. What the client
 * sends is thrown away. */

#include "api/stream.h"

/* Both s and fd are taken, also on failure, which ends the connection. */
void pump_start(struct api *api, struct api_stream *s, int fd);
