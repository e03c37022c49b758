/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/strbuf.h"
#include "model_make.h"
#include "store/store.h"

/* A store in a directory of its own. */
struct world {
    char dir[32];
    struct store *store;
};

static int world_make(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    strcpy(world->dir, "/tmp/weft-store-XXXXXX");
    assert_non_null(mkdtemp(world->dir));
    assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
    *state = world;
    return 0;
}

static int world_clear(void **state)
{
    struct world *world = *state;

    store_close(world->store);
    assert_int_equal(dir_remove(world->dir, NULL), 0);
    free(world);
    return 0;
}

static void reopen(struct world *world)
{
    store_close(TAKE_PTR(world->store));
    assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
}

static int put(struct world *world, enum store_table table, const char *id, const char *name,
               struct weft_error *err)
{
    _cleanup_json_ json_t *doc = json_pack("{s:s}", "Name", name);

    return store_put(world->store, table, id, name, doc, err);
}

static int put_endpoint(struct world *world, const char *id, const char *network,
                        const char *sandbox, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = json_pack("{s:s}", "Id", id);

    return store_put_endpoint(world->store, id, network, sandbox, doc, err);
}

static int add_object(void *arg, const json_t *doc, struct weft_error *err)
{
    (void)err;
    strbuf_printf(arg, "%s ", json_string_value(json_object_get(doc, "Name")));
    return 0;
}

static int add_endpoint(void *arg, const char *network, const char *sandbox, const json_t *doc,
                        struct weft_error *err)
{
    (void)err;
    strbuf_printf(arg, "%s(%s,%s) ", json_string_value(json_object_get(doc, "Id")), network,
                  sandbox);
    return 0;
}

static int add_lease(void *arg, const char *network, const struct addr *addr, const char *endpoint,
                     struct weft_error *err)
{
    (void)err;
    strbuf_printf(arg, "%s=%s(%s) ", addr_text(addr), endpoint, network);
    return 0;
}

static int put_publish(struct world *world, const char *sandbox, uint32_t number, const char *port)
{
    struct publish p = {.number = number};

    assert_int_equal(publish_port_parse(port, &p.want.proto, &p.want.port, NULL), 0);
    return store_put_publish(world->store, sandbox, &p, NULL);
}

static int add_publish(void *arg, const char *sandbox, const struct publish *p,
                       struct weft_error *err)
{
    char port[PUBLISH_PORT_TEXT_MAX];

    (void)err;
    strbuf_printf(arg, "%s/%u=%s ", sandbox, p->number,
                  publish_port_format(p->want.proto, p->want.port, port));
    return 0;
}

static void expect_publishes(struct world *world, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    assert_int_equal(store_each_publish(world->store, add_publish, &text, NULL), 0);
    assert_string_equal(strbuf_text(&text), expected);
}

/* Everything that is stored, as text. */
static void expect_contents(struct world *world, const char *expected)
{
    _cleanup_strbuf_ struct strbuf text = {0};

    for (int table = STORE_NETWORK; table <= STORE_CONTAINER; table++) {
        assert_int_equal(store_each(world->store, (enum store_table)table, add_object, &text, NULL),
                         0);
        strbuf_puts(&text, "| ");
    }
    assert_int_equal(store_each_endpoint(world->store, add_endpoint, &text, NULL), 0);
    strbuf_puts(&text, "| ");
    assert_int_equal(store_each_lease(world->store, add_lease, &text, NULL), 0);
    assert_string_equal(strbuf_text(&text), expected);
}

