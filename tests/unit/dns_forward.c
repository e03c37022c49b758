/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Servers of all kinds on 127.0.0.1 to 127.0.0.4, at a port that the kernel chooses: in the test's
 * own loop, so that it sees what they were asked.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "dns/forward.h"

#define SERVERS 4
#define RACE_MS 150            /* longer than it is, for the machine may be busy, */
#define PACE 4                 /* and other waits are shorter: seconds are 250 ms */
#define AT_ONCE (RACE_MS - 20) /* before any race */
#define BIG 40000              /* octets of a response */
#define QUERIES_KEPT 16

/* What a server does with a query. */
enum manner {
    ANSWERS, /* 192.0.2.N, as 127.0.0.N */
    SILENT,
    SERVFAILS,
    REFUSES,
    DENIES, /* NXDOMAIN, with an SOA */
    TRUNCATES,
    NO_EDNS,  /* FORMERR to queries with OPT */
    OTHER_ID, /* these send something wrong, and then the answer */
    OTHER_NAME,
    OTHER_TYPE,
    NO_RESPONSE, /* without QR */
    GARBLED,
    OTHER_HOST,
    LATE,
};

enum tcp_manner { TCP_ANSWERS, TCP_DRIBBLES, TCP_CLOSES, TCP_SILENT, TCP_LIES };

struct fake {
    uv_poll_t udp, tcp, *connection;
    uv_timer_t timer; /* for LATE and TCP_DRIBBLES */
    int udp_fd, tcp_fd, connection_fd;
    uint8_t number;
    enum manner manner;
    enum tcp_manner tcp_manner;
    unsigned delay;
    uint8_t ttl;
    bool cookie;       /* its OPT record has one, and an extended error */
    bool opt_in_front; /* its OPT record is the first of two additionals */
    size_t extra;      /* octets of a TXT record */
    unsigned queries, tcp_queries;
    uint16_t ports[QUERIES_KEPT], ids[QUERIES_KEPT];
    uint8_t last[1024];
    size_t last_length;
    struct sockaddr_in peer;
    uint8_t response[DNS_MESSAGE_MAX + 2];
    size_t response_length, response_sent;
};

struct outcome {
    unsigned calls;
    uint8_t msg[DNS_MESSAGE_MAX];
    size_t length;
    enum dns_source source;
    struct addr server;
    struct dns_response response;
};

static uv_loop_t loop;
static uint16_t port;
static struct fake fakes[SERVERS];
static struct dns_forwarder *forwarder;
static struct dns_upstreams *set;
static struct outcome outcome, second;

/* ---- messages ---- */

/* Writes name as the wire has it, with its case. */
static size_t put_name(uint8_t *to, const char *name)
{
    size_t at = 0;

    while (*name) {
        size_t label = strcspn(name, ".");

        to[at] = (uint8_t)label;
        memcpy(to + at + 1, name, label);
        at += label + 1;
        name += label + (name[label] == '.');
    }
    to[at] = 0;
    return at + 1;
}

struct asking {
    const char *name;
    uint16_t type, flags;
    bool edns, dnssec_ok;
    uint16_t option; /* a code; its data are "xyz" */
};

static size_t put_query(uint8_t *to, uint16_t id, const struct asking *asking)
{
    size_t at = DNS_HEADER_SIZE;

    memset(to, 0, DNS_HEADER_SIZE);
    dns_put16(to, id);
    dns_put16(to + 2, asking->flags ? asking->flags : DNS_FLAG_RD);
    dns_put16(to + 4, 1);
    at += put_name(to + at, asking->name);
    dns_put16(to + at, asking->type ? asking->type : DNS_TYPE_A);
    dns_put16(to + at + 2, DNS_CLASS_IN);
    at += 4;
    if (asking->edns) {
        const uint8_t opt[] = {0, 0, 41, 16, 0, 0, 0, asking->dnssec_ok ? 0x80 : 0, 0, 0, 0};
        const uint8_t option[] = {0, (uint8_t)asking->option, 0, 3, 'x', 'y', 'z'};

        dns_put16(to + 10, 1);
        memcpy(to + at, opt, sizeof opt);
        at += sizeof opt;
        if (asking->option) {
            to[at - 1] = sizeof option;
            memcpy(to + at, option, sizeof option);
            at += sizeof option;
        }
    }
    return at;
}

static size_t question_end(const uint8_t *query)
{
    size_t at = DNS_HEADER_SIZE;

    while (query[at])
        at += query[at] + 1U;
    return at + 5;
}

static bool has_opt(const uint8_t *query)
{
    return dns_get16(query + 10) > 0;
}

static size_t put_a(uint8_t *to, uint8_t ttl, uint8_t last)
{
    const uint8_t a[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, ttl, 0, 4, 192, 0, 2, last};

    memcpy(to, a, sizeof a);
    return sizeof a;
}

static size_t put_additionals(const struct fake *fake, uint8_t *msg, size_t at)
{
    static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0};
    /* A cookie, and an extended error. */
    static const uint8_t options[] = {0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 15, 0, 2, 0, 3};

    dns_put16(msg + 10, 1);
    memcpy(msg + at, opt, sizeof opt);
    at += sizeof opt;
    if (fake->cookie) {
        msg[at - 1] = sizeof options;
        memcpy(msg + at, options, sizeof options);
        at += sizeof options;
    }
    if (fake->opt_in_front) {
        dns_put16(msg + 10, 2);
        at += put_a(msg + at, fake->ttl, 99);
    }
    return at;
}

