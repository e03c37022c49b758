/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What a socket yields as a stream. */

#include "api/stream.h"

/* fd is non-blocking, and taken, also on failure. */
int socket_stream_new(struct api *api, int fd, struct api_stream **ret, struct weft_error *err);
