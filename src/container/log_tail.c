/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: blocks are read from the end of the file towards its start, each with some
 * bytes of the one after it, so that the head of every record that begins in the block is whole. A
 * line ends with an F record. So the wanted offset is behind the F record that is one too many:
 * pieces of a line (P) that lie between two F records belong to the later one. A piece at the very
 * end is a line of its own, which is not finished yet.
 */

#include "container/log_tail.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/log_format.h"

#define BLOCK 65536

struct tail {
    const struct log_options *options;
    int64_t offset; /* where the record begins that was looked at last: the next one in the log */
    int64_t lines;  /* how many begin there */
    bool any;       /* a record has counted */
};

static bool is_wanted(const struct log_options *o, const struct log_record *record)
{
    return record->stream == LOG_STDOUT ? o->out : o->err;
}

/* Looks at a record; true when it belongs to the line before the tail. */
static bool pass(struct tail *t, int64_t start, const char *head, size_t len)
{
    struct log_record record;

    if (log_record_parse(head, len, &record) == 0 && is_wanted(t->options, &record)) {
        bool ends_line = !record.partial || !t->any;

        if (ends_line && t->lines == t->options->tail)
            return true;
        t->lines += ends_line;
        t->any = true;
    }
    t->offset = start;
    return false;
}

/* Looks at the records that begin in [low, high), the last one first. text is what stands there,
 * and what follows, len bytes in all. */
static bool pass_block(struct tail *t, const char *text, size_t len, int64_t low, int64_t high)
{
    for (int64_t start = high - 1; start >= low; start--) {
        const char *head = text + (start - low);
        size_t rest = len - (size_t)(start - low);

        if (start > 0 && head[-1] != '\n')
            continue;
        if (pass(t, start, head, rest < LOG_HEAD_MAX ? rest : LOG_HEAD_MAX))
            return true;
    }
    return false;
}

int64_t log_tail_offset(int fd, const struct log_options *options)
{
    char block[1 + BLOCK + LOG_HEAD_MAX];
    struct tail t = {.options = options};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    t.offset = st.st_size;
    for (int64_t high = st.st_size, low; high > 0; high = low) {
        int64_t from;
        ssize_t n;

        low = high > BLOCK ? high - BLOCK : 0;
        from = low > 0 ? low - 1 : 0; /* one byte before tells whether a record begins at low */
        n = pread(fd, block, (size_t)(high - from) + LOG_HEAD_MAX, from);
        if (n < high - from)
            return n < 0 ? -errno : -EIO;
        if (pass_block(&t, block + (low - from), (size_t)(n - (low - from)), low, high))
            break;
    }
    return t.offset;
}
