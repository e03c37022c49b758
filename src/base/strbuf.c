/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for extra more bytes and the NUL. */
static bool reserve(struct strbuf *b, size_t extra)
{
    size_t needed, capacity;
    char *data;

    if (b->failed)
        return false;
    if (extra < b->capacity - b->len)
        return true;
    if (__builtin_add_overflow(b->len, extra, &needed) || needed > SIZE_MAX / 4) {
        b->failed = true;
        return false;
    }
    for (capacity = b->capacity ? b->capacity : 64; capacity <= needed;)
        capacity *= 2;
    data = realloc(b->data, capacity);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
    if (len == 0 || !reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

/* Into the room that there is; when it does not suffice, once more into enough. */
void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
    size_t room, needed = 0;

    do {
        va_list args;
        int len;

        if (!reserve(b, needed))
            return;
        room = b->capacity - b->len;
        va_start(args, fmt);
        len = vsnprintf(b->data + b->len, room, fmt, args);
        va_end(args);
        if (len < 0) {
            b->data[b->len] = '\0';
            b->failed = true;
            return;
        }
        needed = (size_t)len;
    } while (needed >= room);
    b->len += needed;
}

void strbuf_add_shell_word(struct strbuf *b, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%_+=:,./-";

    if (*text && !text[strspn(text, plain)]) {
        strbuf_puts(b, text);
        return;
    }
    strbuf_puts(b, "'");
    for (;;) {
        size_t len = strcspn(text, "'");

        strbuf_add(b, text, len);
        if (!text[len])
            break;
        /* A single quote cannot be quoted by single quotes: leave them for it. */
        strbuf_puts(b, "'\\''");
        text += len + 1;
    }
    strbuf_puts(b, "'");
}

const char *strbuf_text(const struct strbuf *b)
{
    return b->data && !b->failed ? b->data : "";
}

char *strbuf_take(struct strbuf *b)
{
    char *text = reserve(b, 0) ? TAKE_PTR(b->data) : NULL;

    if (text)
        text[b->len] = '\0';
    strbuf_free(b);
    return text;
}

void strbuf_free(struct strbuf *b)
{
    free(b->data);
    *b = (struct strbuf){0};
}
