/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A growing string. Zero-initialise it, append, and at the end either strbuf_take the text or let
 * _cleanup_strbuf_ free it. Running out of memory is remembered: appending goes on as a no-op and
 * strbuf_take returns NULL, so that callers check once.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct strbuf {
    char *data; /* NUL-terminated, or NULL when empty */
    size_t len;
    size_t capacity;
    bool failed;
};

void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) _printf_(2, 3);
/* Appends text as one POSIX shell word, quoted only where it must be. */
void strbuf_add_shell_word(struct strbuf *b, const char *text);
/* The text, never NULL ("" when nothing was appended or memory ran out); still b's. */
const char *strbuf_text(const struct strbuf *b);
/* Hands the text to the caller ("" when nothing was appended), NULL when memory ran out. b is empty
 * after. */
char *strbuf_take(struct strbuf *b);
void strbuf_free(struct strbuf *b);
#define _cleanup_strbuf_ _cleanup_(strbuf_free)