/* Writes what the server answers to its last query. */
static size_t put_response(const struct fake *fake, uint8_t *msg, enum dns_rcode rcode)
{
    static const uint8_t soa[] = {0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0, 0, 0, 0,
                                  1,    0,  0, 0, 2, 0, 0, 0, 3, 0,  0, 0,  4, 0, 0, 0, 20};
    static const uint8_t txt[] = {0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 255};
    size_t at = question_end(fake->last);

    memcpy(msg, fake->last, at);
    dns_put16(msg + 2, (uint16_t)(DNS_FLAG_QR | DNS_FLAG_RA | DNS_FLAG_AD |
                                  (dns_get16(msg + 2) & DNS_FLAG_RD) | rcode));
    memset(msg + 6, 0, 6);
    if (rcode == DNS_NXDOMAIN) {
        dns_put16(msg + 8, 1);
        memcpy(msg + at, soa, sizeof soa);
        at += sizeof soa;
    }
    if (rcode == DNS_NOERROR) {
        dns_put16(msg + 6, fake->extra ? 2 : 1);
        at += put_a(msg + at, fake->ttl, fake->number);
    }
    if (rcode == DNS_NOERROR && fake->extra) {
        memcpy(msg + at, txt, sizeof txt);
        dns_put16(msg + at + sizeof txt, (uint16_t)fake->extra);
        memset(msg + at + sizeof txt + 2, 0, fake->extra);
        at += sizeof txt + 2 + fake->extra;
    }
    return has_opt(fake->last) ? put_additionals(fake, msg, at) : at;
}

/* ---- servers ---- */

static void send_udp(const struct fake *fake, int fd, const uint8_t *msg, size_t length)
{
    assert_true(
        sendto(fd, msg, length, 0, (const struct sockaddr *)&fake->peer, sizeof fake->peer) >= 0 ||
        errno == ECONNREFUSED);
}

static void answer_late(uv_timer_t *timer)
{
    struct fake *fake = timer->data;

    send_udp(fake, fake->udp_fd, fake->response, fake->response_length);
}

/* Something that must not be believed: the address in it is 192.0.2.66. */
static void send_wrong(struct fake *fake)
{
    static uint8_t msg[DNS_MESSAGE_MAX];
    size_t end = question_end(fake->last), length = put_response(fake, msg, DNS_NOERROR);
    int fd = fake->udp_fd;

    msg[end + 15] = 66;
    switch (fake->manner) {
    case OTHER_ID:
        msg[0] ^= 0x55;
        break;
    case OTHER_NAME:
        msg[DNS_HEADER_SIZE + 1] ^= 1;
        break;
    case OTHER_TYPE:
        msg[end - 3] = DNS_TYPE_AAAA;
        break;
    case NO_RESPONSE:
        msg[2] &= 0x7f;
        break;
    case GARBLED:
        for (size_t cut = 0; cut < length; cut++)
            send_udp(fake, fd, msg, cut);
        msg[end + 1] = (uint8_t)end; /* a name that points at itself */
        break;
    case OTHER_HOST:
        fd = fakes[SERVERS - 1].udp_fd;
        break;
    default:
        return;
    }
    send_udp(fake, fd, msg, length);
}

static void serve(struct fake *fake)
{
    uint8_t *msg = fake->response;
    enum dns_rcode rcode = DNS_NOERROR;

    if (fake->manner == SILENT)
        return;
    if (fake->manner == SERVFAILS)
        rcode = DNS_SERVFAIL;
    if (fake->manner == REFUSES)
        rcode = DNS_REFUSED;
    if (fake->manner == DENIES)
        rcode = DNS_NXDOMAIN;
    if (fake->manner == NO_EDNS && has_opt(fake->last))
        rcode = DNS_FORMERR;
    send_wrong(fake);
    fake->response_length = put_response(fake, msg, rcode);
    if (fake->manner == TRUNCATES) {
        dns_put16(msg + 2, dns_get16(msg + 2) | DNS_FLAG_TC);
        fake->response_length = dns_response_truncate(msg, fake->response_length, true);
    }
    if (fake->manner == LATE)
        uv_timer_start(&fake->timer, answer_late, fake->delay, 0);
    else
        send_udp(fake, fake->udp_fd, msg, fake->response_length);
}

static void on_udp(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = poll->data;
    socklen_t size = sizeof fake->peer;
    ssize_t length = recvfrom(fake->udp_fd, fake->last, sizeof fake->last, MSG_DONTWAIT,
                              (struct sockaddr *)&fake->peer, &size);

    (void)status;
    (void)events;
    if (length < 0)
        return;
    assert_true(length > DNS_HEADER_SIZE);
    fake->last_length = (size_t)length;
    fake->ports[fake->queries % QUERIES_KEPT] = ntohs(fake->peer.sin_port);
    fake->ids[fake->queries % QUERIES_KEPT] = dns_get16(fake->last);
    fake->queries++;
    serve(fake);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void hang_up(struct fake *fake)
{
    if (fake->connection_fd < 0)
        return;
    uv_close((uv_handle_t *)fake->connection, on_closed);
    uv_timer_stop(&fake->timer);
    close(fake->connection_fd);
    fake->connection_fd = -1;
}

static void dribble(uv_timer_t *timer)
{
    struct fake *fake = timer->data;

    if (fake->response_sent == fake->response_length) {
        uv_timer_stop(timer);
        return;
    }
    (void)!write(fake->connection_fd, fake->response + fake->response_sent, 1);
    fake->response_sent++;
}

static void serve_tcp(struct fake *fake)
{
    size_t length;

    if (fake->tcp_manner == TCP_SILENT)
        return;
    length = put_response(fake, fake->response + 2, DNS_NOERROR);
    if (fake->tcp_manner == TCP_LIES)
        fake->response[2] ^= 0x55;
    dns_put16(fake->response, (uint16_t)length);
    fake->response_length = length + 2;
    fake->response_sent = 0;
    if (fake->tcp_manner == TCP_DRIBBLES) {
        uv_timer_start(&fake->timer, dribble, 1, 1);
        return;
    }
    /* It fits into the socket's buffer, or the answer does not come. */
    (void)!write(fake->connection_fd, fake->response, fake->response_length);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = poll->data;
    uint8_t buf[1024];
    ssize_t length = recv(fake->connection_fd, buf, sizeof buf, MSG_DONTWAIT);

    (void)status;
    (void)events;
    if (length <= 0) {
        uv_poll_stop(poll);
        return;
    }
    assert_int_equal(dns_get16(buf), length - 2);
    fake->tcp_queries++;
    fake->last_length = (size_t)length - 2;
    memcpy(fake->last, buf + 2, fake->last_length);
    if (fake->tcp_manner == TCP_CLOSES) {
        uv_poll_stop(poll);
        shutdown(fake->connection_fd, SHUT_RDWR);
        return;
    }
    serve_tcp(fake);
}

static void watch(uv_poll_t *poll, int fd, uv_poll_cb ready, struct fake *fake)
{
    poll->data = fake;
    uv_poll_init(&loop, poll, fd);
    uv_poll_start(poll, UV_READABLE, ready);
}

static void on_tcp(uv_poll_t *poll, int status, int events)
{
    struct fake *fake = poll->data;

    (void)status;
    (void)events;
    hang_up(fake);
    fake->connection_fd = accept4(fake->tcp_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fake->connection_fd >= 0);
    fake->connection = calloc(1, sizeof *fake->connection);
    assert_non_null(fake->connection);
    watch(fake->connection, fake->connection_fd, on_connection, fake);
}

static int bound(uint8_t number, int type)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(0x7f000000U | number);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    port = ntohs(at.sin_port);
    return fd;
}

