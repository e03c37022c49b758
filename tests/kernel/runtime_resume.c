/* SPDX-License-Identifier: Apache-2.0 */

/* Containers that outlive the weftd that started them, or their conmon. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime_host.h"

static pid_t read_conmon_pid(const struct container *c)
{
    _cleanup_free_ char *path = str_printf("%s/containers/%s/conmon.pid", run_dir, c->id);
    _cleanup_free_ char *text = NULL;

    assert_int_equal(file_read(path, 32, &text, NULL, NULL), 0);
    return (pid_t)atoi(text);
}

/* Killed; whoever has to reap it may take a moment. */
static void must_end(pid_t pid)
{
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++)
        usleep(10000);
    assert_int_not_equal(kill(pid, 0), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_weftd_killed),
        cmocka_unit_test(test_resume_ended),
        cmocka_unit_test(test_conmon_killed),
        cmocka_unit_test(test_reused_pid),
        cmocka_unit_test(test_sweep),
        cmocka_unit_test(test_sweep_half_started),
    };

    return cmocka_run_group_tests(tests, make_host, remove_host);
}
