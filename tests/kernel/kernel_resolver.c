/* SPDX-License-Identifier: Apache-2.0 */

/* Queries of a namespace's programs, led to weft's sockets in it: by a table that comes, is put
 * right, and goes; and the sockets. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "kernel_host.h"

#define IN_WEB "ip netns exec web "
#define SERVER FACT_RESOLVER_ADDR
#define WAIT_MS 1000
#define ROUNDS 50

static const struct fact resolver = {.kind = FACT_RESOLVER, .ns = &web};

static const struct kernel_socket server_sockets[] = {
    {AF_INET, SOCK_DGRAM, {AF_INET, {127, 0, 0, 11}}, FACT_RESOLVER_PORT, NULL, 0},
    {AF_INET, SOCK_STREAM, {AF_INET, {127, 0, 0, 11}}, FACT_RESOLVER_PORT, NULL, 0},
};

/* A namespace of weft's, with its loopback link up. `ip netns` finds it as "web". */
static void namespace_facts(struct fact_set *set)
{
    add(set, (struct fact){.kind = FACT_NETNS, .ns = &web});
    add(set, (struct fact){
                 .kind = FACT_LINK,
                 .ns = &web,
                 .link = {.name = "lo", .kind = LINK_LOOPBACK, .up = true},
             });
}

static void resolver_facts(struct fact_set *set)
{
    namespace_facts(set);
    add(set, resolver);
}

static void assert_lists(const char *expected)
{
    _cleanup_free_ char *text = output(IN_WEB "nft list ruleset");

    assert_string_equal(text, expected);
}

static void test_the_table_comes_and_goes(void **state)
{
    static const char theirs[] = "table ip filter {\n"
                                 "\tchain input {\n"
                                 "\t\ttype filter hook input priority filter; policy accept;\n"
                                 "\t}\n"
                                 "}\n";
    static const char ours[] = "table ip weft {\n"
                               "\tcomment \"weft\"\n"
                               "\tchain output {\n"
                               "\t\ttype filter hook output priority raw; policy accept;\n"
                               "\t\toif != \"lo\" accept\n"
                               "\t\tip daddr 127.0.0.11 udp dport 53 udp dport set 1011 accept\n"
                               "\t\tip daddr 127.0.0.11 tcp dport 53 tcp dport set 1011 accept\n"
                               "\t\tip saddr 127.0.0.11 udp sport 1011 udp sport set 53 accept\n"
                               "\t\tip saddr 127.0.0.11 tcp sport 1011 tcp sport set 53 accept\n"
                               "\t}\n"
                               "}\n";
    _cleanup_fact_set_ struct fact_set none = {0}, bare = {0}, all = {0};
    _cleanup_free_ char *both = str_printf("%s%s", theirs, ours);

    (void)state;
    namespace_facts(&bare);
    resolver_facts(&all);
    change(&none, &bare);
    run(IN_WEB "nft 'table ip filter { chain input { type filter hook input priority 0; }; }'");
    change(&bare, &all);
    assert_holds(&all);
    assert_lists(both);
    change(&all, &bare);
    assert_holds(&bare);
    assert_lists(theirs);
    change(&bare, &all);
    change(&all, &none); /* falls with its namespace */
    assert_holds(&none);
}

/* What somebody does to the table is seen and put right. */
static void test_a_changed_table_is_mended(void **state)
{
    static const char *const changes[] = {
        "delete table ip weft",
        "flush chain ip weft output",
        "add rule ip weft output accept",
        "insert rule ip weft output drop",
        "delete rule ip weft output handle 3",
        "replace rule ip weft output handle 4 ip daddr 127.0.0.11 tcp dport 53 tcp dport set 1 accept",
        "replace rule ip weft output handle 6 ip saddr 127.0.0.1 tcp sport 1 tcp sport set 53 accept",
        "replace rule ip weft output handle 2 oif != lo counter accept",
        "replace rule ip weft output handle 2 oif != lo drop",
        "replace rule ip weft output handle 2 oif lo accept",
        "add chain ip weft output { policy drop; }",
        "add chain ip weft more",
        "add set ip weft more { type ipv4_addr; }",
        "add table ip weft { flags dormant; }",
        "delete table ip weft; add table ip weft",
        "delete table ip weft; add table ip weft { comment \"mine\"; }",
    };
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};

    (void)state;
    resolver_facts(&all);
    change(&none, &all);
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        _cleanup_free_ char *command = str_printf(IN_WEB "nft '%s'", changes[i]);

        run(command);
        if (mend(&all) != 1)
            fail_msg("not noticed: %s", changes[i]);
        assert_int_equal(mend(&all), 0);
    }
}

