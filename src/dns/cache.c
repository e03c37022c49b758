/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One list in the order of use bounds the octets, chains by hash find an answer. An answer is kept
 * as it came; its TTLs are counted down in the copy that is handed out. What has expired is dropped
 * when it is met, or when its turn comes to make room.
 */

#include "dns/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>

#include "base/hash.h"

#define MALLOC_OVERHEAD 16
#define BYTES_PER_BUCKET 512 /* about an answer */
#define BUCKETS_MIN 16

struct entry {
    TAILQ_ENTRY(entry) use;
    LIST_ENTRY(entry) chain;
    uint64_t set, hash;
    uint64_t stored, expires; /* ms */
    uint16_t type, class;
    bool dnssec_ok, checking_disabled;
    uint16_t length;
    uint8_t name_length;
    uint8_t data[]; /* the name, then the message */
};

LIST_HEAD(chain, entry);

struct dns_cache {
    size_t bytes, max_bytes;
    uint64_t salt;                     /* so that names that fall into one chain cannot be chosen */
    TAILQ_HEAD(used_list, entry) used; /* the latest first */
    size_t buckets;                    /* a power of two */
    struct chain chains[];
};

static size_t entry_bytes(const struct entry *e)
{
    return sizeof *e + e->name_length + e->length + MALLOC_OVERHEAD;
}

static uint64_t hash_of(const struct dns_cache *c, const struct dns_cache_key *key)
{
    uint64_t numbers = (uint64_t)key->type << 32 | (uint64_t)key->class << 16 |
                       (uint64_t)key->dnssec_ok << 1 | key->checking_disabled;
    uint64_t hash = hash_bytes(HASH_START ^ c->salt, key->name->wire, key->name->length);

    hash = hash_bytes(hash, &numbers, sizeof numbers);
    hash = hash_bytes(hash, &key->set, sizeof key->set);
    return hash ^ hash >> 32;
}

static struct chain *chain_of(struct dns_cache *c, uint64_t hash)
{
    return &c->chains[hash & (c->buckets - 1)];
}

static bool is_of(const struct entry *e, const struct dns_cache_key *key)
{
    return e->set == key->set && e->type == key->type && e->class == key->class &&
           e->dnssec_ok == key->dnssec_ok && e->checking_disabled == key->checking_disabled &&
           e->name_length == key->name->length &&
           memcmp(e->data, key->name->wire, e->name_length) == 0;
}

static struct entry *find(struct dns_cache *c, const struct dns_cache_key *key, uint64_t hash)
{
    struct entry *e;

    LIST_FOREACH(e, chain_of(c, hash), chain)
    if (e->hash == hash && is_of(e, key))
        return e;
    return NULL;
}

static void drop(struct dns_cache *c, struct entry *e)
{
    TAILQ_REMOVE(&c->used, e, use);
    LIST_REMOVE(e, chain);
    c->bytes -= entry_bytes(e);
    free(e);
}

int dns_cache_new(size_t max_bytes, struct dns_cache **ret)
{
    size_t buckets = BUCKETS_MIN;
    struct dns_cache *c;

    while (buckets * BYTES_PER_BUCKET < max_bytes)
        buckets *= 2;
    c = calloc(1, sizeof *c + buckets * sizeof c->chains[0]);
    if (!c)
        return -ENOMEM;
    c->max_bytes = max_bytes;
    c->buckets = buckets;
    TAILQ_INIT(&c->used);
    /* Without randomness it still works, only predictably. */
    (void)!getrandom(&c->salt, sizeof c->salt, GRND_NONBLOCK);
    *ret = c;
    return 0;
}

void dns_cache_free(struct dns_cache *c)
{
    struct entry *next;

    if (!c)
        return;
    for (struct entry *e = TAILQ_FIRST(&c->used); e; e = next) {
        next = TAILQ_NEXT(e, use);
        free(e);
    }
    free(c);
}

size_t dns_cache_get(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now,
                     uint8_t *buf)
{
    struct entry *e = find(c, key, hash_of(c, key));

    if (!e)
        return 0;
    if (now >= e->expires) {
        drop(c, e);
        return 0;
    }
    TAILQ_REMOVE(&c->used, e, use);
    TAILQ_INSERT_HEAD(&c->used, e, use);
    memcpy(buf, e->data + e->name_length, e->length);
    dns_response_age(buf, e->length, (uint32_t)((now - e->stored) / 1000));
    return e->length;
}

static struct entry *make(const struct dns_cache_key *key, uint64_t now, const uint8_t *msg,
                          size_t length, uint32_t ttl)
{
    struct entry *e = malloc(sizeof *e + key->name->length + length);

    if (!e)
        return NULL;
    *e = (struct entry){
        .set = key->set,
        .stored = now,
        .expires = now + (uint64_t)ttl * 1000,
        .type = key->type,
        .class = key->class,
        .dnssec_ok = key->dnssec_ok,
        .checking_disabled = key->checking_disabled,
        .length = (uint16_t)length,
        .name_length = key->name->length,
    };
    memcpy(e->data, key->name->wire, e->name_length);
    memcpy(e->data + e->name_length, msg, length);
    return e;
}

void dns_cache_put(struct dns_cache *c, const struct dns_cache_key *key, uint64_t now,
                   const uint8_t *msg, size_t length, uint32_t ttl)
{
    uint64_t hash = hash_of(c, key);
    struct entry *e;

    if (ttl == 0 || length > DNS_MESSAGE_MAX)
        return;
    e = find(c, key, hash);
    if (e)
        drop(c, e);
    e = make(key, now, msg, length, ttl < DNS_CACHE_TTL_MAX ? ttl : DNS_CACHE_TTL_MAX);
    if (!e)
        return;
    if (entry_bytes(e) > c->max_bytes) {
        free(e);
        return;
    }
    while (c->bytes + entry_bytes(e) > c->max_bytes)
        drop(c, TAILQ_LAST(&c->used, used_list));
    e->hash = hash;
    TAILQ_INSERT_HEAD(&c->used, e, use);
    LIST_INSERT_HEAD(chain_of(c, hash), e, chain);
    c->bytes += entry_bytes(e);
}

void dns_cache_drop(struct dns_cache *c, uint64_t set)
{
    struct entry *next;

    for (struct entry *e = TAILQ_FIRST(&c->used); e; e = next) {
        next = TAILQ_NEXT(e, use);
        if (e->set == set)
            drop(c, e);
    }
}

size_t dns_cache_bytes(const struct dns_cache *c)
{
    return c->bytes;
}
