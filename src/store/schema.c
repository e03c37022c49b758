/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/str.h"
#include "store/db.h"

/*
 * The schema as the steps that lead to it: step n takes a database from version n to n + 1 (PRAGMA
 * user_version). A step that was released never changes; new ones are added behind.
 *
 * Published ports come by the thousand, so they are columns and not documents; an address that is
 * none is ''. seq keeps the order in which rows came. Ids, not seqs, refer to rows: replaying needs
 * no joins.
 */
static const char *const steps[] = {
    "CREATE TABLE network (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    "    name TEXT NOT NULL UNIQUE, doc TEXT NOT NULL) STRICT;"
    "CREATE TABLE sandbox (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    "    name TEXT NOT NULL UNIQUE, doc TEXT NOT NULL) STRICT;"
    "CREATE TABLE container (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    "    name TEXT NOT NULL UNIQUE, doc TEXT NOT NULL) STRICT;"
    "CREATE TABLE endpoint (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    "    network TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,"
    "    sandbox TEXT NOT NULL REFERENCES sandbox (id) ON DELETE CASCADE,"
    "    doc TEXT NOT NULL, UNIQUE (network, sandbox)) STRICT;"
    "CREATE INDEX endpoint_sandbox ON endpoint (sandbox);"
    "CREATE TABLE lease (seq INTEGER PRIMARY KEY,"
    "    network TEXT NOT NULL REFERENCES network (id) ON DELETE CASCADE,"
    "    address TEXT NOT NULL,"
    "    endpoint TEXT NOT NULL REFERENCES endpoint (id) ON DELETE CASCADE,"
    "    UNIQUE (network, address)) STRICT;"
    "CREATE INDEX lease_endpoint ON lease (endpoint);"
    "CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;",

    "CREATE TABLE publish (sandbox TEXT NOT NULL REFERENCES sandbox (id) ON DELETE CASCADE,"
    "    number INTEGER NOT NULL, proto INTEGER NOT NULL, port INTEGER NOT NULL,"
    "    host TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    "    ipv4 TEXT NOT NULL, ipv4_port INTEGER NOT NULL,"
    "    ipv6 TEXT NOT NULL, ipv6_port INTEGER NOT NULL,"
    "    PRIMARY KEY (sandbox, number)) STRICT, WITHOUT ROWID;",
};

static int read_version(struct store *s, int *ret, struct weft_error *err)
{
    sqlite3_stmt *statement = NULL;
    int version = 0, rc;

    rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    if (rc != SQLITE_ROW)
        return store_fail(s, rc, "reading the schema version", err);
    *ret = version;
    return 0;
}

static int apply(struct store *s, size_t from, struct weft_error *err)
{
    int r = store_begin(s, err), rc = SQLITE_OK;

    if (r < 0)
        return r;
    for (size_t i = from; rc == SQLITE_OK && i < ARRAY_SIZE(steps); i++)
        rc = sqlite3_exec(s->db, steps[i], NULL, NULL, NULL);
    _cleanup_free_ char *mark = str_printf("PRAGMA user_version = %zu", ARRAY_SIZE(steps));
    if (rc == SQLITE_OK)
        rc = mark ? sqlite3_exec(s->db, mark, NULL, NULL, NULL) : SQLITE_NOMEM;
    if (rc != SQLITE_OK) {
        r = store_fail(s, rc, "making the schema", err);
        store_rollback(s);
        return r;
    }
    return store_commit(s, err);
}

int store_migrate(struct store *s, struct weft_error *err)
{
    int version = 0, r = read_version(s, &version, err);

    if (r < 0)
        return r;
    if (version < 0 || (size_t)version > ARRAY_SIZE(steps))
        return weft_fail(err, WEFT_UNSUPPORTED,
                         "state database %s has schema version %d, but this weftd knows only up to "
                         "%zu: it was written by a newer one",
                         s->path, version, ARRAY_SIZE(steps));
    return (size_t)version == ARRAY_SIZE(steps) ? 0 : apply(s, (size_t)version, err);
}
