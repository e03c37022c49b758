/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "dns/message.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct link {
    int ends[2];
    struct dns_batch batch;
    struct dns_inbox inbox;
};

static void link_open(struct link *l)
{
    *l = (struct link){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, l->ends), 0);
}

static void link_close(struct link *l)
{
    dns_batch_free(&l->batch);
    dns_inbox_free(&l->inbox);
    (void)close(l->ends[0]);
    (void)close(l->ends[1]);
}
#define _cleanup_link_ _cleanup_(link_close)

static size_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static struct addr address(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr, NULL), 0);
    return addr;
}

static struct dns_message of_type(enum dns_message_type type)
{
    return (struct dns_message){.type = type};
}

static void send_batch(struct link *l)
{
    assert_int_equal(dns_batch_send(&l->batch, l->ends[0], 0), 0);
    assert_int_equal(l->batch.length, 0);
    assert_int_equal(l->batch.fd_count, 0);
    assert_int_equal(dns_inbox_receive(&l->inbox, l->ends[1], MSG_DONTWAIT), 1);
}

/* Sends the message alone, receives it into *ret. */
static void pass(struct link *l, const struct dns_message *m, struct dns_message *ret)
{
    assert_int_equal(dns_batch_add(&l->batch, m), 0);
    send_batch(l);
    assert_int_equal(dns_inbox_next(&l->inbox, ret), 1);
    assert_int_equal(ret->type, m->type);
}

static void expect_no_more(struct link *l)
{
    struct dns_message m;

    assert_int_equal(dns_inbox_next(&l->inbox, &m), 0);
}

/* ---- every type ---- */

static void hello_and_empty_ones(void **state)
{
    static const enum dns_message_type empty[] = {DNS_MSG_BEGIN, DNS_MSG_END};
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_HELLO), got;

    (void)state;
    link_open(&l);
    m.hello.version = "1.2.3";
    pass(&l, &m, &got);
    assert_string_equal(got.hello.version, "1.2.3");
    expect_no_more(&l);
    for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
        m = of_type(empty[i]);
        pass(&l, &m, &got);
        expect_no_more(&l);
    }
}

static void numbers(void **state)
{
    static const enum dns_message_type types[] = {DNS_MSG_SYNC, DNS_MSG_SYNCED, DNS_MSG_LOG_STOP,
                                                  DNS_MSG_LOG_END};
    _cleanup_link_ struct link l;

    (void)state;
    link_open(&l);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        struct dns_message m = of_type(types[i]), got;

        m.number = 0xfedcba98;
        pass(&l, &m, &got);
        assert_int_equal(got.number, 0xfedcba98);
        expect_no_more(&l);
    }
}

static void a_network(void **state)
{
    _cleanup_link_ struct link l;
    struct prefix subnets[2];
    struct dns_message m = of_type(DNS_MSG_NETWORK), got;

    (void)state;
    link_open(&l);
    assert_int_equal(prefix_parse("10.1.0.0/16", &subnets[0], NULL), 0);
    assert_int_equal(prefix_parse("fd00::/64", &subnets[1], NULL), 0);
    m.network = (struct dns_msg_network){.id = ID_A,
                                         .name = "front",
                                         .forwards = true,
                                         .ipv4 = address("10.1.0.1"),
                                         .subnets = subnets,
                                         .subnet_count = 2};
    pass(&l, &m, &got);
    assert_string_equal(got.network.id, ID_A);
    assert_string_equal(got.network.name, "front");
    assert_true(got.network.forwards);
    assert_string_equal(addr_text(&got.network.ipv4), "10.1.0.1");
    assert_false(addr_is_set(&got.network.ipv6));
    assert_int_equal(got.network.subnet_count, 2);
    assert_string_equal(prefix_text(&got.network.subnets[0]), "10.1.0.0/16");
    assert_string_equal(prefix_text(&got.network.subnets[1]), "fd00::/64");
    dns_message_clear(&got);
    expect_no_more(&l);
}

