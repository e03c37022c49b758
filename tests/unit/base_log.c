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
#include <unistd.h>

#include "base/log.h"

/* Calls say with standard error going to a file, and reads that back. */
static void assert_logged(void (*say)(void), const char *expected)
{
    _cleanup_fclose_ FILE *file = tmpfile();
    _cleanup_close_ int saved = dup(STDERR_FILENO);
    char text[4096] = "";

    assert_non_null(file);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    say();
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    assert_true(pread(fileno(file), text, sizeof text - 1, 0) >= 0);
    assert_string_equal(text, expected);
}

static void say_all(void)
{
    log_error("one %d", 1);
    log_warning("two");
    log_info("three");
    log_debug("four");
}

static void levels_name_and_filter(void **state)
{
    (void)state;
    unsetenv("JOURNAL_STREAM");
    assert_logged(say_all, "error: one 1\nwarning: two\ninfo: three\n");
    log_set_level(LOG_LEVEL_DEBUG);
    assert_logged(say_all, "error: one 1\nwarning: two\ninfo: three\ndebug: four\n");
    setenv("JOURNAL_STREAM", "1:2", 1);
    assert_logged(say_all, "<3>one 1\n<4>two\n<6>three\n<7>four\n");
    unsetenv("JOURNAL_STREAM");
    log_set_level(LOG_LEVEL_ERROR);
    assert_logged(say_all, "error: one 1\n");
}

static void say_lines(void)
{
    errno = EBUSY;
    log_error("name %s", "a\nerror: forged\r\x1b[31m");
    assert_int_equal(errno, EBUSY);
}

static void a_message_is_one_line(void **state)
{
    (void)state;
    assert_logged(say_lines, "error: name a error: forged  [31m\n");
}

static void levels_parse(void **state)
{
    enum log_level level = LOG_LEVEL_ERROR;

    (void)state;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_equal(log_level_parse("warning", &level), 0);
    assert_int_equal(level, LOG_LEVEL_WARNING);
    assert_int_equal(log_level_parse("Info", &level), -EINVAL);
    assert_int_equal(log_level_parse("", &level), -EINVAL);
    assert_int_equal(level, LOG_LEVEL_WARNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_name_and_filter),
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(levels_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
