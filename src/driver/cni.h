/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the driver and the engine have to know alike of networks whose endpoints CNI plugins wire.
 * net->outside has {"cni": {"config": the list of plugins, "path": …, "version": …}}. */

#include "model/endpoint.h"
#include "model/network.h"

#define CNI_KEY "cni"
#define CNI_KEY_CONFIG "config"
#define CNI_KEY_PATH "path"
#define CNI_KEY_VERSION "version"
/* An endpoint's given.state has {"cni": {"result": what ADD brought, "capabilities": what it was
 * told}}: CHECK and DEL have to be told the same. */
#define CNI_KEY_RESULT "result"
#define CNI_KEY_CAPABILITIES "capabilities"

/* A plugin call may take so long, in seconds. */
#define OPTION_CNI_TIMEOUT "timeout"
#define CNI_TIMEOUT_DEFAULT 60
#define CNI_TIMEOUT_MAX 600
unsigned cni_timeout(const struct network *net);

/* Whether the network is CNI's, and one of its plugins takes values of this kind (CNI's
 * CONVENTIONS.md): "portMappings", "bandwidth", "ips", "mac", "aliases", "dns". */
bool cni_network_takes(const struct network *net, const char *capability);

/* The ports that plugins were told to publish for the endpoint: [{"hostPort", "containerPort",
 * "protocol", "hostIP"}]; NULL: none. Borrowed. */
const json_t *cni_endpoint_ports(const struct endpoint *ep);

/* Appends a list of the result's "dns" (key "nameservers" or "search") that is not in *list yet. 0
 * or -ENOMEM. */
int cni_endpoint_dns(const struct endpoint *ep, const char *key, strv *list);
