/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What goes to an upstream server and what comes back, as octets: making the query, judging the
 * response, and making of it an answer to a client. No sockets, no state.
 *
 * Only what concerns both ends is handed on (RFC 6891, 6.1.1): of the OPT record the DO bit and the
 * options that are not between neighbours, while the size is each hop's own.
 */

#include "dns/codec.h"
#include "dns/record.h"

/* A query upstream: options that do not fit are left out. */
#define DNS_EXCHANGE_MAX 1024
#define DNS_QUESTION_MAX (DNS_NAME_MAX + 4)

/* Writes to buf the query that is sent upstream for a client's: id 0, its RD and CD flags, AD
 * (which asks for that flag: RFC 6840, 5.7), its question and an OPT record, which comes last.
 * Returns the length. *shared: nothing in it is of this client alone, so the answer is good for
 * others. */
size_t dns_exchange_query(uint8_t buf[static DNS_EXCHANGE_MAX], const uint8_t *msg,
                          const struct dns_query *query, bool *shared);
/* Takes the OPT record off such a query. Returns the new length. */
size_t dns_exchange_plain(uint8_t *buf, size_t question_end);

/* A query that was sent. */
struct dns_asked {
    uint16_t id;
    const struct dns_name *name;
    uint16_t type, class;
    size_t question_end;
    bool plain; /* without an OPT record */
    bool tcp;
};

enum dns_verdict {
    DNS_IGNORE, /* not what was asked for: keep waiting */
    DNS_ANSWERED,
    DNS_TRUNCATED, /* ask again over TCP */
    DNS_NO_EDNS,   /* the server is older than EDNS: ask again without */
    DNS_UNWILLING, /* it cannot or does not want to: ask another */
};
/* *ret is filled unless it is to be ignored. */
enum dns_verdict dns_exchange_judge(const struct dns_asked *asked, const uint8_t *msg,
                                    size_t length, struct dns_response *ret);

/* Who gets an answer. */
struct dns_client {
    uint16_t id, flags; /* of its query */
    bool edns, dnssec_ok;
    uint16_t question_length;
    uint8_t question[DNS_QUESTION_MAX]; /* as it asked */
};
/* query: of msg, and fit to be answered. */
void dns_client_from_query(struct dns_client *ret, const uint8_t *msg,
                           const struct dns_query *query);
/* The size of what is used of a client. */
size_t dns_client_size(const struct dns_client *client);
/* Makes a judged response the answer to client: its id, its flags, its question, an OPT record if
 * it spoke EDNS, else none. buf has room for DNS_OPT_SIZE octets more. Returns the length. What
 * cannot be made into one becomes SERVFAIL. */
size_t dns_exchange_answer(uint8_t *buf, size_t length, const struct dns_response *response,
                           const struct dns_client *client);
/* Writes an answer without records. Returns the length, at most DNS_EXCHANGE_MAX. */
size_t dns_exchange_failure(uint8_t *buf, const struct dns_client *client, enum dns_rcode rcode);

/*
 * A message that comes over TCP, in pieces, behind its length (RFC 1035, 4.2.2; 7766, 8).
 * Zero-initialise.
 */
struct dns_frame {
    uint8_t head[2];
    uint8_t head_length;
    uint8_t *msg; /* grows with what has come: a length alone costs the sender nothing */
    size_t length, room;
};
/* Where to put what comes next, and how much of it. NULL: no memory. */
uint8_t *dns_frame_room(struct dns_frame *frame, size_t *ret);
/* length octets were put there. Whether the message is whole: frame->msg, frame->length. */
bool dns_frame_add(struct dns_frame *frame, size_t length);
/* Frees the message; another may come. */
void dns_frame_clear(struct dns_frame *frame);
