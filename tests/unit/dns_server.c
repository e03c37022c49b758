/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weft-dns from outside: the program itself ($WEFT_DNS, confined as it always is), weftd's end of
 * the link, and clients on the loopback of a namespace of the test's own. Without the right to make
 * one, what needs port 53 is skipped.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "dns/codec.h"
#include "dns/message.h"
#include "dns/query_log.h"

#define NETWORK "0000000000000000000000000000000000000000000000000000000000000001"
#define WEB "000000000000000000000000000000000000000000000000000000000000000a"
#define DB "000000000000000000000000000000000000000000000000000000000000000b"
#define WAIT_MS 5000 /* for what is to come at once */
#define UPSTREAM "127.0.0.53"

static bool has_namespace;
static pid_t left_over;   /* by a test that failed */
static rlim_t file_limit; /* the next server's, if not 0 */

/* ---- the server and weftd's end ---- */

struct server {
    pid_t pid;
    struct sockaddr_un at;
    socklen_t at_size;
    int link;
    struct dns_batch batch;
    struct dns_inbox inbox;
    uint32_t number;
    /* Of the sandboxes' sockets. */
    int web_udp, web_tcp, db_udp;
};

static void run_server(int listen_fd)
{
    const char *program = getenv("WEFT_DNS");
    struct rlimit limit = {file_limit, file_limit};

    if (file_limit > 0 && setrlimit(RLIMIT_NOFILE, &limit) < 0)
        _exit(127);
    if (!program || dup2(listen_fd, 3) < 0 || fcntl(3, F_SETFD, 0) < 0)
        _exit(127);
    execl(program, "weft-dns", "--listen-fd", "3", NULL);
    _exit(127);
}

static int connect_link(const struct server *s)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)&s->at, s->at_size), 0);
    return fd;
}

static void end_left_over(void)
{
    if (left_over > 0)
        (void)kill(left_over, SIGKILL);
    left_over = 0;
}

static void start(struct server *s)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (!getenv("WEFT_DNS"))
        skip();
    *s = (struct server){.link = -1, .web_udp = -1, .web_tcp = -1, .db_udp = -1};
    s->at.sun_family = AF_UNIX;
    s->at_size = sizeof s->at;
    /* An address in the abstract space, of the kernel's choice. */
    assert_int_equal(bind(fd, (struct sockaddr *)&s->at, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&s->at, &s->at_size), 0);
    end_left_over();
    s->pid = left_over = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0)
        run_server(fd);
    (void)close(fd);
    s->link = connect_link(s);
}

/* It ends when asked to, and cleanly: sanitizers look for leaks then. */
static void stop(struct server *s)
{
    int status;

    if (s->pid <= 0)
        return;
    dns_batch_free(&s->batch);
    dns_inbox_free(&s->inbox);
    (void)kill(s->pid, SIGTERM);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    left_over = 0;
    assert_int_equal(status, 0);
    close_p(&s->link);
    close_p(&s->web_udp);
    close_p(&s->web_tcp);
    close_p(&s->db_udp);
}
#define _cleanup_server_ _cleanup_(stop)

static void add(struct server *s, struct dns_message m)
{
    assert_int_equal(dns_batch_add(&s->batch, &m), 0);
}

static void send_all(struct server *s)
{
    assert_int_equal(dns_batch_send(&s->batch, s->link, 0), 0);
}

/* The next message of this type; others are dropped. */
static void expect(struct server *s, enum dns_message_type type, struct dns_message *ret)
{
    for (;;) {
        struct pollfd pfd = {s->link, POLLIN, 0};

        while (dns_inbox_next(&s->inbox, ret) == 1) {
            if (ret->type == type)
                return;
            dns_message_clear(ret);
        }
        assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
        assert_int_equal(dns_inbox_receive(&s->inbox, s->link, MSG_DONTWAIT), 1);
    }
}

static void sync_all(struct server *s)
{
    struct dns_message m = {.type = DNS_MSG_SYNC, .number = ++s->number};

    add(s, m);
    send_all(s);
    expect(s, DNS_MSG_SYNCED, &m);
    assert_int_equal(m.number, s->number);
}

/* What the server has says its greeting; how many sockets that is. The first one is *ret_first. */
static size_t greet(struct server *s, struct dns_message *ret_first)
{
    struct dns_message m = {.type = DNS_MSG_HELLO, .hello = {"test"}};
    size_t n = 0;

    *ret_first = (struct dns_message){0};
    add(s, m);
    send_all(s);
    for (;;) {
        struct pollfd pfd = {s->link, POLLIN, 0};
        int r;

        while ((r = dns_inbox_next(&s->inbox, &m)) == 1) {
            if (m.type == DNS_MSG_HELLO) {
                assert_true(*m.hello.version);
                return n;
            }
            assert_int_equal(m.type, DNS_MSG_SOCKETS);
            n += m.sockets.count;
            if (ret_first->type == 0)
                *ret_first = m;
            else
                dns_message_clear(&m);
        }
        assert_int_equal(r, 0);
        assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
        assert_int_equal(dns_inbox_receive(&s->inbox, s->link, MSG_DONTWAIT), 1);
    }
}

/* ---- sockets ---- */

static struct sockaddr_in address_in(const char *text, uint16_t port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr, NULL), 0);
    memcpy(&sin.sin_addr, addr.bytes, 4);
    return sin;
}

