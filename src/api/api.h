/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The HTTP API: the Docker Engine API, versions 1.41 to 1.48, and /weft/… for what Docker has no
 * word for, on a listening stream socket.
 */

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"
#include "engine/engine.h"

struct api;

struct api_config {
    const char *state_dir; /* for GET /info; copied */
    bool enable_faults;    /* whether POST /weft/fault may be used */
};

/* Serves on listen_fd, from the loop. Loop and engine are borrowed until api_free; listen_fd is
 * taken on success. 0 or -errno. */
int api_new(uv_loop_t *loop, struct engine *e, int listen_fd, const struct api_config *config,
            struct api **ret, struct weft_error *err);
/* Cuts off all connections. To be called before engine_free(), and not from one of api's own
 * callbacks; the memory is released by the loop's next turns. */
void api_free(struct api *api);