/* Two networks, two sandboxes, three endpoints with leases. */
static void fill(struct world *world)
{
    static const struct {
        const char *id, *network, *sandbox, *addr;
    } endpoints[] = {
        {"e1", "n1", "s1", "10.5.0.2"},
        {"e2", "n2", "s1", "10.6.0.2"},
        {"e3", "n1", "s2", "fd00::3"},
    };

    assert_int_equal(put(world, STORE_NETWORK, "n1", "web", NULL), 0);
    assert_int_equal(put(world, STORE_NETWORK, "n2", "back", NULL), 0);
    assert_int_equal(put(world, STORE_SANDBOX, "s1", "a", NULL), 0);
    assert_int_equal(put(world, STORE_SANDBOX, "s2", "b", NULL), 0);
    assert_int_equal(put(world, STORE_CONTAINER, "s1", "a", NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(endpoints); i++) {
        assert_int_equal(put_endpoint(world, endpoints[i].id, endpoints[i].network,
                                      endpoints[i].sandbox, NULL),
                         0);
        assert_int_equal(store_put_lease(world->store, endpoints[i].network, A(endpoints[i].addr),
                                         endpoints[i].id, NULL),
                         0);
    }
}

static void what_was_put_survives_in_order(void **state)
{
    static const char expected[] = "web back | a b | a | e1(n1,s1) e2(n2,s1) e3(n1,s2) | "
                                   "10.5.0.2=e1(n1) 10.6.0.2=e2(n2) fd00::3=e3(n1) ";
    struct world *world = *state;

    expect_contents(world, "| | | | ");
    fill(world);
    expect_contents(world, expected);
    reopen(world);
    expect_contents(world, expected);
}

static void replacing_keeps_the_place(void **state)
{
    struct world *world = *state;

    fill(world);
    assert_int_equal(put(world, STORE_NETWORK, "n1", "renamed", NULL), 0);
    assert_int_equal(put_endpoint(world, "e1", "n1", "s1", NULL), 0);
    expect_contents(world, "renamed back | a b | a | e1(n1,s1) e2(n2,s1) e3(n1,s2) | "
                           "10.5.0.2=e1(n1) 10.6.0.2=e2(n2) fd00::3=e3(n1) ");
}

static void deleting_takes_along_what_depends(void **state)
{
    struct world *world = *state;

    fill(world);
    assert_int_equal(store_delete(world->store, STORE_NETWORK, "n1", NULL), 0);
    expect_contents(world, "back | a b | a | e2(n2,s1) | 10.6.0.2=e2(n2) ");
    assert_int_equal(store_delete(world->store, STORE_SANDBOX, "s1", NULL), 0);
    expect_contents(world, "back | b | a | | ");
    assert_int_equal(store_delete(world->store, STORE_CONTAINER, "s1", NULL), 0);
    assert_int_equal(store_delete(world->store, STORE_CONTAINER, "missing", NULL), 0);
    expect_contents(world, "back | b | | | ");
}

static void leases_and_endpoints_can_be_deleted(void **state)
{
    struct world *world = *state;

    fill(world);
    assert_int_equal(store_delete_lease(world->store, "n1", A("10.5.0.2"), NULL), 0);
    assert_int_equal(store_delete_lease(world->store, "n1", A("10.5.0.2"), NULL), 0);
    assert_int_equal(store_delete_endpoint(world->store, "e2", NULL), 0);
    assert_int_equal(store_delete_endpoint(world->store, "e2", NULL), 0);
    expect_contents(world, "web back | a b | a | e1(n1,s1) e3(n1,s2) | fd00::3=e3(n1) ");
    assert_int_equal(store_put_lease(world->store, "n1", A("10.5.0.2"), "e3", NULL), 0);
}

static void published_ports_go_with_their_sandbox(void **state)
{
    struct world *world = *state;
    struct publish stray = {.number = 1};
    struct weft_error err = {0};

    fill(world);
    expect_publishes(world, "");
    assert_int_equal(put_publish(world, "s2", 1, "80/tcp"), 0);
    assert_int_equal(put_publish(world, "s1", 10, "82/tcp"), 0);
    assert_int_equal(put_publish(world, "s1", 9, "81/tcp"), 0);
    assert_int_equal(put_publish(world, "s1", UINT32_MAX, "83/udp"), 0);
    expect_publishes(world, "s1/9=81/tcp s1/10=82/tcp s1/4294967295=83/udp s2/1=80/tcp ");
    reopen(world);
    assert_int_equal(put_publish(world, "s1", 9, "84/tcp"), 0);
    assert_int_equal(store_delete_publish(world->store, "s1", 10, NULL), 0);
    assert_int_equal(store_delete_publish(world->store, "s1", 11, NULL), 0);
    expect_publishes(world, "s1/9=84/tcp s1/4294967295=83/udp s2/1=80/tcp ");
    assert_int_equal(put(world, STORE_SANDBOX, "s2", "renamed", NULL), 0);
    assert_int_equal(store_delete(world->store, STORE_SANDBOX, "s1", NULL), 0);
    expect_publishes(world, "s2/1=80/tcp ");
    assert_int_equal(store_put_publish(world->store, "nobody", &stray, &err), -EIO);
    assert_non_null(strstr(err.text, "storing a published port failed"));
}

static int take_publish(void *arg, const char *sandbox, const struct publish *p,
                        struct weft_error *err)
{
    (void)sandbox;
    (void)err;
    *(struct publish *)arg = *p;
    return 0;
}

static void a_published_port_comes_back(void **state)
{
    static const struct publish ports[] = {
        {1,
         {IPPROTO_TCP, 80, {0}, 8080, 8090},
         {{{AF_INET, {0}}, 8081}, {{AF_INET6, {0}}, 8081}},
         2},
        {2, {IPPROTO_UDP, 53, {AF_INET, {127, 0, 0, 1}}, 0, 0}, {{{0}, 0}}, 0},
        {3, {IPPROTO_SCTP, 9, {AF_INET6, {0}}, 9, 9}, {{{AF_INET6, {0}}, 0}}, 1},
        {UINT32_MAX, {IPPROTO_TCP, 65535, {0}, 0, 0}, {{{AF_INET6, {0x20, [15] = 1}}, 65535}}, 1},
    };
    struct world *world = *state;

    fill(world);
    for (size_t i = 0; i < ARRAY_SIZE(ports); i++) {
        const struct publish *p = &ports[i];
        struct publish back = {0};

        assert_int_equal(store_put_publish(world->store, "s1", p, NULL), 0);
        assert_int_equal(store_each_publish(world->store, take_publish, &back, NULL), 0);
        assert_int_equal(store_delete_publish(world->store, "s1", p->number, NULL), 0);
        assert_int_equal(back.number, p->number);
        assert_true(publish_want_equal(&back.want, &p->want));
        assert_int_equal(back.binding_count, p->binding_count);
        for (size_t b = 0; b < p->binding_count; b++) {
            assert_true(addr_equal(&back.bindings[b].host, &p->bindings[b].host));
            assert_int_equal(back.bindings[b].host_port, p->bindings[b].host_port);
        }
    }
}

static void conflicts_are_refused(void **state)
{
    struct world *world = *state;
    struct weft_error err;

    fill(world);
    assert_int_equal(put(world, STORE_NETWORK, "n3", "web", &err), -EEXIST);
    assert_string_equal(err.text, "network name web is already in use");
    assert_int_equal(put(world, STORE_SANDBOX, "s1", "b", &err), -EEXIST);
    assert_string_equal(err.text, "sandbox name b is already in use");
    assert_int_equal(put(world, STORE_CONTAINER, "c", "a", &err), -EEXIST);
    assert_string_equal(err.text, "container name a is already in use");
    assert_int_equal(put_endpoint(world, "e4", "n1", "s1", &err), -EEXIST);
    assert_string_equal(err.text, "sandbox s1 already has an endpoint on network n1");
    assert_int_equal(store_put_lease(world->store, "n1", A("10.5.0.2"), "e3", &err), -EEXIST);
    assert_string_equal(err.text, "address 10.5.0.2 of network n1 is already leased");
    assert_int_equal(err.code, WEFT_CONFLICT);
    assert_int_equal(put_endpoint(world, "e4", "missing", "s1", &err), -EIO);
    assert_int_equal(store_put_lease(world->store, "n1", A("10.5.0.9"), "missing", &err), -EIO);
    assert_int_equal(store_put_lease(world->store, "n2", A("10.5.0.2"), "e2", NULL), 0);
}

static void a_transaction_is_all_or_nothing(void **state)
{
    struct world *world = *state;
    struct weft_error err;

    store_rollback(world->store);
    assert_int_equal(store_begin(world->store, NULL), 0);
    fill(world);
    assert_true(store_begin(world->store, &err) < 0);
    assert_non_null(strstr(err.text, "beginning a transaction failed"));
    store_rollback(world->store);
    store_rollback(world->store);
    expect_contents(world, "| | | | ");
    assert_int_equal(store_begin(world->store, NULL), 0);
    assert_int_equal(put(world, STORE_NETWORK, "n1", "web", NULL), 0);
    assert_int_equal(put(world, STORE_NETWORK, "n2", "web", NULL), -EEXIST);
    assert_int_equal(store_commit(world->store, NULL), 0);
    expect_contents(world, "web | | | | ");
    assert_true(store_commit(world->store, &err) < 0);
    assert_int_equal(store_begin(world->store, NULL), 0);
    assert_int_equal(store_delete(world->store, STORE_NETWORK, "n1", NULL), 0);
    reopen(world); /* as if weftd had died in the middle */
    expect_contents(world, "web | | | | ");
}

static void settings_are_kept(void **state)
{
    struct world *world = *state;
    _cleanup_free_ char *value = NULL, *missing = NULL;

    assert_int_equal(store_put_setting(world->store, "ula_global_id", "old", NULL), 0);
    assert_int_equal(store_put_setting(world->store, "ula_global_id", "123456789a", NULL), 0);
    reopen(world);
    assert_int_equal(store_get_setting(world->store, "ula_global_id", &value, NULL), 0);
    assert_string_equal(value, "123456789a");
    assert_int_equal(store_get_setting(world->store, "missing", &missing, NULL), 0);
    assert_null(missing);
}

static int stop(void *arg, const json_t *doc, struct weft_error *err)
{
    (void)doc;
    ++*(int *)arg;
    return weft_fail(err, WEFT_FORBIDDEN, "enough");
}

static void a_callback_can_stop(void **state)
{
    struct world *world = *state;
    struct weft_error err;
    int calls = 0;

    fill(world);
    assert_int_equal(store_each(world->store, STORE_NETWORK, stop, &calls, &err), -EPERM);
    assert_string_equal(err.text, "enough");
    assert_int_equal(calls, 1);
}

static void a_second_weftd_is_refused(void **state)
{
    struct world *world = *state;
    struct store *second = NULL;
    struct weft_error err;
    _cleanup_free_ char *expected =
        str_printf("state directory %s is in use by weftd (pid %d)", world->dir, (int)getpid());

    assert_int_equal(store_open(world->dir, &second, &err), -EBUSY);
    assert_string_equal(err.text, expected);
    assert_int_equal(err.code, WEFT_CONFLICT);
    assert_int_equal(err.errnum, EBUSY);
    assert_null(second);
    assert_int_equal(store_open(world->dir, &second, NULL), -EBUSY);
}

/* Neither a killed weftd nor a program that it started keeps the lock. */
static void the_lock_ends_with_the_process(void **state)
{
    struct world *world = *state;
    int ready[2], status;
    char c;

    store_close(TAKE_PTR(world->store));
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        (void)alarm(10); /* if the test should fail to kill it */
        if (store_open(world->dir, &world->store, NULL) == 0 && fork() == 0) {
            (void)dup2(ready[1], 0);
            execlp("sh", "sh", "-c", "echo >&0; exec sleep 2 </dev/null >&0 2>&0", (char *)NULL);
        }
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(store_open(world->dir, &world->store, NULL), -EBUSY);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void files_are_private(void **state)
{
    static const char *const names[] = {"weft.db", "weft.db-wal", "weft.lock"};
    struct world *world = *state;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *path = str_printf("%s/%s", world->dir, names[i]);
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
}

static void the_state_directory_is_made(void **state)
{
    struct world *world = *state;
    _cleanup_free_ char *dir = str_printf("%s/a/b", world->dir);
    _cleanup_free_ char *bad = str_printf("%s/weft.lock/c", world->dir);
    struct store *store = NULL;
    struct weft_error err = {0};

    assert_int_equal(store_open(dir, &store, NULL), 0);
    store_close(TAKE_PTR(store));
    assert_true(store_open(bad, &store, &err) < 0);
    assert_non_null(strstr(err.text, "weft.lock"));
    store_close(NULL);
}

static void sql(struct world *world, const char *text)
{
    _cleanup_free_ char *path = str_printf("%s/weft.db", world->dir);
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void bad_published_ports_are_refused(void **state)
{
    static const char *const values[] = {"proto = 1", "host = 'x'", "ipv4 = '300.0.0.1'",
                                         "ipv6 = ':'"};
    struct world *world = *state;

    fill(world);
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        _cleanup_free_ char *damage = str_printf("UPDATE publish SET %s", values[i]);
        struct weft_error err = {0};
        struct publish p;

        assert_int_equal(put_publish(world, "s1", 1, "80/tcp"), 0);
        store_close(TAKE_PTR(world->store));
        sql(world, damage);
        assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
        assert_true(store_each_publish(world->store, take_publish, &p, &err) < 0);
        assert_non_null(strstr(err.text, "weft.db"));
    }
}

static void a_newer_schema_is_refused(void **state)
{
    struct world *world = *state;
    struct weft_error err = {0};

    store_close(TAKE_PTR(world->store));
    sql(world, "PRAGMA user_version = 99");
    assert_int_equal(store_open(world->dir, &world->store, &err), -EOPNOTSUPP);
    assert_non_null(strstr(err.text, "has schema version 99, but this weftd knows only up to 2"));
    assert_null(world->store);
    sql(world, "PRAGMA user_version = 2"); /* nothing else had changed */
    assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
}

static void an_older_schema_is_brought_up(void **state)
{
    struct world *world = *state;

    fill(world);
    store_close(TAKE_PTR(world->store));
    sql(world, "DROP TABLE publish; PRAGMA user_version = 1");
    assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
    assert_int_equal(put_publish(world, "s1", 1, "80/tcp"), 0);
    reopen(world);
    expect_publishes(world, "s1/1=80/tcp ");
}

static void a_damaged_file_is_refused(void **state)
{
    static const char junk[] = "this is not a database, and it is long enough to be looked at, "
                               "because SQLite takes an empty file for a new one .............";
    struct world *world = *state;
    _cleanup_free_ char *path = str_printf("%s/weft.db", world->dir);
    struct weft_error err = {0};

    store_close(TAKE_PTR(world->store));
    assert_int_equal(file_write_atomic(path, junk, sizeof junk, 0600, NULL), 0);
    assert_int_equal(store_open(world->dir, &world->store, &err), -EIO);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "is damaged (file is not a database)"));
}

