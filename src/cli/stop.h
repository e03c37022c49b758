/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What `stop` and `restart` share: how long to wait, and what to ask with. */

#include "base/error.h"
#include "cli/options.h"
#include "client/client.h"

extern const struct cli_option stop_options[];

/* Send the request and print the container's name. */
int stop_container(struct client *daemon, const char *container, struct weft_error *err);
int restart_container(struct client *daemon, const char *container, struct weft_error *err);
