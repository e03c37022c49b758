/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs real containers under runc and conmon. Needs root; everything is made in a network and mount
 * namespace of the program's own and under a temporary directory.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "container/exec.h"
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

static void on_exit_of(void *arg, const char *id, int code, int64_t finished)
{
    struct host *h = arg;

    assert_int_equal(str_copy(h->end.id, sizeof h->end.id, id), 0);
    h->end.count++;
    h->end.code = code;
    h->end.finished = finished;
}

static void on_done(void *arg, int result, const struct weft_error *err)
{
    struct host *h = arg;

    assert_false(h->done.called);
    h->done.called = true;
    h->done.result = result;
    if (err)
        h->done.err = *err;
}

static void on_exec_exit(void *arg, int code)
{
    struct host *h = arg;

    h->exec_ended = true;
    h->exec_code = code;
}

static void on_late(uv_timer_t *timer)
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

static void host_open(struct host *h)
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

static void host_close(struct host *h)
{
    runtime_free(h->rt);
    uv_close((uv_handle_t *)&h->patience, NULL);
    uv_run(&h->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&h->loop), 0);
}

/* What a killed weftd's successor starts with. */
static void host_restart(struct host *h)
{
    host_close(h);
    host_open(h);
}

/* ---- one container ---- */

static struct container *container_new(const char *body)
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

static struct container *sh(const char *script)
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

static int start_on(struct host *h, const struct container *c, const struct runtime_network *net)
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

static int start(struct host *h, const struct container *c)
{
    return start_on(h, c, &network);
}

static void must_start(struct host *h, const struct container *c)
{
    if (start(h, c) < 0)
        fail_msg("%s", h->done.err.text);
}

static void release(struct host *h, const struct container *c)
{
    struct weft_error err = {0};

    memset(&h->done, 0, sizeof h->done);
    if (runtime_release(h->rt, c, on_done, h, &err) < 0)
        fail_msg("%s", err.text);
    wait_until(h, h->done.called);
    if (h->done.result < 0)
        fail_msg("%s", h->done.err.text);
}

static bool exists(const char *fmt, const char *dir, const char *id)
{
    _cleanup_free_ char *path = str_printf("%s/%s/%s", dir, fmt, id);

    return access(path, F_OK) == 0;
}

/* Nothing of it is left anywhere. */
static void must_be_gone(const char *id)
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

/* Killed; whoever has to reap it may take a moment. */
static void must_end(pid_t pid)
{
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
        usleep(10000);
    assert_int_not_equal(kill(pid, 0), 0);
}

static void done_with(struct host *h, struct container *c)
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

static void never(void *arg)
{
    (void)arg;
}

/* The log as text; for the caller to free. */
static char *log_text(struct host *h, const struct container *c)
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

static void must_have_logged(struct host *h, const struct container *c, const char *want)
{
    _cleanup_free_ char *text = log_text(h, c);

    assert_string_equal(text, want);
}

/* Runs a script to its end. */
static struct container *run(struct host *h, const char *script)
{
    struct container *c = sh(script);

    must_start(h, c);
    wait_until(h, h->end.count > 0);
    assert_string_equal(h->end.id, c->id);
    return c;
}

/* ---- tests ---- */

static void test_exit_code_and_log(void **state)
{
    struct host h;
    struct container *c;

    (void)state;
    host_open(&h);
    c = run(&h, "echo out; echo err >&2; printf unfinished; exit 7");
    assert_int_equal(h.end.code, 7);
    assert_true(llabs(h.end.finished - (int64_t)time(NULL) * 1000000000) < 5000000000);
    {
        _cleanup_free_ char *text = log_text(&h, c);

        assert_non_null(strstr(text, "out\n"));
        assert_non_null(strstr(text, "err\n"));
        assert_non_null(strstr(text, "unfinished"));
    }
    done_with(&h, c);
    host_close(&h);
}

