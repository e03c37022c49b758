/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Forgetting connections of a real kernel. The host forwards between a client and a container,
 * both in namespaces of their own:
 *
 *     client 10.1.0.2 fd01::2 ──── 10.1.0.1 fd01::1  host  10.2.0.1 fd02::1 ──── container 10.2.0.2
 * fd02::2
 *
 * Port 8080 of the host leads to port 80 of the container, whose own connections are masqueraded.
 * Every test runs twice: once with few matches, which the kernel may look for, and once among many.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/conntrack.h"
#include "kernel_host.h"

#define MANY 1000

static bool among_many;

/* ---- traffic ---- */

static void enter(const char *ns)
{
    _cleanup_free_ char *path = str_printf("/run/netns/%s", ns);
    _cleanup_close_ int fd = open(ns ? path : "/run/host", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

static socklen_t sockaddr(const char *text, uint16_t port, struct sockaddr_storage *ret)
{
    struct addr a = addr(text);

    memset(ret, 0, sizeof *ret);
    if (a.family == AF_INET) {
        struct sockaddr_in *in = (void *)ret;

        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in->sin_addr, a.bytes, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (void *)ret;

    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in6->sin6_addr, a.bytes, 16);
    return sizeof *in6;
}

/* A socket in the namespace (NULL: the host). */
static int open_in(const char *ns, int family, int type)
{
    int fd;

    if (ns)
        enter(ns);
    fd = socket(family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (ns)
        enter(NULL);
    return fd;
}

static void send_udp(const char *from, const char *to, uint16_t port)
{
    struct sockaddr_storage sa;
    socklen_t len = sockaddr(to, port, &sa);
    _cleanup_close_ int fd = open_in(from, sa.ss_family, SOCK_DGRAM);

    if (sendto(fd, "?", 1, 0, (struct sockaddr *)&sa, len) < 0)
        fail_msg("sending to %s: %s", to, strerror(errno));
}

/* A connection that both sides have closed, too, is remembered for a while. */
static void connect_tcp(const char *from, const char *to, uint16_t port, const char *in,
                        const char *listener, uint16_t listener_port)
{
    struct sockaddr_storage sa;
    socklen_t len = sockaddr(listener, listener_port, &sa);
    _cleanup_close_ int l = open_in(in, sa.ss_family, SOCK_STREAM);
    _cleanup_close_ int c = open_in(from, sa.ss_family, SOCK_STREAM);

    assert_int_equal(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(l, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(l, 1), 0);
    len = sockaddr(to, port, &sa);
    if (connect(c, (struct sockaddr *)&sa, len) < 0)
        fail_msg("connecting to %s: %s", to, strerror(errno));
}

/* ---- the table ---- */

/* How many entries conntrack(8) finds. */
static int found(const char *options)
{
    _cleanup_free_ char *command = str_printf("conntrack -L %s 2>/dev/null | wc -l", options);
    _cleanup_free_ char *text = output(command);

    return atoi(text);
}

static void assert_found(const char *options, int expected)
{
    int n = found(options);

    if (n != expected)
        fail_msg("conntrack -L %s: %d, not %d", options, n, expected);
}

static void forget(const struct conntrack_match *matches, size_t count)
{
    struct conntrack_match all[MANY + 2] = {0};
    size_t n = 0;

    for (; among_many && n < MANY; n++)
        all[n] = (struct conntrack_match){.kind = CONNTRACK_SERVICE,
                                          .addr = addr(n % 2 ? "192.0.2.1" : "2001:db8::1"),
                                          .proto = IPPROTO_TCP,
                                          .port = (uint16_t)(n + 1)};
    assert_true(count <= 2);
    memcpy(all + n, matches, count * sizeof *matches);
    ok(kernel_conntrack_begin(k, all, n + count, &err));
    ok(kernel_conntrack_finish(k, &err));
}

static void forget_address(const char *text)
{
    /* What does not belong to an address is not looked at. */
    struct conntrack_match m = {.kind = CONNTRACK_ADDRESS,
                                .addr = addr(text),
                                .proto = IPPROTO_SCTP,
                                .port = 7};

    forget(&m, 1);
}

static void forget_service(const char *text, uint8_t proto, uint16_t port)
{
    struct conntrack_match m = {.kind = CONNTRACK_SERVICE,
                                .addr = addr(text),
                                .proto = proto,
                                .port = port};

    forget(&m, 1);
}

/* ---- the tests ---- */

static void traffic(void)
{
    connect_tcp("client", "10.1.0.1", 8080, "container", "10.2.0.2", 80);
    connect_tcp("client", "10.2.0.2", 81, "container", "10.2.0.2", 81);
    connect_tcp("container", "10.1.0.2", 8080, "client", "10.1.0.2", 8080);
    connect_tcp("client", "10.1.0.1", 22, NULL, "10.1.0.1", 22);
    connect_tcp("client", "fd01::1", 8080, "container", "fd02::2", 80);
    connect_tcp("container", "fd01::2", 8080, "client", "fd01::2", 8080);
    connect_tcp("client", "fd01::1", 22, NULL, "fd01::1", 22);
    send_udp("client", "10.1.0.1", 8080);
    send_udp("client", "10.2.0.1", 8080);
    send_udp("client", "10.1.0.1", 8081);
    send_udp("container", "10.1.0.2", 8080);
    send_udp("client", "fd01::1", 8080);
    send_udp("client", "fd02::1", 8080);
    send_udp("container", "fd01::2", 8080);
    assert_found("-f ipv4 -p tcp", 4);
    assert_found("-f ipv6 -p tcp", 3);
    assert_found("-f ipv4 -p udp", 4);
    assert_found("-f ipv6 -p udp", 3);
}

static void test_an_address_is_forgotten(void **state)
{
    (void)state;
    traffic();
    forget_address("10.2.0.2");
    /* Published, asked directly, asking: all gone. What the host itself answers stays. */
    assert_found("-f ipv4 -p tcp", 1);
    assert_found("-f ipv4 -p tcp --orig-port-dst 22", 1);
    assert_found("-f ipv4 -p udp", 2);
    assert_found("-f ipv4 -p udp --orig-port-dst 8081", 1);
    assert_found("-f ipv4 -p udp --orig-dst 10.2.0.1", 1);
    assert_found("-f ipv6 -p tcp", 3);
    assert_found("-f ipv6 -p udp", 3);
    forget_address("fd02::2");
    assert_found("-f ipv4 -p tcp", 1);
    assert_found("-f ipv4 -p udp", 2);
    assert_found("-f ipv6 -p tcp", 1);
    assert_found("-f ipv6 -p tcp --orig-port-dst 22", 1);
    assert_found("-f ipv6 -p udp", 1);
    forget_address("10.2.0.2");
}

static void test_an_address_that_nobody_talked_to(void **state)
{
    (void)state;
    traffic();
    forget_address("10.2.0.3");
    forget_address("fd02::3");
    assert_found("-f ipv4", 8);
    assert_found("-f ipv6", 6);
}

static void test_a_port_of_one_address_is_forgotten(void **state)
{
    (void)state;
    traffic();
    forget_service("10.1.0.1", IPPROTO_UDP, 8080);
    assert_found("-f ipv4 -p udp", 3);
    assert_found("-f ipv4 -p udp --orig-dst 10.1.0.1 --orig-port-dst 8080", 0);
    assert_found("-f ipv4 -p tcp", 4);
    assert_found("-f ipv6", 6);
    forget_service("fd01::1", IPPROTO_TCP, 8080);
    assert_found("-f ipv6 -p tcp", 2);
    assert_found("-f ipv6 -p tcp --orig-dst fd01::1 --orig-port-dst 8080", 0);
    assert_found("-f ipv6 -p udp", 3);
    assert_found("-f ipv4", 7);
}

/* …but not that port of other hosts: a container's own connection there lives on. */
static void test_a_port_of_all_addresses_is_forgotten(void **state)
{
    (void)state;
    traffic();
    forget_service("0.0.0.0", IPPROTO_UDP, 8080);
    assert_found("-f ipv4 -p udp", 2);
    assert_found("-f ipv4 -p udp --orig-port-dst 8081", 1);
    assert_found("-f ipv4 -p udp --orig-src 10.2.0.2 --orig-port-dst 8080", 1);
    assert_found("-f ipv4 -p tcp", 4);
    assert_found("-f ipv6", 6);
    forget_service("::", IPPROTO_TCP, 8080);
    assert_found("-f ipv6 -p tcp", 2);
    assert_found("-f ipv6 -p tcp --orig-src fd02::2 --orig-port-dst 8080", 1);
    assert_found("-f ipv6 -p udp", 3);
    assert_found("-f ipv4", 6);
}

static void test_several_at_once(void **state)
{
    const struct conntrack_match both[] = {
        {.kind = CONNTRACK_ADDRESS, .addr = addr("fd02::2")},
        {.kind = CONNTRACK_SERVICE, .addr = addr("0.0.0.0"), .proto = IPPROTO_TCP, .port = 22},
    };

    (void)state;
    traffic();
    forget(both, 2);
    assert_found("-f ipv4", 7);
    assert_found("-f ipv4 -p tcp --orig-port-dst 22", 0);
    assert_found("-f ipv6", 2);
}

/* Not every kernel can speak SCTP, but to track it, it need not. */
static void test_sctp(void **state)
{
    (void)state;
    run("conntrack -I -p sctp -t 60 --state ESTABLISHED --orig-src 10.1.0.2 --orig-dst 10.1.0.1 "
        "--orig-port-src 5000 --orig-port-dst 8080 --orig-vtag 1 --reply-vtag 2 >/dev/null 2>&1");
    forget_service("0.0.0.0", IPPROTO_SCTP, 8081);
    forget_service("0.0.0.0", IPPROTO_TCP, 8080);
    assert_found("-p sctp", 1);
    forget_service("0.0.0.0", IPPROTO_SCTP, 8080);
    assert_found("-p sctp", 0);
}

static void test_an_empty_table(void **state)
{
    (void)state;
    forget_address("10.2.0.2");
    forget_service("::", IPPROTO_TCP, 80);
    ok(kernel_conntrack_begin(k, NULL, 0, &err));
    ok(kernel_conntrack_finish(k, &err));
}

static void test_a_flood_is_forgotten(void **state)
{
    (void)state;
    for (uint16_t port = 1000; port < 4000; port++)
        send_udp("client", "10.2.0.2", port);
    send_udp("client", "10.1.0.1", 8081);
    assert_true(found("-p udp") > 3000);
    forget_address("10.2.0.2");
    assert_found("-p udp", 1);
}

static int set_up_traffic(void **state)
{
    among_many = *state;
    set_up(state);
    run("conntrack -F >/dev/null 2>&1");
    return 0;
}

static int tear_down_traffic(void **state)
{
    (void)state;
    kernel_close(k);
    return 0;
}

static void join_networks(void)
{
    run("touch /run/host && mount --bind /proc/self/ns/net /run/host");
    run("ip link set lo up; n=0\n"
        "for ns in client container; do n=$((n + 1))\n"
        "    ip netns add $ns\n"
        "    ip link add to-$ns type veth peer name eth0 netns $ns\n"
        "    ip link set to-$ns addrgenmode none\n"
        "    ip -n $ns link set eth0 addrgenmode none\n"
        "    ip addr add 10.$n.0.1/24 dev to-$ns\n"
        "    ip addr add fd0$n::1/64 dev to-$ns nodad\n"
        "    ip addr add fe80::1/64 dev to-$ns nodad\n" /* to look for neighbours with */
        "    ip -n $ns addr add 10.$n.0.2/24 dev eth0\n"
        "    ip -n $ns addr add fd0$n::2/64 dev eth0 nodad\n"
        "    ip link set to-$ns up && ip -n $ns link set lo up && ip -n $ns link set eth0 up\n"
        "    ip -n $ns route add default via 10.$n.0.1\n"
        "    ip -n $ns route add default via fd0$n::1\n"
        "done");
    run("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
    run("nft -f - <<'END'\n"
        "table inet t {\n"
        "  chain pre { type nat hook prerouting priority dstnat;\n"
        "    iifname to-client ip daddr 10.1.0.1 meta l4proto { tcp, udp } th dport 8080\\\n"
        "      dnat ip to 10.2.0.2:80\n"
        "    iifname to-client ip6 daddr fd01::1 meta l4proto { tcp, udp } th dport 8080\\\n"
        "      dnat ip6 to [fd02::2]:80\n"
        "  }\n"
        "  chain post { type nat hook postrouting priority srcnat;\n"
        "    iifname to-container oifname to-client masquerade\n  }\n"
        "}\nEND");
}

#define FEW(name)                                                                                  \
    cmocka_unit_test_prestate_setup_teardown(name, set_up_traffic, tear_down_traffic, NULL)
#define AMONG_MANY(name)                                                                           \
    {                                                                                              \
#name "_among_many", name, set_up_traffic, tear_down_traffic, (void *)1                    \
    }
#define BOTH(name) FEW(name), AMONG_MANY(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(test_an_address_is_forgotten),
        BOTH(test_an_address_that_nobody_talked_to),
        BOTH(test_a_port_of_one_address_is_forgotten),
        BOTH(test_a_port_of_all_addresses_is_forgotten),
        BOTH(test_several_at_once),
        BOTH(test_sctp),
        BOTH(test_an_empty_table),
        BOTH(test_a_flood_is_forgotten),
    };

    if (!make_host())
        return SKIPPED;
    join_networks();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
