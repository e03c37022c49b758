/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

static void an_empty_buffer_is_the_empty_string(void **state)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    _cleanup_free_ char *text = NULL;

    (void)state;
    assert_string_equal(strbuf_text(&b), "");
    strbuf_puts(&b, "");
    strbuf_add(&b, NULL, 0);
    strbuf_printf(&b, "%s", "");
    text = strbuf_take(&b);
    assert_string_equal(text, "");
}

static void appending_grows(void **state)
{
    _cleanup_strbuf_ struct strbuf b = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        strbuf_puts(&b, "ab");
        strbuf_printf(&b, "%03d", i % 1000);
    }
    assert_int_equal(b.len, 50000);
    assert_int_equal(strlen(strbuf_text(&b)), 50000);
    assert_memory_equal(b.data, "ab000ab001", 10);
    assert_string_equal(b.data + 49990, "ab998ab999");
}

static void every_length_has_room_for_its_end(void **state)
{
    (void)state;
    for (int len = 0; len < 300; len++) {
        _cleanup_strbuf_ struct strbuf printed = {0}, added = {0};

        strbuf_printf(&printed, "%*s", len, "");
        for (int i = 0; i < len; i++)
            strbuf_add(&added, " ", 1);
        assert_int_equal(strlen(strbuf_text(&printed)), len);
        assert_string_equal(strbuf_text(&printed), strbuf_text(&added));
    }
}

static void bytes_may_be_zero(void **state)
{
    _cleanup_strbuf_ struct strbuf b = {0};

    (void)state;
    strbuf_add(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
}

static void taking_empties(void **state)
{
    _cleanup_strbuf_ struct strbuf b = {0};
    _cleanup_free_ char *first = NULL, *second = NULL;

    (void)state;
    strbuf_puts(&b, "one");
    first = strbuf_take(&b);
    assert_string_equal(first, "one");
    assert_int_equal(b.len, 0);
    assert_string_equal(strbuf_text(&b), "");
    strbuf_puts(&b, "two");
    second = strbuf_take(&b);
    assert_string_equal(second, "two");
}

static void running_out_of_memory_is_remembered(void **state)
{
    struct strbuf b = {0};

    (void)state;
    strbuf_puts(&b, "before");
    strbuf_add(&b, "", SIZE_MAX - 2); /* refused before anything is read */
    assert_true(b.failed);
    strbuf_puts(&b, "after");
    strbuf_printf(&b, "%d", 1);
    strbuf_add_shell_word(&b, "x y");
    assert_string_equal(strbuf_text(&b), "");
    assert_null(strbuf_take(&b));
    /* It starts afresh. */
    strbuf_puts(&b, "again");
    assert_string_equal(strbuf_text(&b), "again");
    strbuf_free(&b);
    strbuf_free(&b);
}

static void shell_words_are_quoted_where_they_must_be(void **state)
{
    static const struct {
        const char *word, *quoted;
    } cases[] = {
        {"", "''"},
        {"plain", "plain"},
        {"a-b_c.d/e:f,g=h+i@j%k", "a-b_c.d/e:f,g=h+i@j%k"},
        {"two words", "'two words'"},
        {"$HOME", "'$HOME'"},
        {"`id`", "'`id`'"},
        {"a;b", "'a;b'"},
        {"*", "'*'"},
        {"~", "'~'"},
        {"#", "'#'"},
        {"a\\b", "'a\\b'"},
        {"a\nb", "'a\nb'"},
        {"\"", "'\"'"},
        {"'", "''\\'''"},
        {"it's", "'it'\\''s'"},
        {"''", "''\\'''\\'''"},
        {"caf\xc3\xa9", "'caf\xc3\xa9'"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_strbuf_ struct strbuf b = {0};

        strbuf_add_shell_word(&b, cases[i].word);
        assert_string_equal(strbuf_text(&b), cases[i].quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_the_empty_string),
        cmocka_unit_test(appending_grows),
        cmocka_unit_test(every_length_has_room_for_its_end),
        cmocka_unit_test(bytes_may_be_zero),
        cmocka_unit_test(taking_empties),
        cmocka_unit_test(running_out_of_memory_is_remembered),
        cmocka_unit_test(shell_words_are_quoted_where_they_must_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