/* Refused or undone, nothing is left. */
static void test_faults_leave_nothing(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, bare = {0}, all = {0};
    _cleanup_free_ char *before = NULL;
    _cleanup_plan_ struct plan plan = {0}, back = {0};

    (void)state;
    namespace_facts(&bare);
    resolver_facts(&all);
    add_sysctl(&all, &web, "net/ipv4/no_such_thing", "1"); /* comes after the table */
    change(&none, &bare);
    before = snapshot(&all);
    diff(&bare, &all, &plan);
    assert_int_equal(plan.count, 2);
    assert_true(kernel_apply(k, &plan, &err) < 0);
    assert_same_snapshot(&all, before);
    assert_lists("");
    kernel_set_fault(k, KERNEL_FAULT_FAIL, 1);
    assert_true(kernel_apply(k, &plan, &err) < 0);
    assert_non_null(strstr(err.text, "nft -f resolver.nft"));
    kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
    assert_lists("");

    fact_set_clear(&all);
    resolver_facts(&all);
    change(&bare, &all);
    diff(&all, &bare, &back);
    kernel_set_fault(k, KERNEL_FAULT_FAIL, 1);
    assert_true(kernel_apply(k, &back, &err) < 0);
    kernel_set_fault(k, KERNEL_FAULT_NONE, 0);
    assert_holds(&all);
    run(IN_WEB "nft delete table ip weft");
    ok(kernel_apply(k, &back, &err)); /* gone as it should be */
}

/* The script does the same. */
static void test_the_script_makes_the_same_table(void **state)
{
    _cleanup_fact_set_ struct fact_set none = {0}, bare = {0}, all = {0};
    _cleanup_strbuf_ struct strbuf script = {0}, removal = {0};
    _cleanup_plan_ struct plan plan = {0}, back = {0};

    (void)state;
    namespace_facts(&bare);
    resolver_facts(&all);
    change(&none, &bare);
    diff(&bare, &all, &plan);
    plan_explain(&plan, &script);
    for (int twice = 0; twice < 2; twice++) {
        run(strbuf_text(&script));
        assert_holds(&all);
    }
    diff(&all, &bare, &back);
    plan_explain(&back, &removal);
    assert_string_equal(strbuf_text(&removal), "ip netns exec web nft delete table ip weft\n");
    run(strbuf_text(&removal));
    assert_holds(&bare);
}

/* ---- what goes through ---- */

static struct sockaddr_in address(const char *host, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

    assert_int_equal(inet_pton(AF_INET, host, &a.sin_addr), 1);
    return a;
}

static void open_in_web(const struct kernel_socket *sockets, size_t count, int *fds)
{
    ok(kernel_sockets(k, &web, sockets, count, fds, &err));
    for (size_t i = 0; i < count; i++)
        assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK && fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
}

static void wait_for(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static void assert_no_more(int fd)
{
    char c;

    assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
}

/* Takes what was sent to the server and sends it back. */
static void echo(int server)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char buffer[2048];
    ssize_t n;

    wait_for(server, POLLIN);
    n = recvfrom(server, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &len);
    assert_true(n > 0);
    assert_int_equal(sendto(server, buffer, (size_t)n, 0, (struct sockaddr *)&from, len), n);
}

static void assert_echoed_from(int client, size_t size, const char *host, uint16_t port)
{
    struct sockaddr_in from, expected = address(host, port);
    socklen_t len = sizeof from;
    char buffer[2048];

    wait_for(client, POLLIN);
    assert_int_equal(recvfrom(client, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &len),
                     size);
    assert_memory_equal(&from, &expected, len);
}

static void send_to(int client, size_t size, int flags)
{
    struct sockaddr_in to = address(SERVER, 53);
    static const char bytes[2048] = {1, 2, 3};

    assert_int_equal(sendto(client, bytes, size, flags, (struct sockaddr *)&to, sizeof to),
                     (int)size);
}

static void udp_is_led(int server, int client)
{
    send_to(client, 100, 0);
    echo(server);
    assert_echoed_from(client, 100, SERVER, 53);

    /* A checksum that the kernel has made already, of an odd length too. */
    send_to(client, 51, MSG_MORE);
    send_to(client, 50, 0);
    echo(server);
    assert_echoed_from(client, 101, SERVER, 53);
}

static void tcp_is_led(int server, int client)
{
    struct sockaddr_in to = address(SERVER, 53), name = {0};
    socklen_t len = sizeof name;
    _cleanup_close_ int peer = -1;
    char text[8] = "";

    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), -1);
    assert_int_equal(errno, EINPROGRESS);
    wait_for(server, POLLIN);
    peer = accept(server, NULL, NULL);
    assert_true(peer >= 0);
    wait_for(client, POLLOUT);
    assert_int_equal(send(client, "query", 5, 0), 5);
    wait_for(peer, POLLIN);
    assert_int_equal(recv(peer, text, sizeof text, 0), 5);
    assert_int_equal(send(peer, "answer", 6, 0), 6);
    wait_for(client, POLLIN);
    assert_int_equal(recv(client, text, sizeof text, 0), 6);
    assert_int_equal(getpeername(client, (struct sockaddr *)&name, &len), 0);
    assert_int_equal(ntohs(name.sin_port), 53);
}

