/* SPDX-License-Identifier: Apache-2.0 */

/* UDP through the relay. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay_host.h"

/* Answers one datagram with itself. Returns its length. */
static ssize_t echo(int fd)
{
    static char data[65536];
    union endpoint from;
    socklen_t len = sizeof from;
    ssize_t n;

    wait_until((n = recvfrom(fd, data, sizeof data, 0, &from.sa, &len)) >= 0);
    assert_int_equal(sendto(fd, data, (size_t)n, 0, &from.sa, len), n);
    return n;
}

/* The client's socket is connected: it hears only what comes from where it sent to. */
static void must_echo(int near, int far, size_t size)
{
    static char out[65536], in[65536];

    memset(out, 'x', sizeof out);
    out[0] = (char)size;
    assert_int_equal(send(near, out, size, 0), size);
    assert_int_equal(echo(far), size);
    assert_int_equal(received(near, in, sizeof in), size);
    assert_memory_equal(in, out, size);
}

static void test_udp_ways(void **state)
{
    static const struct {
        const char *held, *ipv4, *ipv6;
        enum place place;
        const char *host;
    } ways[] = {
        {"", "10.2.0.2", "", HOST, "::1"},
        {"", "10.2.0.2", "", CLIENT, "fd01::1"},
        {"", "10.2.0.2", "", CLIENT, "fd01::11"},
        {"", "", "fd02::2", CLIENT, "10.1.0.1"},
        {"", "", "fd02::2", CLIENT, "10.1.0.11"},
        {"", "", "fd02::2", HOST, "127.0.0.1"},
        {"0.0.0.0", "", "fd02::2", CLIENT, "10.1.0.11"},
        {"::", "10.2.0.2", "", CLIENT, "fd01::11"},
        {"::1", "10.2.0.2", "", HOST, "::1"},
        {"127.0.0.5", "", "fd02::2", HOST, "127.0.0.5"},
        {"fd01::11", "10.2.0.2", "", CLIENT, "fd01::11"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        int far = server(CONTAINER, SOCK_DGRAM, *ways[i].ipv6 ? ways[i].ipv6 : ways[i].ipv4, 53);
        struct relay_port p = port(IPPROTO_UDP, ways[i].held, 5353);
        struct relay_target t = target(ways[i].ipv4, ways[i].ipv6, 53);
        int near;

        must_hold(&p, &t);
        near = client(ways[i].place, SOCK_DGRAM, ways[i].host, 5353);
        must_echo(near, far, 5);
        must_echo(near, far, 0);
        must_echo(near, far, 65507);
        close(near);
        close(far);
        relay_release(relay, &p);
    }
}

/* How many sockets the container's server hears: each flow is one. */
static uint16_t flow_of(int near, int far)
{
    union endpoint from;
    socklen_t len = sizeof from;
    char c;

    must_send(near, "x");
    wait_until(recvfrom(far, &c, 1, 0, &from.sa, &len) >= 0);
    return from.v4.sin_port;
}

static int dns;

static void publish_dns(const struct relay_limits *limits)
{
    struct relay_target t = target("10.2.0.2", "", 53);

    relay_set_limits(relay, limits);
    dns = server(CONTAINER, SOCK_DGRAM, "10.2.0.2", 53);
    must_hold(&(struct relay_port){IPPROTO_UDP, addr(""), 53}, &t);
}

static void test_udp_expiry(void **state)
{
    struct relay_limits limits = relay_limits_default;
    int near, heard;
    uint16_t silent, answered;

    (void)state;
    limits.idle_ms = 100;
    publish_dns(&limits);
    near = client(HOST, SOCK_DGRAM, "::1", 53);
    heard = client(HOST, SOCK_DGRAM, "::1", 53);
    must_echo(heard, dns, 3);
    silent = flow_of(near, dns);
    answered = flow_of(heard, dns);
    assert_int_not_equal(silent, answered);
    assert_int_equal(flow_of(near, dns), silent);
    run_for(2300);
    assert_int_not_equal(flow_of(near, dns), silent);
    assert_int_equal(flow_of(heard, dns), answered);
    close(near);
    close(heard);
    close(dns);
}

/* The one that was silent longest gives way. */
static void test_udp_limits(void **state)
{
    struct relay_limits limits = relay_limits_default;
    int near[4];
    uint16_t flows[4];

    (void)state;
    limits.flows_of_port = 3;
    publish_dns(&limits);
    for (int i = 0; i < 4; i++)
        near[i] = client(HOST, SOCK_DGRAM, "::1", 53);
    for (int i = 0; i < 3; i++)
        flows[i] = flow_of(near[i], dns);
    assert_int_equal(flow_of(near[0], dns), flows[0]);
    flows[3] = flow_of(near[3], dns);
    assert_int_equal(flow_of(near[0], dns), flows[0]);
    assert_int_equal(flow_of(near[2], dns), flows[2]);
    assert_int_equal(flow_of(near[3], dns), flows[3]);
    assert_int_not_equal(flow_of(near[1], dns), flows[1]);
    for (int i = 0; i < 4; i++)
        close(near[i]);
    close(dns);
}

static void test_udp_refused(void **state)
{
    int near;

    (void)state;
    publish_dns(&relay_limits_default);
    near = client(HOST, SOCK_DGRAM, "::1", 53);
    must_echo(near, dns, 3);
    close(dns);
    must_send(near, "lost");
    run_for(20);
    must_send(near, "lost");
    run_for(20);
    dns = server(CONTAINER, SOCK_DGRAM, "10.2.0.2", 53);
    must_echo(near, dns, 3);
    close(near);
    close(dns);
}

static void test_udp_retarget(void **state)
{
    const struct relay_port p = port(IPPROTO_UDP, "", 53);
    struct relay_target t = target("10.2.0.2", "fd02::2", 53);
    int near, far = server(CONTAINER, SOCK_DGRAM, "fd02::2", 53);
    int other = server(CONTAINER, SOCK_DGRAM, "fd02::2", 54);
    uint16_t flow;

    (void)state;
    publish_dns(&relay_limits_default);
    near = client(HOST, SOCK_DGRAM, "::1", 53);
    flow = flow_of(near, dns);
    relay_retarget(relay, &p, &t);
    must_echo(near, far, 3);
    flow = flow_of(near, far);
    t.ipv4 = (struct addr){0};
    relay_retarget(relay, &p, &t); /* nothing changes for this one */
    assert_int_equal(flow_of(near, far), flow);
    t.port = 54;
    relay_retarget(relay, &p, &t);
    must_echo(near, other, 3);
    relay_release(relay, &p);
    close(other);
    close(near);
    close(far);
    close(dns);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_udp_ways),    TEST(test_udp_expiry),   TEST(test_udp_limits),
        TEST(test_udp_refused), TEST(test_udp_retarget),
    };

    return cmocka_run_group_tests(tests, make_hosts, NULL);
}
