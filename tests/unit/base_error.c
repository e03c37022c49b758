/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void a_code_has_an_errno_and_a_status(void **state)
{
    static const struct {
        enum weft_code code;
        int errnum, status;
    } cases[] = {
        {WEFT_INVALID, EINVAL, 400},
        {WEFT_FORBIDDEN, EPERM, 403},
        {WEFT_NOT_FOUND, ENOENT, 404},
        {WEFT_CONFLICT, EEXIST, 409},
        {WEFT_UNCHANGED, EALREADY, 304},
        {WEFT_TOO_LARGE, E2BIG, 413},
        {WEFT_UNSUPPORTED, EOPNOTSUPP, 501},
        {WEFT_EXHAUSTED, ENOSPC, 503},
        {WEFT_KERNEL, EIO, 500},
        {WEFT_INTERNAL, EIO, 500},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct weft_error err;

        assert_int_equal(weft_fail(&err, cases[i].code, "n %d", 5), -cases[i].errnum);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.errnum, cases[i].errnum);
        assert_string_equal(err.text, "n 5");
        assert_int_equal(weft_fail(NULL, cases[i].code, "n"), -cases[i].errnum);
        assert_int_equal(weft_code_http_status(cases[i].code), cases[i].status);
    }
    assert_int_equal(weft_code_http_status(WEFT_OK), 200);
}

static void system_errors_say_why(void **state)
{
    struct weft_error err;

    (void)state;
    assert_int_equal(weft_fail_errno(&err, EBUSY, "cannot move %s", "veth0"), -EBUSY);
    assert_string_equal(err.text, "cannot move veth0: Device or resource busy");
    assert_int_equal(err.code, WEFT_KERNEL);
    assert_int_equal(err.errnum, EBUSY);
    assert_int_equal(weft_fail_errno(&err, -EPERM, "x"), -EPERM);
    assert_int_equal(err.errnum, EPERM);
    assert_int_equal(weft_fail_errno(NULL, EBUSY, "x"), -EBUSY);
    assert_int_equal(weft_oom(NULL), -ENOMEM);
    assert_int_equal(weft_oom(&err), -ENOMEM);
    assert_int_equal(err.code, WEFT_INTERNAL);
    assert_int_equal(err.errnum, ENOMEM);
    assert_string_equal(err.text, "out of memory");
}

static void prefixes_keep_the_code(void **state)
{
    struct weft_error err;

    (void)state;
    weft_error_prefix(NULL, "x");
    weft_fail(&err, WEFT_NOT_FOUND, "no such file");
    weft_error_prefix(&err, "network %s", "blue");
    assert_string_equal(err.text, "network blue: no such file");
    assert_int_equal(err.code, WEFT_NOT_FOUND);
    assert_int_equal(err.errnum, ENOENT);
}

static void a_sentence_may_quote_the_one_before(void **state)
{
    struct weft_error err;

    (void)state;
    weft_fail(&err, WEFT_INTERNAL, "inner");
    weft_fail(&err, WEFT_CONFLICT, "outer (%s)", err.text);
    assert_string_equal(err.text, "outer (inner)");
    weft_error_prefix(&err, "%s", err.text);
    assert_string_equal(err.text, "outer (inner): outer (inner)");
}

static void long_sentences_are_cut(void **state)
{
    struct weft_error err;

    (void)state;
    weft_fail(&err, WEFT_INVALID, "%*s", 1000, "x");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    weft_error_prefix(&err, "head");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(strncmp(err.text, "head:  ", 7), 0);
    weft_fail_errno(&err, EBUSY, "%*s", 1000, "x");
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_has_an_errno_and_a_status),
        cmocka_unit_test(system_errors_say_why),
        cmocka_unit_test(prefixes_keep_the_code),
        cmocka_unit_test(a_sentence_may_quote_the_one_before),
        cmocka_unit_test(long_sentences_are_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
