/* SPDX-License-Identifier: Apache-2.0 */
#include "container/container.h"

#include <stdlib.h>

static void config_clear(struct container_config *config)
{
    strv_free(config->entrypoint);
    strv_free(config->cmd);
    strv_free(config->env);
    free(config->workdir);
    free(config->user);
    free(config->hostname);
    free(config->domainname);
    free(config->image);
    free(config->rootfs);
    free(config->runtime);
    free(config->stop_signal);
    strv_free(config->binds);
    strv_free(config->dns);
    strv_free(config->links);
    strv_free(config->dns_search);
    strv_free(config->dns_options);
    strv_free(config->extra_hosts);
    strv_free(config->cap_add);
    strv_free(config->cap_drop);
    strv_free(config->exposed);
    publish_list_clear(&config->port_bindings);
    strmap_clear(&config->sysctls);
    strmap_clear(&config->labels);
    free(config->network_mode);
}

void container_free(struct container *c)
{
    if (!c)
        return;
    config_clear(&c->config);
    free(c->name);
    free(c->error);
    free(c);
}

const char *container_status_text(enum container_status status)
{
    static const char *const names[] = {
        [CONTAINER_CREATED] = "created",
        [CONTAINER_RUNNING] = "running",
        [CONTAINER_EXITED] = "exited",
    };

    return names[status];
}
