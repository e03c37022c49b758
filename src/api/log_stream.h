/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container's log as a stream. */

#include "api/stream.h"
#include "engine/engine.h"

/* With options->follow it ends when the container does, or, if it is not running, when its next run
 * does. options->multiplexed is set here. */
int log_stream_new(struct api *api, const struct container *c, const struct log_options *wanted,
                   struct api_stream **ret, struct weft_error *err);
/* The content type that goes with it. */
const char *log_content_type(const struct container *c);
