/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/exchange.h"

#include <stdlib.h>
#include <string.h>

#define OPTION_COOKIE 10    /* RFC 7873 */
#define OPTION_KEEPALIVE 11 /* RFC 7828 */
#define OPTION_PADDING 12   /* RFC 7830 */
#define OPTION_HEADER 4

/* Places in an OPT record, whose owner is the root. */
#define OPT_EXTENDED_RCODE 5
#define OPT_LENGTH 9

#define FRAME_ROOM 2048

/* ---- options ---- */

static bool is_between_neighbours(uint16_t option)
{
    return option == OPTION_COOKIE || option == OPTION_KEEPALIVE || option == OPTION_PADDING;
}

/* Copies options to "to", which may overlap with them if it is before; those that are for the next
 * server only are left out, and all once there is no room. Returns the octets written. */
static size_t copy_options(uint8_t *to, size_t room, const uint8_t *options, size_t length)
{
    size_t written = 0;

    while (length >= OPTION_HEADER) {
        size_t size = OPTION_HEADER + (size_t)dns_get16(options + 2);
        uint16_t option = dns_get16(options);

        if (size > length)
            break;
        if (!is_between_neighbours(option)) {
            if (size > room - written)
                return 0;
            memmove(to + written, options, size);
            written += size;
        }
        options += size;
        length -= size;
    }
    return written;
}

static bool has_options(const uint8_t *options, size_t length)
{
    for (size_t at = 0; at + OPTION_HEADER <= length;) {
        if (!is_between_neighbours(dns_get16(options + at)))
            return true;
        at += OPTION_HEADER + (size_t)dns_get16(options + at + 2);
    }
    return false;
}

/* Writes an OPT record in front of its options. */
static void put_opt(uint8_t *opt, uint8_t extended_rcode, bool dnssec_ok, size_t options_length)
{
    dns_record_put_opt(opt, (uint32_t)extended_rcode << 24 | (dnssec_ok ? DNS_OPT_TTL_DO : 0));
    dns_put16(opt + OPT_LENGTH, (uint16_t)options_length);
}

/* ---- queries ---- */

static void put_header(uint8_t *buf, uint16_t flags, uint16_t additionals)
{
    memset(buf, 0, DNS_HEADER_SIZE);
    dns_put16(buf + 2, flags);
    dns_put16(buf + 4, 1);
    dns_put16(buf + 10, additionals);
}

size_t dns_exchange_query(uint8_t buf[static DNS_EXCHANGE_MAX], const uint8_t *msg,
                          const struct dns_query *query, bool *shared)
{
    const uint8_t *options = msg + query->options;
    size_t opt = query->question_end;
    size_t options_length =
        copy_options(buf + opt + DNS_OPT_SIZE, DNS_EXCHANGE_MAX - opt - DNS_OPT_SIZE, options,
                     query->options_length);

    put_header(buf, (query->flags & (DNS_FLAG_RD | DNS_FLAG_CD)) | DNS_FLAG_AD, 1);
    memcpy(buf + DNS_HEADER_SIZE, msg + DNS_HEADER_SIZE, opt - DNS_HEADER_SIZE);
    put_opt(buf + opt, 0, query->dnssec_ok, options_length);
    *shared = !has_options(options, query->options_length);
    return opt + DNS_OPT_SIZE + options_length;
}

size_t dns_exchange_plain(uint8_t *buf, size_t question_end)
{
    dns_put16(buf + 10, 0);
    return question_end;
}

/* ---- responses ---- */

static uint8_t extended_rcode(const uint8_t *msg, const struct dns_response *response)
{
    return response->opt_length > 0 ? msg[response->opt + OPT_EXTENDED_RCODE] : 0;
}

enum dns_verdict dns_exchange_judge(const struct dns_asked *asked, const uint8_t *msg,
                                    size_t length, struct dns_response *ret)
{
    /* Most of what does not belong here is seen by its id. */
    if (length < DNS_HEADER_SIZE || dns_get16(msg) != asked->id ||
        dns_response_parse(msg, length, ret) < 0 ||
        !dns_response_matches(ret, asked->name, asked->type, asked->class) ||
        ret->question_end != asked->question_end)
        return DNS_IGNORE;
    if (extended_rcode(msg, ret) > 0)
        return DNS_UNWILLING;
    switch (ret->rcode) {
    case DNS_FORMERR:
        return asked->plain ? DNS_UNWILLING : DNS_NO_EDNS;
    case DNS_SERVFAIL:
    case DNS_NOTIMP:
    case DNS_REFUSED:
        return DNS_UNWILLING;
    default:
        if (!(ret->flags & DNS_FLAG_TC))
            return DNS_ANSWERED;
        /* There is no greater room than TCP's. */
        return asked->tcp ? DNS_UNWILLING : DNS_TRUNCATED;
    }
}

void dns_client_from_query(struct dns_client *ret, const uint8_t *msg,
                           const struct dns_query *query)
{
    ret->id = query->id;
    ret->flags = query->flags;
    ret->edns = query->edns;
    ret->dnssec_ok = query->dnssec_ok;
    ret->question_length = (uint16_t)(query->question_end - DNS_HEADER_SIZE);
    memcpy(ret->question, msg + DNS_HEADER_SIZE, ret->question_length);
}