static void a_sandbox(void **state)
{
    static char network_a[] = ID_A, network_b[] = ID_B;
    char *networks[] = {network_a, network_b, NULL};
    struct dns_link links[] = {{ID_A, "db", "database"}, {ID_B, "web", "www"}};
    struct dns_server servers[] = {{address("fe80::1"), 7}, {address("192.0.2.1"), 0}};
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_SANDBOX), got;

    (void)state;
    link_open(&l);
    m.sandbox = (struct dns_msg_sandbox){.id = ID_B,
                                         .name = "web",
                                         .networks = networks,
                                         .links = links,
                                         .link_count = 2,
                                         .servers = servers,
                                         .server_count = 2};
    pass(&l, &m, &got);
    assert_string_equal(got.sandbox.id, ID_B);
    assert_string_equal(got.sandbox.name, "web");
    assert_false(got.sandbox.forwards);
    assert_int_equal(strv_length(got.sandbox.networks), 2);
    assert_string_equal(got.sandbox.networks[1], ID_B);
    assert_int_equal(got.sandbox.link_count, 2);
    assert_string_equal(got.sandbox.links[1].network, ID_B);
    assert_string_equal(got.sandbox.links[1].target, "web");
    assert_string_equal(got.sandbox.links[1].alias, "www");
    assert_int_equal(got.sandbox.server_count, 2);
    assert_string_equal(addr_text(&got.sandbox.servers[0].addr), "fe80::1");
    assert_int_equal(got.sandbox.servers[0].scope, 7);
    dns_message_clear(&got);
    expect_no_more(&l);
}

static void an_endpoint(void **state)
{
    static char web[] = "web", www[] = "www";
    char *names[] = {web, www, NULL};
    struct dns_msg_port ports[] = {{IPPROTO_TCP, 80}, {IPPROTO_UDP, 65535}};
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_ENDPOINT), got;

    (void)state;
    link_open(&l);
    m.endpoint = (struct dns_msg_endpoint){.network = ID_A,
                                           .sandbox = ID_B,
                                           .ipv6 = address("fd00::2"),
                                           .names = names,
                                           .ports = ports,
                                           .port_count = 2};
    pass(&l, &m, &got);
    assert_string_equal(got.endpoint.network, ID_A);
    assert_string_equal(got.endpoint.sandbox, ID_B);
    assert_false(addr_is_set(&got.endpoint.ipv4));
    assert_string_equal(addr_text(&got.endpoint.ipv6), "fd00::2");
    assert_int_equal(strv_length(got.endpoint.names), 2);
    assert_string_equal(got.endpoint.names[0], "web");
    assert_string_equal(got.endpoint.names[1], "www");
    assert_int_equal(got.endpoint.port_count, 2);
    assert_int_equal(got.endpoint.ports[1].proto, IPPROTO_UDP);
    assert_int_equal(got.endpoint.ports[1].port, 65535);
    dns_message_clear(&got);
    expect_no_more(&l);
}

static void what_is_gone(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_NETWORK_GONE), got;

    (void)state;
    link_open(&l);
    m.gone.network = ID_A;
    pass(&l, &m, &got);
    assert_string_equal(got.gone.network, ID_A);
    m = of_type(DNS_MSG_SANDBOX_GONE);
    m.gone.sandbox = ID_B;
    pass(&l, &m, &got);
    assert_string_equal(got.gone.sandbox, ID_B);
    m = of_type(DNS_MSG_ENDPOINT_GONE);
    m.gone.network = ID_A;
    m.gone.sandbox = ID_B;
    pass(&l, &m, &got);
    assert_string_equal(got.gone.network, ID_A);
    assert_string_equal(got.gone.sandbox, ID_B);
    expect_no_more(&l);
}

static void upstreams(void **state)
{
    struct dns_server servers[] = {{address("fe80::1"), 7}, {address("192.0.2.1"), 0}};
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_UPSTREAMS), got;

    (void)state;
    link_open(&l);
    m.upstreams = (struct dns_msg_upstreams){servers, 2};
    pass(&l, &m, &got);
    assert_int_equal(got.upstreams.count, 2);
    assert_string_equal(addr_text(&got.upstreams.servers[1].addr), "192.0.2.1");
    dns_message_clear(&got);
    m.upstreams = (struct dns_msg_upstreams){0};
    pass(&l, &m, &got);
    assert_int_equal(got.upstreams.count, 0);
    expect_no_more(&l);
}

