/* SPDX-License-Identifier: Apache-2.0 */
#include "container/log_format.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "base/time.h"

/* Copies the word at *at, up to a space, and moves *at behind the space. */
static bool take_word(const char **at, const char *end, char *word, size_t size)
{
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    size_t len = space ? (size_t)(space - *at) : 0;

    if (!space || len >= size)
        return false;
    memcpy(word, *at, len);
    word[len] = '\0';
    *at = space + 1;
    return true;
}

int log_record_parse(const char *line, size_t len, struct log_record *ret)
{
    const char *at = line, *end = line + len;
    char when[TIME_TEXT_MAX], stream[8], tag[2];
    struct log_record record = {0};

    if (!take_word(&at, end, when, sizeof when) || !take_word(&at, end, stream, sizeof stream) ||
        !take_word(&at, end, tag, sizeof tag) || time_parse(when, &record.time) < 0)
        return -EINVAL;
    if (str_equal(stream, "stdout"))
        record.stream = LOG_STDOUT;
    else if (str_equal(stream, "stderr"))
        record.stream = LOG_STDERR;
    else
        return -EINVAL;
    record.partial = str_equal(tag, "P");
    if (!record.partial && !str_equal(tag, "F"))
        return -EINVAL;
    record.text = at;
    record.len = (size_t)(end - at);
    *ret = record;
    return 0;
}

/* Fixed width, so that lines align: Docker's RFC3339NanoFixed. */
static void time_fixed(int64_t ns, char buf[static TIME_TEXT_MAX])
{
    int64_t fraction = ns % 1000000000;
    size_t len;

    time_format(ns - fraction, buf);
    len = strlen(buf) - strlen("Z");
    snprintf(buf + len, TIME_TEXT_MAX - len, ".%09dZ", (int)fraction);
}

void log_record_write(const struct log_record *record, struct log_style *style, struct strbuf *out)
{
    bool stamped = style->timestamps && !style->in_line[record->stream];
    char when[TIME_TEXT_MAX] = "";
    size_t len = record->len + !record->partial;

    if (stamped) {
        time_fixed(record->time, when);
        len += strlen(when) + strlen(" ");
    }
    if (style->multiplexed) {
        char header[8] = {(char)record->stream};
        uint32_t length = htonl((uint32_t)len);

        memcpy(header + 4, &length, sizeof length);
        strbuf_add(out, header, sizeof header);
    }
    if (stamped) {
        strbuf_puts(out, when);
        strbuf_puts(out, " ");
    }
    strbuf_add(out, record->text, record->len);
    if (!record->partial)
        strbuf_puts(out, "\n");
    style->in_line[record->stream] = record->partial;
}