static void test_surroundings(void **state)
{
    struct host h;
    struct container *c;

    (void)state;
    host_open(&h);
    c = run(&h, "hostname; cat /etc/hostname /etc/resolv.conf; grep peer /etc/hosts; id -u; pwd;"
                "echo $HOSTNAME $HOME $$; touch /written && echo written;"
                "cat /proc/sys/net/ipv4/ip_unprivileged_port_start;"
                "test -w /proc/sys/kernel/hostname || echo ro");
    must_have_logged(&h, c,
                     "webhost\nwebhost\nnameserver 127.0.0.11\n192.0.2.7 peer\n0\n/\n"
                     "webhost /root 1\nwritten\n0\nro\n");
    assert_int_not_equal(access("/written", F_OK), 0);
    done_with(&h, c);
    host_close(&h);
}

static void test_host_network(void **state)
{
    const struct runtime_network host_network = {.hosts = "", .resolv_conf = "", .hostname = "me"};
    struct host h;
    struct container *c = sh("readlink /proc/self/ns/net; hostname");
    char link[64] = "", want[128];

    (void)state;
    host_open(&h);
    assert_true(readlink("/proc/self/ns/net", link, sizeof link - 1) > 0);
    snprintf(want, sizeof want, "%s\nme\n", link);
    if (start_on(&h, c, &host_network) < 0)
        fail_msg("%s", h.done.err.text);
    wait_until(&h, h.end.count > 0);
    must_have_logged(&h, c, want);
    done_with(&h, c);
    host_close(&h);
}

static void on_done_count(void *arg, int result, const struct weft_error *err)
{
    if (result < 0)
        fail_msg("%s", err->text);
    ++*(int *)arg;
}

static void test_many_at_once(void **state)
{
    enum { COUNT = 8 };
    struct container *containers[COUNT];
    struct host h;
    struct weft_error err = {0};
    int started = 0, released = 0;

    (void)state;
    host_open(&h);
    for (int i = 0; i < COUNT; i++) {
        containers[i] = sh("exit 1");
        if (runtime_start(h.rt, containers[i], &network, on_done_count, &started, &err) < 0)
            fail_msg("%s", err.text);
    }
    wait_until(&h, started == COUNT && h.end.count == COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(runtime_release(h.rt, containers[i], on_done_count, &released, &err), 0);
    wait_until(&h, released == COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(runtime_remove(h.rt, containers[i]->id, &err), 0);
        must_be_gone(containers[i]->id);
        container_free(containers[i]);
    }
    host_close(&h);
}

/* The writable layer is the container's for as long as it exists. */
static void test_second_start(void **state)
{
    struct host h;
    struct container *c;

    (void)state;
    host_open(&h);
    c = run(&h, "cat /kept 2>/dev/null || echo first >/kept");
    release(&h, c);
    /* A weftd that dies before it has remembered the end must learn of it from here. */
    assert_true(exists("exits", run_dir, c->id));
    assert_int_equal(runtime_forget_exit(h.rt, c->id, NULL), 0);
    must_be_gone(c->id);
    assert_true(exists("layers", run_dir, c->id));
    must_start(&h, c);
    wait_until(&h, h.end.count > 0);
    must_have_logged(&h, c, "first\n");
    done_with(&h, c);
    host_close(&h);
}

static void test_rootfs_and_binds(void **state)
{
    _cleanup_free_ char *root = str_printf("%s/root", top), *bin = str_printf("%s/bin", root);
    _cleanup_free_ char *data = str_printf("%s/data", top), *body = NULL, *copy = NULL;
    struct host h;
    struct container *c;
    struct weft_error err = {0};

    (void)state;
    host_open(&h);
    assert_int_equal(dir_make(bin, 0755, &err), 0);
    assert_int_equal(file_read("/bin/busybox", 1 << 24, &copy, NULL, &err), 0);
    body = str_printf("cp /bin/busybox %s/busybox && ln -sf busybox %s/sh", bin, bin);
    assert_int_equal(system(body), 0);
    free(TAKE_PTR(body));
    body = str_printf("{\"Cmd\":[\"sh\",\"-c\",\"echo x >/data/x; echo y 2>/dev/null >/ro/y || "
                      "busybox ls /; busybox cat /ro/x\"],"
                      "\"HostConfig\":{\"Annotations\":{\"weft.rootfs\":\"%s\"},"
                      "\"Binds\":[\"%s:/data\",\"%s:/ro:ro\"]}}",
                      root, data, data);
    c = container_new(body);
    must_start(&h, c);
    wait_until(&h, h.end.count > 0);
    must_have_logged(&h, c, "bin\ndata\ndev\netc\nproc\nro\nsys\nx\n");
    done_with(&h, c);
    assert_int_equal(access(bin, F_OK), 0);
    host_close(&h);
}

static void test_signals(void **state)
{
    struct host h;
    struct container *c = sh("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
    struct weft_error err = {0};

    (void)state;
    host_open(&h);
    must_start(&h, c);
    assert_int_equal(kill(h.done.result, 0), 0);
    for (int i = 0; i < 100; i++) {
        _cleanup_free_ char *text = log_text(&h, c);

        if (strstr(text, "ready"))
            break;
        usleep(50000);
    }
    assert_int_equal(runtime_signal(h.rt, c, SIGTERM, &err), 0);
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 5);
    assert_int_equal(runtime_signal(h.rt, c, SIGTERM, &err), -ESRCH);
    release(&h, c);

    must_start(&h, c);
    assert_int_equal(runtime_signal(h.rt, c, SIGKILL, &err), 0);
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 137);
    done_with(&h, c);
    host_close(&h);
}

