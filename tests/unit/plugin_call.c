/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of a plugin that is a server in the test's own loop, so that it is seen what it was asked.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "plugin/plugin.h"

#define MANIFEST "{\"Implements\": [\"NetworkDriver\"]}"

static char root[] = "/tmp/weft-plugin-XXXXXX";

struct client {
    uv_pipe_t pipe;
    struct strbuf in;
};

static struct {
    uv_loop_t loop;
    uv_pipe_t listener;
    bool listening;
    struct plugins *plugins;
    struct strbuf asked; /* the requests' paths, a line each */
    struct strbuf last;  /* the last request, whole */
    const char *manifest, *answer;
    int drops; /* connections to break off */
    size_t clients;
} t;

struct outcome {
    bool done;
    int result;
    char *answer;
    struct weft_error err;
};

/* ---- the plugin ---- */

static void client_closed(uv_handle_t *handle)
{
    struct client *c = handle->data;

    strbuf_free(&c->in);
    free(c);
    t.clients--;
}

static void written(uv_write_t *request, int status _unused_)
{
    free(request->data);
    free(request);
}

static void answer(struct client *c, const char *body)
{
    uv_write_t *request = calloc(1, sizeof *request);
    char *text = str_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    uv_buf_t buf = uv_buf_init(text, (unsigned)strlen(text));

    request->data = text;
    assert_int_equal(uv_write(request, (uv_stream_t *)&c->pipe, &buf, 1, written), 0);
}

/* Requests come whole here: a socket takes as much at once. */
static void serve(struct client *c)
{
    char path[64] = "";

    if (sscanf(strbuf_text(&c->in), "POST /%63s", path) != 1)
        return;
    strbuf_printf(&t.asked, "%s\n", path);
    t.last.len = 0;
    strbuf_puts(&t.last, strbuf_text(&c->in));
    strbuf_free(&c->in);
    if (t.drops > 0) {
        t.drops--;
        uv_close((uv_handle_t *)&c->pipe, client_closed);
        return;
    }
    if (t.answer || str_equal(path, "Plugin.Activate"))
        answer(c, str_equal(path, "Plugin.Activate") ? t.manifest : t.answer);
}

static void allocate(uv_handle_t *handle _unused_, size_t size _unused_, uv_buf_t *buf)
{
    static char memory[65536];

    *buf = uv_buf_init(memory, sizeof memory);
}

static void heard(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct client *c = stream->data;

    if (n < 0) {
        uv_close((uv_handle_t *)stream, client_closed);
        return;
    }
    strbuf_add(&c->in, buf->base, (size_t)n);
    serve(c);
}

static void connected(uv_stream_t *listener, int status)
{
    struct client *c = calloc(1, sizeof *c);

    assert_int_equal(status, 0);
    uv_pipe_init(&t.loop, &c->pipe, 0);
    c->pipe.data = c;
    t.clients++;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&c->pipe), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&c->pipe, allocate, heard), 0);
}

static void listen_at(const char *name)
{
    char path[256];

    (void)snprintf(path, sizeof path, "%s/run/docker/plugins", root);
    assert_int_equal(dir_make(path, 0755, NULL), 0);
    (void)snprintf(path, sizeof path, "%s/run/docker/plugins/%s.sock", root, name);
    uv_pipe_init(&t.loop, &t.listener, 0);
    assert_int_equal(uv_pipe_bind(&t.listener, path), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&t.listener, 8, connected), 0);
    t.listening = true;
}

static void stop_listening(void)
{
    if (t.listening)
        uv_close((uv_handle_t *)&t.listener, NULL);
    t.listening = false;
}

/* ---- the calls ---- */

static int begin(void **state _unused_)
{
    memset(&t, 0, sizeof t);
    t.manifest = MANIFEST;
    t.answer = "{}";
    uv_loop_init(&t.loop);
    assert_int_equal(dir_make(root, 0755, NULL), 0);
    return plugins_new(&t.loop, root, &t.plugins, NULL);
}

static void close_handle(uv_handle_t *handle, void *arg _unused_)
{
    if (!uv_is_closing(handle))
        uv_close(handle, handle == (uv_handle_t *)&t.listener ? NULL : client_closed);
}

