/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Any octets as a query, answered from a small table, and as a response, which is aged and cut.
 * Answers are walked by code that shares nothing with the codec: an answer that is no message,
 * is longer than it may be, or does not echo its question aborts.
 *
 * The first octet chooses who asks and how much room there is; the rest is the message.
 */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/local.h"

#define ALIAS_COUNT 100

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* What a walk sees. */
struct walk {
    const uint8_t *msg;
    size_t length, at;
    bool tidy;     /* all pointers of owners lead to labels of owners */
    uint8_t *aged; /* not NULL: TTLs are written there as they are some seconds later */
    uint32_t seconds;
    uint8_t is_label[DNS_MESSAGE_MAX];
};

/* False: there is no name. Pointers must lead backwards, and behind the header. */
static bool skip_name(struct walk *w)
{
    size_t total = 0, resume = 0, i = w->at;

    for (;;) {
        if (i >= w->length)
            return false;
        if (w->msg[i] >= 0xc0) {
            size_t to = i + 1 < w->length ? (size_t)(w->msg[i] & 0x3f) << 8 | w->msg[i + 1] : i;

            if (to >= i || to < 12)
                return false;
            w->tidy = w->tidy && w->is_label[to];
            resume = resume ? resume : i + 2;
            i = to;
            continue;
        }
        w->is_label[i] = !resume || w->is_label[i];
        total += 1 + (size_t)w->msg[i];
        if (w->msg[i] > 63 || total > 255)
            return false;
        if (w->msg[i] == 0)
            break;
        i += 1 + (size_t)w->msg[i];
    }
    w->at = resume ? resume : i + 1;
    return true;
}

/* A record's TTL some seconds later, in another copy of the message. */
static void age(const struct walk *w)
{
    const uint8_t *from = w->msg + w->at;
    uint8_t *to = w->aged + w->at + 4;
    uint32_t ttl =
        (uint32_t)from[4] << 24 | (uint32_t)from[5] << 16 | (uint32_t)from[6] << 8 | from[7];

    if (from[0] == 0 && from[1] == DNS_TYPE_OPT)
        return;
    ttl = ttl > w->seconds ? ttl - w->seconds : 0;
    for (size_t i = 0; i < 4; i++)
        to[i] = (uint8_t)(ttl >> (24 - 8 * i));
}

static bool skip_records(struct walk *w, size_t count)
{
    for (; count > 0; count--) {
        if (!skip_name(w) || w->length - w->at < 10)
            return false;
        if (w->aged)
            age(w);
        w->at += 10 + ((size_t)w->msg[w->at + 8] << 8 | w->msg[w->at + 9]);
        if (w->at > w->length)
            return false;
    }
    return w->at == w->length;
}

/* Whether it is a message without any octet too many or too few. */
static bool walk_message(const uint8_t *msg, size_t length, uint8_t *aged, uint8_t seconds,
                         bool *ret_tidy)
{
    static struct walk w;
    size_t records = 0;

    if (length < 12)
        return false;
    w.msg = msg;
    w.length = length;
    w.at = 12;
    w.tidy = true;
    w.aged = aged;
    w.seconds = seconds;
    memset(w.is_label, 0, length);
    for (size_t i = 6; i < 12; i += 2)
        records += (size_t)msg[i] << 8 | msg[i + 1];
    for (size_t i = (size_t)msg[4] << 8 | msg[5]; i > 0; i--) {
        if (!skip_name(&w) || length - w.at < 4)
            return false;
        w.at += 4;
    }
    if (!skip_records(&w, records))
        return false;
    *ret_tidy = w.tidy;
    return true;
}

static bool is_whole(const uint8_t *msg, size_t length)
{
    bool tidy;

    return walk_message(msg, length, NULL, 0, &tidy);
}

static struct addr make_addr(const char *text)
{
    struct addr addr = {0};

    check(addr_parse(text, &addr, NULL) == 0);
    return addr;
}

static void put_network(struct dns_table *t, const char *id, const char *name, uint8_t third)
{
    struct prefix subnet = {.addr = {AF_INET, {10, 0, third, 0}}, .len = 24};
    struct dns_message m = {.type = DNS_MSG_NETWORK,
                            .network = {.id = id,
                                        .name = name,
                                        .forwards = true,
                                        .ipv4 = {AF_INET, {10, 0, third, 1}},
                                        .ipv6 = make_addr("fd00::1"),
                                        .subnets = &subnet,
                                        .subnet_count = 1}};

    check(dns_table_apply(t, &m) == 0);
}

static void put_sandbox(struct dns_table *t, char id[static 4], bool forwards)
{
    char *networks[] = {(char[]){"n1"}, (char[]){"n2"}, NULL};
    struct dns_link link = {.network = "n2", .target = "web", .alias = "link"};
    struct dns_message m = {.type = DNS_MSG_SANDBOX,
                            .sandbox = {.id = id,
                                        .name = id,
                                        .forwards = forwards,
                                        .networks = networks,
                                        .links = &link,
                                        .link_count = 1}};

    check(dns_table_apply(t, &m) == 0);
}

static void put_endpoint(struct dns_table *t, const char *network, const char *id, char *name,
                         struct addr ipv4)
{
    char *names[] = {name, (char[]){"pool"}, NULL};
    struct dns_msg_port port = {.proto = IPPROTO_TCP, .port = 80};
    struct dns_message m = {.type = DNS_MSG_ENDPOINT,
                            .endpoint = {.network = network,
                                         .sandbox = id,
                                         .ipv4 = ipv4,
                                         .ipv6 = make_addr("fd00::2"),
                                         .names = names,
                                         .ports = &port,
                                         .port_count = 1}};