static void must_fail_to_start(const char *body, enum weft_code code, const char *reason)
{
    struct host h;
    struct container *c = container_new(body);

    host_open(&h);
    assert_true(start(&h, c) < 0);
    if (!strstr(h.done.err.text, reason) || strchr(h.done.err.text, '\n'))
        fail_msg("\"%s\" where \"%s\" was expected", h.done.err.text, reason);
    assert_int_equal(h.done.err.code, code);
    assert_int_equal(h.end.count, 0);
    must_be_gone(c->id);
    assert_int_equal(runtime_remove(h.rt, c->id, NULL), 0);
    container_free(c);
    host_close(&h);
}

static void test_failures(void **state)
{
    (void)state;
    must_fail_to_start("{\"Cmd\":[\"no-such-command\"]}", WEFT_INVALID,
                       "container: exec: \"no-such-command\": executable file not found in $PATH");
    must_fail_to_start("{\"Cmd\":[\"/no/such\"]}", WEFT_INVALID, "no such file or directory");
    must_fail_to_start("{\"Cmd\":[\"/etc/passwd\"]}", WEFT_INVALID, "permission denied");
    must_fail_to_start("{\"Cmd\":[\"true\"],\"User\":\"foo\"}", WEFT_INVALID,
                       "unable to find user foo: no matching entries in passwd file");
    must_fail_to_start("{\"Cmd\":[\"true\"],\"HostConfig\":{\"Runtime\":\"runx\"}}", WEFT_INVALID,
                       "runtime runx not found");
    must_fail_to_start("{\"Cmd\":[\"true\"],\"HostConfig\":{\"Sysctls\":{\"net.no.such\":\"1\"}}}",
                       WEFT_INTERNAL, "no such file or directory");
}

/* ---- restarts ---- */

static pid_t read_conmon_pid(const struct container *c)
{
    _cleanup_free_ char *path = str_printf("%s/containers/%s/conmon.pid", run_dir, c->id);
    _cleanup_free_ char *text = NULL;

    assert_int_equal(file_read(path, 32, &text, NULL, NULL), 0);
    return (pid_t)atoi(text);
}

static void test_resume(void **state)
{
    struct host h;
    struct container *c = sh("sleep 0.7; echo late; exit 3");
    struct weft_error err = {0};
    int64_t finished = 0;
    int code = -1;
    pid_t pid = 0, started;

    (void)state;
    host_open(&h);
    must_start(&h, c);
    started = h.done.result;
    host_restart(&h);
    assert_int_equal(runtime_resume(h.rt, c, &pid, &code, &finished), 1);
    assert_int_equal(pid, started);
    assert_int_equal(runtime_signal(h.rt, c, SIGCONT, &err), 0);
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 3);
    must_have_logged(&h, c, "late\n");
    done_with(&h, c);
    host_close(&h);
}