static void the_log(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_LOG), got;

    (void)state;
    link_open(&l);
    m.log = (struct dns_msg_log){9, "", true};
    pass(&l, &m, &got);
    assert_int_equal(got.log.number, 9);
    assert_string_equal(got.log.sandbox, "");
    assert_true(got.log.follow);
    m = of_type(DNS_MSG_LOGGED);
    m.logged = (struct dns_msg_logged){.number = 9,
                                       .time = -5,
                                       .sandbox = ID_A,
                                       .name = "web.front",
                                       .type = 28,
                                       .rcode = 3,
                                       .source = DNS_FROM_UPSTREAM,
                                       .tcp = true,
                                       .server = address("192.0.2.1"),
                                       .micros = 1234567,
                                       .answers = 300};
    pass(&l, &m, &got);
    assert_int_equal(got.logged.number, 9);
    assert_int_equal(got.logged.time, -5);
    assert_string_equal(got.logged.sandbox, ID_A);
    assert_string_equal(got.logged.name, "web.front");
    assert_int_equal(got.logged.type, 28);
    assert_int_equal(got.logged.rcode, 3);
    assert_int_equal(got.logged.source, DNS_FROM_UPSTREAM);
    assert_true(got.logged.tcp);
    assert_string_equal(addr_text(&got.logged.server), "192.0.2.1");
    assert_int_equal(got.logged.micros, 1234567);
    assert_int_equal(got.logged.answers, 300);
    expect_no_more(&l);
}

static void a_lookup(void **state)
{
    static const uint8_t query[] = {1, 0, 2, 0, 3};
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_LOOKUP), got;

    (void)state;
    link_open(&l);
    m.lookup = (struct dns_msg_lookup){3, ID_A, query, sizeof query};
    pass(&l, &m, &got);
    assert_int_equal(got.lookup.number, 3);
    assert_string_equal(got.lookup.sandbox, ID_A);
    assert_int_equal(got.lookup.length, sizeof query);
    assert_memory_equal(got.lookup.msg, query, sizeof query);
    m = of_type(DNS_MSG_FOUND);
    m.found = (struct dns_msg_found){3, DNS_FROM_CACHE, query, sizeof query};
    pass(&l, &m, &got);
    assert_int_equal(got.found.number, 3);
    assert_int_equal(got.found.source, DNS_FROM_CACHE);
    assert_int_equal(got.found.length, sizeof query);
    m.found = (struct dns_msg_found){.number = 4};
    pass(&l, &m, &got);
    assert_int_equal(got.found.length, 0);
    expect_no_more(&l);
}

/* ---- descriptors ---- */

static struct dns_message sockets_of(const char *id, size_t count, int fd)
{
    struct dns_message m = of_type(DNS_MSG_SOCKETS);

    m.sockets.id = id;
    m.sockets.count = count;
    for (size_t i = 0; i < count; i++) {
        m.sockets.roles[i] = (uint8_t)(1 + i);
        m.sockets.fds[i] = fd;
    }
    return m;
}

