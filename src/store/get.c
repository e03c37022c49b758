/* SPDX-License-Identifier: Apache-2.0 */

/* Reading: single settings, and at start everything in the order in which it came. */

#include <string.h>

#include "base/json.h"
#include "store/db.h"

int store_get_setting(struct store *s, const char *key, char **ret, struct weft_error *err)
{
    sqlite3_stmt *statement;
    char *value = NULL;
    int r = store_bind(s, STATEMENT_GET_SETTING, &key, 1, &statement, err), rc;

    if (r < 0)
        return r;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(statement, 0);

        value = text ? strdup((const char *)text) : NULL;
        r = value ? 0 : weft_oom(err);
    } else if (rc != SQLITE_DONE) {
        r = store_fail(s, rc, "reading a setting", err);
    }
    (void)sqlite3_reset(statement);
    if (r == 0)
        *ret = value;
    return r;
}

/* What each row of a replay is given to; row knows which of the public callbacks arg holds. */
struct replay {
    struct store *store;
    const char *query;
    int (*row)(const struct replay *replay, sqlite3_stmt *row, struct weft_error *err);
    union {
        int (*object)(void *arg, const json_t *doc, struct weft_error *err);
        int (*endpoint)(void *arg, const char *network_id, const char *sandbox_id,
                        const json_t *doc, struct weft_error *err);
        int (*lease)(void *arg, const char *network_id, const struct addr *addr,
                     const char *endpoint_id, struct weft_error *err);
        int (*publish)(void *arg, const char *sandbox_id, const struct publish *p,
                       struct weft_error *err);
    };
    void *arg;
};

/* Not cached: a replay runs once. */
static int run(const struct replay *replay, struct weft_error *err)
{
    struct store *s = replay->store;
    sqlite3_stmt *statement = NULL;
    int r = 0, rc = sqlite3_prepare_v2(s->db, replay->query, -1, &statement, NULL);

    if (rc != SQLITE_OK)
        return store_fail(s, rc, replay->query, err);
    while (r == 0 && (rc = sqlite3_step(statement)) == SQLITE_ROW)
        r = replay->row(replay, statement, err);
    if (r == 0 && rc != SQLITE_DONE)
        r = store_fail(s, rc, replay->query, err);
    (void)sqlite3_finalize(statement);
    return r;
}

/* NULL, which means that memory ran out, reads as "" and fails as that. */
static const char *column(sqlite3_stmt *row, int i)
{
    const unsigned char *text = sqlite3_column_text(row, i);

    return text ? (const char *)text : "";
}

static int column_doc(const struct store *s, sqlite3_stmt *row, int i, json_t **ret,
                      struct weft_error *err)
{
    const char *text = column(row, i);
    int r = json_parse(text, strlen(text), ret, err);

    if (r < 0)
        weft_error_prefix(err, "state database %s", s->path);
    return r;
}

static int object_row(const struct replay *replay, sqlite3_stmt *row, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    int r = column_doc(replay->store, row, 0, &doc, err);

    return r < 0 ? r : replay->object(replay->arg, doc, err);
}

int store_each(struct store *s, enum store_table table,
               int (*fn)(void *arg, const json_t *doc, struct weft_error *err), void *arg,
               struct weft_error *err)
{
    static const char *const queries[] = {
        [STORE_NETWORK] = "SELECT doc FROM network ORDER BY seq",
        [STORE_SANDBOX] = "SELECT doc FROM sandbox ORDER BY seq",
        [STORE_CONTAINER] = "SELECT doc FROM container ORDER BY seq",
    };
    struct replay what = {
        .store = s, .query = queries[table], .row = object_row, .object = fn, .arg = arg};

    return run(&what, err);
}

static int endpoint_row(const struct replay *replay, sqlite3_stmt *row, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    int r = column_doc(replay->store, row, 2, &doc, err);

    return r < 0 ? r : replay->endpoint(replay->arg, column(row, 0), column(row, 1), doc, err);
}

int store_each_endpoint(struct store *s,
                        int (*fn)(void *arg, const char *network_id, const char *sandbox_id,
                                  const json_t *doc, struct weft_error *err),
                        void *arg, struct weft_error *err)
{
    struct replay what = {.store = s,
                          .query = "SELECT network, sandbox, doc FROM endpoint ORDER BY seq",
                          .row = endpoint_row,
                          .endpoint = fn,
                          .arg = arg};

    return run(&what, err);
}

static int lease_row(const struct replay *replay, sqlite3_stmt *row, struct weft_error *err)
{
    struct addr addr;
    int r = addr_parse(column(row, 1), &addr, err);

    if (r < 0) {
        weft_error_prefix(err, "state database %s", replay->store->path);
        return r;
    }
    return replay->lease(replay->arg, column(row, 0), &addr, column(row, 2), err);
}

int store_each_lease(struct store *s,
                     int (*fn)(void *arg, const char *network_id, const struct addr *addr,
                               const char *endpoint_id, struct weft_error *err),
                     void *arg, struct weft_error *err)
{
    struct replay what = {.store = s,
                          .query = "SELECT network, address, endpoint FROM lease ORDER BY seq",
                          .row = lease_row,
                          .lease = fn,
                          .arg = arg};

    return run(&what, err);
}

static int column_addr(sqlite3_stmt *row, int i, struct addr *ret, struct weft_error *err)
{
    const char *text = column(row, i);

    return *text ? addr_parse(text, ret, err) : 0;
}

static uint16_t column_u16(sqlite3_stmt *row, int i)
{
    return (uint16_t)sqlite3_column_int(row, i);
}

static int column_binding(sqlite3_stmt *row, int i, struct publish *p, struct weft_error *err)
{
    struct publish_binding binding = {.host_port = column_u16(row, i + 1)};
    int r = column_addr(row, i, &binding.host, err);

    if (r == 0 && addr_is_set(&binding.host))
        p->bindings[p->binding_count++] = binding;
    return r;
}

static int column_want(sqlite3_stmt *row, struct publish *p, struct weft_error *err)
{
    p->number = (uint32_t)sqlite3_column_int64(row, 6);
    p->want.proto = (uint8_t)sqlite3_column_int(row, 7);
    p->want.port = column_u16(row, 8);
    p->want.first = column_u16(row, 9);
    p->want.last = column_u16(row, 10);
    if (!publish_proto_text(p->want.proto))
        return weft_fail(err, WEFT_INTERNAL, "a port is published of unknown protocol %u",
                         p->want.proto);
    return column_addr(row, 1, &p->want.host, err);
}

static int publish_row(const struct replay *replay, sqlite3_stmt *row, struct weft_error *err)
{
    struct publish p = {0};
    int r = column_want(row, &p, err);

    if (r == 0)
        r = column_binding(row, 2, &p, err);
    if (r == 0)
        r = column_binding(row, 4, &p, err);
    if (r < 0) {
        weft_error_prefix(err, "state database %s", replay->store->path);
        return r;
    }
    return replay->publish(replay->arg, column(row, 0), &p, err);
}

int store_each_publish(struct store *s,
                       int (*fn)(void *arg, const char *sandbox_id, const struct publish *p,
                                 struct weft_error *err),
                       void *arg, struct weft_error *err)
{
    struct replay what = {.store = s,
                          .query = "SELECT sandbox, host, ipv4, ipv4_port, ipv6, ipv6_port,"
                                   " number, proto, port, first, last FROM publish"
                                   " ORDER BY sandbox, number",
                          .row = publish_row,
                          .publish = fn,
                          .arg = arg};

    return run(&what, err);
}