/* No more is shared with weftd than a process that may be killed at any time can bear. */
static void test_weftd_killed(void **state)
{
    struct host h;
    struct container *c = sh("sleep 0.5; echo late; exit 3");
    int64_t finished = 0;
    int code = -1, status;
    pid_t pid = 0, weftd = fork();

    (void)state;
    if (weftd == 0) {
        host_open(&h);
        must_start(&h, c);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(weftd, &status, 0), weftd);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    host_open(&h);
    assert_int_equal(runtime_resume(h.rt, c, &pid, &code, &finished), 1);
    assert_int_equal(getsid(read_conmon_pid(c)), read_conmon_pid(c));
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 3);
    must_have_logged(&h, c, "late\n");
    done_with(&h, c);
    host_close(&h);
}

static void test_resume_ended(void **state)
{
    struct host h;
    struct container *c = sh("sleep 0.2; exit 3");
    int64_t finished = 0;
    int code = -1;
    pid_t pid = 0;

    (void)state;
    host_open(&h);
    must_start(&h, c);
    host_close(&h);
    usleep(800000);
    host_open(&h);
    assert_int_equal(runtime_resume(h.rt, c, &pid, &code, &finished), 0);
    assert_int_equal(code, 3);
    assert_true(finished > 0);
    done_with(&h, c);
    host_close(&h);
}

/* Its conmon dies: while weftd watches, and while it is away. */
static void test_conmon_killed(void **state)
{
    struct host h;
    struct container *c = sh("sleep 60");
    int64_t finished = 0;
    int code = -1;
    pid_t pid = 0;

    (void)state;
    host_open(&h);
    must_start(&h, c);
    pid = h.done.result;
    assert_int_equal(kill(read_conmon_pid(c), SIGKILL), 0);
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 137);
    release(&h, c);
    must_end(pid);

    must_start(&h, c);
    pid = h.done.result;
    host_close(&h);
    assert_int_equal(kill(read_conmon_pid(c), SIGKILL), 0);
    usleep(100000);
    host_open(&h);
    assert_int_equal(runtime_resume(h.rt, c, &pid, &code, &finished), 0);
    assert_int_equal(code, 137);
    assert_int_equal(kill(pid, 0), 0);
    done_with(&h, c);
    must_end(pid);
    host_close(&h);
}

/* A pid file that names some other process. */
static void test_reused_pid(void **state)
{
    struct host h;
    struct container *c = sh("sleep 60");
    _cleanup_free_ char *path = str_printf("%s/containers/%s/conmon.pid", run_dir, c->id);
    int64_t finished = 0;
    int code = -1;
    pid_t pid = 0;
    char own[16];

    (void)state;
    host_open(&h);
    must_start(&h, c);
    assert_int_equal(kill(read_conmon_pid(c), SIGKILL), 0);
    host_close(&h);
    snprintf(own, sizeof own, "%d", getpid());
    assert_int_equal(file_write_in_place(path, own, strlen(own), 0600, NULL), 0);
    host_open(&h);
    assert_int_equal(runtime_resume(h.rt, c, &pid, &code, &finished), 0);
    assert_int_equal(code, 137);
    done_with(&h, c);
    host_close(&h);
}

static void test_sweep(void **state)
{
    struct host h;
    struct container *kept = sh("sleep 0.8; exit 4"), *lost = sh("sleep 60");
    char *ids[] = {kept->id, NULL};
    struct weft_error err = {0};
    int64_t finished;
    int code;
    pid_t pid, lost_pid;

    (void)state;
    host_open(&h);
    must_start(&h, kept);
    must_start(&h, lost);
    lost_pid = h.done.result;
    host_restart(&h);
    assert_int_equal(runtime_resume(h.rt, kept, &pid, &code, &finished), 1);
    if (runtime_sweep(h.rt, ids, &err) < 0)
        fail_msg("%s", err.text);
    must_be_gone(lost->id);
    must_end(lost_pid);
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 4);
    assert_string_equal(h.end.id, kept->id);
    done_with(&h, kept);
    assert_int_equal(runtime_remove(h.rt, lost->id, &err), 0);
    container_free(lost);
    host_close(&h);
}

