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

#include "base/file.h"
#include "base/str.h"
#include "base/time.h"
#include "container/log.h"
#include "container/log_format.h"

static char top[] = "/tmp/weft-log-XXXXXX";
static char path[sizeof top + 16];

static int make_top(void **state)
{
    (void)state;
    if (!mkdtemp(top))
        return -1;
    snprintf(path, sizeof path, "%s/c/log", top);
    return 0;
}

static int remove_top(void **state)
{
    (void)state;
    return dir_remove(top, NULL);
}

static void test_parse(void **state)
{
    static const char line[] = "2026-01-02T03:04:05.000000006+01:00 stderr P a b ";
    static const char *const bad[] = {
        "",
        "x",
        "2026-01-02T03:04:05Z stdout F", /* no text, not even the space */
        "2026-01-02T03:04:05Z stdin F x",
        "2026-01-02T03:04:05Z stdout X x",
        "yesterday stdout F x",
        "2026-01-02T03:04:05.00000000000000000000000000000000000000000000001Z stdout F x",
    };
    struct log_record record;
    int64_t time;

    (void)state;
    assert_int_equal(log_record_parse(line, strlen(line), &record), 0);
    assert_int_equal(time_parse("2026-01-02T02:04:05.000000006Z", &time), 0);
    assert_true(record.time == time);
    assert_int_equal(record.stream, LOG_STDERR);
    assert_true(record.partial);
    assert_int_equal(record.len, 4);
    assert_memory_equal(record.text, "a b ", 4);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(log_record_parse(bad[i], strlen(bad[i]), &record), -EINVAL);
}

#define T(second) "2026-01-02T03:04:0" #second ".000000000+00:00 "

/* clang-format off */
static const char sample[] =
    T(1) "stdout F one\n"
    T(2) "stderr F two\n"
    T(3) "stdout P thr\n"
    T(4) "stdout F ee\n"
    "not a record\n"
    T(5) "stdout F \n"
    T(6) "stdout P unfinished\n"
    T(7) "stdout F is being writ"; /* conmon is not done with this one */
/* clang-format on */

static void never(void *arg)
{
    (void)arg;
}

static void put(const char *text)
{
    _cleanup_free_ char *dir = str_printf("%s/c", top);

    assert_int_equal(dir_make(dir, 0700, NULL), 0);
    assert_int_equal(file_write_in_place(path, text, strlen(text), 0600, NULL), 0);
}

/* All that a reader that does not follow gives, in pieces of at most about max. */
static char *all_of(const struct log_options *options, size_t max, size_t *ret_len)
{
    struct strbuf text = {0};
    struct log_reader *r;
    uv_loop_t loop;
    int result;

    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(log_reader_open(&loop, path, options, never, NULL, &r, NULL), 0);
    while ((result = log_reader_read(r, max, &text)) > 0)
        ;
    assert_int_equal(result, -ENODATA);
    log_reader_free(r);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    if (ret_len)
        *ret_len = text.len;
    return strbuf_take(&text);
}

static void expect(const struct log_options *options, const char *want)
{
    _cleanup_free_ char *whole = all_of(options, 65536, NULL), *bits = all_of(options, 1, NULL);

    assert_string_equal(whole, want);
    assert_string_equal(bits, want);
}

static void test_streams(void **state)
{
    (void)state;
    put(sample);
    expect(&(struct log_options){.out = true, .err = true, .tail = -1},
           "one\ntwo\nthree\n\nunfinished");
    expect(&(struct log_options){.out = true, .tail = -1}, "one\nthree\n\nunfinished");
    expect(&(struct log_options){.err = true, .tail = -1}, "two\n");
    expect(&(struct log_options){.tail = -1}, "");
}

static void test_tail(void **state)
{
    static const char *const want[] = {
        "",
        "unfinished",
        "\nunfinished",
        "three\n\nunfinished",
        "two\nthree\n\nunfinished",
        "one\ntwo\nthree\n\nunfinished",
        "one\ntwo\nthree\n\nunfinished",
    };

    (void)state;
    put(sample);
    for (size_t i = 0; i < ARRAY_SIZE(want); i++)
        expect(&(struct log_options){.out = true, .err = true, .tail = (int64_t)i}, want[i]);
    expect(&(struct log_options){.err = true, .tail = 1}, "two\n");
    expect(&(struct log_options){.out = true, .tail = 3}, "three\n\nunfinished");
    put("");
    expect(&(struct log_options){.out = true, .err = true, .tail = 5}, "");
}

