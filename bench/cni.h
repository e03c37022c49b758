/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A peer to stand beside: the CNI project's bridge plugin with host-local addresses, on a bridge
 * that is already there. A program run for each operation, as container runtimes run it. */

#include <stdbool.h>

struct cni {
    char *plugin;    /* path */
    char *path_env;  /* "CNI_PATH=DIR" */
    char *config;    /* path of the network's configuration */
    char *netns_env; /* "CNI_NETNS=PATH" */
};

/* Looks for the plugin in $CNI_PATH, /usr/lib/cni and /opt/cni/bin, and prepares to put netns on
 * the bridge, with addresses of 10.98.201.0/24. Files go below dir. False when it is nowhere. */
bool cni_find(const char *dir, const char *bridge, const char *netns, struct cni *ret);
/* Runs the plugin: command is ADD or DEL. Its exit status, or -errno. */
int cni_run(const struct cni *c, const char *command, const char *ifname);
void cni_clear(struct cni *c);