static void open_fake(uint8_t number)
{
    struct fake *fake = &fakes[number - 1];

    *fake = (struct fake){.number = number, .ttl = 30, .connection_fd = -1};
    fake->udp_fd = bound(number, SOCK_DGRAM);
    fake->tcp_fd = bound(number, SOCK_STREAM);
    watch(&fake->udp, fake->udp_fd, on_udp, fake);
    watch(&fake->tcp, fake->tcp_fd, on_tcp, fake);
    uv_timer_init(&loop, &fake->timer);
    fake->timer.data = fake;
}

/* Nobody listens there any more. */
static void close_tcp(struct fake *fake)
{
    if (fake->tcp_fd < 0)
        return;
    uv_close((uv_handle_t *)&fake->tcp, NULL);
    close(fake->tcp_fd);
    fake->tcp_fd = -1;
}

static void close_udp(struct fake *fake)
{
    if (fake->udp_fd < 0)
        return;
    uv_close((uv_handle_t *)&fake->udp, NULL);
    close(fake->udp_fd);
    fake->udp_fd = -1;
}

static void reopen_udp(struct fake *fake)
{
    uv_run(&loop, UV_RUN_NOWAIT);
    fake->udp_fd = bound(fake->number, SOCK_DGRAM);
    watch(&fake->udp, fake->udp_fd, on_udp, fake);
}

/* ---- each test ---- */

static struct dns_server server_of(uint8_t number)
{
    return (struct dns_server){.addr = {.family = AF_INET, .bytes = {127, 0, 0, number}}};
}

/* A set of the first count servers, with the sockets. */
static struct dns_upstreams *make_set(size_t count, const uint8_t *roles, const int *fds,
                                      size_t fd_count)
{
    struct dns_server servers[SERVERS];
    struct dns_upstreams *u;

    for (size_t i = 0; i < count; i++)
        servers[i] = server_of((uint8_t)(i + 1));
    assert_int_equal(dns_upstreams_new(forwarder, servers, count, roles, fds, fd_count, &u), 0);
    return u;
}