static int bound(int type, const char *address, uint16_t port)
{
    struct sockaddr_in sin = address_in(address, port);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    const int yes = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 64), 0);
    return fd;
}

/* Connected to a socket of the server's. */
static int client_of(int server_fd, int type)
{
    struct sockaddr_in sin;
    socklen_t size = sizeof sin;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    assert_int_equal(getsockname(server_fd, (struct sockaddr *)&sin, &size), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof sin), 0);
    return fd;
}

/* Within ms: 1; else 0. */
static int readable(int fd, int ms)
{
    struct pollfd pfd = {fd, POLLIN, 0};

    return poll(&pfd, 1, ms);
}

static struct dns_message sockets_of(const char *id, uint8_t role, int fd)
{
    struct dns_message m = {.type = DNS_MSG_SOCKETS, .sockets = {.id = id, .count = 1}};

    m.sockets.roles[0] = role;
    m.sockets.fds[0] = fd;
    return m;
}

/* ---- names ---- */

static void add_network(struct server *s, bool forwards, const char *host)
{
    struct prefix subnet;
    struct dns_message m = {DNS_MSG_NETWORK, .network = {.id = NETWORK,
                                                         .name = "front",
                                                         .forwards = forwards,
                                                         .subnets = &subnet,
                                                         .subnet_count = 1}};

    assert_int_equal(prefix_parse("10.1.0.0/16", &subnet, NULL), 0);
    assert_int_equal(addr_parse(host, &m.network.ipv4, NULL), 0);
    add(s, m);
}

static struct dns_message sandbox(const char *id, const char *name, bool forwards)
{
    static char network[] = NETWORK;
    static char *networks[] = {network, NULL};

    return (struct dns_message){DNS_MSG_SANDBOX, .sandbox = {.id = id,
                                                             .name = name,
                                                             .forwards = forwards,
                                                             .networks = networks}};
}

static void add_endpoint(struct server *s, const char *id, const char *name, const char *address)
{
    char text[64];
    char *names[] = {text, NULL};
    struct dns_message m = {DNS_MSG_ENDPOINT,
                            .endpoint = {.network = NETWORK, .sandbox = id, .names = names}};

    snprintf(text, sizeof text, "%s", name);
    assert_int_equal(addr_parse(address, &m.endpoint.ipv4, NULL), 0);
    add(s, m);
}

static void add_web_sockets(struct server *s)
{
    struct dns_message m = sockets_of(WEB, DNS_SOCKET_UDP, s->web_udp);

    m.sockets.roles[1] = DNS_SOCKET_TCP;
    m.sockets.fds[1] = s->web_tcp;
    m.sockets.count = 2;
    add(s, m);
}

/* A network with two sandboxes, web and db, that have sockets. */
static void populate(struct server *s, bool forwards)
{
    s->web_udp = bound(SOCK_DGRAM, "127.0.0.1", 0);
    s->web_tcp = bound(SOCK_STREAM, "127.0.0.1", 0);
    s->db_udp = bound(SOCK_DGRAM, "127.0.0.1", 0);
    add_network(s, forwards, "10.1.0.1");
    add(s, sandbox(WEB, "web", forwards));
    add(s, sandbox(DB, "db", forwards));
    add_web_sockets(s);
    add(s, sockets_of(DB, DNS_SOCKET_UDP, s->db_udp));
    add_endpoint(s, WEB, "web", "10.1.0.2");
    add_endpoint(s, DB, "db", "10.1.0.3");
    sync_all(s);
}

/* ---- clients ---- */

static size_t make_query(uint8_t *buf, uint16_t id, const char *name, uint16_t type)
{
    struct dns_name n;

    assert_int_equal(dns_name_from_text(name, &n), 0);
    memset(buf, 0, DNS_HEADER_SIZE);
    dns_put16(buf, id);
    dns_put16(buf + 2, DNS_FLAG_RD);
    dns_put16(buf + 4, 1);
    memcpy(buf + DNS_HEADER_SIZE, n.wire, n.length);
    dns_put16(buf + DNS_HEADER_SIZE + n.length, type);
    dns_put16(buf + DNS_HEADER_SIZE + n.length + 2, DNS_CLASS_IN);
    return DNS_HEADER_SIZE + n.length + 4;
}

static void ask(int fd, uint16_t id, const char *name)
{
    uint8_t buf[512];
    size_t length = make_query(buf, id, name, DNS_TYPE_A);

    assert_int_equal(send(fd, buf, length, 0), length);
}

struct outcome {
    uint16_t id;
    uint8_t rcode;
    bool truncated;
    uint16_t answers;
    char address[INET_ADDRSTRLEN]; /* the last octets of the message */
};

static struct outcome outcome_of(const uint8_t *msg, size_t length)
{
    struct outcome o = {dns_get16(msg), (uint8_t)(msg[3] & 0xf), msg[2] & 2, dns_get16(msg + 6),
                        ""};

    assert_true(length >= DNS_HEADER_SIZE);
    assert_true(dns_get16(msg + 2) & DNS_FLAG_QR);
    if (o.answers > 0)
        snprintf(o.address, sizeof o.address, "%d.%d.%d.%d", msg[length - 4], msg[length - 3],
                 msg[length - 2], msg[length - 1]);
    return o;
}

static struct outcome hear(int fd)
{
    uint8_t buf[4096];
    ssize_t n;

