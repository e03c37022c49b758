/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be said of a container's configuration without looking at networks or at the runtime. */

#include "container/container.h"

int container_config_check(const struct container_config *config, struct weft_error *err);

/* The parts of one of config.binds, which container_config_check has seen. */
struct bind {
    char *source, *target;
    bool readonly;
};
int bind_parse(const char *text, struct bind *ret, struct weft_error *err);
void bind_clear(struct bind *b);
#define _cleanup_bind_ _cleanup_(bind_clear)