static int end(void **state _unused_)
{
    plugins_free(t.plugins);
    uv_walk(&t.loop, close_handle, NULL);
    uv_run(&t.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&t.loop), 0);
    assert_int_equal(t.clients, 0);
    strbuf_free(&t.asked);
    strbuf_free(&t.last);
    return dir_remove(root, NULL);
}

static void done(void *arg, int result, const json_t *value, const struct weft_error *err)
{
    struct outcome *o = arg;

    assert_false(o->done);
    assert_true((result == 0) == (value != NULL));
    assert_true((result < 0) == (err != NULL));
    o->done = true;
    o->result = result;
    o->answer = value ? json_text(value) : NULL;
    if (err)
        o->err = *err;
}

static struct plugin_call *call(const char *method, const json_t *body, unsigned patience,
                                struct outcome *o)
{
    struct plugin_request request = {.plugin = "p",
                                     .subsystem = "NetworkDriver",
                                     .method = method,
                                     .body = body,
                                     .patience = patience};
    struct plugin_call *ret = NULL;

    memset(o, 0, sizeof *o);
    assert_int_equal(plugin_call(t.plugins, &request, done, o, &ret, NULL), 0);
    assert_false(o->done);
    return ret;
}

static void wait_for(struct outcome *o)
{
    while (!o->done)
        uv_run(&t.loop, UV_RUN_ONCE);
    free(o->answer);
}

static void wake_up(uv_timer_t *timer _unused_)
{
}

static void run_for(unsigned ms)
{
    uv_timer_t timer;
    uint64_t until;

    uv_update_time(&t.loop);
    until = uv_now(&t.loop) + ms;
    uv_timer_init(&t.loop, &timer);
    uv_timer_start(&timer, wake_up, ms, 0);
    while (uv_now(&t.loop) < until)
        uv_run(&t.loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&t.loop, UV_RUN_NOWAIT);
}

static void assert_says(const struct outcome *o, const char *says)
{
    if (!strstr(o->err.text, says))
        assert_string_equal(o->err.text, says);
}

static void test_request(void **state _unused_)
{
    _cleanup_json_ json_t *body = json_pack("{s:s}", "NetworkID", "n1");
    struct outcome o;

    listen_at("p");
    (void)call("CreateNetwork", body, 0, &o);
    wait_for(&o);
    assert_int_equal(o.result, 0);
    assert_string_equal(strbuf_text(&t.asked), "Plugin.Activate\nNetworkDriver.CreateNetwork\n");
    assert_non_null(strstr(strbuf_text(&t.last), "Accept: " PLUGIN_MIMETYPE "\r\n"));
    assert_non_null(strstr(strbuf_text(&t.last), "Content-Type: " PLUGIN_MIMETYPE "\r\n"));
    assert_non_null(strstr(strbuf_text(&t.last), "\r\n\r\n{\"NetworkID\":\"n1\"}"));
    assert_null(strstr(strbuf_text(&t.last), "Expect"));
}

static void test_activated_once(void **state _unused_)
{
    struct outcome outcomes[3], later;

    listen_at("p");
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
        (void)call("Leave", NULL, 0, &outcomes[i]);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
        wait_for(&outcomes[i]);
        assert_int_equal(outcomes[i].result, 0);
    }
    (void)call("Join", NULL, 0, &later);
    wait_for(&later);
    assert_string_equal(strbuf_text(&t.asked),
                        "Plugin.Activate\nNetworkDriver.Leave\nNetworkDriver.Leave\n"
                        "NetworkDriver.Leave\nNetworkDriver.Join\n");
}

/* Those that wait for an activation that fails try it themselves. */
static void test_bad_manifest(void **state _unused_)
{
    struct outcome a, b;

    t.manifest = "{\"Implements\": [1]}";
    listen_at("p");
    (void)call("Join", NULL, 0, &a);
    (void)call("Join", NULL, 0, &b);
    wait_for(&a);
    t.manifest = MANIFEST;
    wait_for(&b);
    assert_true(a.result < 0);
    assert_int_equal(a.err.code, WEFT_INTERNAL);
    assert_says(&a, "plugin p: NetworkDriver.Join: Plugin.Activate: ");
    assert_int_equal(b.result, 0);
}

static void test_other_subsystem(void **state _unused_)
{
    struct outcome o;

    t.manifest = "{\"Implements\": [\"VolumeDriver\"]}";
    listen_at("p");
    (void)call("Join", NULL, 0, &o);
    wait_for(&o);
    assert_int_equal(o.err.code, WEFT_INVALID);
    assert_says(&o, "plugin p is no NetworkDriver");
    assert_string_equal(strbuf_text(&t.asked), "Plugin.Activate\n");
}

