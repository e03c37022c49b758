/* SPDX-License-Identifier: Apache-2.0 */

/* Containers from their start to their end: surroundings, signals, failures, logs, terminals. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime_host.h"

/* Runs a script to its end. */
static struct container *run(struct host *h, const char *script)
{
    struct container *c = sh(script);

    must_start(h, c);
    wait_until(h, h->end.count > 0);
    assert_string_equal(h->end.id, c->id);
    return c;
}

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
        cmocka_unit_test(test_follow),
        cmocka_unit_test(test_terminal),
    };

    return cmocka_run_group_tests(tests, make_host, remove_host);
}