/* More than a block, with records across the borders of blocks. */
static void test_long_tail(void **state)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    enum { LINES = 20000 };

    (void)state;
    for (int i = 0; i < LINES; i++)
        strbuf_printf(&text, T(1) "stdout F line %d\n", i);
    put(strbuf_text(&text));
    for (int tail = 1; tail < LINES + 100; tail = tail * 3 + 1) {
        const struct log_options options = {.out = true, .err = true, .tail = tail};
        _cleanup_free_ char *got = all_of(&options, 4096, NULL);
        int lines = 0, first = -1;

        assert_int_equal(sscanf(got, "line %d", &first), 1);
        for (const char *at = got; (at = strchr(at, '\n')); at++)
            lines++;
        assert_int_equal(lines, tail < LINES ? tail : LINES);
        assert_int_equal(first, tail < LINES ? LINES - tail : 0);
    }
}

static void test_times(void **state)
{
    int64_t third, fifth;

    (void)state;
    put(sample);
    assert_int_equal(time_parse("2026-01-02T03:04:03Z", &third), 0);
    assert_int_equal(time_parse("2026-01-02T03:04:05Z", &fifth), 0);
    expect(&(struct log_options){.out = true, .err = true, .tail = -1, .since = third},
           "three\n\nunfinished");
    expect(&(struct log_options){.out = true, .err = true, .tail = -1, .until = fifth},
           "one\ntwo\nthree\n\n");
    expect(&(struct log_options){.out = true, .tail = -1, .since = third, .until = third}, "thr");
    expect(&(struct log_options){.out = true, .tail = -1, .since = third, .timestamps = true},
           "2026-01-02T03:04:03.000000000Z three\n2026-01-02T03:04:05.000000000Z \n"
           "2026-01-02T03:04:06.000000000Z unfinished");
}

static void test_multiplexed(void **state)
{
    static const char want[] = "\1\0\0\0\0\0\0\4one\n\2\0\0\0\0\0\0\4two\n"
                               "\1\0\0\0\0\0\0\3thr\1\0\0\0\0\0\0\3ee\n";
    const struct log_options options = {.out = true, .err = true, .tail = -1, .multiplexed = true};
    _cleanup_free_ char *got = NULL;
    size_t len;

    (void)state;
    put(sample);
    got = all_of(&options, 65536, &len);
    assert_true(len > sizeof want - 1);
    assert_memory_equal(got, want, sizeof want - 1);
}

static void test_missing(void **state)
{
    (void)state;
    (void)unlink(path);
    expect(&(struct log_options){.out = true, .err = true, .tail = 3}, "");
    assert_int_not_equal(access(path, F_OK), 0);
}

static void on_ready(void *arg)
{
    *(bool *)arg = true;
}

static void append(const char *text)
{
    FILE *f = fopen(path, "ae");

    fputs(text, f);
    fclose(f);
}

/* A log that does not exist yet; then it grows, half a line at first; then the container ends. */
static void test_follow(void **state)
{
    const struct log_options options = {.out = true, .follow = true, .tail = 0};
    _cleanup_strbuf_ struct strbuf text = {0};
    struct log_reader *r;
    uv_loop_t loop;
    bool ready = false;

    (void)state;
    (void)unlink(path);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(log_reader_open(&loop, path, &options, on_ready, &ready, &r, NULL), 0);
    assert_int_equal(log_reader_read(r, 4096, &text), 0);
    append(T(1) "stdout F he");
    assert_false(ready);
    while (!ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(log_reader_read(r, 4096, &text), 0);
    assert_string_equal(strbuf_text(&text), "");
    append("re\n");
    ready = false;
    while (!ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(log_reader_read(r, 4096, &text), 0);
    assert_string_equal(strbuf_text(&text), "here\n");
    (void)unlink(path);
    ready = false;
    log_reader_finish(r);
    assert_false(ready);
    while (!ready)
        uv_run(&loop, UV_RUN_ONCE);
    assert_int_equal(log_reader_read(r, 4096, &text), -ENODATA);
    log_reader_free(r);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),   cmocka_unit_test(test_streams),
        cmocka_unit_test(test_tail),    cmocka_unit_test(test_long_tail),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_multiplexed),
        cmocka_unit_test(test_missing), cmocka_unit_test(test_follow),
    };

    return cmocka_run_group_tests(tests, make_top, remove_top);
}