static int setup(void **state)
{
    (void)state;
    uv_loop_init(&loop);
    port = 0;
    memset(&outcome, 0, sizeof outcome);
    memset(&second, 0, sizeof second);
    assert_int_equal(dns_forwarder_new(&loop, &forwarder), 0);
    for (uint8_t number = 1; number <= SERVERS; number++)
        open_fake(number);
    dns_forwarder_set_test(forwarder, port, RACE_MS, PACE);
    set = make_set(2, NULL, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    dns_upstreams_free(set);
    dns_forwarder_free(forwarder);
    for (struct fake *fake = fakes; fake < fakes + SERVERS; fake++) {
        hang_up(fake);
        close_udp(fake);
        close_tcp(fake);
        uv_close((uv_handle_t *)&fake->timer, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

static void use_servers(size_t count)
{
    dns_upstreams_free(set);
    memset(&outcome, 0, sizeof outcome);
    set = make_set(count, NULL, NULL, 0);
}

static void on_done(void *arg, uint8_t *msg, size_t length, enum dns_source source,
                    const struct addr *server)
{
    struct outcome *o = arg;

    o->calls++;
    memcpy(o->msg, msg, length);
    o->length = length;
    o->source = source;
    o->server = *server;
    assert_int_equal(dns_response_parse(msg, length, &o->response), 0);
}

static void ask_of(struct dns_upstreams *u, const struct asking *asking, uint16_t id,
                   dns_forward_fn *done, void *arg, struct dns_forward **ret)
{
    uint8_t msg[512];
    size_t length = put_query(msg, id, asking);
    struct dns_query query;

    assert_int_equal(dns_query_parse(msg, length, &query), 0);
    uv_update_time(&loop);
    dns_forward(u, msg, length, &query, done, arg, ret);
}

static struct dns_forward *ask(const struct asking *asking, uint16_t id, struct outcome *o)
{
    struct dns_forward *fw;

    o->calls = 0;
    ask_of(set, asking, id, on_done, o, &fw);
    return fw;
}

static void on_nothing(uv_timer_t *timer)
{
    (void)timer;
}

/* Runs the loop until *calls is as large, at most so long. Returns how long it took. */
static uint64_t run_until(const unsigned *calls, unsigned count, unsigned ms)
{
    uint64_t start = uv_hrtime(), end = start + (uint64_t)ms * 1000000;
    uv_timer_t timer;

    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, on_nothing, 1, 1);
    while (*calls < count && uv_hrtime() < end)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return (uv_hrtime() - start) / 1000000;
}

static void run(unsigned ms)
{
    const unsigned never = 0;

    (void)run_until(&never, 1, ms);
}

/* Asks, and waits for the answer. Returns how long it took, in ms. */
static uint64_t resolve(const char *name)
{
    const struct asking asking = {.name = name};
    uint64_t start = uv_hrtime();

    (void)ask(&asking, 0x1234, &outcome);
    (void)run_until(&outcome.calls, 1, 7000);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.response.id, 0x1234);
    return (uv_hrtime() - start) / 1000000;
}

/* The address of the first answer is 192.0.2.N. */
static uint8_t answer_of(const struct outcome *o)
{
    assert_int_equal(o->response.rcode, DNS_NOERROR);
    assert_true(o->response.answers > 0);
    return o->msg[o->response.question_end + 15];
}

static void assert_answered_by(uint8_t number)
{
    const struct dns_server server = server_of(number);

    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    assert_int_equal(answer_of(&outcome), number);
    assert_true(addr_equal(&outcome.server, &server.addr));
}

/* ---- which server ---- */

static void test_first(void **state)
{
    (void)state;
    assert_true(resolve("www.example") < AT_ONCE);
    assert_answered_by(1);
    assert_int_equal(fakes[1].queries, 0);
    /* What was sent: recursion desired, the question, and an OPT record of size 1232. */
    assert_int_equal(dns_get16(fakes[0].last + 2), DNS_FLAG_RD | DNS_FLAG_AD);
    assert_int_equal(fakes[0].last_length, question_end(fakes[0].last) + 11);
    assert_int_equal(dns_get16(fakes[0].last + fakes[0].last_length - 8), DNS_EDNS_SIZE);
}

static void test_random(void **state)
{
    struct dns_upstreams *u = make_set(1, NULL, NULL, 0);
    unsigned same_port = 0, same_id = 0;
    char name[32];

    (void)state;
    for (unsigned i = 0; i < QUERIES_KEPT; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        (void)resolve(name);
        for (unsigned j = 0; j < i; j++) {
            same_port += fakes[0].ports[i] == fakes[0].ports[j];
            same_id += fakes[0].ids[i] == fakes[0].ids[j];
        }
    }
    assert_true(same_port <= 1);
    assert_true(same_id <= 1);
    dns_upstreams_free(u);
}

/* 50 ms once; then it is asked last. */
static void test_silent_first(void **state)
{
    uint64_t took;

    (void)state;
    dns_forwarder_set_test(forwarder, port, DNS_RACE_MS, PACE);
    fakes[0].manner = SILENT;
    took = resolve("a.example");
    dns_forwarder_set_test(forwarder, port, RACE_MS, PACE);
    assert_true(took >= DNS_RACE_MS - 2 && took < RACE_MS);
    assert_answered_by(2);
    assert_int_equal(fakes[0].queries, 1);
    for (int i = 0; i < 5; i++) {
        char name[32];

        snprintf(name, sizeof name, "b%d.example", i);
        assert_true(resolve(name) < AT_ONCE);
        assert_answered_by(2);
    }
    assert_int_equal(fakes[0].queries, 1);
}

/* The kernel says that nobody listens: no time is lost. */
static void test_unreachable_first(void **state)
{
    (void)state;
    close_udp(&fakes[0]);
    assert_true(resolve("a.example") < AT_ONCE);
    assert_answered_by(2);
    assert_true(resolve("b.example") < AT_ONCE);
    assert_answered_by(2);
}

/* The first is only slow, and answers while the second is asked: it wins, nobody has failed. */
static void test_slow_first(void **state)
{
    (void)state;
    fakes[0].manner = LATE;
    fakes[0].delay = RACE_MS + 30;
    fakes[1].manner = SILENT;
    (void)resolve("a.example");
    assert_answered_by(1);
    assert_int_equal(fakes[1].queries, 1);
    fakes[0].manner = ANSWERS;
    assert_true(resolve("b.example") < AT_ONCE);
    assert_answered_by(1);
}

static void test_recovery(void **state)
{
    (void)state;
    fakes[0].manner = SILENT;
    (void)resolve("a.example");
    assert_answered_by(2);
    fakes[0].manner = ANSWERS;
    (void)resolve("b.example");
    assert_int_equal(fakes[0].queries, 1);
    /* It is tried beside the other, whose answer is the one; its own comes later, and counts. */
    run(2550);
    fakes[0].manner = LATE;
    fakes[0].delay = 100;
    assert_true(resolve("c.example") < 80);
    assert_answered_by(2);
    run(150);
    assert_int_equal(fakes[0].queries, 2);
    fakes[0].manner = ANSWERS;
    fakes[1].manner = SILENT;
    /* The second has been faster, and is asked first. */
    assert_true(resolve("d.example") >= RACE_MS - 5);
    assert_answered_by(1);
    assert_true(resolve("e.example") < AT_ONCE);
    assert_answered_by(1);
    assert_int_equal(fakes[0].queries, 4);
}

static void test_others_ask(void **state)
{
    const enum manner unwilling[] = {SERVFAILS, REFUSES};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char name[32];

        snprintf(name, sizeof name, "n%zu.example", i);
        use_servers(3);
        fakes[0].manner = fakes[1].manner = unwilling[i];
        assert_true(resolve(name) < AT_ONCE);
        assert_answered_by(3);
    }
}

static void test_all_unwilling(void **state)
{
    (void)state;
    fakes[0].manner = REFUSES;
    fakes[1].manner = SERVFAILS;
    assert_true(resolve("a.example") < AT_ONCE);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    /* It is not kept. */
    fakes[0].manner = ANSWERS;
    (void)resolve("a.example");
    assert_answered_by(1);
    /* One is unwilling, and the other silent: it has a second. */
    fakes[0].manner = REFUSES;
    fakes[1].manner = SILENT;
    assert_true(resolve("b.example") < 600);
    assert_int_equal(outcome.response.rcode, DNS_REFUSED);
}

static void test_nobody(void **state)
{
    uint64_t took;

    (void)state;
    fakes[0].manner = fakes[1].manner = SILENT;
    took = resolve("a.example");
    assert_true(took > 1200 && took < 1600);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
    assert_int_equal(outcome.source, DNS_FROM_NOBODY);
    assert_false(addr_is_set(&outcome.server));
    /* Each was asked again after one and two seconds. */
    assert_int_equal(fakes[0].queries, 3);
    assert_int_equal(fakes[1].queries, 3);
    use_servers(0);
    assert_true(resolve("a.example") < AT_ONCE);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
}

/* Nobody listens anywhere: no need to wait to the end. One that comes back meanwhile is found. */
static void test_nobody_listens(void **state)
{
    const struct asking asking = {.name = "b.example"};

    (void)state;
    close_udp(&fakes[0]);
    close_udp(&fakes[1]);
    assert_true(resolve("a.example") < 1000);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
    (void)ask(&asking, 1, &outcome);
    run(100);
    assert_int_equal(outcome.calls, 0);
    reopen_udp(&fakes[1]);
    (void)run_until(&outcome.calls, 1, 1500);
    assert_answered_by(2);
}

static void test_servers_change(void **state)
{
    const struct dns_server third = server_of(3);
    const struct asking asking = {.name = "a.example"};

    (void)state;
    (void)resolve("kept.example");
    fakes[0].manner = fakes[1].manner = SILENT;
    (void)ask(&asking, 1, &outcome);
    run(10);
    assert_int_equal(dns_upstreams_set(set, &third, 1), 0);
    assert_true(run_until(&outcome.calls, 1, 1000) < AT_ONCE);
    assert_answered_by(3);
    (void)resolve("kept.example");
    assert_answered_by(3);
}

/* ---- what is not believed ---- */

static void test_lies(void **state)
{
    const enum manner lies[] = {OTHER_ID, OTHER_NAME, OTHER_TYPE, NO_RESPONSE, GARBLED, OTHER_HOST};

    (void)state;
    use_servers(1);
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        char name[32];

        fakes[0].manner = lies[i];
        snprintf(name, sizeof name, "n%zu.example", i);
        (void)resolve(name);
        assert_answered_by(1);
    }
    assert_int_equal(fakes[0].queries, 6);
}

