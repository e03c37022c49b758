/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A key lives in the first free slot at or after its home (its hash modulo the capacity). Removing
 * therefore closes the gap: each following key that could live in the gap moves there, so that no
 * search ever meets a hole before its key. At most three quarters of the slots are used.
 *
 * The hash is FNV-1a over the key, started from a random salt: keys chosen by a client collide by
 * chance only.
 */

#include "base/hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CAPACITY_MIN 16

/* Chosen at the first call. Without randomness the table still works, only predictably. */
static uint64_t salt(void)
{
    static uint64_t value;
    static bool chosen;

    if (!chosen) {
        (void)!getrandom(&value, sizeof value, GRND_NONBLOCK);
        chosen = true;
    }
    return value;
}

uint64_t hash_bytes(uint64_t hash, const void *data, size_t length)
{
    const uint8_t *octets = data;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ octets[i]) * UINT64_C(0x00000100000001b3);
    return hash;
}

static uint64_t hash_of(const char *key)
{
    uint64_t hash = hash_bytes(HASH_START ^ salt(), key, strlen(key));

    return hash ^ hash >> 32;
}

static size_t home_of(const struct hash *h, const char *key)
{
    return (size_t)hash_of(key) & (h->capacity - 1);
}

/* The slot that holds key, or the free one where it belongs. The table has at least one free slot.
 */
static size_t find(const struct hash *h, const char *key)
{
    size_t i = home_of(h, key);

    while (h->slots[i].key && strcmp(h->slots[i].key, key) != 0)
        i = (i + 1) & (h->capacity - 1);
    return i;
}

static int grow(struct hash *h)
{
    struct hash bigger = {.capacity = h->capacity ? h->capacity * 2 : CAPACITY_MIN};
    struct hash_slot slot;

    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; hash_next(h, &i, &slot); bigger.count++)
        bigger.slots[find(&bigger, slot.key)] = slot;
    free(h->slots);
    *h = bigger;
    return 0;
}

int hash_put(struct hash *h, const char *key, void *value)
{
    if (h->count > 0 && h->slots[find(h, key)].key)
        return -EEXIST;
    if (h->count + 1 > h->capacity / 4 * 3 && grow(h) < 0)
        return -ENOMEM;
    h->slots[find(h, key)] = (struct hash_slot){key, value};
    h->count++;
    return 0;
}

void *hash_get(const struct hash *h, const char *key)
{
    return h->count > 0 ? h->slots[find(h, key)].value : NULL;
}

void *hash_remove(struct hash *h, const char *key)
{
    size_t mask = h->capacity - 1, gap;
    void *value;

    if (h->count == 0)
        return NULL;
    gap = find(h, key);
    if (!h->slots[gap].key)
        return NULL;
    value = h->slots[gap].value;
    for (size_t i = (gap + 1) & mask; h->slots[i].key; i = (i + 1) & mask) {
        size_t home = home_of(h, h->slots[i].key);

        if (((i - home) & mask) < ((i - gap) & mask))
            continue; /* its home is past the gap */
        h->slots[gap] = h->slots[i];
        gap = i;
    }
    h->slots[gap] = (struct hash_slot){0};
    h->count--;
    return value;
}

void hash_clear(struct hash *h)
{
    free(h->slots);
    *h = (struct hash){0};
}

bool hash_next(const struct hash *h, size_t *i, struct hash_slot *ret)
{
    for (; *i < h->capacity; (*i)++) {
        if (h->slots[*i].key) {
            *ret = h->slots[(*i)++];
            return true;
        }
    }
    return false;
}
