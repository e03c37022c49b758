/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A host of the program's own, to run real containers on under runc and conmon. Needs root;
 * everything is made in a network and mount namespace and under a temporary directory. To be
 * included behind cmocka.h.
 */

#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "container/log.h"
#include "container/runtime.h"

#define PATIENCE_MS 20000

static char top[PATH_MAX] = "/tmp/weft-runtime-XXXXXX";
static char run_dir[PATH_MAX + 8], state_dir[PATH_MAX + 8];
static char netns[PATH_MAX + 8]; /* the containers' */

/* ---- one host ---- */

struct host {
    uv_loop_t loop;
    struct runtime *rt;
    uv_timer_t patience;
    bool late;
    struct done {
        bool called;
        int result;
        struct weft_error err;
    } done;
    struct end {
        char id[ID_TEXT_MAX];
        int count, code;
        int64_t finished;
    } end;
    bool exec_ended;
    int exec_code;
};

static inline void on_exit_of(void *arg, const char *id, int code, int64_t finished)
{
    struct host *h = arg;

    assert_int_equal(str_copy(h->end.id, sizeof h->end.id, id), 0);
    h->end.count++;
    h->end.code = code;
    h->end.finished = finished;
}

static inline void on_done(void *arg, int result, const struct weft_error *err)
{
    struct host *h = arg;

    assert_false(h->done.called);
    h->done.called = true;
    h->done.result = result;
    if (err)
        h->done.err = *err;
}

static inline void on_late(uv_timer_t *timer)
{
    struct host *h = timer->data;

    h->late = true;
}

#define wait_until(h, condition)                                                                   \
    do {                                                                                           \
        (h)->late = false;                                                                         \
        uv_timer_start(&(h)->patience, on_late, PATIENCE_MS, 0);                                   \
        while (!(condition) && !(h)->late)                                                         \
            uv_run(&(h)->loop, UV_RUN_ONCE);                                                       \
        uv_timer_stop(&(h)->patience);                                                             \
        if (!(condition))                                                                          \
            fail_msg("waited in vain for %s", #condition);                                         \
    } while (0)

static inline void host_open(struct host *h)
{
    const struct runtime_config config = {run_dir, state_dir, "runc", NULL};
    struct weft_error err = {0};

    memset(h, 0, sizeof *h);
    assert_int_equal(uv_loop_init(&h->loop), 0);
    uv_timer_init(&h->loop, &h->patience);
    h->patience.data = h;
    if (runtime_new(&h->loop, &config, on_exit_of, h, &h->rt, &err) < 0)
        fail_msg("%s", err.text);
}

static inline void host_close(struct host *h)
{
    runtime_free(h->rt);
    uv_close((uv_handle_t *)&h->patience, NULL);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&h->loop), 0);
}

/* What a killed weftd's successor starts with. */
static inline void host_restart(struct host *h)
{
    host_close(h);
    host_open(h);
}

/* ---- one container ---- */

static inline struct container *container_new(const char *body)
{
    _cleanup_json_ json_t *doc = NULL;
    struct container *c = NULL;
    struct weft_error err = {0};

    if (json_parse(body, strlen(body), &doc, &err) < 0 || container_from_json(doc, &c, &err) < 0)
        fail_msg("%s", err.text);
    id_generate(c->id);
    c->name = strdup("test");
    return c;
}

static inline struct container *sh(const char *script)
{
    _cleanup_json_ json_t *doc = json_pack("{s:[s,s,s]}", "Cmd", "sh", "-c", script);
    _cleanup_free_ char *body = json_text(doc);

    return container_new(body);
}

static const struct runtime_network network = {
    .netns = netns,
    .hosts = "127.0.0.1 localhost\n192.0.2.7 peer\n",
    .resolv_conf = "nameserver 127.0.0.11\n",
    .hostname = "webhost",
};

static inline int start_on(struct host *h, const struct container *c,
                           const struct runtime_network *net)
{
    struct weft_error err = {0};

    memset(&h->done, 0, sizeof h->done);
    memset(&h->end, 0, sizeof h->end);
    if (runtime_start(h->rt, c, net, on_done, h, &err) < 0) {
        h->done.err = err;
        return -err.errnum;
    }
    wait_until(h, h->done.called);
    return h->done.result;
}

