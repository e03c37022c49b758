/* SPDX-License-Identifier: Apache-2.0 */

/* TCP through the relay. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <malloc.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "relay_host.h"

struct ends {
    int near, far; /* the client's, and the container's */
};

static struct ends ends_open(enum place place, const char *host, uint16_t number, int listener)
{
    int near = client(place, SOCK_STREAM, host, number);

    return (struct ends){near, accepted(listener)};
}

static void ends_close(struct ends *e)
{
    close(e->near);
    close(e->far);
}

static void must_converse(struct ends *e)
{
    must_send(e->near, "hello");
    must_receive(e->far, "hello");
    must_send(e->far, "good day");
    must_receive(e->near, "good day");
}

static void test_tcp_ways(void **state)
{
    static const struct {
        const char *ipv4, *ipv6; /* the container's */
        enum place place;
        const char *host;
    } ways[] = {
        {"10.2.0.2", "", CLIENT, "fd01::1"},  {"10.2.0.2", "", HOST, "::1"},
        {"", "fd02::2", CLIENT, "10.1.0.1"},  {"", "fd02::2", HOST, "127.0.0.1"},
        {"", "fd02::2", HOST, "::1"},         {"10.2.0.2", "", HOST, "127.0.0.1"},
        {"10.2.0.2", "", CLIENT, "10.1.0.1"}, {"10.2.0.2", "fd02::2", CLIENT, "fd01::1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        bool to_v6 = *ways[i].ipv6;
        int listener = server(CONTAINER, SOCK_STREAM, to_v6 ? ways[i].ipv6 : ways[i].ipv4, 80);
        struct relay_port p = port(IPPROTO_TCP, "", 8080);
        struct relay_target t = target(ways[i].ipv4, ways[i].ipv6, 80);
        struct ends e;

        must_hold(&p, &t);
        e = ends_open(ways[i].place, ways[i].host, 8080, listener);
        must_converse(&e);
        ends_close(&e);
        close(listener);
        relay_release(relay, &p);
    }
}

/* A port of all addresses that leads to a container, whose listening socket it returns. */
static int publish_web(void)
{
    struct relay_target t = target("10.2.0.2", "", 80);

    must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), 8080}, &t);
    return server(CONTAINER, SOCK_STREAM, "10.2.0.2", 80);
}

static void release_web(void)
{
    relay_release(relay, &(struct relay_port){IPPROTO_TCP, addr(""), 8080});
}

static uint64_t checksum(uint64_t sum, const uint8_t *data, size_t len)
{
    while (len-- > 0)
        sum = (sum ^ *data++) * UINT64_C(0x00000100000001b3);
    return sum;
}

/* One direction of a transfer: len bytes of a sequence, then FIN. */
struct flood {
    int from, to;
    uint64_t len, sent, received;
    uint64_t sum_sent, sum_received, seed;
    bool ended;
};

/* Always true. */
static bool flood_step(struct flood *f)
{
    static uint8_t block[65536];
    size_t want = f->len - f->sent < sizeof block ? (size_t)(f->len - f->sent) : sizeof block;
    ssize_t n;

    for (size_t i = 0; i < want; i++)
        block[i] = (uint8_t)((f->sent + i + f->seed) * UINT64_C(0x9e3779b97f4a7c15) >> 56);
    n = want ? send(f->from, block, want, MSG_NOSIGNAL) : 0;
    if (n > 0) {
        f->sum_sent = checksum(f->sum_sent, block, (size_t)n);
        f->sent += (uint64_t)n;
        if (f->sent == f->len)
            assert_int_equal(shutdown(f->from, SHUT_WR), 0);
    }
    n = recv(f->to, block, sizeof block, 0);
    if (n > 0) {
        f->sum_received = checksum(f->sum_received, block, (size_t)n);
        f->received += (uint64_t)n;
    }
    assert_true(n >= 0 || errno == EAGAIN);
    f->ended |= n == 0;
    return true;
}