/* An answer that comes after all is over is nobody's. */
static void test_late(void **state)
{
    (void)state;
    fakes[0].manner = LATE;
    fakes[0].delay = 2 * RACE_MS;
    (void)resolve("a.example");
    assert_answered_by(2);
    outcome.calls = 0;
    run(2 * RACE_MS);
    assert_int_equal(outcome.calls, 0);
}

/* ---- TCP ---- */

static void test_truncated(void **state)
{
    (void)state;
    fakes[0].manner = TRUNCATES;
    fakes[0].extra = BIG;
    (void)resolve("a.example");
    assert_answered_by(1);
    assert_true(outcome.length > BIG);
    assert_int_equal(fakes[0].queries, 1);
    assert_int_equal(fakes[0].tcp_queries, 1);
    assert_int_equal(fakes[1].tcp_queries, 0);
    assert_false(outcome.response.flags & DNS_FLAG_TC);
    /* It is kept as well. */
    (void)resolve("a.example");
    assert_int_equal(outcome.source, DNS_FROM_CACHE);
    assert_true(outcome.length > BIG);
}

static void test_dribbles(void **state)
{
    (void)state;
    use_servers(1);
    fakes[0].manner = TRUNCATES;
    fakes[0].tcp_manner = TCP_DRIBBLES;
    assert_true(resolve("a.example") > 40);
    assert_answered_by(1);
}

static void test_tcp_fails(void **state)
{
    const enum tcp_manner failing[] = {TCP_CLOSES, TCP_SILENT, TCP_LIES};

    (void)state;
    fakes[0].manner = TRUNCATES;
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        char name[32];

        use_servers(2);
        fakes[0].tcp_manner = failing[i];
        snprintf(name, sizeof name, "n%zu.example", i);
        assert_true(resolve(name) < RACE_MS + 80);
        assert_answered_by(2);
    }
    close_tcp(&fakes[0]);
    use_servers(2);
    assert_true(resolve("refused.example") < AT_ONCE);
    assert_answered_by(2);
}

/* There is nothing better than the truncated response. */
static void test_tcp_nowhere(void **state)
{
    (void)state;
    fakes[0].manner = TRUNCATES;
    fakes[1].manner = REFUSES;
    close_tcp(&fakes[0]);
    assert_true(resolve("a.example") < AT_ONCE);
    assert_int_equal(outcome.response.rcode, DNS_NOERROR);
    assert_true(outcome.response.flags & DNS_FLAG_TC);
    assert_int_equal(outcome.response.answers, 0);
    /* Nor is it kept. */
    fakes[0].manner = ANSWERS;
    (void)resolve("a.example");
    assert_answered_by(1);
}

static void test_tcp_deadline(void **state)
{
    uint64_t took;

    (void)state;
    /* The other has refused, and is not asked again. */
    fakes[1].manner = REFUSES;
    fakes[0].manner = TRUNCATES;
    fakes[0].tcp_manner = TCP_SILENT;
    took = resolve("a.example");
    assert_true(took > 1200 && took < 1600);
    assert_true(outcome.response.flags & DNS_FLAG_TC);
    assert_int_equal(fakes[1].queries, 1);
}

/* ---- EDNS ---- */

static void resolve_as(const struct asking *asking)
{
    (void)ask(asking, 7, &outcome);
    (void)run_until(&outcome.calls, 1, 3000);
    assert_int_equal(outcome.calls, 1);
}