static bool is_same_file(int a, int b)
{
    struct stat sa, sb;

    return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static void descriptors_travel_in_order(void **state)
{
    _cleanup_link_ struct link l;
    size_t before;
    struct dns_message a, b, got;

    (void)state;
    link_open(&l);
    before = open_files();
    a = sockets_of(ID_A, 2, l.ends[0]);
    b = sockets_of(ID_B, 3, l.ends[1]);
    b.sockets.of_network = true;
    assert_int_equal(dns_batch_add(&l.batch, &a), 0);
    assert_int_equal(dns_batch_add(&l.batch, &b), 0);
    send_batch(&l);
    assert_int_equal(dns_inbox_next(&l.inbox, &got), 1);
    assert_string_equal(got.sockets.id, ID_A);
    assert_false(got.sockets.of_network);
    assert_int_equal(got.sockets.count, 2);
    assert_int_equal(got.sockets.roles[1], 2);
    assert_true(is_same_file(got.sockets.fds[0], l.ends[0]));
    assert_true(fcntl(got.sockets.fds[0], F_GETFD) & FD_CLOEXEC);
    dns_message_clear(&got);
    assert_int_equal(dns_inbox_next(&l.inbox, &got), 1);
    assert_true(got.sockets.of_network);
    assert_int_equal(got.sockets.count, 3);
    assert_true(is_same_file(got.sockets.fds[2], l.ends[1]));
    dns_message_clear(&got);
    expect_no_more(&l);
    assert_int_equal(open_files(), before);
}

static void descriptors_that_nobody_takes_are_closed(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message a, got;
    size_t before;

    (void)state;
    link_open(&l);
    before = open_files();
    a = sockets_of(ID_A, 4, l.ends[0]);
    assert_int_equal(dns_batch_add(&l.batch, &a), 0);
    assert_int_equal(dns_batch_add(&l.batch, &a), 0);
    send_batch(&l);
    assert_int_equal(open_files(), before + 8);
    assert_int_equal(dns_inbox_next(&l.inbox, &got), 1);
    dns_message_clear(&got);
    assert_int_equal(open_files(), before + 4);
    /* With the next receive, even of nothing. */
    assert_int_equal(dns_inbox_receive(&l.inbox, l.ends[1], MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(open_files(), before);
    assert_int_equal(dns_batch_add(&l.batch, &a), 0);
    send_batch(&l);
    dns_inbox_free(&l.inbox);
    assert_int_equal(open_files(), before);
}

static void taken_descriptors_stay(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message a, got;
    int kept;

    (void)state;
    link_open(&l);
    a = sockets_of(ID_A, 1, l.ends[0]);
    pass(&l, &a, &got);
    kept = TAKE_FD(got.sockets.fds[0]);
    dns_message_clear(&got);
    dns_inbox_free(&l.inbox);
    assert_true(is_same_file(kept, l.ends[0]));
    (void)close(kept);
}

/* ---- no room ---- */

static void a_full_batch_takes_no_more(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_NETWORK_GONE), got;
    size_t sent = 0, received = 0, length;
    int r;

    (void)state;
    link_open(&l);
    m.gone.network = ID_A;
    while ((r = dns_batch_add(&l.batch, &m)) == 0)
        sent++;
    assert_int_equal(r, -ENOBUFS);
    assert_true(l.batch.length <= DNS_BATCH_SIZE);
    length = l.batch.length;
    assert_int_equal(dns_batch_add(&l.batch, &m), -ENOBUFS);
    assert_int_equal(l.batch.length, length);
    send_batch(&l);
    while ((r = dns_inbox_next(&l.inbox, &got)) == 1)
        received++;
    assert_int_equal(r, 0);
    assert_int_equal(received, sent);
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
}

static void too_many_descriptors_wait_for_the_next_batch(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m;

    (void)state;
    link_open(&l);
    m = sockets_of(ID_A, DNS_SOCKETS_MAX, l.ends[0]);
    for (size_t n = 0; n < DNS_BATCH_FDS / DNS_SOCKETS_MAX; n++)
        assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    m.sockets.count = 1;
    assert_int_equal(dns_batch_add(&l.batch, &m), -ENOBUFS);
    send_batch(&l);
    assert_int_equal(l.inbox.fd_count, DNS_BATCH_FDS);
    m.sockets.count = DNS_SOCKETS_MAX + 1;
    assert_int_equal(dns_batch_add(&l.batch, &m), -EMSGSIZE);
}

static void what_can_never_fit_is_refused(void **state)
{
    static uint8_t large[DNS_BATCH_SIZE];
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_FOUND), begin = of_type(DNS_MSG_BEGIN);

    (void)state;
    link_open(&l);
    m.found = (struct dns_msg_found){.msg = large, .length = sizeof large};
    assert_int_equal(dns_batch_add(&l.batch, &m), -EMSGSIZE);
    assert_int_equal(dns_batch_add(&l.batch, &begin), 0);
    assert_int_equal(dns_batch_add(&l.batch, &m), -EMSGSIZE);
    m.found.length = sizeof large - 64;
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    assert_int_equal(dns_batch_add(&l.batch, &m), -ENOBUFS);
    send_batch(&l);
}

static void a_full_socket_keeps_the_batch(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_SYNC);
    size_t length;
    int r;

    (void)state;
    link_open(&l);
    for (int i = 0; i < 100000; i++) {
        assert_int_equal(dns_batch_add(&l.batch, &m), 0);
        length = l.batch.length;
        r = dns_batch_send(&l.batch, l.ends[0], MSG_DONTWAIT);
        if (r < 0)
            break;
    }
    assert_int_equal(r, -EAGAIN);
    assert_int_equal(l.batch.length, length);
    assert_int_equal(dns_inbox_receive(&l.inbox, l.ends[1], 0), 1);
    assert_int_equal(dns_batch_send(&l.batch, l.ends[0], MSG_DONTWAIT), 0);
}