    assert_int_equal(readable(fd, WAIT_MS), 1);
    n = recv(fd, buf, sizeof buf, 0);
    assert_true(n > 0);
    return outcome_of(buf, (size_t)n);
}

/* By UDP, to the server's socket. */
static struct outcome query(int server_fd, const char *name)
{
    _cleanup_close_ int fd = client_of(server_fd, SOCK_DGRAM);
    struct outcome o;

    ask(fd, 77, name);
    o = hear(fd);
    assert_int_equal(o.id, 77);
    return o;
}

static void expect_address(int server_fd, const char *name, const char *address)
{
    struct outcome o = query(server_fd, name);

    assert_int_equal(o.rcode, DNS_NOERROR);
    assert_int_equal(o.answers, 1);
    assert_string_equal(o.address, address);
}

/* Several queries, framed, in one go. */
static void tcp_ask(int fd, const char *const *names, size_t count)
{
    uint8_t buf[4096];
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        size_t length = make_query(buf + at + 2, (uint16_t)i, names[i], DNS_TYPE_A);

        dns_put16(buf + at, (uint16_t)length);
        at += 2 + length;
    }
    assert_int_equal(send(fd, buf, at, MSG_NOSIGNAL), at);
}

static struct outcome tcp_hear(int fd)
{
    uint8_t buf[4096];
    size_t length;

    assert_int_equal(readable(fd, WAIT_MS), 1);
    assert_int_equal(recv(fd, buf, 2, MSG_WAITALL), 2);
    length = dns_get16(buf);
    assert_true(length <= sizeof buf);
    assert_int_equal(recv(fd, buf, length, MSG_WAITALL), length);
    return outcome_of(buf, length);
}

/* ---- tests: names and the link ---- */

static void names_are_there_when_synced(void **state)
{
    _cleanup_server_ struct server s;
    struct dns_message m = {DNS_MSG_ENDPOINT_GONE, .gone = {NETWORK, DB}};

    (void)state;
    start(&s);
    populate(&s, false);
    expect_address(s.web_udp, "db", "10.1.0.3");
    expect_address(s.web_udp, "DB.Front", "10.1.0.3");
    expect_address(s.db_udp, "web.front.weft", "10.1.0.2");
    for (int i = 0; i < 50; i++) {
        add(&s, m);
        sync_all(&s);
        assert_int_equal(query(s.web_udp, "db").rcode, DNS_NXDOMAIN);
        add_endpoint(&s, DB, "db", "10.1.0.4");
        sync_all(&s);
        expect_address(s.web_udp, "db", "10.1.0.4");
    }
}

static bool is_same_socket(int a, int b)
{
    uint64_t ca = 0, cb = 1;
    socklen_t size = sizeof ca;

    return getsockopt(a, SOL_SOCKET, SO_COOKIE, &ca, &size) == 0 &&
           getsockopt(b, SOL_SOCKET, SO_COOKIE, &cb, &size) == 0 && ca == cb;
}

static void reconnect(struct server *s)
{
    (void)close(s->link);
    dns_inbox_free(&s->inbox);
    s->link = connect_link(s);
}

static void sockets_are_handed_back(void **state)
{
    _cleanup_server_ struct server s;
    struct dns_message first;

    (void)state;
    start(&s);
    assert_int_equal(greet(&s, &first), 0);
    populate(&s, false);
    reconnect(&s);
    /* Without weftd, too. */
    expect_address(s.web_udp, "db", "10.1.0.3");
    assert_int_equal(greet(&s, &first), 3);
    if (strcmp(first.sockets.id, WEB) == 0) {
        assert_int_equal(first.sockets.roles[1], DNS_SOCKET_TCP);
        assert_true(is_same_socket(first.sockets.fds[1], s.web_tcp));
    } else {
        assert_string_equal(first.sockets.id, DB);
        assert_int_equal(first.sockets.roles[0], DNS_SOCKET_UDP);
        assert_true(is_same_socket(first.sockets.fds[0], s.db_udp));
    }
    dns_message_clear(&first);
}

static void what_is_not_named_again_goes(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int tcp = -1;
    const char *const name[] = {"web"};

    (void)state;
    start(&s);
    populate(&s, false);
    tcp = client_of(s.web_tcp, SOCK_STREAM);
    tcp_ask(tcp, name, 1);
    assert_int_equal(tcp_hear(tcp).answers, 1);
    reconnect(&s);
    add(&s, (struct dns_message){DNS_MSG_BEGIN, .number = 0});
    add_network(&s, false, "10.1.0.1");
    add(&s, sandbox(WEB, "web", false));
    add_web_sockets(&s);
    add_endpoint(&s, WEB, "web", "10.1.0.2");
    add(&s, (struct dns_message){DNS_MSG_END, .number = 0});
    sync_all(&s);
    expect_address(s.web_udp, "web", "10.1.0.2");
    assert_int_equal(query(s.web_udp, "db").rcode, DNS_NXDOMAIN);
    /* What came by a socket that was given again goes on. */
    tcp_ask(tcp, name, 1);
    assert_int_equal(tcp_hear(tcp).answers, 1);
    (void)close(TAKE_FD(tcp));
    tcp = client_of(s.db_udp, SOCK_DGRAM);
    ask(tcp, 1, "web");
    assert_int_equal(readable(tcp, 300), 0);
}