static void test_tcp_transfer(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct ends e;
    struct flood out, back;

    (void)state;
    e = ends_open(CLIENT, "fd01::1", 8080, listener);
    out = (struct flood){.from = e.near, .to = e.far, .len = 20000003};
    back = (struct flood){.from = e.far, .to = e.near, .len = 30000001, .seed = 7};
    wait_until(flood_step(&out) && flood_step(&back) && out.ended && back.ended);
    assert_int_equal(out.received, out.len);
    assert_int_equal(out.sum_received, out.sum_sent);
    assert_int_equal(back.received, back.len);
    assert_int_equal(back.sum_received, back.sum_sent);
    ends_close(&e);
}

/* Each side may end its own half, and the other goes on; also before it has said a word. */
static void test_tcp_half_close(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct ends e;

    (void)state;
    e.near = client(HOST, SOCK_STREAM, "::1", 8080);
    assert_int_equal(shutdown(e.near, SHUT_WR), 0);
    e.far = accepted(listener);
    must_receive(e.far, "");
    must_send(e.far, "last");
    must_receive(e.near, "last");
    ends_close(&e);

    e = ends_open(HOST, "::1", 8080, listener);
    assert_int_equal(shutdown(e.far, SHUT_WR), 0);
    must_receive(e.near, "");
    must_send(e.near, "still here");
    must_receive(e.far, "still here");
    close(e.near);
    must_receive(e.far, "");
    close(e.far);
}

static void reset(int fd)
{
    struct linger none = {.l_onoff = 1};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

static void test_tcp_reset(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct ends e;
    char c;

    (void)state;
    e = ends_open(HOST, "::1", 8080, listener);
    must_converse(&e);
    reset(e.far);
    assert_int_equal(received(e.near, &c, 1), -ECONNRESET);
    close(e.near);

    e = ends_open(HOST, "::1", 8080, listener);
    must_converse(&e);
    reset(e.near);
    assert_int_equal(received(e.far, &c, 1), -ECONNRESET);
    close(e.far);
}

static void test_tcp_refused(void **state)
{
    struct relay_target t = target("10.2.0.2", "", 80);
    int near;
    char c;

    (void)state;
    must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), 8080}, &t);
    near = client(CLIENT, SOCK_STREAM, "fd01::1", 8080);
    assert_int_equal(received(near, &c, 1), -ECONNRESET);
    close(near);
    t = target("", "", 80);
    relay_retarget(relay, &(struct relay_port){IPPROTO_TCP, addr(""), 8080}, &t);
    near = client(CLIENT, SOCK_STREAM, "fd01::1", 8080);
    assert_true(received(near, &c, 1) <= 0);
    close(near);
}

/* Who does not read stops who writes, and loses nothing; nobody burns time meanwhile. */
static void test_tcp_backpressure(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct ends e;
    struct flood f;
    struct mallinfo2 before, after;
    uint64_t stuck;

    (void)state;
    e = ends_open(CLIENT, "fd01::1", 8080, listener);
    before = mallinfo2();
    f = (struct flood){.from = e.near, .to = -1, .len = 1 << 30};
    for (stuck = 0; stuck < 200; stuck++) {
        static const char block[65536];
        ssize_t n = send(e.near, block, sizeof block, MSG_NOSIGNAL);

        if (n > 0) {
            f.sent += (uint64_t)n;
            stuck = 0;
        }
        run_for(1);
    }
    after = mallinfo2();
    assert_true(after.uordblks < before.uordblks + 65536);
    assert_true(f.sent > 0 && f.sent < f.len / 4);
    /* Its end is in the queue, too, while the target has ended its own: a hang-up. */
    assert_int_equal(shutdown(e.far, SHUT_WR), 0);
    must_receive(e.near, "");
    assert_int_equal(shutdown(e.near, SHUT_WR), 0);
    assert_true(cpu_of(300) < 30);
    for (f.to = e.far; !f.ended;) {
        static char block[65536];
        ssize_t n = received(e.far, block, sizeof block);

        assert_true(n >= 0);
        f.received += (uint64_t)n;
        f.ended = n == 0;
    }
    assert_int_equal(f.received, f.sent);
    ends_close(&e);
}

