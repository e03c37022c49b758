/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: entries lie in the ring as they are written, each in one piece: one that
 * does not fit before the end begins at the start. The table of places says where each is, the
 * oldest first, and those that lie where a new one goes are forgotten, oldest first too.
 */

#include "dns/query_log.h"

#include <string.h>

/* What an entry is in the ring, with the sandbox's id and its NUL, then the name, behind it. */
struct stored {
    int64_t time;
    uint32_t micros;
    uint16_t type;
    uint16_t answers;
    struct addr server;
    uint8_t rcode;
    uint8_t source;
    bool tcp;
    uint8_t id_size;
    uint8_t name_size;
};

static uint32_t size_at(const struct dns_query_log *log, uint32_t place)
{
    struct stored s;

    memcpy(&s, log->bytes + place, sizeof s);
    return (uint32_t)sizeof s + s.id_size + s.name_size;
}

static uint32_t oldest(const struct dns_query_log *log)
{
    return log->places[log->first];
}

static void forget_oldest(struct dns_query_log *log)
{
    log->first = (log->first + 1) % DNS_LOG_ENTRIES;
    log->count--;
}

/* Where `size` octets go, nothing of use being there any more. */
static uint32_t make_room(struct dns_query_log *log, uint32_t size)
{
    uint32_t place = log->end;

    if (place + size > DNS_LOG_BYTES) {
        /* The rest of the ring stays empty until the next round. */
        while (log->count > 0 && oldest(log) >= place)
            forget_oldest(log);
        place = 0;
    }
    while (log->count > 0 && oldest(log) < place + size &&
           oldest(log) + size_at(log, oldest(log)) > place)
        forget_oldest(log);
    if (log->count == DNS_LOG_ENTRIES)
        forget_oldest(log);
    return place;
}

void dns_query_log_add(struct dns_query_log *log, const struct dns_log_entry *entry)
{
    struct stored s = {.time = entry->time,
                       .micros = entry->micros,
                       .type = entry->type,
                       .answers = entry->answers,
                       .server = entry->server,
                       .rcode = entry->rcode,
                       .source = entry->source,
                       .tcp = entry->tcp,
                       .id_size = (uint8_t)(strnlen(entry->sandbox, ID_TEXT_MAX - 1) + 1),
                       .name_size = entry->name->length};
    uint32_t size = (uint32_t)sizeof s + s.id_size + s.name_size;
    uint32_t place = make_room(log, size);
    uint8_t *to = log->bytes + place;

    memcpy(to, &s, sizeof s);
    to += sizeof s;
    memcpy(to, entry->sandbox, s.id_size - 1);
    to[s.id_size - 1] = '\0';
    memcpy(to + s.id_size, entry->name->wire, s.name_size);
    log->places[(log->first + log->count) % DNS_LOG_ENTRIES] = place;
    log->count++;
    log->end = place + size;
}

bool dns_query_log_get(const struct dns_query_log *log, size_t i, struct dns_log_entry *ret,
                       struct dns_name *name)
{
    const uint8_t *from;
    struct stored s;

    if (i >= log->count)
        return false;
    from = log->bytes + log->places[(log->first + i) % DNS_LOG_ENTRIES];
    memcpy(&s, from, sizeof s);
    from += sizeof s;
    name->length = s.name_size;
    memcpy(name->wire, from + s.id_size, s.name_size);
    *ret = (struct dns_log_entry){.time = s.time,
                                  .sandbox = (const char *)from,
                                  .name = name,
                                  .server = s.server,
                                  .micros = s.micros,
                                  .type = s.type,
                                  .answers = s.answers,
                                  .rcode = s.rcode,
                                  .source = s.source,
                                  .tcp = s.tcp};
    return true;
}
