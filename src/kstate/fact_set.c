/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "kstate/fact.h"

int fact_set_add(struct fact_set *set, const struct fact *fact)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 16;
        struct fact *facts = reallocarray(set->facts, capacity, sizeof *facts);

        if (!facts)
            return -ENOMEM;
        set->facts = facts;
        set->capacity = capacity;
    }
    set->facts[set->count++] = *fact;
    return 0;
}

static int compare(const void *a, const void *b)
{
    return fact_compare_key(a, b);
}

void fact_set_sort(struct fact_set *set)
{
    size_t kept = 0;

    if (set->count == 0)
        return;
    qsort(set->facts, set->count, sizeof *set->facts, compare);
    for (size_t i = 1; i < set->count; i++)
        if (fact_compare_key(&set->facts[kept], &set->facts[i]) != 0)
            set->facts[++kept] = set->facts[i];
    set->count = kept + 1;
}

const struct fact *fact_set_find(const struct fact_set *set, const struct fact *key)
{
    if (set->count == 0)
        return NULL;
    return bsearch(key, set->facts, set->count, sizeof *set->facts, compare);
}

void fact_set_clear(struct fact_set *set)
{
    free(set->facts);
    *set = (struct fact_set){0};
}
