/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/strbuf.h"
#include "client/stream.h"

/* What arrived on each stream. */
struct heard {
    struct strbuf by_id[4];
};

static int listen_in(void *arg, enum stream_id id, const char *data, size_t len,
                     struct weft_error *err)
{
    struct heard *heard = arg;

    if (memmem(data, len, "refuse", 6))
        return weft_fail(err, WEFT_INTERNAL, "refused");
    strbuf_add(&heard->by_id[id], data, len);
    return 0;
}

static void forget(struct heard *heard)
{
    for (size_t i = 0; i < ARRAY_SIZE(heard->by_id); i++)
        strbuf_free(&heard->by_id[i]);
}

static const char frames[] = "\1\0\0\0\0\0\0\3out"
                             "\2\0\0\0\0\0\0\5error"
                             "\1\0\0\0\0\0\0\0"
                             "\1\0\0\0\0\0\0\4more"
                             "\3\0\0\0\0\0\0\4gone";
#define FRAMES_LEN (sizeof frames - 1)

static void check_frames(const struct heard *heard)
{
    assert_string_equal(strbuf_text(&heard->by_id[STREAM_STDOUT]), "outmore");
    assert_string_equal(strbuf_text(&heard->by_id[STREAM_STDERR]), "error");
    assert_string_equal(strbuf_text(&heard->by_id[STREAM_ERROR]), "gone");
}

static void frames_are_told_apart(void **state)
{
    _cleanup_(forget) struct heard heard = {0};
    struct stream s = {0};

    (void)state;
    assert_int_equal(stream_feed(&s, frames, FRAMES_LEN, listen_in, &heard, NULL), 0);
    assert_true(stream_is_complete(&s));
    check_frames(&heard);
}

static void pieces_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (size_t size = 1; size <= FRAMES_LEN; size++) {
        _cleanup_(forget) struct heard heard = {0};
        struct stream s = {0};

        for (size_t at = 0; at < FRAMES_LEN; at += size) {
            size_t len = FRAMES_LEN - at < size ? FRAMES_LEN - at : size;

            assert_int_equal(stream_feed(&s, frames + at, len, listen_in, &heard, NULL), 0);
        }
        assert_true(stream_is_complete(&s));
        check_frames(&heard);
    }
}

static void a_frame_may_be_large(void **state)
{
    _cleanup_(forget) struct heard heard = {0};
    struct stream s = {0};
    char data[1000];

    (void)state;
    memset(data, 'x', sizeof data);
    assert_int_equal(stream_feed(&s, "\1\0\0\0\0\1\x86\xa0", 8, listen_in, &heard, NULL), 0);
    for (int i = 0; i < 100; i++) {
        assert_false(stream_is_complete(&s));
        assert_int_equal(stream_feed(&s, data, sizeof data, listen_in, &heard, NULL), 0);
    }
    assert_true(stream_is_complete(&s));
    assert_int_equal(heard.by_id[STREAM_STDOUT].len, 100000);
}

static void incomplete_is_known(void **state)
{
    _cleanup_(forget) struct heard heard = {0};
    struct stream s = {0};

    (void)state;
    assert_true(stream_is_complete(&s));
    assert_int_equal(stream_feed(&s, frames, 4, listen_in, &heard, NULL), 0);
    assert_false(stream_is_complete(&s));
    assert_int_equal(stream_feed(&s, frames + 4, 5, listen_in, &heard, NULL), 0);
    assert_false(stream_is_complete(&s));
    assert_int_equal(stream_feed(&s, frames + 9, 2, listen_in, &heard, NULL), 0);
    assert_true(stream_is_complete(&s));
}

static void what_is_no_header_is_refused(void **state)
{
    static const char *const bad[] = {"\4\0\0\0\0\0\0\1", "\1\0\0\1\0\0\0\1", "plain text"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_(forget) struct heard heard = {0};
        struct stream s = {0};
        struct weft_error err;

        assert_int_equal(stream_feed(&s, bad[i], 8, listen_in, &heard, &err), -EINVAL);
        assert_non_null(strstr(err.text, "unknown kind"));
    }
}

static void the_sinks_failure_is_passed_on(void **state)
{
    _cleanup_(forget) struct heard heard = {0};
    struct stream s = {0};
    struct weft_error err;

    (void)state;
    assert_int_equal(stream_feed(&s, "\1\0\0\0\0\0\0\6refuse", 14, listen_in, &heard, &err), -EIO);
    assert_string_equal(err.text, "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_told_apart),
        cmocka_unit_test(pieces_may_be_cut_anywhere),
        cmocka_unit_test(a_frame_may_be_large),
        cmocka_unit_test(incomplete_is_known),
        cmocka_unit_test(what_is_no_header_is_refused),
        cmocka_unit_test(the_sinks_failure_is_passed_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