static void test_edns_stripped(void **state)
{
    (void)state;
    fakes[0].cookie = true;
    (void)resolve("a.example");
    assert_answered_by(1);
    assert_int_equal(outcome.response.opt_length, 0);
    assert_int_equal(dns_get16(outcome.msg + 10), 0);
    /* Only who asks with AD or DO is told so. */
    assert_false(outcome.response.flags & DNS_FLAG_AD);
    resolve_as(&(struct asking){.name = "a.example", .flags = DNS_FLAG_RD | DNS_FLAG_AD});
    assert_int_equal(outcome.source, DNS_FROM_CACHE);
    assert_true(outcome.response.flags & DNS_FLAG_AD);
}

static void test_edns_replaced(void **state)
{
    static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 6, 0, 15, 0, 2, 0, 3};
    struct asking asking = {.name = "a.example", .edns = true, .dnssec_ok = true};
    const struct dns_response *r = &outcome.response;

    (void)state;
    /* The extended error stays, the cookie does not. */
    fakes[0].cookie = true;
    resolve_as(&asking);
    assert_answered_by(1);
    assert_int_equal(r->opt_length, sizeof opt);
    assert_memory_equal(outcome.msg + r->opt, opt, sizeof opt);
    assert_true(fakes[0].last[fakes[0].last_length - 4] & 0x80);
    /* Without DO it is another answer. */
    asking.dnssec_ok = false;
    resolve_as(&asking);
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    assert_int_equal(outcome.msg[r->opt + 7], 0);
    assert_false(fakes[0].last[fakes[0].last_length - 4] & 0x80);
}

static void test_edns_in_front(void **state)
{
    const struct asking asking = {.name = "a.example", .edns = true};

    (void)state;
    fakes[0].opt_in_front = true;
    (void)resolve("a.example");
    assert_answered_by(1);
    assert_int_equal(dns_get16(outcome.msg + 10), 0);
    resolve_as(&asking);
    assert_int_equal(dns_get16(outcome.msg + 10), 1);
    assert_int_equal(outcome.response.opt_length, 11);
}

static void test_no_edns(void **state)
{
    const struct asking asking = {.name = "b.example", .edns = true};

    (void)state;
    fakes[0].manner = NO_EDNS;
    assert_true(resolve("a.example") < AT_ONCE);
    assert_answered_by(1);
    assert_int_equal(fakes[0].queries, 2);
    resolve_as(&asking);
    assert_answered_by(1);
    assert_int_equal(outcome.response.opt_length, 11);
}

static void test_options(void **state)
{
    struct asking asking = {.name = "a.example", .edns = true, .option = 8};
    const struct fake *fake = &fakes[0];

    (void)state;
    resolve_as(&asking);
    assert_answered_by(1);
    assert_int_equal(fake->last_length, question_end(fake->last) + 11 + 7);
    /* It was asked with an option: not kept, nor answered from what is kept. */
    resolve_as(&asking);
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    (void)resolve("a.example");
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    resolve_as(&asking);
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    /* What is for us alone goes no further, and makes no difference. */
    for (uint16_t option = 10; option <= 12; option++) {
        asking.option = option;
        resolve_as(&asking);
        assert_int_equal(outcome.source, DNS_FROM_CACHE);
    }
    asking.name = "b.example";
    resolve_as(&asking);
    assert_int_equal(fake->last_length, question_end(fake->last) + 11);
}

static void test_flags(void **state)
{
    struct asking asking = {.name = "a.example", .flags = DNS_FLAG_CD};

    (void)state;
    resolve_as(&asking);
    assert_int_equal(dns_get16(fakes[0].last + 2), DNS_FLAG_CD | DNS_FLAG_AD);
    assert_true(outcome.response.flags & DNS_FLAG_CD);
    assert_false(outcome.response.flags & DNS_FLAG_RD);
    /* Without RD a server may not have told all: that is not kept. */
    asking.flags = DNS_FLAG_RD | DNS_FLAG_CD;
    resolve_as(&asking);
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    assert_true(outcome.response.flags & DNS_FLAG_RD);
    /* With CD it may be what others are not to see. */
    (void)resolve("a.example");
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
}

/* ---- the cache ---- */

static void test_cached(void **state)
{
    static const uint8_t asked[] = "\001A\007eXaMpLe";

    (void)state;
    (void)resolve("a.example");
    run(1100);
    (void)resolve("A.eXaMpLe");
    assert_int_equal(outcome.source, DNS_FROM_CACHE);
    assert_int_equal(answer_of(&outcome), 1);
    assert_memory_equal(outcome.msg + DNS_HEADER_SIZE, asked, sizeof asked);
    assert_true(outcome.response.ttl == 28 || outcome.response.ttl == 29);
    assert_int_equal(fakes[0].queries, 1);
    /* Another set has not asked. */
    use_servers(2);
    (void)resolve("a.example");
    assert_answered_by(1);
}

static void test_not_cached(void **state)
{
    (void)state;
    fakes[0].ttl = 0;
    (void)resolve("a.example");
    (void)resolve("a.example");
    assert_answered_by(1);
    assert_int_equal(fakes[0].queries, 2);
    fakes[0].ttl = 1;
    (void)resolve("b.example");
    run(1050);
    (void)resolve("b.example");
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
}

static void test_negative(void **state)
{
    (void)state;
    fakes[0].manner = DENIES;
    (void)resolve("a.example");
    assert_int_equal(outcome.response.rcode, DNS_NXDOMAIN);
    assert_int_equal(outcome.source, DNS_FROM_UPSTREAM);
    (void)resolve("a.example");
    assert_int_equal(outcome.response.rcode, DNS_NXDOMAIN);
    assert_int_equal(outcome.source, DNS_FROM_CACHE);
    assert_int_equal(outcome.response.ttl, 20);
}

/* ---- clients ---- */

