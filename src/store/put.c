/* SPDX-License-Identifier: Apache-2.0 */

/* Writing and deleting rows. A broken UNIQUE constraint is the caller's conflict, in the model's
 * words; everything else that fails is the database's trouble. */

#include "base/json.h"
#include "store/db.h"

static const char *const nouns[] = {
    [STORE_NETWORK] = "network",
    [STORE_SANDBOX] = "sandbox",
    [STORE_CONTAINER] = "container",
};

int store_put(struct store *s, enum store_table table, const char *id, const char *name,
              const json_t *doc, struct weft_error *err)
{
    _cleanup_free_ char *text = json_text(doc);
    const char *values[] = {id, name, text};

    if (!text)
        return weft_oom(err);
    int r = store_run(s, STATEMENT_PUT_NETWORK + table, values, ARRAY_SIZE(values), err);
    if (r == SQLITE_CONSTRAINT_UNIQUE)
        return weft_fail(err, WEFT_CONFLICT, "%s name %s is already in use", nouns[table], name);
    return r > 0 ? store_fail(s, r, "storing an object", err) : r;
}

int store_delete(struct store *s, enum store_table table, const char *id, struct weft_error *err)
{
    int r = store_run(s, STATEMENT_DELETE_NETWORK + table, &id, 1, err);

    return r > 0 ? store_fail(s, r, "deleting an object", err) : r;
}

int store_put_endpoint(struct store *s, const char *id, const char *network_id,
                       const char *sandbox_id, const json_t *doc, struct weft_error *err)
{
    _cleanup_free_ char *text = json_text(doc);
    const char *values[] = {id, network_id, sandbox_id, text};

    if (!text)
        return weft_oom(err);
    int r = store_run(s, STATEMENT_PUT_ENDPOINT, values, ARRAY_SIZE(values), err);
    if (r == SQLITE_CONSTRAINT_UNIQUE)
        return weft_fail(err, WEFT_CONFLICT,
                         "sandbox %.12s already has an endpoint on network %.12s", sandbox_id,
                         network_id);
    return r > 0 ? store_fail(s, r, "storing an endpoint", err) : r;
}

int store_delete_endpoint(struct store *s, const char *id, struct weft_error *err)
{
    int r = store_run(s, STATEMENT_DELETE_ENDPOINT, &id, 1, err);

    return r > 0 ? store_fail(s, r, "deleting an endpoint", err) : r;
}

int store_put_lease(struct store *s, const char *network_id, const struct addr *addr,
                    const char *endpoint_id, struct weft_error *err)
{
    const char *values[] = {network_id, addr_text(addr), endpoint_id};
    int r = store_run(s, STATEMENT_PUT_LEASE, values, ARRAY_SIZE(values), err);

    if (r == SQLITE_CONSTRAINT_UNIQUE)
        return weft_fail(err, WEFT_CONFLICT, "address %s of network %.12s is already leased",
                         addr_text(addr), network_id);
    return r > 0 ? store_fail(s, r, "storing a lease", err) : r;
}

int store_delete_lease(struct store *s, const char *network_id, const struct addr *addr,
                       struct weft_error *err)
{
    const char *values[] = {network_id, addr_text(addr)};
    int r = store_run(s, STATEMENT_DELETE_LEASE, values, ARRAY_SIZE(values), err);

    return r > 0 ? store_fail(s, r, "deleting a lease", err) : r;
}

int store_put_setting(struct store *s, const char *key, const char *value, struct weft_error *err)
{
    const char *values[] = {key, value};
    int r = store_run(s, STATEMENT_PUT_SETTING, values, ARRAY_SIZE(values), err);

    return r > 0 ? store_fail(s, r, "storing a setting", err) : r;
}