static void the_other_end_has_gone(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_SYNC);

    (void)state;
    link_open(&l);
    (void)close(TAKE_FD(l.ends[0]));
    assert_int_equal(dns_inbox_receive(&l.inbox, l.ends[1], MSG_DONTWAIT), 0);
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    assert_int_equal(dns_batch_send(&l.batch, l.ends[1], 0), -EPIPE);
    assert_int_equal(l.batch.length, 0);
}

/* ---- what nobody of ours sends ---- */

/* A batch with a bit of everything; borders: where its messages end. */
static size_t fill(struct link *l, size_t borders[static 16])
{
    static char web[] = "web", www[] = "www", network[] = ID_A;
    static char *names[] = {web, www, NULL}, *networks[] = {network, NULL};
    static struct dns_link links[] = {{ID_A, "db", "database"}};
    static struct dns_msg_port ports[] = {{IPPROTO_TCP, 80}};
    struct dns_server servers[] = {{address("192.0.2.1"), 0}};
    struct prefix subnet = {address("10.1.0.0"), 16};
    struct dns_message all[8];
    size_t n = 0;

    all[n++] = (struct dns_message){DNS_MSG_HELLO, .hello = {"1"}};
    all[n++] = (struct dns_message){DNS_MSG_NETWORK, .network = {.id = ID_A,
                                                                 .name = "front",
                                                                 .subnets = &subnet,
                                                                 .subnet_count = 1}};
    all[n++] = (struct dns_message){DNS_MSG_SANDBOX, .sandbox = {.id = ID_B,
                                                                 .name = "web",
                                                                 .networks = networks,
                                                                 .links = links,
                                                                 .link_count = 1,
                                                                 .servers = servers,
                                                                 .server_count = 1}};
    all[n++] = sockets_of(ID_B, 2, l->ends[0]);
    all[n++] = (struct dns_message){DNS_MSG_ENDPOINT, .endpoint = {.network = ID_A,
                                                                   .sandbox = ID_B,
                                                                   .names = names,
                                                                   .ports = ports,
                                                                   .port_count = 1}};
    all[n++] =
        (struct dns_message){DNS_MSG_LOGGED, .logged = {.sandbox = ID_B, .name = "web.front"}};
    all[n++] =
        (struct dns_message){DNS_MSG_FOUND, .found = {.msg = subnet.addr.bytes, .length = 4}};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(dns_batch_add(&l->batch, &all[i]), 0);
        borders[i] = l->batch.length;
    }
    return n;
}

/* Takes all that was received. The last status; *ret: how many messages were good. */
static int take_all(struct link *l, size_t *ret)
{
    struct dns_message m;
    int r;

    *ret = 0;
    while ((r = dns_inbox_next(&l->inbox, &m)) == 1) {
        (*ret)++;
        dns_message_clear(&m);
    }
    return r;
}

static void truncated_batches(void **state)
{
    _cleanup_link_ struct link l;
    size_t borders[16], n, good, whole = 0, before;

    (void)state;
    link_open(&l);
    n = fill(&l, borders);
    dns_batch_free(&l.batch);
    before = open_files();
    for (size_t cut = 1; cut <= borders[n - 1]; cut++) {
        bool at_border = cut == borders[whole];
        int r;

        fill(&l, borders);
        l.batch.length = cut;
        send_batch(&l);
        r = take_all(&l, &good);
        assert_int_equal(r, at_border ? 0 : -EBADMSG);
        whole += at_border;
        assert_int_equal(good, whole);
        dns_inbox_free(&l.inbox);
        assert_int_equal(open_files(), before);
    }
    assert_int_equal(whole, n);
}