static void damaged_rows_are_named(void **state)
{
    struct world *world = *state;
    struct strbuf text = {0};
    struct weft_error err = {0};

    fill(world);
    store_close(TAKE_PTR(world->store));
    sql(world, "UPDATE network SET doc = '{'; UPDATE endpoint SET doc = 'x';"
               "UPDATE lease SET address = 'y' WHERE seq = 1");
    assert_int_equal(store_open(world->dir, &world->store, NULL), 0);
    assert_true(store_each(world->store, STORE_NETWORK, add_object, &text, &err) < 0);
    assert_non_null(strstr(err.text, "weft.db: invalid JSON"));
    assert_true(store_each_endpoint(world->store, add_endpoint, &text, &err) < 0);
    assert_non_null(strstr(err.text, "weft.db: invalid JSON"));
    assert_true(store_each_lease(world->store, add_lease, &text, &err) < 0);
    assert_non_null(strstr(err.text, "weft.db: \"y\" is not an IP address"));
    assert_string_equal(strbuf_text(&text), "");
}

#define WORLD_TEST(f) cmocka_unit_test_setup_teardown(f, world_make, world_clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(what_was_put_survives_in_order),
        WORLD_TEST(replacing_keeps_the_place),
        WORLD_TEST(deleting_takes_along_what_depends),
        WORLD_TEST(leases_and_endpoints_can_be_deleted),
        WORLD_TEST(published_ports_go_with_their_sandbox),
        WORLD_TEST(a_published_port_comes_back),
        WORLD_TEST(bad_published_ports_are_refused),
        WORLD_TEST(conflicts_are_refused),
        WORLD_TEST(a_transaction_is_all_or_nothing),
        WORLD_TEST(settings_are_kept),
        WORLD_TEST(a_callback_can_stop),
        WORLD_TEST(a_second_weftd_is_refused),
        WORLD_TEST(the_lock_ends_with_the_process),
        WORLD_TEST(files_are_private),
        WORLD_TEST(the_state_directory_is_made),
        WORLD_TEST(a_newer_schema_is_refused),
        WORLD_TEST(an_older_schema_is_brought_up),
        WORLD_TEST(a_damaged_file_is_refused),
        WORLD_TEST(damaged_rows_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
