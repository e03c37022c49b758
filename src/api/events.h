/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The engine's events: the last of them are remembered, and those to come are handed to the clients
 * of GET /events. */

#include "api/server.h"

/* 0 or -errno. */
int events_open(struct api *api);
/* All of its streams are gone by then. */
void events_close(struct api *api);