size_t dns_client_size(const struct dns_client *client)
{
    return offsetof(struct dns_client, question) + client->question_length;
}

/* How many records begin at offset. The message was parsed before. */
static uint16_t count_records(const uint8_t *msg, size_t length, size_t offset)
{
    struct dns_record record;
    uint16_t count = 0;

    while (offset < length && dns_record_read(msg, length, &offset, &record) == 0)
        count++;
    return count;
}

/* Puts an OPT record of ours at the message's end, over the server's, whose options it takes. */
static size_t answer_opt(uint8_t *buf, size_t end, const struct dns_response *response,
                         const struct dns_client *client)
{
    uint8_t extended = extended_rcode(buf, response);
    size_t options_length = 0;

    if (!client->edns || end + DNS_OPT_SIZE > DNS_MESSAGE_MAX)
        return end;
    if (response->opt_length > DNS_OPT_SIZE)
        options_length =
            copy_options(buf + end + DNS_OPT_SIZE, response->opt_length - DNS_OPT_SIZE,
                         buf + response->opt + DNS_OPT_SIZE, response->opt_length - DNS_OPT_SIZE);
    put_opt(buf + end, extended, client->dnssec_ok, options_length);
    dns_put16(buf + 10, dns_get16(buf + 10) + 1);
    return end + DNS_OPT_SIZE + options_length;
}

/* The response's flags with what is the client's own. */
static uint16_t answer_flags(uint16_t flags, const struct dns_client *client)
{
    const uint16_t echoed = DNS_FLAG_RD | DNS_FLAG_CD;

    /* RFC 6840, 5.8: only who asked for it is told that the data is authentic. */
    if (!client->dnssec_ok && !(client->flags & DNS_FLAG_AD))
        flags &= (uint16_t)~DNS_FLAG_AD;
    return (uint16_t)((flags & ~echoed) | (client->flags & echoed));
}

size_t dns_exchange_failure(uint8_t *buf, const struct dns_client *client, enum dns_rcode rcode)
{
    const struct dns_response none = {0};
    size_t length = DNS_HEADER_SIZE + (size_t)client->question_length;

    put_header(buf, 0, 0);
    dns_put16(buf, client->id);
    dns_put16(buf + 2, answer_flags(DNS_FLAG_QR | DNS_FLAG_RA | rcode, client));
    memcpy(buf + DNS_HEADER_SIZE, client->question, client->question_length);
    return answer_opt(buf, length, &none, client);
}

size_t dns_exchange_answer(uint8_t *buf, size_t length, const struct dns_response *response,
                           const struct dns_client *client)
{
    struct dns_response answer;
    bool unspeakable = !client->edns && extended_rcode(buf, response) > 0;
    uint16_t flags = answer_flags(response->flags, client);

    if (unspeakable)
        flags = (uint16_t)((flags & ~0xf) | DNS_SERVFAIL);
    dns_put16(buf, client->id);
    dns_put16(buf + 2, flags);
    memcpy(buf + DNS_HEADER_SIZE, client->question, client->question_length);
    if (response->opt_length > 0) {
        /* Whatever stands behind the OPT record goes, too: it might point at what moves, and
         * additional data is never needed. */
        uint16_t gone = count_records(buf, length, response->opt);
        uint16_t additionals = dns_get16(buf + 10);

        dns_put16(buf + 10, additionals > gone ? additionals - gone : 0);
        length = response->opt;
    }
    length = answer_opt(buf, length, response, client);
    /* Nobody but a liar has names that run through what is not a name, and was changed just now. */
    if (dns_response_parse(buf, length, &answer) < 0)
        return dns_exchange_failure(buf, client, DNS_SERVFAIL);
    return length;
}

/* ---- TCP ---- */

static size_t frame_size(const struct dns_frame *frame)
{
    return dns_get16(frame->head);
}

uint8_t *dns_frame_room(struct dns_frame *frame, size_t *ret)
{
    size_t room;

    if (frame->head_length < sizeof frame->head) {
        *ret = sizeof frame->head - frame->head_length;
        return frame->head + frame->head_length;
    }
    if (frame->length == frame->room) {
        room = frame->room ? 2 * frame->room : FRAME_ROOM;
        uint8_t *msg = realloc(frame->msg, room);
        if (!msg)
            return NULL;
        frame->msg = msg;
        frame->room = room;
    }
    room = frame->room - frame->length;
    *ret = frame_size(frame) - frame->length;
    if (*ret > room)
        *ret = room;
    return frame->msg + frame->length;
}

bool dns_frame_add(struct dns_frame *frame, size_t length)
{
    if (frame->head_length < sizeof frame->head)
        frame->head_length += (uint8_t)length;
    else
        frame->length += length;
    return frame->head_length == sizeof frame->head && frame->length == frame_size(frame);
}

void dns_frame_clear(struct dns_frame *frame)
{
    free(frame->msg);
    *frame = (struct dns_frame){0};
}
