/* SPDX-License-Identifier: Apache-2.0 */

/* Holding ports: what is refused, and who is named for it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "relay_host.h"

static void test_holds(void **state)
{
    const struct relay_port all = port(IPPROTO_TCP, "", 8080);
    struct relay_target none = {0};

    (void)state;
    must_hold(&all, &none);
    assert_int_equal(relay_count(relay), 1);
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("10.1.0.1"), 8080}, WEFT_CONFLICT,
                  EADDRINUSE, "port 8080/tcp of 10.1.0.1 is taken by container web");
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("::1"), 8080}, WEFT_CONFLICT, EADDRINUSE,
                  "port 8080/tcp of ::1 is taken by container web");
    must_not_hold(&all, WEFT_CONFLICT, EADDRINUSE,
                  "port 8080/tcp of all addresses is taken by container web");
    assert_int_equal(relay_count(relay), 1);
    must_hold(&(struct relay_port){IPPROTO_UDP, addr(""), 8080}, &none);
    relay_release(relay, &all);
    relay_release(relay, &all);
    assert_int_equal(relay_count(relay), 1);

    /* One family each, and addresses side by side. */
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("0.0.0.0"), 8080}, &none);
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("::"), 8080}, &none);
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("127.0.0.1"), 81}, &none);
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("127.0.0.2"), 81}, &none);
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("10.1.0.1"), 81}, &none);
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("fd01::1"), 81}, &none);
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("0.0.0.0"), 81}, WEFT_CONFLICT, EADDRINUSE,
                  "port 81/tcp of 0.0.0.0 is taken by container web");
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("192.0.2.1"), 81}, WEFT_INVALID,
                  EADDRNOTAVAIL, "192.0.2.1 is not an address of this host");
    must_not_hold(&(struct relay_port){IPPROTO_SCTP, addr(""), 81}, WEFT_UNSUPPORTED,
                  EPROTONOSUPPORT, "this kernel has no SCTP");
}

/* Whether somebody else may bind, and for TCP listen, with SO_REUSEADDR or SO_REUSEPORT. */
static bool may_bind(int type, const char *host, uint16_t number, int option)
{
    struct addr a = addr(host);
    union endpoint e;
    socklen_t len = endpoint_make(&e, &a, number);
    int fd = socket(a.family, type | SOCK_CLOEXEC, 0);
    bool may;

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, option, &(int){1}, sizeof(int));
    may = bind(fd, &e.sa, len) == 0 && (type == SOCK_DGRAM || listen(fd, 1) == 0);
    close(fd);
    return may;
}

static void test_keeps_others_off(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    static const char *const hosts[] = {"0.0.0.0", "127.0.0.1", "10.1.0.1", "::", "::1", "fd01::1"};
    struct relay_target none = {0};

    (void)state;
    must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), 8080}, &none);
    must_hold(&(struct relay_port){IPPROTO_UDP, addr(""), 8080}, &none);
    for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
        for (size_t h = 0; h < ARRAY_SIZE(hosts); h++) {
            assert_false(may_bind(types[t], hosts[h], 8080, SO_REUSEADDR));
            assert_false(may_bind(types[t], hosts[h], 8080, SO_REUSEPORT));
            assert_true(may_bind(types[t], hosts[h], 8081, SO_REUSEADDR));
        }
    }
}