static void test_join(void **state)
{
    static const uint8_t asked[] = "\001A\007EXAMPLE";
    const struct asking small = {.name = "a.example"}, large = {.name = "A.EXAMPLE", .edns = true};
    const struct asking other = {.name = "a.example", .type = DNS_TYPE_AAAA};
    struct outcome *third = calloc(1, sizeof *third);

    (void)state;
    fakes[0].manner = LATE;
    fakes[0].delay = 20;
    (void)ask(&small, 1, &outcome);
    (void)ask(&large, 2, &second);
    (void)run_until(&second.calls, 1, 1000);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(fakes[0].queries, 1);
    assert_int_equal(outcome.response.id, 1);
    assert_int_equal(outcome.response.opt_length, 0);
    assert_int_equal(second.response.id, 2);
    assert_int_equal(second.response.opt_length, 11);
    assert_memory_equal(second.msg + DNS_HEADER_SIZE, asked, sizeof asked);
    (void)ask(&other, 3, third);
    (void)run_until(&third->calls, 1, 1000);
    assert_int_equal(third->calls, 1);
    assert_int_equal(fakes[0].queries, 2);
    free(third);
}

static void test_cancel(void **state)
{
    const struct asking asking = {.name = "a.example"}, alone = {.name = "b.example"};
    struct dns_forward *first, *other;

    (void)state;
    fakes[0].manner = LATE;
    fakes[0].delay = 20;
    first = ask(&asking, 1, &outcome);
    other = ask(&asking, 2, &second);
    assert_non_null(first);
    assert_non_null(other);
    dns_forward_cancel(first);
    (void)run_until(&second.calls, 1, 1000);
    assert_int_equal(second.calls, 1);
    assert_int_equal(outcome.calls, 0);
    dns_forward_cancel(ask(&alone, 3, &outcome));
    run(60);
    assert_int_equal(outcome.calls, 0);
    dns_forward_cancel(NULL);
}

/* What a client does as it is told. */
static struct dns_forward *to_cancel;
static unsigned told;

static void on_done_cancel(void *arg, uint8_t *msg, size_t length, enum dns_source source,
                           const struct addr *server)
{
    (void)msg;
    (void)length;
    (void)source;
    (void)server;
    told++;
    dns_forward_cancel(arg ? *(struct dns_forward **)arg : NULL);
    dns_forward_cancel(to_cancel);
    to_cancel = NULL;
}

static void test_cancel_within(void **state)
{
    const struct asking asking = {.name = "a.example"};
    struct dns_forward *self;

    (void)state;
    told = 0;
    ask_of(set, &asking, 1, on_done_cancel, &self, &self);
    to_cancel = ask(&asking, 2, &outcome);
    (void)ask(&asking, 3, &second);
    (void)run_until(&second.calls, 1, 1000);
    assert_int_equal(told, 1);
    assert_int_equal(outcome.calls, 0);
    assert_int_equal(second.calls, 1);
    assert_int_equal(answer_of(&second), 1);
}

static void on_done_free(void *arg, uint8_t *msg, size_t length, enum dns_source source,
                         const struct addr *server)
{
    const struct asking asking = {.name = "c.example"};
    struct dns_forward *fw;
    struct dns_upstreams *u = set;

    (void)msg;
    (void)length;
    (void)server;
    told++;
    if (source == DNS_FROM_UPSTREAM) {
        set = NULL;
        dns_upstreams_free(u);
    } else if (told == 2) {
        /* The set is being freed: refused at once. */
        ask_of(*(struct dns_upstreams **)arg, &asking, 9, on_done_free, NULL, &fw);
        assert_null(fw);
    }
}

/* The answer to one question frees the set with the other, and the other asks once more. */
static void test_free_within(void **state)
{
    const struct asking one = {.name = "a.example"}, other = {.name = "b.example"};
    struct dns_upstreams *u = set;
    struct dns_forward *fw;

    (void)state;
    told = 0;
    ask_of(set, &one, 1, on_done_free, NULL, &fw);
    (void)ask(&one, 4, &outcome);
    ask_of(set, &other, 2, on_done_free, &u, &fw);
    (void)run_until(&outcome.calls, 1, 1000);
    assert_int_equal(told, 3);
    assert_int_equal(outcome.calls, 1);
    assert_null(set);
}

/* Each answer asks the next question, and those are in the cache. */
static void on_done_again(void *arg, uint8_t *msg, size_t length, enum dns_source source,
                          const struct addr *server)
{
    const struct asking asking = {.name = "a.example"};
    struct dns_forward *fw;

    (void)arg;
    (void)msg;
    (void)length;
    (void)server;
    assert_int_equal(source, told == 0 ? DNS_FROM_UPSTREAM : DNS_FROM_CACHE);
    if (++told < 5) {
        ask_of(set, &asking, 1, on_done_again, NULL, &fw);
        assert_null(fw);
    }
}

static void test_ask_within(void **state)
{
    const struct asking asking = {.name = "a.example"};
    struct dns_forward *fw;

    (void)state;
    told = 0;
    ask_of(set, &asking, 1, on_done_again, NULL, &fw);
    (void)ask(&asking, 2, &outcome);
    (void)run_until(&outcome.calls, 1, 1000);
    assert_int_equal(told, 5);
    assert_int_equal(answer_of(&outcome), 1);
}

static void test_too_many(void **state)
{
    struct dns_forward *all[DNS_FORWARDS_MAX];
    char name[32];

    (void)state;
    fakes[0].manner = fakes[1].manner = SILENT;
    for (int i = 0; i < DNS_FORWARDS_MAX; i++) {
        const struct asking asking = {.name = name};

        snprintf(name, sizeof name, "n%d.example", i / 4);
        all[i] = ask(&asking, 1, &outcome);
        assert_non_null(all[i]);
    }
    assert_int_equal(outcome.calls, 0);
    assert_null(ask(&(struct asking){.name = "n0.example"}, 1, &outcome));
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
    assert_int_equal(outcome.source, DNS_FROM_NOBODY);
    dns_forward_cancel(all[0]);
    all[0] = ask(&(struct asking){.name = "n0.example"}, 1, &outcome);
    assert_non_null(all[0]);
    for (int i = 0; i < DNS_FORWARDS_MAX; i++)
        dns_forward_cancel(all[i]);
    fakes[0].manner = ANSWERS;
    run(20);
    (void)resolve("after.example");
    assert_answered_by(1);
}

