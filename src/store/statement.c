/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "store/db.h"

/* An upsert rather than REPLACE: the row keeps its seq, and what refers to it stays. */
#define PUT_NAMED(table)                                                                           \
    "INSERT INTO " table " (id, name, doc) VALUES (?1, ?2, ?3)"                                    \
    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, doc = excluded.doc"

static const char *const texts_of[] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_PUT_NETWORK] = PUT_NAMED("network"),
    [STATEMENT_PUT_SANDBOX] = PUT_NAMED("sandbox"),
    [STATEMENT_PUT_CONTAINER] = PUT_NAMED("container"),
    [STATEMENT_DELETE_NETWORK] = "DELETE FROM network WHERE id = ?1",
    [STATEMENT_DELETE_SANDBOX] = "DELETE FROM sandbox WHERE id = ?1",
    [STATEMENT_DELETE_CONTAINER] = "DELETE FROM container WHERE id = ?1",
    [STATEMENT_PUT_ENDPOINT] =
        "INSERT INTO endpoint (id, network, sandbox, doc) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id)"
        " DO UPDATE SET network = excluded.network, sandbox = excluded.sandbox, doc = excluded.doc",
    [STATEMENT_DELETE_ENDPOINT] = "DELETE FROM endpoint WHERE id = ?1",
    [STATEMENT_PUT_LEASE] = "INSERT INTO lease (network, address, endpoint) VALUES (?1, ?2, ?3)",
    [STATEMENT_DELETE_LEASE] = "DELETE FROM lease WHERE network = ?1 AND address = ?2",
    [STATEMENT_PUT_PUBLISH] =
        "INSERT INTO publish (sandbox, host, ipv4, ipv6, number, proto, port, first, last,"
        " ipv4_port, ipv6_port) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STATEMENT_DELETE_PUBLISH] = "DELETE FROM publish WHERE sandbox = ?1 AND number = ?2",
    [STATEMENT_PUT_SETTING] = "INSERT INTO setting (key, value) VALUES (?1, ?2)"
                              " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    [STATEMENT_GET_SETTING] = "SELECT value FROM setting WHERE key = ?1",
};

int store_fail(struct store *s, int rc, const char *doing, struct weft_error *err)
{
    const char *reason = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);

    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return weft_oom(err);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return weft_fail(err, WEFT_INTERNAL,
                         "state database %s is damaged (%s): move it away to start anew", s->path,
                         reason);
    default:
        return weft_fail(err, WEFT_INTERNAL, "state database %s: %s failed: %s", s->path, doing,
                         reason);
    }
}

int store_bind(struct store *s, enum store_statement which, const char *const *texts, size_t count,
               sqlite3_stmt **ret, struct weft_error *err)
{
    sqlite3_stmt **statement = &s->statements[which];
    int rc = SQLITE_OK;

    if (!*statement)
        rc = sqlite3_prepare_v3(s->db, texts_of[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
                                NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_text(*statement, (int)i + 1, texts[i], -1, SQLITE_STATIC);
    if (rc != SQLITE_OK)
        return store_fail(s, rc, texts_of[which], err);
    *ret = *statement;
    return 0;
}

int store_finish(sqlite3_stmt *statement)
{
    (void)sqlite3_step(statement);
    return sqlite3_reset(statement); /* the step's result */
}

int store_run(struct store *s, enum store_statement which, const char *const *texts, size_t count,
              struct weft_error *err)
{
    sqlite3_stmt *statement = NULL;
    int r = store_bind(s, which, texts, count, &statement, err);

    return r < 0 ? r : store_finish(statement);
}