static void other_sockets_replace_those_there_are(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int old = -1;

    (void)state;
    start(&s);
    populate(&s, false);
    old = client_of(s.db_udp, SOCK_DGRAM);
    (void)close(s.db_udp);
    s.db_udp = bound(SOCK_DGRAM, "127.0.0.1", 0);
    add(&s, sockets_of(DB, DNS_SOCKET_UDP, s.db_udp));
    sync_all(&s);
    expect_address(s.db_udp, "web", "10.1.0.2");
    assert_true(send(old, "x", 1, 0) == 1);
    assert_int_equal(readable(old, 1000), 1);
    assert_int_equal(recv(old, (char[1]){0}, 1, 0), -1);
    assert_int_equal(errno, ECONNREFUSED);
    add(&s, (struct dns_message){DNS_MSG_SANDBOX_GONE, .gone = {.sandbox = WEB}});
    sync_all(&s);
    assert_int_equal(query(s.db_udp, "web").rcode, DNS_NXDOMAIN);
}

static void a_new_connection_replaces_the_old(void **state)
{
    _cleanup_server_ struct server s;
    int old;

    (void)state;
    start(&s);
    populate(&s, false);
    old = s.link;
    s.link = connect_link(&s);
    sync_all(&s);
    assert_int_equal(readable(old, WAIT_MS), 1);
    assert_int_equal(recv(old, (char[1]){0}, 1, 0), 0);
    (void)close(old);
    add_endpoint(&s, DB, "other", "10.1.0.5");
    sync_all(&s);
    expect_address(s.web_udp, "other", "10.1.0.5");
}

static void nonsense_ends_the_connection_only(void **state)
{
    _cleanup_server_ struct server s;

    (void)state;
    start(&s);
    populate(&s, false);
    assert_int_equal(send(s.link, "nonsense that is long enough", 28, 0), 28);
    assert_int_equal(readable(s.link, WAIT_MS), 1);
    assert_true(recv(s.link, (char[1]){0}, 1, 0) <= 0);
    expect_address(s.web_udp, "db", "10.1.0.3");
    reconnect(&s);
    sync_all(&s);
}

static void alone_it_ends(void **state)
{
    _cleanup_server_ struct server s;
    struct timespec begin, end;
    int status;

    (void)state;
    start(&s);
    sync_all(&s);
    (void)close(TAKE_FD(s.link));
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(status, 0);
    assert_true(end.tv_sec - begin.tv_sec >= 4 && end.tv_sec - begin.tv_sec <= 8);
    dns_batch_free(&s.batch);
    dns_inbox_free(&s.inbox);
    s.pid = left_over = 0;
}

/* ---- tests: who asks ---- */

static void strangers_are_refused(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int fd = -1, host = -1;
    struct dns_message m;

    (void)state;
    start(&s);
    populate(&s, false);
    fd = bound(SOCK_DGRAM, "127.0.0.1", 0);
    host = bound(SOCK_DGRAM, "127.0.0.1", 0);
    m = sockets_of(NETWORK, DNS_SOCKET_UDP, fd);
    m.sockets.of_network = true;
    m.sockets.roles[1] = DNS_SOCKET_HOST_UDP;
    m.sockets.fds[1] = host;
    m.sockets.count = 2;
    add(&s, m);
    sync_all(&s);
    assert_int_equal(query(fd, "db").rcode, DNS_REFUSED);
    assert_int_equal(query(host, "db").rcode, DNS_REFUSED);

    /* The host itself, where it may ask, for the network's names alone. */
    add_network(&s, false, "127.0.0.1");
    sync_all(&s);
    assert_int_equal(query(fd, "db").rcode, DNS_REFUSED);
    expect_address(host, "db", "10.1.0.3");
    assert_int_equal(query(host, "example.org").rcode, DNS_REFUSED);

    /* An endpoint of the network, everywhere. */
    add_endpoint(&s, WEB, "web", "127.0.0.1");
    sync_all(&s);
    expect_address(fd, "db", "10.1.0.3");
    expect_address(host, "db", "10.1.0.3");
    assert_int_equal(query(host, "example.org").rcode, DNS_NXDOMAIN);
}

static void garbage_is_answered_or_not(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int fd = -1;
    uint8_t buf[512];
    size_t length;

    (void)state;
    start(&s);
    populate(&s, false);
    fd = client_of(s.web_udp, SOCK_DGRAM);
    assert_int_equal(send(fd, "short", 5, 0), 5);
    length = make_query(buf, 5, "web", DNS_TYPE_A);
    buf[2] |= 0x80; /* a response */
    assert_int_equal(send(fd, buf, length, 0), length);
    length = make_query(buf, 6, "web", DNS_TYPE_A);
    assert_int_equal(send(fd, buf, length - 1, 0), length - 1);
    /* The first that gets an answer. */
    assert_int_equal(hear(fd).id, 6);
    ask(fd, 7, "web");
    assert_int_equal(hear(fd).answers, 1);
}

/* ---- tests: TCP ---- */

static void queries_in_one_go(void **state)
{
    static const char *const names[] = {"web", "db", "none.weft", "web.front", "db.front.weft"};
    _cleanup_server_ struct server s;
    _cleanup_close_ int fd = -1;
    unsigned seen = 0;

    (void)state;
    start(&s);
    populate(&s, false);
    fd = client_of(s.web_tcp, SOCK_STREAM);
    tcp_ask(fd, names, ARRAY_SIZE(names));
    /* No more to say: answers come nevertheless. */
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct outcome o = tcp_hear(fd);

        seen |= 1U << o.id;
        assert_int_equal(o.rcode, o.id == 2 ? DNS_NXDOMAIN : DNS_NOERROR);
    }
    assert_int_equal(seen, 0x1f);
    assert_int_equal(readable(fd, WAIT_MS), 1);
    assert_int_equal(recv(fd, (char[1]){0}, 1, 0), 0);
}

