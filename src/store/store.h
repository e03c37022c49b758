/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What survives a restart: networks, sandboxes, endpoints, leases, published ports and containers,
 * in SQLite (WAL, STRICT tables). The store keeps the model, never kernel facts. Objects are JSON
 * documents in the model's own form beside the columns that constraints need; published ports, of
 * which there are many, are columns.
 *
 * Durability: WAL with synchronous=NORMAL. A commit survives any death of weftd; a power cut may
 * lose the last commits but never tears one, and it takes the kernel's state along anyway.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/error.h"
#include "model/publish.h"

struct store;

/* Opens or makes STATE_DIR/weft.db and takes an exclusive lock that lasts until the process ends.
 * -EBUSY with the holder's pid (WEFT_CONFLICT) when another weftd has it: "state directory
 * /var/lib/weft is in use by weftd (pid 123)". */
int store_open(const char *state_dir, struct store **ret, struct weft_error *err);
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close)
#define _cleanup_store_ _cleanup_(store_close_p)

/* One transaction at a time. store_rollback without a begin, and after a failed commit, is
 * harmless. */
int store_begin(struct store *s, struct weft_error *err);
int store_commit(struct store *s, struct weft_error *err);
void store_rollback(struct store *s);

/* put: insert or replace by id. Names are unique within a table: -EEXIST otherwise. delete: missing
 * rows are no error. */
enum store_table { STORE_NETWORK, STORE_SANDBOX, STORE_CONTAINER };
int store_put(struct store *s, enum store_table table, const char *id, const char *name,
              const json_t *doc, struct weft_error *err);
int store_delete(struct store *s, enum store_table table, const char *id, struct weft_error *err);

/* (network, sandbox) is unique. Deleting a network or sandbox deletes its endpoints and their
 * leases. */
int store_put_endpoint(struct store *s, const char *id, const char *network_id,
                       const char *sandbox_id, const json_t *doc, struct weft_error *err);
int store_delete_endpoint(struct store *s, const char *id, struct weft_error *err);

/* A lease: an address of a network that an endpoint holds. (network, address) is unique: -EEXIST.
 */
int store_put_lease(struct store *s, const char *network_id, const struct addr *addr,
                    const char *endpoint_id, struct weft_error *err);
int store_delete_lease(struct store *s, const char *network_id, const struct addr *addr,
                       struct weft_error *err);

/* Published ports of a sandbox, a row each, named by their number, which is unique in the sandbox;
 * they go with it. put: insert or replace. each: sandbox by sandbox, by number. */
int store_put_publish(struct store *s, const char *sandbox_id, const struct publish *p,
                      struct weft_error *err);
int store_delete_publish(struct store *s, const char *sandbox_id, uint32_t number,
                         struct weft_error *err);
int store_each_publish(struct store *s,
                       int (*fn)(void *arg, const char *sandbox_id, const struct publish *p,
                                 struct weft_error *err),
                       void *arg, struct weft_error *err);

/* Small facts about this host: key → text ("ula_global_id"), and allocation cursors
 * ("cursor/NETWORK/4"). */
int store_put_setting(struct store *s, const char *key, const char *value, struct weft_error *err);
/* *ret is for the caller to free, NULL when the key is missing. */
int store_get_setting(struct store *s, const char *key, char **ret, struct weft_error *err);

/* Replays everything in the order in which it was first put. A callback's nonzero return stops and
 * is returned. doc is borrowed. */
int store_each(struct store *s, enum store_table table,
               int (*fn)(void *arg, const json_t *doc, struct weft_error *err), void *arg,
               struct weft_error *err);
int store_each_endpoint(struct store *s,
                        int (*fn)(void *arg, const char *network_id, const char *sandbox_id,
                                  const json_t *doc, struct weft_error *err),
                        void *arg, struct weft_error *err);
int store_each_lease(struct store *s,
                     int (*fn)(void *arg, const char *network_id, const struct addr *addr,
                               const char *endpoint_id, struct weft_error *err),
                     void *arg, struct weft_error *err);
