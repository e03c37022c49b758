/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the file is read in chunks into `pending`, from which whole lines are taken.
 * conmon may be in the middle of a line: what comes after the last newline stays until more has
 * come. A follower is told of writes by inotify, through the loop.
 */

#include "container/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "container/log_format.h"
#include "container/log_tail.h"

#define CHUNK 65536

struct log_reader {
    int fd; /* −1: there is no log, and it is not followed */
    struct log_options options;
    struct log_style style;
    struct strbuf pending;
    size_t taken; /* bytes of pending that have been seen */
    bool finished;
    bool ended; /* all of a log that is not written any more has been read */
    uv_fs_event_t event;
    uv_timer_t timer; /* calls ready from the loop */
    log_ready_fn *ready;
    void *arg;
    unsigned handles; /* that are not closed yet */
};

/* ---- opening ---- */

static void on_event(uv_fs_event_t *event, const char *name, int events, int status)
{
    struct log_reader *r = event->data;

    (void)name;
    (void)events;
    (void)status;
    r->ready(r->arg);
}

static void on_timer(uv_timer_t *timer)
{
    struct log_reader *r = timer->data;

    r->ready(r->arg);
}

/* A log that is to be followed is made if conmon has not made it yet: conmon appends to what is
 * there. */
static int open_log(struct log_reader *r, const char *path, struct weft_error *err)
{
    bool follow = r->options.follow;

    if (follow) {
        const char *slash = strrchr(path, '/');
        _cleanup_free_ char *dir = strndup(path, (size_t)(slash - path));
        int made = dir ? dir_make(dir, 0700, err) : weft_oom(err);

        if (made < 0)
            return made;
    }
    r->fd = open(path, O_RDONLY | O_CLOEXEC | (follow ? O_CREAT : 0), 0600);
    if (r->fd < 0 && (errno != ENOENT || follow))
        return weft_fail_errno(err, errno, "cannot open log %s", path);
    return 0;
}

static int seek_tail(struct log_reader *r, const char *path, struct weft_error *err)
{
    int64_t offset;

    if (r->fd < 0 || r->options.tail < 0)
        return 0;
    offset = log_tail_offset(r->fd, &r->options);
    if (offset < 0 || lseek(r->fd, offset, SEEK_SET) < 0)
        return weft_fail_errno(err, offset < 0 ? (int)offset : errno, "cannot read log %s", path);
    return 0;
}

static void on_close(uv_handle_t *handle)
{
    struct log_reader *r = handle->data;

    if (--r->handles > 0)
        return;
    close_p(&r->fd);
    strbuf_free(&r->pending);
    free(r);
}

void log_reader_free(struct log_reader *r)
{
    if (!r)
        return;
    uv_close((uv_handle_t *)&r->event, on_close);
    uv_close((uv_handle_t *)&r->timer, on_close);
}

int log_reader_open(uv_loop_t *loop, const char *path, const struct log_options *options,
                    log_ready_fn *ready, void *arg, struct log_reader **ret, struct weft_error *err)
{
    struct log_reader *r = calloc(1, sizeof *r);
    int result;

    if (!r)
        return weft_oom(err);
    *r = (struct log_reader){.fd = -1, .options = *options, .ready = ready, .arg = arg};
    r->style = (struct log_style){options->timestamps, options->multiplexed, {false}};
    r->finished = !options->follow;
    uv_fs_event_init(loop, &r->event);
    uv_timer_init(loop, &r->timer);
    r->event.data = r->timer.data = r;
    r->handles = 2;
    result = open_log(r, path, err);
    /* Watched before it is read, so that no write is missed. */
    if (result == 0 && options->follow) {
        result = uv_fs_event_start(&r->event, on_event, path, 0);
        if (result < 0)
            weft_fail_errno(err, result, "cannot watch log %s", path);
    }
    if (result == 0)
        result = seek_tail(r, path, err);
    if (result < 0) {
        log_reader_free(r);
        return result;
    }
    *ret = r;
    return 0;
}

/* ---- reading ---- */

/* Fills pending with what the file has next. How many bytes came; 0: none now. */
static ssize_t fill(struct log_reader *r)
{
    char chunk[CHUNK];
    ssize_t n;
    size_t rest = r->pending.len - r->taken;

    if (rest > 0)
        memmove(r->pending.data, r->pending.data + r->taken, rest);
    r->pending.len = rest;
    r->taken = 0;
    n = r->fd < 0 ? 0 : read(r->fd, chunk, sizeof chunk);
    if (n <= 0)
        return n < 0 ? -errno : 0;
    strbuf_add(&r->pending, chunk, (size_t)n);
    return r->pending.failed ? -ENOMEM : n;
}

/* The next whole line of pending: its length without the newline, or -1. */
static ssize_t next_line(struct log_reader *r, const char **ret)
{
    const char *start = strbuf_text(&r->pending) + r->taken;
    const char *newline = memchr(start, '\n', r->pending.len - r->taken);

    if (!newline)
        return -1;
    *ret = start;
    r->taken += (size_t)(newline + 1 - start);
    return newline - start;
}

/* Lines that are not records are passed over. Time only goes on, so the first record that is too
 * late is the end. */
static void show(struct log_reader *r, const char *line, size_t len, struct strbuf *out)
{
    const struct log_options *o = &r->options;
    struct log_record record;

    if (log_record_parse(line, len, &record) < 0)
        return;
    if (o->until && record.time > o->until) {
        r->ended = true;
        return;
    }
    if (record.time < o->since || !(record.stream == LOG_STDOUT ? o->out : o->err))
        return;
    log_record_write(&record, &r->style, out);
}

int log_reader_read(struct log_reader *r, size_t max, struct strbuf *out)
{
    size_t start = out->len;

    while (!r->ended && out->len - start < max) {
        const char *line;
        ssize_t len = next_line(r, &line);

        if (len >= 0) {
            show(r, line, (size_t)len, out);
            continue;
        }
        len = fill(r);
        if (len < 0 || (len == 0 && r->finished))
            r->ended = true;
        else if (len == 0)
            return 0;
    }
    return r->ended && out->len == start ? -ENODATA : 1;
}

void log_reader_finish(struct log_reader *r)
{
    r->finished = true;
    uv_fs_event_stop(&r->event);
    uv_timer_start(&r->timer, on_timer, 0, 0);
}
