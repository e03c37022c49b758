/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A hash table from byte-string keys to pointers: open addressing, linear probing, SipHash-free
 * FNV-1a salted at random. Keys are not copied: they normally live in the value (an id field), and
 * must stay unchanged while they are in the table. Zero-initialise; hash_clear frees the slots, not
 * the values.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_slot {
    const char *key;
    void *value;
};

struct hash {
    struct hash_slot *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* FNV-1a: the hash of what was hashed to `hash` before and these octets behind it. Begin with
 * HASH_START, xored with a salt where somebody else chooses the octets. */
#define HASH_START UINT64_C(0xcbf29ce484222325)
uint64_t hash_bytes(uint64_t hash, const void *data, size_t length);

/* 0, -EEXIST when the key is there already (nothing changes), -ENOMEM. */
int hash_put(struct hash *h, const char *key, void *value);
void *hash_get(const struct hash *h, const char *key);
/* Removes and returns the value, NULL when there was none. */
void *hash_remove(struct hash *h, const char *key);
void hash_clear(struct hash *h);

/* for (size_t i = 0; hash_next(&h, &i, &slot);) … — no changes to the table meanwhile. */
bool hash_next(const struct hash *h, size_t *i, struct hash_slot *ret);
