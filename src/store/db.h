/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* SQLite underneath: what the files of this folder share. */

#include <sqlite3.h>

#include "base/error.h"
#include "store/store.h"

/* Statements that run again and again, prepared at first use and kept. */
enum store_statement {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_PUT_NETWORK, /* these three in the order of enum store_table */
    STATEMENT_PUT_SANDBOX,
    STATEMENT_PUT_CONTAINER,
    STATEMENT_DELETE_NETWORK, /* and these */
    STATEMENT_DELETE_SANDBOX,
    STATEMENT_DELETE_CONTAINER,
    STATEMENT_PUT_ENDPOINT,
    STATEMENT_DELETE_ENDPOINT,
    STATEMENT_PUT_LEASE,
    STATEMENT_DELETE_LEASE,
    STATEMENT_PUT_PUBLISH,
    STATEMENT_DELETE_PUBLISH,
    STATEMENT_PUT_SETTING,
    STATEMENT_GET_SETTING,
    STATEMENT_COUNT,
};

struct store {
    sqlite3 *db;
    char *path; /* of the database, for messages */
    int lock_fd;
    sqlite3_stmt *statements[STATEMENT_COUNT];
};

/* The sentence for a failed SQLite call: the path, what was being done and SQLite's reason.
 * Returns -errno. */
int store_fail(struct store *s, int rc, const char *doing, struct weft_error *err);

/* The prepared statement with texts bound to its parameters in order (they must outlive the step;
 * NULL list when count is 0), ready to step. 0 or -errno. */
int store_bind(struct store *s, enum store_statement which, const char *const *texts, size_t count,
               sqlite3_stmt **ret, struct weft_error *err);

/* Runs a bound statement to the end and resets it. Returns SQLite's extended result code. */
int store_finish(sqlite3_stmt *statement);

/* Binds, runs to the end and resets. Returns SQLite's extended result code (SQLITE_OK for done), or
 * -errno when binding failed. */
int store_run(struct store *s, enum store_statement which, const char *const *texts, size_t count,
              struct weft_error *err);

/* Brings the database to the schema of this weftd. Refuses one that is newer. 0 or -errno. */
int store_migrate(struct store *s, struct weft_error *err);