    check(dns_table_apply(t, &m) == 0);
}

static struct dns_table *make_table(void)
{
    struct dns_table *t = NULL;
    char id[4] = "s00", name[] = "w00";

    check(dns_table_new(NULL, &t) == 0);
    put_network(t, "n1", "front", 1);
    put_network(t, "n2", "Back.yard", 2);
    for (uint8_t i = 0; i < ALIAS_COUNT; i++) {
        id[1] = name[1] = (char)('0' + i / 10);
        id[2] = name[2] = (char)('0' + i % 10);
        put_sandbox(t, id, i != 1);
        put_endpoint(t, i % 2 ? "n1" : "n2", id, name, (struct addr){AF_INET, {10, 0, 1, i}});
    }
    put_endpoint(t, "n2", "s01", (char[]){"web"}, make_addr("10.0.2.9"));
    return t;
}

static struct dns_scope make_scope(struct dns_table *t, uint8_t choice)
{
    switch (choice & 3) {
    case 0:
        return (struct dns_scope){.table = t, .sandbox = dns_table_sandbox(t, "s00")};
    case 1:
        return (struct dns_scope){.table = t, .sandbox = dns_table_sandbox(t, "s01")};
    case 2:
        return (struct dns_scope){.table = t, .network = dns_table_network(t, "n2")};
    default:
        return (struct dns_scope){.table = t, .all = true};
    }
}

static void check_answer(const uint8_t *answer, size_t length, size_t limit, const uint8_t *msg,
                         const struct dns_query *q)
{
    bool asked = q->question_end > DNS_HEADER_SIZE;

    check(length <= limit && is_whole(answer, length));
    check(memcmp(answer, msg, 2) == 0 && answer[2] & 0x80);
    check(answer[4] == 0 && answer[5] == asked);
    check(memcmp(answer + 12, msg + 12, q->question_end - 12) == 0);
}

static void test_query(struct dns_table *t, uint8_t choice, const uint8_t *msg, size_t length)
{
    struct dns_scope scope = make_scope(t, choice);
    struct dns_query q;
    int r = dns_query_parse(msg, length, &q);
    size_t limit, answer;
    uint8_t *buf;
    char text[DNS_TEXT_MAX];
    struct dns_name back;

    if (r < 0)
        return;
    check(dns_name_from_text(dns_name_format(&q.name, text), &back) == 0);
    check(back.length == q.name.length && memcmp(back.wire, q.name.wire, back.length) == 0);
    limit = dns_query_limit(&q, choice & 4);
    check(limit >= DNS_UDP_SIZE && limit <= DNS_MESSAGE_MAX);
    check(r != 0 || is_whole(msg, length));
    buf = malloc(limit);
    check(buf);
    if (r > 0) {
        struct dns_reply reply;

        dns_reply_begin(&reply, buf, limit, msg, &q, false);
        check_answer(buf, dns_reply_end(&reply, (enum dns_rcode)r), limit, msg, &q);
    } else {
        answer = dns_local_answer(&scope, NULL, msg, &q, buf, limit);
        if (answer > 0)
            check_answer(buf, answer, limit, msg, &q);
    }
    free(buf);
}

static uint8_t *copy_of(const uint8_t *msg, size_t length)
{
    size_t room = length > DNS_UDP_SIZE ? length : DNS_UDP_SIZE;
    uint8_t *copy = malloc(room);

    check(copy);
    return memcpy(copy, msg, length);
}

/* TTLs change and nothing else; provided that no owner leads into a TTL. */
static void test_age(uint8_t seconds, const uint8_t *msg, size_t length)
{
    uint8_t *expected = copy_of(msg, length), *aged = copy_of(msg, length);
    bool tidy;

    dns_response_age(aged, length, seconds);
    if (walk_message(msg, length, expected, seconds, &tidy) && tidy)
        check(memcmp(aged, expected, length) == 0);
    free(expected);
    free(aged);
}

static void test_response(uint8_t choice, const uint8_t *msg, size_t length)
{
    struct dns_response before, after;
    uint8_t *copy;
    size_t cut;

    if (dns_response_parse(msg, length, &before) < 0)
        return;
    check(is_whole(msg, length) || before.flags & DNS_FLAG_TC);
    test_age(choice, msg, length);
    copy = copy_of(msg, length);
    cut = dns_response_truncate(copy, length, choice & 1);
    check(cut <= DNS_UDP_SIZE && is_whole(copy, cut));
    check(dns_response_parse(copy, cut, &after) == 0);
    check(after.flags == (before.flags | DNS_FLAG_TC) && after.ttl == 0 && after.answers == 0);
    check(dns_response_matches(&after, &before.name, before.type, before.class));
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dns_table *table;
    size_t length = size > 0 ? size - 1 : 0;
    uint8_t *copy;

    if (!table)
        table = make_table();
    if (size == 0 || length > DNS_MESSAGE_MAX)
        return 0;
    copy = malloc(length ? length : 1); /* so that reading beyond is seen */
    check(copy);
    memcpy(copy, data + 1, length);
    test_query(table, data[0], copy, length);
    test_response(data[0], copy, length);
    free(copy);
    return 0;
}
