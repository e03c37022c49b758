/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Three namespaces in one process, for the relay against a real kernel. The relay runs on the host
 * (10.1.0.1, 10.1.0.11, fd01::1, fd01::11; 10.2.0.1, fd02::1), a client is on 10.1.0.2 and fd01::2,
 * a container on 10.2.0.2 and fd02::2. Needs root. To be included behind cmocka.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "relay/endpoint.h"
#include "relay/relay.h"

#define PATIENCE_NS (UINT64_C(20) * 1000000000)

enum place { HOST, CLIENT, CONTAINER };

static int namespaces[3];
static uv_loop_t loop;
static struct relay *relay;
static struct weft_error err;

/* ---- addresses and sockets ---- */

static inline struct addr addr(const char *text)
{
    struct addr a = {0};

    if (*text)
        assert_int_equal(addr_parse(text, &a, NULL), 0);
    return a;
}

static inline struct relay_port port(uint8_t proto, const char *host, uint16_t number)
{
    return (struct relay_port){proto, addr(host), number};
}

static inline struct relay_target target(const char *ipv4, const char *ipv6, uint16_t number)
{
    return (struct relay_target){addr(ipv4), addr(ipv6), number};
}

static inline void enter(enum place place)
{
    assert_int_equal(setns(namespaces[place], CLONE_NEWNET), 0);
}

/* Bound to the address in that place; SOCK_STREAM listens. */
static inline int server(enum place place, int type, const char *host, uint16_t number)
{
    struct addr a = addr(host);
    union endpoint e;
    socklen_t len = endpoint_make(&e, &a, number);
    int fd;

    enter(place);
    fd = socket(a.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enter(HOST);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    assert_int_equal(bind(fd, &e.sa, len), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 2048), 0);
    return fd;
}

static inline int client(enum place place, int type, const char *host, uint16_t number)
{
    struct addr a = addr(host);
    union endpoint e;
    socklen_t len = endpoint_make(&e, &a, number);
    int fd;

    enter(place);
    fd = socket(a.family, type | SOCK_CLOEXEC, 0);
    enter(HOST);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, &e.sa, len), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* ---- waiting ---- */

static inline void run_for(unsigned ms)
{
    for (uint64_t end = uv_hrtime() + ms * UINT64_C(1000000); uv_hrtime() < end; usleep(500))
        uv_run(&loop, UV_RUN_NOWAIT);
}

static inline void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* The processor time, in ms, that the loop takes while nobody else does anything for so long. */
static inline unsigned cpu_of(unsigned ms)
{
    clock_t start = clock();
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, stop_loop, ms, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return (unsigned)((clock() - start) / (CLOCKS_PER_SEC / 1000));
}

/* Runs the loop until then. */
#define wait_until(condition)                                                                      \
    do {                                                                                           \
        uint64_t end_ = uv_hrtime() + PATIENCE_NS;                                                 \
        while (!(condition)) {                                                                     \
            if (uv_hrtime() > end_)                                                                \
                fail_msg("waited in vain for %s", #condition);                                     \
            uv_run(&loop, UV_RUN_NOWAIT);                                                          \
        }                                                                                          \
    } while (0)

static inline int accepted(int listener)
{
    int fd;

    wait_until((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    return fd;
}

/* What recv(2) says once there is something to say: a length or -errno. */
static inline ssize_t received(int fd, void *buf, size_t size)
{
    ssize_t n;

    wait_until((n = recv(fd, buf, size, 0)) >= 0 || errno != EAGAIN);
    return n < 0 ? -errno : n;
}

static inline void must_receive(int fd, const char *want)
{
    char got[256];
    ssize_t n = received(fd, got, sizeof got);

    assert_int_equal(n, strlen(want));
    assert_memory_equal(got, want, strlen(want));
}

static inline void must_send(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void must_hold(const struct relay_port *p, const struct relay_target *t)
{
    if (relay_hold(relay, p, t, "container web", &err) < 0)
        fail_msg("%s", err.text);
}

static inline void must_not_hold(const struct relay_port *p, enum weft_code code, int errnum,
                                 const char *want)
{
    struct relay_target none = {0};

    assert_int_equal(relay_hold(relay, p, &none, "container new", &err), -errnum);
    assert_string_equal(err.text, want);
    assert_int_equal(err.code, code);
    assert_int_equal(err.errnum, errnum);
}

/* ---- before and after ---- */

static inline int set_up(void **state)
{
    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    if (relay_new(&loop, &relay, &err) < 0)
        fail_msg("%s", err.text);
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    relay_free(relay);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    return 0;
}

static inline int make_namespace(void)
{
    return unshare(CLONE_NEWNET) < 0 || system("ip link set lo up") != 0
               ? -1
               : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

_printf_(1, 2) static inline bool shell(const char *fmt, ...)
{
    char command[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(command, sizeof command, fmt, args);
    va_end(args);
    return system(command) == 0;
}

/* A pair of links between the host and that place, and the addresses of both ends. */
static inline bool join(enum place place, const char *link, const char *here, const char *there)
{
    /* Without duplicate address detection, which would keep them from use for a second. */
    static const char set[] = "ip link set %s up && for a in %s; do "
                              "case $a in *:*) nodad=nodad;; *) nodad= ;; esac; "
                              "ip addr add $a dev %s $nodad; done";
    bool ok = shell("ip link add %s type veth peer name eth0 netns /proc/$PPID/fd/%d", link,
                    namespaces[place]) &&
              shell(set, link, here, link);

    enter(place);
    ok = ok && shell(set, "eth0", there, "eth0");
    enter(HOST);
    return ok;
}

static inline int make_hosts(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    for (size_t i = ARRAY_SIZE(namespaces); i-- > 0;) {
        namespaces[i] = make_namespace();
        if (namespaces[i] < 0)
            return -1;
    }
    return join(CLIENT, "client", "10.1.0.1/24 10.1.0.11/24 fd01::1/64 fd01::11/64",
                "10.1.0.2/24 fd01::2/64") &&
                   join(CONTAINER, "container", "10.2.0.1/24 fd02::1/64", "10.2.0.2/24 fd02::2/64")
               ? 0
               : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