/* They are read as something or refused, but take nothing with them. */
static void garbled_batches(void **state)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};
    _cleanup_link_ struct link l;
    size_t borders[16], n, good, refused = 0, before;

    (void)state;
    link_open(&l);
    n = fill(&l, borders);
    dns_batch_free(&l.batch);
    before = open_files();
    for (size_t at = 0; at < borders[n - 1] * ARRAY_SIZE(masks); at++) {
        int r;

        fill(&l, borders);
        l.batch.buf[at / ARRAY_SIZE(masks)] ^= masks[at % ARRAY_SIZE(masks)];
        send_batch(&l);
        r = take_all(&l, &good);
        assert_true(r == 0 || r == -EBADMSG);
        refused += r < 0;
        dns_inbox_free(&l.inbox);
        assert_int_equal(open_files(), before);
    }
    assert_true(refused > 0);
}

static void fewer_descriptors_than_said(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m, got;
    size_t before;

    (void)state;
    link_open(&l);
    before = open_files();
    m = sockets_of(ID_A, 3, l.ends[0]);
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    l.batch.fd_count = 2;
    send_batch(&l);
    assert_int_equal(dns_inbox_next(&l.inbox, &got), -EBADMSG);
    dns_inbox_free(&l.inbox);
    assert_int_equal(open_files(), before);
}

static void a_datagram_that_is_too_long(void **state)
{
    static uint8_t large[DNS_BATCH_SIZE + 1];
    _cleanup_link_ struct link l;

    (void)state;
    link_open(&l);
    assert_int_equal(send(l.ends[0], large, sizeof large, 0), sizeof large);
    assert_int_equal(dns_inbox_receive(&l.inbox, l.ends[1], 0), -EBADMSG);
    expect_no_more(&l);
}

static void unknown_types_are_skipped(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_LOG_STOP), got;

    (void)state;
    link_open(&l);
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    l.batch.buf[0] = 0xff; /* the low octet of the type */
    m = of_type(DNS_MSG_SYNC);
    m.number = 5;
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    send_batch(&l);
    assert_int_equal(dns_inbox_next(&l.inbox, &got), 1);
    assert_int_equal(got.type, DNS_MSG_SYNC);
    assert_int_equal(got.number, 5);
    expect_no_more(&l);
    m.type = 200;
    assert_int_equal(dns_batch_add(&l.batch, &m), -EMSGSIZE);
}

static void ids_that_are_too_long(void **state)
{
    _cleanup_link_ struct link l;
    struct dns_message m = of_type(DNS_MSG_NETWORK_GONE), got;

    (void)state;
    link_open(&l);
    m.gone.network = ID_A "a";
    assert_int_equal(dns_batch_add(&l.batch, &m), 0);
    send_batch(&l);
    assert_int_equal(dns_inbox_next(&l.inbox, &got), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_and_empty_ones),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_network),
        cmocka_unit_test(a_sandbox),
        cmocka_unit_test(an_endpoint),
        cmocka_unit_test(what_is_gone),
        cmocka_unit_test(upstreams),
        cmocka_unit_test(the_log),
        cmocka_unit_test(a_lookup),
        cmocka_unit_test(descriptors_travel_in_order),
        cmocka_unit_test(descriptors_that_nobody_takes_are_closed),
        cmocka_unit_test(taken_descriptors_stay),
        cmocka_unit_test(a_full_batch_takes_no_more),
        cmocka_unit_test(too_many_descriptors_wait_for_the_next_batch),
        cmocka_unit_test(what_can_never_fit_is_refused),
        cmocka_unit_test(a_full_socket_keeps_the_batch),
        cmocka_unit_test(the_other_end_has_gone),
        cmocka_unit_test(truncated_batches),
        cmocka_unit_test(garbled_batches),
        cmocka_unit_test(fewer_descriptors_than_said),
        cmocka_unit_test(a_datagram_that_is_too_long),
        cmocka_unit_test(unknown_types_are_skipped),
        cmocka_unit_test(ids_that_are_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
