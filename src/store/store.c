/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/file.h"
#include "base/str.h"
#include "store/db.h"

/* How long another program's transaction (somebody's sqlite3 shell) is waited for. */
#define BUSY_TIMEOUT_MS 250

static int fail_locked(const char *state_dir, int fd, struct weft_error *err)
{
    char pid[16] = "";
    ssize_t n = pread(fd, pid, sizeof pid - 1, 0);

    pid[n > 0 ? n : 0] = '\0';
    pid[strcspn(pid, "\n")] = '\0';
    (void)weft_fail(err, WEFT_CONFLICT, "state directory %s is in use by weftd (pid %s)", state_dir,
                    *pid ? pid : "unknown");
    if (err)
        err->errnum = EBUSY;
    return -EBUSY;
}

/* flock(2), not a pid file: the lock goes with the process, however it ends. */
static int lock(struct store *s, const char *state_dir, struct weft_error *err)
{
    _cleanup_free_ char *path = str_printf("%s/weft.lock", state_dir);
    char pid[16];

    if (!path)
        return weft_oom(err);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return weft_fail_errno(err, errno, "cannot open %s", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? fail_locked(state_dir, s->lock_fd, err)
                                    : weft_fail_errno(err, errno, "cannot lock %s", path);
    int len = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)len, 0) != len)
        return weft_fail_errno(err, errno, "cannot write %s", path);
    return 0;
}

/* SQLite would make it readable for everybody. Its companions take over this mode. */
static int make_private(const char *path, struct weft_error *err)
{
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return fd < 0 ? weft_fail_errno(err, errno, "cannot open %s", path) : 0;
}

static int open_database(struct store *s, struct weft_error *err)
{
    /* The cache is small because the engine holds the whole model itself and reads once. A
     * checkpoint waits for the disk, so the log may grow to 16 MB (4,000 pages) before one. */
    static const char setup[] = "PRAGMA cache_size = -256;"
                                "PRAGMA mmap_size = 0;"
                                "PRAGMA temp_store = MEMORY;"
                                "PRAGMA foreign_keys = ON;"
                                "PRAGMA synchronous = NORMAL;"
                                "PRAGMA locking_mode = EXCLUSIVE;"
                                "PRAGMA journal_mode = WAL;"
                                "PRAGMA wal_autocheckpoint = 4000;";
    int r = make_private(s->path, err), rc;

    if (r < 0)
        return r;
    /* One thread uses it, and nobody asks it for statistics. No-ops but for the first store. */
    (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    rc = sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_extended_result_codes(s->db, 1);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(s->db, setup, NULL, NULL, NULL);
    return rc == SQLITE_OK ? store_migrate(s, err) : store_fail(s, rc, "opening", err);
}

int store_open(const char *state_dir, struct store **ret, struct weft_error *err)
{
    _cleanup_store_ struct store *s = NULL;
    /* Searchable, for containers whose root has another user id and lives below; not readable. */
    int r = dir_make(state_dir, 0711, err);

    if (r < 0)
        return r;
    s = calloc(1, sizeof *s);
    if (!s)
        return weft_oom(err);
    s->lock_fd = -1;
    s->path = str_printf("%s/weft.db", state_dir);
    if (!s->path)
        return weft_oom(err);
    r = lock(s, state_dir, err);
    if (r == 0)
        r = open_database(s, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(s->statements); i++)
        (void)sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    free(s->path);
    free(s);
}

int store_begin(struct store *s, struct weft_error *err)
{
    int r = store_run(s, STATEMENT_BEGIN, NULL, 0, err);

    return r > 0 ? store_fail(s, r, "beginning a transaction", err) : r;
}

int store_commit(struct store *s, struct weft_error *err)
{
    int r = store_run(s, STATEMENT_COMMIT, NULL, 0, err);

    return r > 0 ? store_fail(s, r, "committing", err) : r;
}

void store_rollback(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}