static void test_queries_are_led(void **state)
{
    static const struct kernel_socket clients[] = {{.family = AF_INET, .type = SOCK_DGRAM},
                                                   {.family = AF_INET, .type = SOCK_STREAM}};
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    int server[2], client[2];

    (void)state;
    resolver_facts(&all);
    change(&none, &all);
    open_in_web(server_sockets, 2, server);
    open_in_web(clients, 2, client);
    udp_is_led(server[0], client[0]);
    tcp_is_led(server[1], client[1]);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(close(server[i]), 0);
        assert_int_equal(close(client[i]), 0);
    }
}

/* The container's own server has port 53, and 1011 too but for the one address. */
static void test_other_servers_have_their_ports(void **state)
{
    static const struct kernel_socket sockets[] = {
        {AF_INET, SOCK_DGRAM, {AF_INET, {0}}, 53, NULL, 0},
        {AF_INET, SOCK_STREAM, {AF_INET, {0}}, 53, NULL, 0},
        {AF_INET6, SOCK_DGRAM, {AF_INET6, {0}}, 53, "lo", 0},
        {AF_INET, SOCK_DGRAM, {AF_INET, {127, 0, 0, 1}}, FACT_RESOLVER_PORT, NULL, 0},
        {.family = AF_INET, .type = SOCK_DGRAM},
    };
    struct sockaddr_in to = address("127.0.0.1", 53);
    _cleanup_fact_set_ struct fact_set none = {0}, all = {0};
    int server[2], own[ARRAY_SIZE(sockets)];

    (void)state;
    resolver_facts(&all);
    change(&none, &all);
    open_in_web(server_sockets, 2, server);
    open_in_web(sockets, ARRAY_SIZE(sockets), own);
    assert_int_equal(sendto(own[4], "mine", 4, 0, (struct sockaddr *)&to, sizeof to), 4);
    echo(own[0]);
    assert_echoed_from(own[4], 4, "127.0.0.1", 53);
    send_to(own[4], 5, 0);
    echo(server[0]);
    assert_echoed_from(own[4], 5, SERVER, 53);
    assert_no_more(own[0]);
    for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
        assert_int_equal(close(own[i]), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(close(server[i]), 0);
}

/* ---- sockets ---- */

static size_t open_descriptors(void)
{
    size_t n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void test_sockets_are_all_or_none(void **state)
{
    static const struct kernel_socket twice[] = {
        {AF_INET, SOCK_STREAM, {AF_INET, {10, 1, 2, 3}}, 53, NULL, 0}, /* not there yet */
        {AF_INET6, SOCK_DGRAM, {AF_INET6, {0xfd, [15] = 1}}, 53, "lo", 0},
        {AF_INET, SOCK_STREAM, {AF_INET, {10, 1, 2, 3}}, 53, NULL, 0},
    };
    static const struct kernel_socket nowhere[] = {
        {AF_INET, SOCK_DGRAM, {AF_INET, {10, 1, 2, 3}}, 53, "no-such-link", 0},
    };
    size_t before = open_descriptors();
    int fds[3];

    (void)state;
    assert_int_equal(kernel_sockets(k, NULL, twice, 3, fds, &err), -EADDRINUSE);
    assert_non_null(strstr(err.text, "TCP port 53 of 10.1.2.3"));
    assert_int_equal(open_descriptors(), before);
    ok(kernel_sockets(k, NULL, twice, 2, fds, &err));
    assert_int_equal(kernel_sockets(k, NULL, nowhere, 1, fds + 2, &err), -ENODEV);
    assert_non_null(strstr(err.text, "UDP port 53 of 10.1.2.3 on no-such-link"));
    assert_int_equal(kernel_sockets(k, &web, twice, 2, fds + 2, &err), -ENOENT);
    assert_int_equal(open_descriptors(), before + 2);
    assert_int_equal(close(fds[0]), 0);
    assert_int_equal(close(fds[1]), 0);
}

/* ---- what it costs ---- */

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Only says it: a figure that a busy machine can miss is no test. */
static void test_what_one_costs(void **state)
{
    double adding = 0, removing = 0;

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        _cleanup_fact_set_ struct fact_set none = {0}, bare = {0}, all = {0};
        double start, added;

        namespace_facts(&bare);
        resolver_facts(&all);
        change(&none, &bare);
        start = now_us();
        change(&bare, &all);
        added = now_us();
        change(&all, &bare);
        removing += now_us() - added;
        adding += added - start;
        change(&bare, &none);
    }
    print_message("a resolver is added in %.0f us and removed in %.0f us\n", adding / ROUNDS,
                  removing / ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_table_comes_and_goes), TEST(test_a_changed_table_is_mended),
        TEST(test_faults_leave_nothing),     TEST(test_the_script_makes_the_same_table),
        TEST(test_queries_are_led),          TEST(test_other_servers_have_their_ports),
        TEST(test_sockets_are_all_or_none),  TEST(test_what_one_costs),
    };

    if (!make_host())
        return SKIPPED;
    /* `ip netns` and the scripts look for namespaces there. */
    run("mkdir -p " NETNS_DIR " && ln -s " NETNS_DIR " /run/netns");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
