/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The queries that were answered last: in a ring of constant size, written for each, read rarely.
 */

#include "dns/codec.h"
#include "dns/message.h"

#define DNS_LOG_ENTRIES 512
#define DNS_LOG_BYTES 65536

struct dns_log_entry {
    int64_t time; /* ns since the epoch: when the query came */
    const char *sandbox;
    const struct dns_name *name;
    struct addr server;
    uint32_t micros;
    uint16_t type;
    uint16_t answers;
    uint8_t rcode;
    uint8_t source;
    bool tcp;
};

/* Zero-initialise. */
struct dns_query_log {
    uint32_t places[DNS_LOG_ENTRIES]; /* where entries begin; the oldest at `first` */
    uint32_t first, count;
    uint32_t end; /* of the latest one */
    uint8_t bytes[DNS_LOG_BYTES];
};

/* The oldest ones make room. */
void dns_query_log_add(struct dns_query_log *log, const struct dns_log_entry *entry);
/* The i-th, the oldest first; false: there are not so many. What it points to is in *name and in
 * the log. */
bool dns_query_log_get(const struct dns_query_log *log, size_t i, struct dns_log_entry *ret,
                       struct dns_name *name);
