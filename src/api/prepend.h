/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Puts bytes back before what a socket will yield: a pair of sockets with a copier in between. */

#include "api/server.h"

/* fd is taken, also on failure. Returns a descriptor for the caller on which the given bytes and
 * then all else that fd yields can be read, and whose writes go to fd; -errno on failure. */
int prepend_new(struct api *api, int fd, const void *data, size_t len);
