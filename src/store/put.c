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

/* ---- published ports ---- */

/* store_run with numbers behind the texts. */
static int run_with_numbers(struct store *s, enum store_statement which, const char *const *texts,
                            size_t text_count, const uint32_t *numbers, size_t number_count,
                            struct weft_error *err)
{
    sqlite3_stmt *statement = NULL;
    int r = store_bind(s, which, texts, text_count, &statement, err), rc = SQLITE_OK;

    if (r < 0)
        return r;
    for (size_t i = 0; rc == SQLITE_OK && i < number_count; i++)
        rc = sqlite3_bind_int64(statement, (int)(text_count + i) + 1, numbers[i]);
    return rc == SQLITE_OK ? store_finish(statement) : rc;
}

/* The binding of a family; all zero when there is none. */
static struct publish_binding binding_of(const struct publish *p, uint8_t family)
{
    for (size_t i = 0; i < p->binding_count; i++)
        if (p->bindings[i].host.family == family)
            return p->bindings[i];
    return (struct publish_binding){0};
}

static int insert_publish(struct store *s, const char *sandbox_id, const struct publish *p,
                          struct weft_error *err)
{
    struct publish_binding ipv4 = binding_of(p, AF_INET), ipv6 = binding_of(p, AF_INET6);
    const struct publish_want *want = &p->want;
    const char *texts[] = {sandbox_id, addr_text(&want->host), addr_text(&ipv4.host),
                           addr_text(&ipv6.host)};
    const uint32_t numbers[] = {p->number,  want->proto,    want->port,    want->first,
                                want->last, ipv4.host_port, ipv6.host_port};

    return run_with_numbers(s, STATEMENT_PUT_PUBLISH, texts, ARRAY_SIZE(texts), numbers,
                            ARRAY_SIZE(numbers), err);
}

static int delete_publish(struct store *s, const char *sandbox_id, uint32_t number,
                          struct weft_error *err)
{
    return run_with_numbers(s, STATEMENT_DELETE_PUBLISH, &sandbox_id, 1, &number, 1, err);
}

/* Nearly all are new, and a plain INSERT takes half the time of one that may replace a row. */
int store_put_publish(struct store *s, const char *sandbox_id, const struct publish *p,
                      struct weft_error *err)
{
    int r = insert_publish(s, sandbox_id, p, err);

    if (r == SQLITE_CONSTRAINT_PRIMARYKEY) {
        r = delete_publish(s, sandbox_id, p->number, err);
        if (r == SQLITE_OK)
            r = insert_publish(s, sandbox_id, p, err);
    }
    return r > 0 ? store_fail(s, r, "storing a published port", err) : r;
}

int store_delete_publish(struct store *s, const char *sandbox_id, uint32_t number,
                         struct weft_error *err)
{
    int r = delete_publish(s, sandbox_id, number, err);

    return r > 0 ? store_fail(s, r, "deleting a published port", err) : r;
}

/* ---- settings ---- */

int store_put_setting(struct store *s, const char *key, const char *value, struct weft_error *err)
{
    const char *values[] = {key, value};
    int r = store_run(s, STATEMENT_PUT_SETTING, values, ARRAY_SIZE(values), err);

    return r > 0 ? store_fail(s, r, "storing a setting", err) : r;
}