/* ---- sockets that are given ---- */

/* A set of one server with one socket for UDP and one for TCP. */
static void use_given(int fds[2])
{
    const uint8_t roles[] = {DNS_SOCKET_ASK_UDP4, DNS_SOCKET_ASK_TCP4};

    fds[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fds[0] >= 0 && fds[1] >= 0);
    dns_upstreams_free(set);
    set = make_set(1, roles, fds, 2);
}

static void test_given(void **state)
{
    unsigned same = 0;
    char name[32];
    int fds[2];

    (void)state;
    use_given(fds);
    for (unsigned i = 0; i < QUERIES_KEPT; i++) {
        snprintf(name, sizeof name, "n%u.example", i);
        (void)resolve(name);
        assert_answered_by(1);
        for (unsigned j = 0; j < i; j++)
            same += fakes[0].ports[i] == fakes[0].ports[j];
    }
    assert_true(same <= 1);
    /* TCP's likewise, whatever became of the last connection. */
    fakes[0].manner = TRUNCATES;
    for (unsigned i = 0; i < 5; i++) {
        fakes[0].tcp_manner = i % 2 ? TCP_CLOSES : TCP_ANSWERS;
        snprintf(name, sizeof name, "t%u.example", i);
        (void)resolve(name);
        assert_int_equal(!(outcome.response.flags & DNS_FLAG_TC), i % 2 == 0);
    }
    assert_int_equal(fakes[0].tcp_queries, 5);
    dns_upstreams_free(set);
    set = NULL;
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
    assert_int_equal(fcntl(fds[1], F_GETFD), -1);
}

/* What came for an earlier question is gone when the socket is used again. */
static void test_given_stale(void **state)
{
    const struct asking asking = {.name = "a.example"};
    struct dns_forward *fw;
    char stray;
    int fds[2];

    (void)state;
    use_given(fds);
    fakes[0].manner = SILENT;
    fw = ask(&asking, 1, &outcome);
    while (fakes[0].queries == 0)
        uv_run(&loop, UV_RUN_ONCE);
    fakes[0].response_length = put_response(&fakes[0], fakes[0].response, DNS_NOERROR);
    send_udp(&fakes[0], fakes[0].udp_fd, fakes[0].response, fakes[0].response_length);
    assert_true(recv(fds[0], &stray, 1, MSG_DONTWAIT | MSG_PEEK) > 0);
    dns_forward_cancel(fw);
    assert_int_equal(recv(fds[0], &stray, 1, MSG_DONTWAIT | MSG_PEEK), -1);
    fakes[0].manner = ANSWERS;
    (void)resolve("a.example");
    assert_answered_by(1);
    assert_int_not_equal(fakes[0].ports[0], fakes[0].ports[1]);
}

static void test_given_wait(void **state)
{
    const struct asking one = {.name = "a.example"}, two = {.name = "b.example"};
    int fds[2];

    (void)state;
    use_given(fds);
    fakes[0].manner = LATE;
    fakes[0].delay = 30;
    (void)ask(&one, 1, &outcome);
    (void)ask(&two, 2, &second);
    run(20);
    assert_int_equal(fakes[0].queries, 1);
    (void)run_until(&second.calls, 1, 1000);
    assert_int_equal(outcome.calls, 1);
    assert_int_equal(second.calls, 1);
    assert_int_equal(answer_of(&second), 1);
    /* Until the deadline, and not longer. */
    fakes[0].manner = SILENT;
    (void)ask(&(struct asking){.name = "c.example"}, 1, &outcome);
    run(300);
    (void)ask(&(struct asking){.name = "d.example"}, 2, &second);
    (void)run_until(&outcome.calls, 1, 2000);
    fakes[0].manner = ANSWERS;
    (void)run_until(&second.calls, 1, 1000);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
    assert_int_equal(second.calls, 1);
}

/* There is none of the server's family. */
static void test_given_none(void **state)
{
    const uint8_t role = DNS_SOCKET_ASK_UDP6;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    (void)state;
    dns_upstreams_free(set);
    set = make_set(1, &role, &fd, 1);
    assert_true(resolve("a.example") < 1000);
    assert_int_equal(outcome.response.rcode, DNS_SERVFAIL);
}

#define forward_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        forward_test(test_first),          forward_test(test_random),
        forward_test(test_silent_first),   forward_test(test_unreachable_first),
        forward_test(test_slow_first),     forward_test(test_recovery),
        forward_test(test_others_ask),     forward_test(test_all_unwilling),
        forward_test(test_nobody),         forward_test(test_nobody_listens),
        forward_test(test_servers_change), forward_test(test_lies),
        forward_test(test_late),           forward_test(test_truncated),
        forward_test(test_dribbles),       forward_test(test_tcp_fails),
        forward_test(test_tcp_nowhere),    forward_test(test_tcp_deadline),
        forward_test(test_edns_stripped),  forward_test(test_edns_replaced),
        forward_test(test_edns_in_front),  forward_test(test_no_edns),
        forward_test(test_options),        forward_test(test_flags),
        forward_test(test_cached),         forward_test(test_not_cached),
        forward_test(test_negative),       forward_test(test_join),
        forward_test(test_cancel),         forward_test(test_cancel_within),
        forward_test(test_free_within),    forward_test(test_ask_within),
        forward_test(test_too_many),       forward_test(test_given),
        forward_test(test_given_stale),    forward_test(test_given_wait),
        forward_test(test_given_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
