/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers as people read them: in the words of zone files (RFC 1035, 5.1), but names without their
 * final dot. */

#include <stddef.h>
#include <stdint.h>

#define DNS_TYPE_TEXT_MAX sizeof "TYPE65535"

/* "A", "SRV"; of a type without a name "TYPE65" (RFC 3597, 5). */
const char *dns_type_format(uint16_t type, char buf[static DNS_TYPE_TEXT_MAX]);
#define dns_type_text(type) dns_type_format((type), (char[DNS_TYPE_TEXT_MAX]){0})
/* The reverse, in any case of letters; a bare number will do, too. 0 or -EINVAL. */
int dns_type_parse(const char *text, uint16_t *ret);

/* "NOERROR", "NXDOMAIN"; of one without a name "RCODE23". Static, or in buf. */
#define DNS_RCODE_TEXT_MAX sizeof "RCODE255"
const char *dns_rcode_format(uint8_t rcode, char buf[static DNS_RCODE_TEXT_MAX]);
#define dns_rcode_text(rcode) dns_rcode_format((rcode), (char[DNS_RCODE_TEXT_MAX]){0})

/* A record of the answer section. A negative return ends it. */
typedef int dns_answer_fn(void *arg, const char *owner, uint16_t type, uint32_t ttl,
                          const char *data);
/* Calls fn for each record of the answer section of a response. 0,
 * -EBADMSG, -ENOMEM, or what fn returned. */
int dns_answers_each(const uint8_t *msg, size_t length, dns_answer_fn *fn, void *arg);
