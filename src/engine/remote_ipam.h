/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What outside_remote_ipam.c consists of, and only it: see there.
 *
 * What is remembered of a network: {"Space", "Pools": [{"Id", "Data", "Asked": [addresses]}],
 * "Held": [ids]}; Pools[i] speaks of net->pools[i].
 */

#include "engine/remote.h"

#define REMOTE_IPAM_KEY "remote_ipam"

/* ---- remote_pools.c ---- */

void remote_ipam_create(struct errand *er);
void remote_ipam_remove(struct errand *er);
json_t *remote_ipam_notes(const struct network *net);
/* The plugin's name of the network's ith pool; "" for none. */
const char *remote_pool_id(const struct network *net, size_t i);

/* ---- remote_address.c ---- */

/* The body of RequestPool. pool NULL: any of the family. */
json_t *remote_pool_request(const struct network *net, const struct pool *pool, bool ipv6);
/* The body of RequestAddress; addr none: any. options are taken. */
json_t *remote_address_request(const char *pool, const struct addr *addr, json_t *options);
/* The address that was given, which is to be the one that was wanted if there was one, and inside
 * the pool. */
int remote_heed_address(const json_t *answer, const struct pool *pool, const struct addr *wanted,
                        struct prefix *ret, struct weft_error *err);

/* The steps that scripts begin with: GetCapabilities, and the replay that it may ask for. */
int remote_ask_ipam_capabilities(struct remote_run *run, json_t **ret, struct weft_error *err);
int remote_heed_ipam_capabilities(struct remote_run *run, const json_t *answer,
                                  struct weft_error *err);
int remote_ask_replay(struct remote_run *run, json_t **ret, struct weft_error *err);
int remote_heed_replay(struct remote_run *run, const json_t *answer, struct weft_error *err);
#define REMOTE_IPAM_GREETING                                                                       \
    {.method = "GetCapabilities",                                                                  \
     .lenient = true,                                                                              \
     .ask = remote_ask_ipam_capabilities,                                                          \
     .heed = remote_heed_ipam_capabilities},                                                       \
    {                                                                                              \
        .lenient = true, .ask = remote_ask_replay, .heed = remote_heed_replay, .again = true       \
    }
