/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"

#define MANY 20000

struct item {
    char key[16];
    bool present;
    int seen;
};

static void an_empty_table_has_nothing(void **state)
{
    struct hash h = {0};
    struct hash_slot slot;
    size_t i = 0;

    (void)state;
    assert_null(hash_get(&h, "a"));
    assert_null(hash_remove(&h, "a"));
    assert_false(hash_next(&h, &i, &slot));
    hash_clear(&h);
}

static void keys_are_unique(void **state)
{
    _cleanup_(hash_clear) struct hash h = {0};
    int one, two;

    (void)state;
    assert_int_equal(hash_put(&h, "key", &one), 0);
    assert_int_equal(hash_put(&h, "key", &two), -EEXIST);
    assert_int_equal(h.count, 1);
    assert_ptr_equal(hash_get(&h, "key"), &one);
    assert_int_equal(hash_put(&h, "", &two), 0);
    assert_ptr_equal(hash_get(&h, ""), &two);
    assert_ptr_equal(hash_remove(&h, "key"), &one);
    assert_null(hash_get(&h, "key"));
    assert_null(hash_remove(&h, "key"));
    assert_int_equal(hash_put(&h, "key", &two), 0);
    assert_ptr_equal(hash_get(&h, "key"), &two);
}

/* The table holds exactly the items that are marked present, each once. */
static void assert_holds(const struct hash *h, struct item *items)
{
    struct hash_slot slot;
    size_t count = 0;

    for (size_t n = 0; n < MANY; n++) {
        assert_ptr_equal(hash_get(h, items[n].key), items[n].present ? &items[n] : NULL);
        items[n].seen = 0;
    }
    for (size_t i = 0; hash_next(h, &i, &slot); count++) {
        struct item *item = slot.value;

        assert_ptr_equal(slot.key, item->key);
        assert_true(item->present);
        assert_int_equal(item->seen++, 0);
    }
    assert_int_equal(count, h->count);
}

static void many_keys_come_and_go(void **state)
{
    _cleanup_free_ struct item *items = calloc(MANY, sizeof *items);
    _cleanup_(hash_clear) struct hash h = {0};

    (void)state;
    assert_non_null(items);
    for (size_t n = 0; n < MANY; n++) {
        snprintf(items[n].key, sizeof items[n].key, "key-%zu", n);
        assert_int_equal(hash_put(&h, items[n].key, &items[n]), 0);
        items[n].present = true;
    }
    assert_int_equal(h.count, MANY);
    assert_holds(&h, items);
    for (size_t n = 0; n < MANY; n++) {
        if (n % 3 == 0)
            continue;
        assert_ptr_equal(hash_remove(&h, items[n].key), &items[n]);
        items[n].present = false;
    }
    assert_holds(&h, items);
    for (size_t n = 0; n < MANY; n += 2) {
        assert_int_equal(hash_put(&h, items[n].key, &items[n]), items[n].present ? -EEXIST : 0);
        items[n].present = true;
    }
    assert_holds(&h, items);
    for (size_t n = 0; n < MANY; n++) {
        hash_remove(&h, items[n].key);
        items[n].present = false;
    }
    assert_int_equal(h.count, 0);
    assert_holds(&h, items);
}

/* A table that stays nearly full has long runs, which wrap around its end: every removal moves. */
static void removal_keeps_runs_whole(void **state)
{
    _cleanup_free_ struct item *items = calloc(MANY, sizeof *items);
    _cleanup_(hash_clear) struct hash h = {0};
    size_t live = 12; /* of sixteen slots */

    (void)state;
    assert_non_null(items);
    for (size_t n = 0; n < MANY; n++) {
        snprintf(items[n].key, sizeof items[n].key, "%zx", n * 2654435761u);
        if (n >= live)
            assert_ptr_equal(hash_remove(&h, items[n - live].key), &items[n - live]);
        assert_int_equal(hash_put(&h, items[n].key, &items[n]), 0);
        for (size_t k = n >= live ? n - live + 1 : 0; k <= n; k++)
            assert_ptr_equal(hash_get(&h, items[k].key), &items[k]);
    }
    assert_int_equal(h.count, live);
    assert_int_equal(h.capacity, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_table_has_nothing),
        cmocka_unit_test(keys_are_unique),
        cmocka_unit_test(many_keys_come_and_go),
        cmocka_unit_test(removal_keeps_runs_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