/* weftd goes away in the middle of a start. */
static void test_sweep_half_started(void **state)
{
    static const useconds_t pauses[] = {1000, 10000, 30000, 60000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        struct host h;
        struct container *c = sh("sleep 60");
        struct weft_error err = {0};
        char *none[] = {NULL};

        host_open(&h);
        assert_int_equal(runtime_start(h.rt, c, &network, on_done, &h, &err), 0);
        usleep(pauses[i]);
        host_restart(&h);
        if (runtime_sweep(h.rt, none, &err) < 0)
            fail_msg("%s", err.text);
        usleep(200000); /* what is still under way may leave something behind */
        if (runtime_sweep(h.rt, none, &err) < 0)
            fail_msg("%s", err.text);
        must_be_gone(c->id);
        assert_int_equal(runtime_remove(h.rt, c->id, &err), 0);
        container_free(c);
        host_close(&h);
    }
}

/* ---- exec ---- */

/* Reads what the other end has until its end, while the loop runs. */
static char *drain(struct host *h, int fd, size_t *ret_len)
{
    struct strbuf text = {0};
    char chunk[65536];

    for (int64_t deadline = (int64_t)time(NULL) + 20; time(NULL) < deadline;) {
        ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);

        if (n > 0)
            strbuf_add(&text, chunk, (size_t)n);
        else if (n == 0)
            break;
        uv_run(&h->loop, UV_RUN_NOWAIT);
        if (n < 0)
            poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5);
    }
    *ret_len = text.len;
    return strbuf_take(&text);
}

static struct exec *exec_sh(struct host *h, const struct container *c, const char *body,
                            int *ret_fd)
{
    _cleanup_json_ json_t *doc = NULL;
    struct exec_config config;
    struct exec *x;
    struct weft_error err = {0};
    int fds[2] = {-1, -1};

    if (json_parse(body, strlen(body), &doc, &err) < 0 ||
        exec_config_from_json(doc, &config, &err) < 0)
        fail_msg("%s", err.text);
    if (ret_fd)
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    h->exec_ended = false;
    if (exec_start(h->rt, c, &config, fds[0], on_exec_exit, h, &x, &err) < 0)
        fail_msg("%s", err.text);
    exec_config_clear(&config);
    if (ret_fd)
        *ret_fd = fds[1];
    return x;
}

static void must_exec(struct host *h, const struct container *c, const char *body, int code,
                      const char *want, size_t want_len)
{
    _cleanup_free_ char *got = NULL;
    size_t len;
    int fd;

    exec_sh(h, c, body, &fd);
    got = drain(h, fd, &len);
    wait_until(h, h->exec_ended);
    close(fd);
    assert_int_equal(h->exec_code, code);
    if (want) {
        assert_int_equal(len, want_len);
        assert_memory_equal(got, want, want_len);
    }
}

static void test_exec(void **state)
{
    static const char out[] = "\1\0\0\0\0\0\0\4out\n\2\0\0\0\0\0\0\4err\n";
    static const char user[] = "\1\0\0\0\0\0\0\x12"
                               "65534 /usr v w TH\n";
    struct host h;
    struct container *c = sh("sleep 60");
    struct weft_error err = {0};

    (void)state;
    host_open(&h);
    must_start(&h, c);
    must_exec(&h, c,
              "{\"Cmd\":[\"sh\",\"-c\",\"echo out; sleep 0.2; echo err >&2; exit 9\"],"
              "\"AttachStdout\":true,\"AttachStderr\":true}",
              9, out, sizeof out - 1);
    must_exec(
        &h, c,
        "{\"Cmd\":[\"sh\",\"-c\",\"echo $(id -u) $PWD $V $W $T$HOSTNAME | sed s/webhost/H/\"],"
        "\"AttachStdout\":true,\"User\":\"nobody\",\"WorkingDir\":\"/usr\","
        "\"Env\":[\"V=v\",\"W=w\",\"T=T\"]}",
        0, user, sizeof user - 1);
    must_exec(&h, c, "{\"Cmd\":[\"no-such\"],\"AttachStdout\":true,\"AttachStderr\":true}", 127,
              NULL, 0);
    must_exec(&h, c, "{\"Cmd\":[\"/etc/passwd\"],\"AttachStderr\":true}", 126, NULL, 0);
    must_exec(&h, c, "{\"Cmd\":[\"sh\",\"-c\",\"kill -9 $$\"]}", 137, NULL, 0);

    exec_sh(&h, c, "{\"Cmd\":[\"sh\",\"-c\",\"exit 6\"]}", NULL); /* detached */
    wait_until(&h, h.exec_ended);
    assert_int_equal(h.exec_code, 6);
    assert_int_equal(runtime_signal(h.rt, c, SIGKILL, &err), 0);
    wait_until(&h, h.end.count > 0);
    done_with(&h, c);
    host_close(&h);
}

