/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What can be said of a container's configuration without looking at networks or at the runtime. */

#include "container/container.h"

int container_config_check(const struct container_config *config, struct weft_error *err);

/* "NAME:ALIAS", "NAME", or Docker's other form, "/NAME:/CONTAINER/ALIAS": "NAME:ALIAS" for the
 * caller to free. 0 or -EINVAL. */
int link_parse(const char *text, char **ret, struct weft_error *err);

/* The parts of one of config.binds, which container_config_check has seen. */
struct bind {
    char *source, *target;
    bool readonly;
};
int bind_parse(const char *text, struct bind *ret, struct weft_error *err);
void bind_clear(struct bind *b);
#define _cleanup_bind_ _cleanup_(bind_clear)