static void octet_by_octet(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int fd = -1;
    uint8_t buf[512];
    size_t length;

    (void)state;
    start(&s);
    populate(&s, false);
    fd = client_of(s.web_tcp, SOCK_STREAM);
    length = make_query(buf + 2, 1, "db", DNS_TYPE_A);
    dns_put16(buf, (uint16_t)length);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < length + 2; i++) {
            assert_int_equal(send(fd, buf + i, 1, 0), 1);
            (void)nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        }
        assert_string_equal(tcp_hear(fd).address, "10.1.0.3");
    }
}

static size_t open_connections(const int *fds, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += readable(fds[i], 0) == 0;
    return n;
}

static void connections_of_one_owner_are_bounded(void **state)
{
    static const char *const name[] = {"db"};
    _cleanup_server_ struct server s;
    int fds[40];

    (void)state;
    start(&s);
    populate(&s, false);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = client_of(s.web_tcp, SOCK_STREAM);
    (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    assert_int_equal(open_connections(fds, ARRAY_SIZE(fds)), 32);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        (void)close(fds[i]);
    (void)nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    fds[0] = client_of(s.web_tcp, SOCK_STREAM);
    tcp_ask(fds[0], name, 1);
    assert_int_equal(tcp_hear(fds[0]).answers, 1);
    (void)close(fds[0]);
}

/* ns of the processor. */
static uint64_t time_used(pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    assert_int_equal(file_read(path, 4096, &text, NULL, NULL), 0);
    return strtoull(text, NULL, 10);
}

static void connections_wait_for_descriptors(void **state)
{
    static const char *const name[] = {"db"};
    _cleanup_server_ struct server s;
    uint64_t before;
    int fds[30];

    (void)state;
    file_limit = 30;
    start(&s);
    file_limit = 0;
    populate(&s, false);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = client_of(s.web_tcp, SOCK_STREAM);
    tcp_ask(fds[0], name, 1);
    assert_int_equal(tcp_hear(fds[0]).answers, 1);
    tcp_ask(fds[29], name, 1);
    before = time_used(s.pid);
    assert_int_equal(readable(fds[29], 1500), 0);
    assert_true(time_used(s.pid) - before < 100000000);
    expect_address(s.web_udp, "db", "10.1.0.3");
    for (size_t i = 0; i < 29; i++)
        (void)close(fds[i]);
    assert_int_equal(tcp_hear(fds[29]).answers, 1);
    (void)close(fds[29]);
}

/* Sends until the connection takes no more. */
static void stuff(int fd)
{
    static uint8_t many[65536];
    size_t at = 0;

    while (at + 64 < sizeof many) {
        size_t length = make_query(many + at + 2, 1, "db", DNS_TYPE_A);

        dns_put16(many + at, (uint16_t)length);
        at += 2 + length;
    }
    for (int i = 0; i < 10000; i++) {
        struct pollfd pfd = {fd, POLLOUT, 0};

        /* Whole messages or not: it never gets so far. */
        if (send(fd, many, at, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && poll(&pfd, 1, 300) != 1)
            return;
    }
    fail_msg("the server reads without end");
}

static bool is_closed(int fd)
{
    uint8_t buf[65536];
    ssize_t n;

    do
        n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
    while (n > 0);
    return n == 0 || errno != EAGAIN;
}

static void those_who_dribble_or_never_read_are_cut_off(void **state)
{
    static const char *const name[] = {"db"};
    _cleanup_server_ struct server s;
    _cleanup_close_ int idle = -1, dribbler = -1, deaf = -1, good = -1;
    bool closed = false;

    (void)state;
    start(&s);
    populate(&s, false);
    idle = client_of(s.web_tcp, SOCK_STREAM);
    dribbler = client_of(s.web_tcp, SOCK_STREAM);
    deaf = client_of(s.web_tcp, SOCK_STREAM);
    good = client_of(s.web_tcp, SOCK_STREAM);
    stuff(deaf);
    for (int i = 0; i < 16; i++) {
        (void)send(dribbler, "", 1, MSG_NOSIGNAL);
        tcp_ask(good, name, 1);
        assert_int_equal(tcp_hear(good).answers, 1);
        if (i == 6)
            assert_false(is_closed(idle));
        (void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
        expect_address(s.web_udp, "db", "10.1.0.3");
    }
    closed = is_closed(idle);
    assert_true(closed);
    assert_true(is_closed(dribbler));
    assert_true(is_closed(deaf));
}

/* ---- tests: the log and lookups ---- */

static void ask_log(struct server *s, uint32_t number, const char *id, bool follow)
{
    add(s, (struct dns_message){DNS_MSG_LOG, .log = {number, id, follow}});
    send_all(s);
}

static void the_log_of_a_sandbox(void **state)
{
    _cleanup_server_ struct server s;
    struct dns_message m;

    (void)state;
    start(&s);
    populate(&s, false);
    (void)query(s.web_udp, "db");
    (void)query(s.db_udp, "web");
    (void)query(s.web_udp, "missing.weft");
    ask_log(&s, 5, WEB, false);
    expect(&s, DNS_MSG_LOGGED, &m);
    assert_int_equal(m.logged.number, 5);
    assert_string_equal(m.logged.sandbox, WEB);
    assert_string_equal(m.logged.name, "db");
    assert_int_equal(m.logged.type, DNS_TYPE_A);
    assert_int_equal(m.logged.rcode, DNS_NOERROR);
    assert_int_equal(m.logged.source, DNS_FROM_NAMES);
    assert_int_equal(m.logged.answers, 1);
    assert_false(m.logged.tcp);
    assert_true(m.logged.time > (int64_t)1600000000 * 1000000000);
    expect(&s, DNS_MSG_LOGGED, &m);
    assert_string_equal(m.logged.name, "missing.weft");
    assert_int_equal(m.logged.rcode, DNS_NXDOMAIN);
    expect(&s, DNS_MSG_LOG_END, &m);
    assert_int_equal(m.number, 5);
}

static void the_log_is_followed(void **state)
{
    _cleanup_server_ struct server s;
    struct dns_message m;

    (void)state;
    start(&s);
    populate(&s, false);
    (void)query(s.web_udp, "db");
    ask_log(&s, 6, "", true);
    expect(&s, DNS_MSG_LOGGED, &m);
    assert_string_equal(m.logged.name, "db");
    for (int i = 0; i < 3; i++) {
        (void)query(s.db_udp, "web.front");
        expect(&s, DNS_MSG_LOGGED, &m);
        assert_int_equal(m.logged.number, 6);
        assert_string_equal(m.logged.sandbox, DB);
        assert_string_equal(m.logged.name, "web.front");
    }
    m = (struct dns_message){.type = DNS_MSG_LOG_STOP, .number = 6};
    add(&s, m);
    sync_all(&s);
    (void)query(s.db_udp, "web.front");
    assert_int_equal(readable(s.link, 200), 0);
}

/* Nobody reads: entries are lost, but no answers, and weftd is heard. */
static void a_log_that_nobody_reads(void **state)
{
    _cleanup_server_ struct server s;

    (void)state;
    start(&s);
    populate(&s, false);
    for (uint32_t i = 0; i < 20; i++)
        ask_log(&s, i, "", true);
    for (int i = 0; i < 3000; i++)
        expect_address(s.web_udp, "db", "10.1.0.3");
    sync_all(&s);
}

static void look_up(struct server *s, const char *id, const char *name, struct dns_message *ret)
{
    uint8_t buf[512];
    size_t length = make_query(buf, 9, name, DNS_TYPE_A);

    add(s, (struct dns_message){DNS_MSG_LOOKUP, .lookup = {++s->number, id, buf, length}});
    send_all(s);
    expect(s, DNS_MSG_FOUND, ret);
    assert_int_equal(ret->found.number, s->number);
}

static void lookups(void **state)
{
    _cleanup_server_ struct server s;
    struct dns_message m;

    (void)state;
    start(&s);
    populate(&s, false);
    look_up(&s, WEB, "db", &m);
    assert_int_equal(m.found.source, DNS_FROM_NAMES);
    assert_string_equal(outcome_of(m.found.msg, m.found.length).address, "10.1.0.3");
    look_up(&s, "", "web.front", &m);
    assert_string_equal(outcome_of(m.found.msg, m.found.length).address, "10.1.0.2");
    look_up(&s, NETWORK, "web", &m);
    assert_int_equal(m.found.length, 0);
    /* The host has no servers to ask. */
    look_up(&s, "", "example.org", &m);
    assert_int_equal(outcome_of(m.found.msg, m.found.length).rcode, DNS_SERVFAIL);
}

/* ---- tests: forwarding ---- */

static void need_port_53(void)
{
    if (!has_namespace)
        skip();
}

static void set_upstream(struct server *s)
{
    struct dns_server server = {0};

    assert_int_equal(addr_parse(UPSTREAM, &server.addr, NULL), 0);
    add(s, (struct dns_message){DNS_MSG_UPSTREAMS, .upstreams = {&server, 1}});
    sync_all(s);
}

/* A response to the query in buf, with `count` addresses 192.0.2.9. Its length. */
static size_t make_response(uint8_t *buf, size_t length, size_t count)
{
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 9};
    struct dns_query q;

    assert_int_equal(dns_query_parse(buf, length, &q), 0);
    dns_put16(buf + 2, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA);
    dns_put16(buf + 6, (uint16_t)count);
    dns_put16(buf + 10, 0);
    for (size_t i = 0; i < count; i++)
        memcpy(buf + q.question_end + i * sizeof record, record, sizeof record);
    return q.question_end + count * sizeof record;
}

/* Answers one query: with an address, or with TC. */
static void answer_one(int fd, bool truncated)
{
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;
    uint8_t buf[1024];
    ssize_t n;
    size_t length;

    assert_int_equal(readable(fd, WAIT_MS), 1);
    n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&peer, &size);
    assert_true(n > 0);
    length = make_response(buf, (size_t)n, !truncated);
    if (truncated)
        dns_put16(buf + 2, dns_get16(buf + 2) | DNS_FLAG_TC);
    assert_int_equal(sendto(fd, buf, length, 0, (struct sockaddr *)&peer, size), length);
}

static void answer_by_tcp(int listener, size_t count)
{
    _cleanup_close_ int fd = -1;
    uint8_t buf[8192];
    size_t length;

    assert_int_equal(readable(listener, WAIT_MS), 1);
    fd = accept(listener, NULL, NULL);
    assert_int_equal(recv(fd, buf, 2, MSG_WAITALL), 2);
    length = dns_get16(buf);
    assert_int_equal(recv(fd, buf + 2, length, MSG_WAITALL), length);
    length = make_response(buf + 2, length, count);
    dns_put16(buf, (uint16_t)length);
    assert_int_equal(send(fd, buf, length + 2, 0), length + 2);
}

static void others_are_asked(void **state)
{
    static const char *const names[] = {"example.org", "other.example.org", "web"};
    _cleanup_server_ struct server s;
    _cleanup_close_ int upstream = -1, fd = -1;
    struct dns_message m;

    (void)state;
    need_port_53();
    start(&s);
    populate(&s, true);
    upstream = bound(SOCK_DGRAM, UPSTREAM, DNS_PORT);
    set_upstream(&s);
    fd = client_of(s.web_udp, SOCK_DGRAM);
    ask(fd, 3, "example.org");
    answer_one(upstream, false);
    assert_string_equal(hear(fd).address, "192.0.2.9");
    expect_address(s.db_udp, "example.org", "192.0.2.9");
    (void)close(fd);
    fd = client_of(s.web_tcp, SOCK_STREAM);
    tcp_ask(fd, names, 3);
    /* Those that are known already come first. */
    assert_int_not_equal(tcp_hear(fd).id, 1);
    assert_int_not_equal(tcp_hear(fd).id, 1);
    answer_one(upstream, false);
    assert_int_equal(tcp_hear(fd).id, 1);
    look_up(&s, WEB, "example.org", &m);
    assert_int_equal(m.found.source, DNS_FROM_CACHE);
    ask_log(&s, 1, WEB, false);
    expect(&s, DNS_MSG_LOGGED, &m);
    assert_string_equal(m.logged.name, "example.org");
    assert_int_equal(m.logged.source, DNS_FROM_UPSTREAM);
    assert_string_equal(addr_text(&m.logged.server), UPSTREAM);
}

static void long_answers_come_by_tcp(void **state)
{
    static const char *const name[] = {"long.example.org"};
    _cleanup_server_ struct server s;
    _cleanup_close_ int upstream = -1, listener = -1, fd = -1;
    struct outcome o;

    (void)state;
    need_port_53();
    start(&s);
    populate(&s, true);
    upstream = bound(SOCK_DGRAM, UPSTREAM, DNS_PORT);
    listener = bound(SOCK_STREAM, UPSTREAM, DNS_PORT);
    set_upstream(&s);
    fd = client_of(s.web_tcp, SOCK_STREAM);
    tcp_ask(fd, name, 1);
    answer_one(upstream, true);
    answer_by_tcp(listener, 100);
    assert_int_equal(tcp_hear(fd).answers, 100);
    /* Without EDNS a datagram has room for 512 octets. */
    o = query(s.web_udp, name[0]);
    assert_int_equal(o.answers, 0);
    assert_true(o.truncated);
}

static void own_servers_are_asked_by_own_sockets(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int upstream = -1, fd = -1, asking = socket(AF_INET, SOCK_DGRAM, 0);
    struct dns_server server = {0};
    struct dns_message m = sandbox(DB, "db", true), sockets, first;

    (void)state;
    need_port_53();
    start(&s);
    populate(&s, true);
    upstream = bound(SOCK_DGRAM, "127.0.0.99", DNS_PORT);
    assert_int_equal(addr_parse("127.0.0.99", &server.addr, NULL), 0);
    m.sandbox.servers = &server;
    m.sandbox.server_count = 1;
    /* The sockets come before the servers. */
    sockets = sockets_of(DB, DNS_SOCKET_UDP, s.db_udp);
    sockets.sockets.roles[1] = DNS_SOCKET_ASK_UDP4;
    sockets.sockets.fds[1] = asking;
    sockets.sockets.count = 2;
    add(&s, sockets);
    add(&s, m);
    sync_all(&s);
    fd = client_of(s.db_udp, SOCK_DGRAM);
    for (uint16_t i = 0; i < 2; i++) {
        ask(fd, i, i == 0 ? "example.org" : "example.net");
        answer_one(upstream, false);
        assert_string_equal(hear(fd).address, "192.0.2.9");
        /* The same again, as a new weftd does. */
        reconnect(&s);
        assert_int_equal(greet(&s, &first), 4);
        dns_message_clear(&first);
        add(&s, m);
        add(&s, sockets);
        sync_all(&s);
    }
    /* The other has no servers. */
    assert_int_equal(query(s.web_udp, "example.org").rcode, DNS_SERVFAIL);
    m.sandbox.server_count = 0;
    add(&s, m);
    sync_all(&s);
    assert_int_equal(query(s.db_udp, "example.com").rcode, DNS_SERVFAIL);
}

static size_t count_pending(int fd, unsigned *servfails)
{
    size_t n = 0;

    while (readable(fd, 200)) {
        *servfails += hear(fd).rcode == DNS_SERVFAIL;
        n++;
    }
    return n;
}

static void one_sandbox_cannot_starve_another(void **state)
{
    _cleanup_server_ struct server s;
    _cleanup_close_ int upstream = -1, fd = -1, other = -1;
    unsigned servfails = 0;
    char name[64];

    (void)state;
    need_port_53();
    start(&s);
    populate(&s, true);
    upstream = bound(SOCK_DGRAM, UPSTREAM, DNS_PORT);
    set_upstream(&s);
    fd = client_of(s.web_udp, SOCK_DGRAM);
    for (uint16_t i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "n%u.example.org", i);
        ask(fd, i, name);
    }
    /* The upstream says nothing: 64 wait, the others are told at once. */
    assert_int_equal(count_pending(fd, &servfails), 36);
    assert_int_equal(servfails, 36);
    expect_address(s.web_udp, "db", "10.1.0.3");
    while (readable(upstream, 100))
        (void)recv(upstream, name, sizeof name, 0);
    other = client_of(s.db_udp, SOCK_DGRAM);
    ask(other, 1, "example.net");
    answer_one(upstream, false);
    assert_string_equal(hear(other).address, "192.0.2.9");
    /* Queries in flight do not outlive their sandbox. */
    add(&s, (struct dns_message){DNS_MSG_SANDBOX_GONE, .gone = {.sandbox = WEB}});
    sync_all(&s);
    expect_address(s.db_udp, "db", "10.1.0.3");
}