/* Input goes in until the client's half of the connection closes. */
static void test_exec_input(void **state)
{
    _cleanup_free_ char *got = NULL;
    struct host h;
    struct container *c = sh("sleep 60");
    struct weft_error err = {0};
    size_t len;
    int fd;

    (void)state;
    host_open(&h);
    must_start(&h, c);
    exec_sh(&h, c, "{\"Cmd\":[\"wc\",\"-c\"],\"AttachStdin\":true,\"AttachStdout\":true}", &fd);
    for (size_t sent = 0; sent < 1000000;) {
        static const char zeros[10000];
        ssize_t n = send(fd, zeros, sizeof zeros < 1000000 - sent ? sizeof zeros : 1000000 - sent,
                         MSG_DONTWAIT);

        sent += n > 0 ? (size_t)n : 0;
        uv_run(&h.loop, n < 0 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    got = drain(&h, fd, &len);
    wait_until(&h, h.exec_ended);
    assert_int_equal(len, 8 + 8);
    assert_memory_equal(got + 8, "1000000\n", 8);
    close(fd);
    assert_int_equal(runtime_signal(h.rt, c, SIGKILL, &err), 0);
    wait_until(&h, h.end.count > 0);
    done_with(&h, c);
    host_close(&h);
}

static void test_exec_tty(void **state)
{
    _cleanup_free_ char *got = NULL;
    struct host h;
    struct container *c = sh("sleep 60");
    struct weft_error err = {0};
    struct exec *x;
    size_t len;
    int fd;

    (void)state;
    host_open(&h);
    must_start(&h, c);
    x = exec_sh(&h, c,
                "{\"Cmd\":[\"sh\",\"-c\",\"read x; tty; echo $x $TERM; stty size; exit 2\"],"
                "\"Tty\":true,\"AttachStdin\":true,\"AttachStdout\":true}",
                &fd);
    for (int i = 0; i < 20; i++) {
        uv_run(&h.loop, UV_RUN_NOWAIT);
        usleep(20000);
    }
    assert_int_equal(exec_resize(x, 33, 101, &err), 0);
    usleep(100000);
    assert_int_equal(send(fd, "hello\r", 6, 0), 6);
    got = drain(&h, fd, &len);
    wait_until(&h, h.exec_ended);
    assert_int_equal(h.exec_code, 2);
    assert_string_equal(got, "hello\r\n/dev/pts/0\r\nhello xterm\r\n33 101\r\n");
    close(fd);
    assert_int_equal(runtime_signal(h.rt, c, SIGKILL, &err), 0);
    wait_until(&h, h.end.count > 0);
    done_with(&h, c);
    host_close(&h);
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    assert_int_equal(fscanf(f, "%ld %ld", &size, &resident), 2);
    fclose(f);
    return resident;
}

/* A client that does not read stops the process, and memory stays as it is. */
static void test_exec_slow_client(void **state)
{
    struct host h;
    struct container *c = sh("sleep 60");
    struct weft_error err = {0};
    long before;
    int fd;

    (void)state;
    host_open(&h);
    must_start(&h, c);
    exec_sh(&h, c, "{\"Cmd\":[\"head\",\"-c\",\"50000000\",\"/dev/zero\"],\"AttachStdout\":true}",
            &fd);
    before = resident_pages();
    for (int i = 0; i < 50; i++) {
        uv_run(&h.loop, UV_RUN_NOWAIT);
        usleep(10000);
    }
    assert_false(h.exec_ended);
    assert_true(resident_pages() - before < 512);
    close(fd); /* the client goes: output is dropped, the process ends */
    wait_until(&h, h.exec_ended);
    assert_int_equal(h.exec_code, 0);
    assert_int_equal(runtime_signal(h.rt, c, SIGKILL, &err), 0);
    wait_until(&h, h.end.count > 0);
    done_with(&h, c);
    host_close(&h);
}

/* ---- following, terminal ---- */

static void on_ready(void *arg)
{
    *(bool *)arg = true;
}

static void test_follow(void **state)
{
    const struct log_options options = {.out = true, .follow = true, .tail = -1};
    struct host h;
    struct container *c =
        sh("echo one; sleep 0.3; echo two; echo hidden >&2; sleep 0.2; echo three");
    _cleanup_free_ char *path = str_printf("%s/containers/%s/log", state_dir, c->id);
    _cleanup_strbuf_ struct strbuf text = {0};
    struct log_reader *r;
    struct weft_error err = {0};
    bool ready = true;
    int result = 0;

    (void)state;
    host_open(&h);
    /* Before the start: there is no log yet. */
    assert_int_equal(log_reader_open(&h.loop, path, &options, on_ready, &ready, &r, &err), 0);
    assert_int_equal(log_reader_read(r, 4096, &text), 0);
    must_start(&h, c);
    ready = true;
    while (result != -ENODATA) {
        if (h.end.count == 1) {
            log_reader_finish(r);
            h.end.count++;
        }
        wait_until(&h, ready || h.end.count == 1);
        ready = false;
        while ((result = log_reader_read(r, 4096, &text)) > 0)
            ;
    }
    assert_string_equal(strbuf_text(&text), "one\ntwo\nthree\n");
    log_reader_free(r);
    done_with(&h, c);
    host_close(&h);
}

static void test_terminal(void **state)
{
    struct host h;
    struct container *c = container_new(
        "{\"Cmd\":[\"sh\",\"-c\",\"tty; sleep 0.5; stty size; exit 4\"],\"Tty\":true}");
    struct weft_error err = {0};

    (void)state;
    host_open(&h);
    must_start(&h, c);
    if (runtime_resize(h.rt, c, 40, 120, &err) < 0)
        fail_msg("%s", err.text);
    wait_until(&h, h.end.count > 0);
    assert_int_equal(h.end.code, 4);
    must_have_logged(&h, c, "/dev/pts/0\r\n40 120\r\n");
    done_with(&h, c);
    host_close(&h);
}

/* ---- the program ---- */

/* Mounts a new network namespace. */
static int make_netns(void)
{
    _cleanup_close_ int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

    if (host < 0 || file_write_in_place(netns, "", 0, 0600, NULL) < 0 || unshare(CLONE_NEWNET) < 0)
        return -1;
    return mount("/proc/self/ns/net", netns, NULL, MS_BIND, NULL) < 0 ? -1
                                                                      : setns(host, CLONE_NEWNET);
}

static int make_host(void **state)
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

static int remove_host(void **state)
{
    _cleanup_free_ char *layers = str_printf("%s/layers", run_dir);

    (void)state;
    (void)umount2(layers, MNT_DETACH);
    (void)umount2(netns, MNT_DETACH);
    return dir_remove(top, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_code_and_log),
        cmocka_unit_test(test_surroundings),
        cmocka_unit_test(test_host_network),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_second_start),
        cmocka_unit_test(test_rootfs_and_binds),
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_weftd_killed),
        cmocka_unit_test(test_resume_ended),
        cmocka_unit_test(test_conmon_killed),
        cmocka_unit_test(test_reused_pid),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_sweep_half_started),
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_input),
        cmocka_unit_test(test_exec_tty),
        cmocka_unit_test(test_exec_slow_client),
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_terminal),
    };

    return cmocka_run_group_tests(tests, make_host, remove_host);
}
