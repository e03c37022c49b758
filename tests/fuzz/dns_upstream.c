/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What upstream servers send, taken the way the forwarder takes it: judged against the question
 * that was asked, kept, and made into answers for clients with and without EDNS; and pieced
 * together from a TCP stream.
 *
 * The first octets choose the circumstances, the rest is the server's. Few inputs would ever have
 * the id and the question right, so these are put in on request; or the rest is a recipe for a
 * response whose form is right, but for a last touch.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dns/cache.h"
#include "dns/exchange.h"

#define ID 0x1234
#define CHOICES 3 /* octets */
#define INPUT_MAX 4096

#define CHECK(truth)                                                                               \
    do {                                                                                           \
        if (!(truth))                                                                              \
            __builtin_trap();                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t question[] = "\004fuzz\007example\0\0\001\0\001";
#define QUESTION_LENGTH (sizeof question - 1)
#define QUESTION_END (DNS_HEADER_SIZE + QUESTION_LENGTH)

enum {
    CHOOSE_PLAIN = 1,
    CHOOSE_TCP = 2,
    CHOOSE_EDNS = 4,
    CHOOSE_DNSSEC_OK = 8,
    CHOOSE_ID = 16,
    CHOOSE_QUESTION = 32,
    CHOOSE_STREAM = 64,
    CHOOSE_RECIPE = 128,
};

static struct dns_client make_client(uint8_t choices, uint16_t flags)
{
    struct dns_client client = {
        .id = 0xabcd,
        .flags = flags,
        .edns = choices & CHOOSE_EDNS,
        .dnssec_ok = (choices & CHOOSE_EDNS) && (choices & CHOOSE_DNSSEC_OK),
        .question_length = QUESTION_LENGTH,
    };

    memcpy(client.question, question, QUESTION_LENGTH);
    client.question[1] = 'F'; /* the client's case is to come back */
    return client;
}

/* A server's cookie and the like are not for clients, and options fill their record. */
static void check_options(const uint8_t *msg, const struct dns_response *answer)
{
    size_t at = answer->opt + DNS_OPT_SIZE, end = answer->opt + answer->opt_length;

    while (at < end) {
        uint16_t option = dns_get16(msg + at);

        CHECK(end - at >= 4 && (option < 10 || option > 12));
        at += 4 + (size_t)dns_get16(msg + at + 2);
        CHECK(at <= end);
    }
}

/* What a client gets is well-formed, and its own. */
static void check_answer(const uint8_t *msg, size_t length, const struct dns_response *response,
                         const struct dns_client *client)
{
    uint8_t *buf = malloc(length + DNS_OPT_SIZE);
    struct dns_response answer;
    size_t answer_length;

    CHECK(buf);
    memcpy(buf, msg, length);
    answer_length = dns_exchange_answer(buf, length, response, client);
    CHECK(answer_length <= length + DNS_OPT_SIZE);
    CHECK(dns_response_parse(buf, answer_length, &answer) == 0);
    CHECK(answer.id == client->id);
    CHECK((answer.opt_length > 0) == client->edns);
    check_options(buf, &answer);
    CHECK(answer.question_end == QUESTION_END);
    CHECK(memcmp(buf + DNS_HEADER_SIZE, client->question, QUESTION_LENGTH) == 0);
    CHECK((answer.flags & DNS_FLAG_RD) == (client->flags & DNS_FLAG_RD));
    free(buf);
}

/* Kept for some time, it is what it was, but for its TTLs. */
static void check_cache(const uint8_t *msg, size_t length, const struct dns_response *response,
                        const struct dns_client *client)
{
    const struct dns_cache_key key = {.name = &response->name,
                                      .type = response->type,
                                      .class = response->class};
    uint8_t *buf = malloc(DNS_MESSAGE_MAX);
    struct dns_response aged;
    struct dns_cache *cache;
    size_t kept;

    CHECK(buf && dns_cache_new(4 * INPUT_MAX, &cache) == 0);
    dns_cache_put(cache, &key, 0, msg, length, response->ttl);
    kept = dns_cache_get(cache, &key, 900, buf);
    CHECK(kept == (response->ttl > 0 ? length : 0));
    CHECK(kept == 0 || memcmp(buf, msg, length) == 0);
    if (response->ttl > 1) {
        kept = dns_cache_get(cache, &key, 1000, buf);
        CHECK(kept == length && memcmp(buf, msg, length) != 0);
        /* Some liar's names run through a TTL, and end with it: that is as if it were not there. */
        if (dns_response_parse(buf, kept, &aged) == 0) {
            /* A negative answer's may be the SOA's MINIMUM, which does not age. */
            CHECK(aged.ttl > 0 && aged.ttl <= response->ttl);
            check_answer(buf, kept, &aged, client);
        }
    }
    dns_cache_free(cache);
    free(buf);
}

/* A response that is passed on for want of a better one is cut down first if it is truncated. */
static void check_kept(const uint8_t *msg, size_t length, const struct dns_client *client)
{
    uint8_t *buf = malloc(length);
    struct dns_response response;

    CHECK(buf);
    memcpy(buf, msg, length);
    if (dns_get16(msg + 2) & DNS_FLAG_TC)
        length = dns_response_truncate(buf, length, false);
    CHECK(dns_response_parse(buf, length, &response) == 0);
    check_answer(buf, length, &response, client);
    free(buf);
}

static void take(const uint8_t *msg, size_t length, uint8_t choices, uint16_t flags)
{
    const struct dns_client client = make_client(choices, flags);
    struct dns_name name;
    const struct dns_asked asked = {
        .id = ID,
        .name = &name,
        .type = DNS_TYPE_A,
        .class = DNS_CLASS_IN,
        .question_end = QUESTION_END,
        .plain = choices & CHOOSE_PLAIN,
        .tcp = choices & CHOOSE_TCP,
    };
    struct dns_response response;

    CHECK(dns_name_from_text("fuzz.example", &name) == 0);
    switch (dns_exchange_judge(&asked, msg, length, &response)) {
    case DNS_IGNORE:
        return;
    case DNS_ANSWERED:
        check_answer(msg, length, &response, &client);
        check_cache(msg, length, &response, &client);
        return;
    case DNS_TRUNCATED:
        CHECK(!asked.tcp);
        break;
    case DNS_NO_EDNS:
        CHECK(!asked.plain);
        break;
    case DNS_UNWILLING:
        break;
    }
    check_kept(msg, length, &client);
}

/* A connection, from which pieces of at most "piece" octets are read. */
static void take_stream(const uint8_t *data, size_t size, size_t piece, uint8_t choices)
{
    struct dns_frame frame = {0};

    while (size > 0) {
        size_t room;
        uint8_t *to = dns_frame_room(&frame, &room);

        CHECK(to && room > 0);
        if (room > piece)
            room = piece;
        if (room > size)
            room = size;
        memcpy(to, data, room);
        data += room;
        size -= room;
        if (dns_frame_add(&frame, room)) {
            take(frame.msg, frame.length, choices | CHOOSE_TCP, 0);
            dns_frame_clear(&frame);
        }
    }
    dns_frame_clear(&frame);
}

/* ---- recipes ---- */

struct recipe {
    const uint8_t *data;
    size_t size;
    uint8_t *msg;
    size_t length;
};

static uint8_t next(struct recipe *r)
{
    if (r->size == 0)
        return 0;
    r->size--;
    return *r->data++;
}

/* Writes a record's data, as its type has them. Returns how many. */
static size_t put_data(struct recipe *r, uint16_t type, uint8_t *to)
{
    size_t length = type == DNS_TYPE_A ? 4 : next(r) % 24;

    if (type == DNS_TYPE_SOA)
        length = 22;
    for (size_t i = 0; i < length; i++)
        to[i] = next(r);
    if (type == DNS_TYPE_SOA)
        to[0] = to[1] = 0; /* names: the root */
    if (type == DNS_TYPE_CNAME) {
        to[0] = 0xc0;
        to[1] = DNS_HEADER_SIZE;
        return 2;
    }
    /* Half the options have a length that fits. */
    if (type == DNS_TYPE_OPT && length >= 4 && length % 2 == 0) {
        dns_put16(to, 8 + to[1] % 8);
        dns_put16(to + 2, (uint16_t)(length - 4));
    }
    return length;
}

static void put_record(struct recipe *r, uint8_t *section)
{
    static const uint16_t types[] = {DNS_TYPE_A,     DNS_TYPE_TXT, DNS_TYPE_SOA,
                                     DNS_TYPE_CNAME, DNS_TYPE_OPT, DNS_TYPE_OPT};
    uint8_t choice = next(r), *to = r->msg + r->length;
    uint16_t type = types[choice / 4 % (sizeof types / sizeof types[0])];
    size_t owner = 2, count = 6, length;

    *section = choice % 3 > *section ? choice % 3 : *section;
    if (type == DNS_TYPE_OPT) {
        *section = 2;
        owner = 1;
        to[0] = 0;
    } else {
        dns_put16(to, 0xc000 | DNS_HEADER_SIZE);
    }
    count += (size_t)2 * *section;
    dns_put16(r->msg + count, (uint16_t)(dns_get16(r->msg + count) + 1));
    to += owner;
    dns_put16(to, type);
    dns_put16(to + 2, DNS_CLASS_IN);
    dns_put16(to + 4, choice & 128 && type == DNS_TYPE_OPT ? 0x0100 : 0);
    dns_put16(to + 6, next(r));
    length = put_data(r, type, to + 10);
    dns_put16(to + 8, (uint16_t)length);
    r->length += owner + 10 + length;
}

static void follow_recipe(const uint8_t *data, size_t size, uint8_t choices, uint16_t flags)
{
    uint8_t msg[DNS_UDP_SIZE] = {0}, section = 0, touch;
    struct recipe r = {data, size, msg, QUESTION_END};

    dns_put16(msg, ID);
    msg[2] = (next(&r) & 0x07) | 0x80;
    msg[3] = next(&r);
    if (choices & CHOOSE_ID) /* all is well */
        dns_put16(msg + 2, DNS_FLAG_QR);
    dns_put16(msg + 4, 1);
    memcpy(msg + DNS_HEADER_SIZE, question, QUESTION_LENGTH);
    touch = next(&r);
    while (r.size > 0 && r.length < sizeof msg - 64)
        put_record(&r, &section);
    if (!(choices & CHOOSE_QUESTION) && touch < r.length)
        msg[touch] ^= (uint8_t)(flags | 1);
    take(msg, r.length, choices, flags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t choices, *msg;
    uint16_t flags;

    if (size < CHOICES || size > INPUT_MAX)
        return 0;
    choices = data[0];
    flags = dns_get16(data + 1);
    data += CHOICES;
    size -= CHOICES;
    if (size == 0)
        return 0;
    if (choices & CHOOSE_RECIPE) {
        follow_recipe(data, size, choices, flags);
        return 0;
    }
    if (choices & CHOOSE_STREAM) {
        take_stream(data, size, 1 + (size_t)(flags & 0xff), choices);
        return 0;
    }
    /* A copy as long as it is, so that a step beyond is seen. */
    msg = malloc(size);
    CHECK(msg);
    memcpy(msg, data, size);
    if ((choices & CHOOSE_ID) && size >= DNS_HEADER_SIZE) {
        dns_put16(msg, ID);
        msg[2] = (uint8_t)((msg[2] | 0x80) & 0x87);
    }
    if ((choices & CHOOSE_QUESTION) && size >= QUESTION_END) {
        dns_put16(msg + 4, 1);
        memcpy(msg + DNS_HEADER_SIZE, question, QUESTION_LENGTH);
    }
    take(msg, size, choices, flags);
    free(msg);
    return 0;
}