static void test_names_processes(void **state)
{
    int fds[] = {server(HOST, SOCK_STREAM, "10.1.0.1", 80), server(HOST, SOCK_STREAM, "::1", 80),
                 server(HOST, SOCK_DGRAM, "127.0.0.1", 53), server(HOST, SOCK_DGRAM, "::", 54),
                 server(HOST, SOCK_STREAM, "10.2.0.1", 80)};
    static const struct {
        uint8_t proto;
        const char *host;
        uint16_t number;
        const char *name;
    } taken[] = {
        {IPPROTO_TCP, "", 80, "80/tcp of all addresses"},
        {IPPROTO_TCP, "0.0.0.0", 80, "80/tcp of 0.0.0.0"},
        {IPPROTO_TCP, "10.1.0.1", 80, "80/tcp of 10.1.0.1"},
        {IPPROTO_TCP, "::", 80, "80/tcp of ::"},
        {IPPROTO_UDP, "", 53, "53/udp of all addresses"},
        {IPPROTO_UDP, "127.0.0.1", 53, "53/udp of 127.0.0.1"},
        {IPPROTO_UDP, "10.1.0.1", 54, "54/udp of 10.1.0.1"},
    };
    struct relay_target none = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(taken); i++) {
        const struct relay_port p = port(taken[i].proto, taken[i].host, taken[i].number);
        _cleanup_free_ char *want = str_printf("port %s is taken by %s (pid %d)", taken[i].name,
                                               program_invocation_short_name, getpid());

        must_not_hold(&p, WEFT_CONFLICT, EADDRINUSE, want);
    }
    must_hold(&(struct relay_port){IPPROTO_TCP, addr("127.0.0.1"), 80}, &none);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    relay_release(relay, &(struct relay_port){IPPROTO_TCP, addr("127.0.0.1"), 80});
    must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), 80}, &none);
}

/* Of several processes with the port, the one in the way. */
static void test_names_the_right_process(void **state)
{
    int here = server(HOST, SOCK_STREAM, "10.2.0.1", 80), ready[2];
    _cleanup_free_ char *want = NULL;
    pid_t child;
    char c;

    (void)state;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    if (child == 0) {
        close(here);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "nginx");
        server(HOST, SOCK_STREAM, "10.1.0.1", 80);
        (void)!write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    want = str_printf("port 80/tcp of 10.1.0.1 is taken by nginx (pid %d)", child);
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("10.1.0.1"), 80}, WEFT_CONFLICT,
                  EADDRINUSE, want);
    free(want);
    want = str_printf("port 80/tcp of 10.2.0.1 is taken by %s (pid %d)",
                      program_invocation_short_name, getpid());
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("10.2.0.1"), 80}, WEFT_CONFLICT,
                  EADDRINUSE, want);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    close(here);
}

/* A socket on its way through another is in nobody's table. */
static void test_names_the_unseen(void **state)
{
    int taken = server(HOST, SOCK_STREAM, "10.1.0.1", 80), way[2];
    char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {control, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *c = (struct cmsghdr *)control;

    (void)state;
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &taken, sizeof taken);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, way), 0);
    assert_int_equal(sendmsg(way[0], &message, 0), 1);
    close(taken);
    must_not_hold(&(struct relay_port){IPPROTO_TCP, addr("0.0.0.0"), 80}, WEFT_CONFLICT, EADDRINUSE,
                  "port 80/tcp of 0.0.0.0 is taken by a process that cannot be seen");
    close(way[0]);
    close(way[1]);
}

static double hold_many(uint16_t first, unsigned count, const struct relay_target *t)
{
    uint64_t start = uv_hrtime();

    for (unsigned i = 0; i < count; i++)
        must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), (uint16_t)(first + i)}, t);
    return (double)(uv_hrtime() - start) / 1e6;
}

static void test_thousands(void **state)
{
    struct relay_target t = target("10.2.0.2", "", 80);
    size_t heap = mallinfo2().uordblks, grown;
    double first, later;
    uint64_t start;

    (void)state;
    first = hold_many(10000, 1000, &t);
    grown = mallinfo2().uordblks - heap;
    hold_many(11000, 4000, &t);
    later = hold_many(15000, 1000, &t);
    assert_int_equal(relay_count(relay), 6000);
    assert_true(grown < 1000 * 400);
    start = uv_hrtime();
    for (unsigned i = 0; i < 1000; i++)
        relay_release(relay, &(struct relay_port){IPPROTO_TCP, addr(""), (uint16_t)(10000 + i)});
    printf("1,000 ports: %.1f ms; with 5,000 held: %.1f ms; %zu bytes each; released in %.1f ms\n",
           first, later, grown / 1000, (double)(uv_hrtime() - start) / 1e6);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_holds),
        TEST(test_keeps_others_off),
        TEST(test_names_processes),
        TEST(test_names_the_right_process),
        TEST(test_names_the_unseen),
        TEST(test_thousands),
    };

    return cmocka_run_group_tests(tests, make_hosts, NULL);
}