static inline int start(struct host *h, const struct container *c)
{
    return start_on(h, c, &network);
}

static inline void must_start(struct host *h, const struct container *c)
{
    if (start(h, c) < 0)
        fail_msg("%s", h->done.err.text);
}

static inline void release(struct host *h, const struct container *c)
{
    struct weft_error err = {0};

    memset(&h->done, 0, sizeof h->done);
    if (runtime_release(h->rt, c, on_done, h, &err) < 0)
        fail_msg("%s", err.text);
    wait_until(h, h->done.called);
    if (h->done.result < 0)
        fail_msg("%s", h->done.err.text);
}

static inline bool exists(const char *fmt, const char *dir, const char *id)
{
    _cleanup_free_ char *path = str_printf("%s/%s/%s", dir, fmt, id);

    return access(path, F_OK) == 0;
}

/* Nothing of it is left anywhere. */
static inline void must_be_gone(const char *id)
{
    _cleanup_free_ char *mounts = NULL, *cgroups = str_printf("/sys/fs/cgroup/*/weft/%s", id);
    glob_t found = {0};

    assert_int_equal(glob(cgroups, 0, NULL, &found), GLOB_NOMATCH);
    globfree(&found);
    assert_false(exists("containers", run_dir, id));
    assert_false(exists("runc", run_dir, id));
    assert_false(exists("exits", run_dir, id));
    assert_int_equal(file_read("/proc/self/mounts", 1 << 20, &mounts, NULL, NULL), 0);
    assert_null(strstr(mounts, id));
}

static inline void done_with(struct host *h, struct container *c)
{
    struct weft_error err = {0};

    release(h, c);
    if (runtime_remove(h->rt, c->id, &err) < 0)
        fail_msg("%s", err.text);
    must_be_gone(c->id);
    assert_false(exists("layers", run_dir, c->id));
    assert_false(exists("containers", state_dir, c->id));
    container_free(c);
}

static inline void never(void *arg)
{
    (void)arg;
}

/* The log as text; for the caller to free. */
static inline char *log_text(struct host *h, const struct container *c)
{
    const struct log_options options = {.out = true, .err = true, .tail = -1};
    _cleanup_free_ char *path = str_printf("%s/containers/%s/log", state_dir, c->id);
    struct strbuf text = {0};
    struct log_reader *r;
    struct weft_error err = {0};

    if (log_reader_open(&h->loop, path, &options, never, NULL, &r, &err) < 0)
        fail_msg("%s", err.text);
    while (log_reader_read(r, 65536, &text) > 0)
        ;
    log_reader_free(r);
    return strbuf_take(&text);
}

static inline void must_have_logged(struct host *h, const struct container *c, const char *want)
{
    _cleanup_free_ char *text = log_text(h, c);

    assert_string_equal(text, want);
}

/* ---- before and after the tests ---- */

/* Mounts a new network namespace. */
static inline int make_netns(void)
{
    _cleanup_close_ int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (host < 0 || file_write_in_place(netns, "", 0, 0600, NULL) < 0 || unshare(CLONE_NEWNET) < 0)
        return -1;
    return mount("/proc/self/ns/net", netns, NULL, MS_BIND, NULL) < 0 ? -1
                                                                      : setns(host, CLONE_NEWNET);
}

static inline int make_host(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mkdtemp(top))
        return -1;
    snprintf(run_dir, sizeof run_dir, "%s/run", top);
    snprintf(state_dir, sizeof state_dir, "%s/state", top);
    snprintf(netns, sizeof netns, "%s/netns", top);
    return dir_make(run_dir, 0700, NULL) < 0 ? -1 : make_netns();
}

static inline int remove_host(void **state)
{
    _cleanup_free_ char *layers = str_printf("%s/layers", run_dir);

    (void)state;
    (void)umount2(layers, MNT_DETACH);
    (void)umount2(netns, MNT_DETACH);
    return dir_remove(top, NULL);
}
