/* SPDX-License-Identifier: Apache-2.0 */

/* Further processes in a running container, and the connections of their clients. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "container/exec.h"
#include "runtime_host.h"

static void on_exec_exit(void *arg, int code)
{
    struct host *h = arg;

    h->exec_ended = true;
    h->exec_code = code;
}

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec),
        cmocka_unit_test(test_exec_input),
        cmocka_unit_test(test_exec_tty),
        cmocka_unit_test(test_exec_slow_client),
    };

    return cmocka_run_group_tests(tests, make_host, remove_host);
}