static void test_tcp_release(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct ends e;
    char c;

    (void)state;
    e = ends_open(CLIENT, "fd01::1", 8080, listener);
    must_converse(&e);
    while (send(e.near, (char[65536]){0}, 65536, MSG_NOSIGNAL) > 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    release_web();
    assert_int_equal(relay_count(relay), 0);
    assert_int_equal(received(e.near, &c, 1), -ECONNRESET);
    ends_close(&e);
}

static bool is_in_time_wait(uint16_t number)
{
    _cleanup_fclose_ FILE *table = fopen("/proc/net/tcp6", "re");
    unsigned local, state;
    bool found = false;
    char line[512];

    assert_non_null(table);
    while (!found && fgets(line, sizeof line, table))
        found = sscanf(line, " %*u: %*[0-9A-F]:%x %*s %x", &local, &state) == 2 &&
                local == number && state == TCP_TIME_WAIT;
    return found;
}

/* The side that closes first keeps TIME_WAIT: the relay's, here. The port is to be had again. */
static void test_tcp_time_wait(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct ends e;
    struct relay_target none = {0};

    (void)state;
    e = ends_open(HOST, "127.0.0.1", 8080, listener);
    must_converse(&e);
    close(e.far);
    must_receive(e.near, "");
    close(e.near);
    run_for(20);
    assert_true(is_in_time_wait(8080));
    release_web();
    must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), 8080}, &none);
}

static void test_tcp_retarget(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct relay_target t = target("", "fd02::2", 81);
    struct ends before, after;
    int second = server(CONTAINER, SOCK_STREAM, "fd02::2", 81);

    (void)state;
    before = ends_open(HOST, "::1", 8080, listener);
    relay_retarget(relay, &(struct relay_port){IPPROTO_TCP, addr(""), 8080}, &t);
    after = ends_open(HOST, "::1", 8080, second);
    must_converse(&before);
    must_converse(&after);
    ends_close(&before);
    ends_close(&after);
    close(second);
}

static void test_tcp_limits(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct relay_limits limits = relay_limits_default;
    struct relay_target t = target("10.2.0.2", "", 80);
    struct ends first, second, third;
    int near;
    char c;

    (void)state;
    limits.connections_of_port = 2;
    limits.connections = 3;
    relay_set_limits(relay, &limits);
    must_hold(&(struct relay_port){IPPROTO_TCP, addr(""), 8081}, &t);
    first = ends_open(HOST, "::1", 8080, listener);
    second = ends_open(HOST, "::1", 8080, listener);
    near = client(HOST, SOCK_STREAM, "::1", 8080);
    assert_int_equal(received(near, &c, 1), 0);
    close(near);
    third = ends_open(HOST, "::1", 8081, listener);
    near = client(HOST, SOCK_STREAM, "::1", 8081);
    assert_int_equal(received(near, &c, 1), 0);
    close(near);
    must_converse(&first);
    must_converse(&third);
    ends_close(&first);
    run_for(20);
    first = ends_open(HOST, "::1", 8080, listener);
    must_converse(&first);
    ends_close(&first);
    ends_close(&second);
    ends_close(&third);
}

/* Without descriptors a client waits, without a busy loop, until there are some. */
static void test_tcp_out_of_descriptors(void **state)
{
    _cleanup_close_ int listener = publish_web();
    struct rlimit whole, none;
    struct ends e;
    int spare;
    unsigned cpu;

    (void)state;
    e.near = client(HOST, SOCK_STREAM, "::1", 8080);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &whole), 0);
    spare = dup(0);
    close(spare);
    none = (struct rlimit){(rlim_t)spare, whole.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    cpu = cpu_of(500);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &whole), 0);
    assert_true(cpu < 30);
    e.far = accepted(listener);
    must_converse(&e);
    ends_close(&e);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_tcp_ways),
        TEST(test_tcp_transfer),
        TEST(test_tcp_half_close),
        TEST(test_tcp_reset),
        TEST(test_tcp_refused),
        TEST(test_tcp_backpressure),
        TEST(test_tcp_release),
        TEST(test_tcp_time_wait),
        TEST(test_tcp_retarget),
        TEST(test_tcp_limits),
        TEST(test_tcp_out_of_descriptors),
    };

    return cmocka_run_group_tests(tests, make_hosts, NULL);
}