static void test_absent(void **state _unused_)
{
    struct outcome o;

    (void)call("Join", NULL, 0, &o);
    wait_for(&o);
    assert_int_equal(o.result, -ENOENT);
    assert_says(&o, "plugin p not found");
}

static void test_comes_late(void **state _unused_)
{
    struct outcome o;

    (void)call("Join", NULL, 5000, &o);
    run_for(300);
    assert_false(o.done);
    listen_at("p");
    wait_for(&o);
    assert_int_equal(o.result, 0);
}

static void test_refuses(void **state _unused_)
{
    struct outcome o;
    char path[64], kept[64];

    listen_at("p");
    /* The socket's file outlives who listened at it, as when a plugin is killed. */
    (void)snprintf(path, sizeof path, "%s/run/docker/plugins/p.sock", root);
    (void)snprintf(kept, sizeof kept, "%s/run/docker/plugins/kept", root);
    assert_int_equal(rename(path, kept), 0);
    stop_listening();
    uv_run(&t.loop, UV_RUN_NOWAIT);
    assert_int_equal(rename(kept, path), 0);
    (void)call("Join", NULL, 1500, &o);
    wait_for(&o);
    assert_int_equal(o.result, -EHOSTUNREACH);
    assert_says(&o, "plugin p: NetworkDriver.Join: ");
    assert_says(&o, "cannot be reached at ");
}

/* One that breaks off before it answers is asked again. */
static void test_drops(void **state _unused_)
{
    struct outcome o;

    listen_at("p");
    (void)call("Join", NULL, 0, &o);
    wait_for(&o);
    t.drops = 1;
    (void)call("Leave", NULL, 5000, &o);
    wait_for(&o);
    assert_int_equal(o.result, 0);
    t.drops = 1000;
    (void)call("Leave", NULL, 0, &o);
    wait_for(&o);
    assert_int_equal(o.result, -EHOSTUNREACH);
}

static void test_cancel(void **state _unused_)
{
    struct outcome o, other;
    struct plugin_call *c;

    listen_at("p");
    t.answer = NULL; /* never */
    plugin_call_cancel(call("Join", NULL, 0, &o));
    c = call("Join", NULL, 0, &o);
    run_for(100);
    plugin_call_cancel(c);
    run_for(50);
    assert_false(o.done);
    t.answer = "{}";
    (void)call("Leave", NULL, 0, &other);
    wait_for(&other);
    assert_int_equal(other.result, 0);
    assert_false(o.done);
}

/* The one that activates goes: those that wait for it do not wait for ever. */
static void test_cancel_activation(void **state _unused_)
{
    struct outcome first, second;
    struct plugin_call *c;

    listen_at("p");
    c = call("Join", NULL, 0, &first);
    (void)call("Leave", NULL, 0, &second);
    uv_run(&t.loop, UV_RUN_NOWAIT);
    plugin_call_cancel(c);
    wait_for(&second);
    assert_int_equal(second.result, 0);
    assert_false(first.done);
}

/* What is under way when weftd ends. */
static void test_freed(void **state _unused_)
{
    static struct outcome outcomes[3];

    listen_at("p");
    t.answer = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
        (void)call("Join", NULL, 30000, &outcomes[i]);
    run_for(100);
    plugins_free(TAKE_PTR(t.plugins));
    run_for(50);
    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
        assert_false(outcomes[i].done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request, begin, end),
        cmocka_unit_test_setup_teardown(test_activated_once, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_manifest, begin, end),
        cmocka_unit_test_setup_teardown(test_other_subsystem, begin, end),
        cmocka_unit_test_setup_teardown(test_absent, begin, end),
        cmocka_unit_test_setup_teardown(test_comes_late, begin, end),
        cmocka_unit_test_setup_teardown(test_refuses, begin, end),
        cmocka_unit_test_setup_teardown(test_drops, begin, end),
        cmocka_unit_test_setup_teardown(test_cancel, begin, end),
        cmocka_unit_test_setup_teardown(test_cancel_activation, begin, end),
        cmocka_unit_test_setup_teardown(test_freed, begin, end),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(root))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