/* ---- tests: privileges, and the ring ---- */

static void it_is_confined(void **state)
{
    static const char *const lines[] = {"\nCapPrm:\t0000000000000000\n",
                                        "\nCapEff:\t0000000000000000\n",
                                        "\nCapBnd:\t0000000000000000\n",
                                        "\nNoNewPrivs:\t1\n",
                                        "\nUid:\t65534\t65534\t65534\t65534\n",
                                        "\nSeccomp:\t2\n"};
    _cleanup_server_ struct server s;
    _cleanup_free_ char *status = NULL;
    char path[64];
    size_t count = ARRAY_SIZE(lines);

    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    count--;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    count--;
#endif
#endif
    if (geteuid() != 0)
        skip();
    start(&s);
    sync_all(&s);
    snprintf(path, sizeof path, "/proc/%d/status", s.pid);
    assert_int_equal(file_read(path, 65536, &status, NULL, NULL), 0);
    for (size_t i = 0; i < count; i++)
        assert_non_null(strstr(status, lines[i]));
}

static void add_entry(struct dns_query_log *log, int64_t time, size_t labels)
{
    struct dns_name name = {.length = 1};
    struct dns_log_entry entry = {.time = time, .sandbox = time % 3 ? WEB : "", .name = &name};

    for (size_t i = 0; i < labels; i++) {
        memcpy(name.wire + name.length - 1, "\3abc", 5);
        name.length += 4;
    }
    dns_query_log_add(log, &entry);
}

