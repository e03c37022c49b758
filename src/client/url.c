/* SPDX-License-Identifier: Apache-2.0 */
#include "client/url.h"

#include <stdarg.h>
#include <string.h>

/* RFC 3986's unreserved characters stand for themselves. */
static void add_encoded(struct strbuf *url, const char *text)
{
    static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789-._~";

    while (*text) {
        size_t plain = strspn(text, unreserved);

        strbuf_add(url, text, plain);
        text += plain;
        if (*text)
            strbuf_printf(url, "%%%02X", (unsigned char)*text++);
    }
}

void url_segments(struct strbuf *url, const char *first, ...)
{
    va_list segments;

    va_start(segments, first);
    for (const char *segment = first; segment; segment = va_arg(segments, const char *)) {
        strbuf_puts(url, "/");
        add_encoded(url, segment);
    }
    va_end(segments);
}

void url_query(struct strbuf *url, const char *key, const char *value)
{
    strbuf_puts(url, strchr(strbuf_text(url), '?') ? "&" : "?");
    add_encoded(url, key);
    strbuf_puts(url, "=");
    add_encoded(url, value);
}