static void the_latest_entries_are_kept(void **state)
{
    static struct dns_query_log log;
    struct dns_log_entry entry;
    struct dns_name name;

    (void)state;
    for (int64_t n = 0; n < 20000; n++) {
        size_t i = 0;

        add_entry(&log, n, (size_t)(n * 7919 % 63));
        if (n % 97)
            continue;
        for (; dns_query_log_get(&log, i, &entry, &name); i++) {
            assert_int_equal(entry.time, n + 1 - log.count + i);
            assert_string_equal(entry.sandbox, entry.time % 3 ? WEB : "");
            assert_int_equal(name.length, 1 + 4 * (entry.time * 7919 % 63));
            assert_int_equal(name.wire[name.length - 1], 0);
        }
        assert_true(i >= (n < 150 ? (size_t)n + 1 : 150));
        assert_true(i <= DNS_LOG_ENTRIES);
    }
    for (int64_t n = 0; n < 2000; n++)
        add_entry(&log, n, 0);
    assert_true(dns_query_log_get(&log, DNS_LOG_ENTRIES - 1, &entry, &name));
    assert_int_equal(entry.time, 1999);
}

/* A network namespace with a loopback that is up. */
static bool make_namespace(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    _cleanup_close_ int fd = -1;

    if (unshare(CLONE_NEWNET) < 0)
        return false;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_there_when_synced),
        cmocka_unit_test(sockets_are_handed_back),
        cmocka_unit_test(what_is_not_named_again_goes),
        cmocka_unit_test(other_sockets_replace_those_there_are),
        cmocka_unit_test(a_new_connection_replaces_the_old),
        cmocka_unit_test(nonsense_ends_the_connection_only),
        cmocka_unit_test(alone_it_ends),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(garbage_is_answered_or_not),
        cmocka_unit_test(queries_in_one_go),
        cmocka_unit_test(octet_by_octet),
        cmocka_unit_test(connections_of_one_owner_are_bounded),
        cmocka_unit_test(connections_wait_for_descriptors),
        cmocka_unit_test(those_who_dribble_or_never_read_are_cut_off),
        cmocka_unit_test(the_log_of_a_sandbox),
        cmocka_unit_test(the_log_is_followed),
        cmocka_unit_test(a_log_that_nobody_reads),
        cmocka_unit_test(lookups),
        cmocka_unit_test(others_are_asked),
        cmocka_unit_test(long_answers_come_by_tcp),
        cmocka_unit_test(own_servers_are_asked_by_own_sockets),
        cmocka_unit_test(one_sandbox_cannot_starve_another),
        cmocka_unit_test(it_is_confined),
        cmocka_unit_test(the_latest_entries_are_kept),
    };

    int r;

    has_namespace = make_namespace();
    r = cmocka_run_group_tests(tests, NULL, NULL);
    end_left_over();
    return r;
}
