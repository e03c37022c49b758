/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/lines.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/strbuf.h"

static int show(const char *line, size_t len, lines_fn *fn, struct weft_error *err)
{
    _cleanup_json_ json_t *object = NULL;
    int r = json_parse(line, len, &object, err);

    if (r == 0)
        r = fn(object, err);
    (void)fflush(stdout);
    return r;
}

/* Shows the whole lines in text and leaves the rest. */
static int show_lines(struct strbuf *text, lines_fn *fn, struct weft_error *err)
{
    size_t done = 0;
    char *end;

    while ((end = memchr(text->data + done, '\n', text->len - done))) {
        size_t len = (size_t)(end - text->data) - done;
        int r = len ? show(text->data + done, len, fn, err) : 0;

        if (r != 0)
            return r;
        done += len + 1;
    }
    memmove(text->data, text->data + done, text->len - done + 1);
    text->len -= done;
    return 0;
}

int lines_each(struct client *daemon, const char *target, lines_fn *fn, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    int r = client_begin(daemon, "GET", target, NULL, err);

    while (r == 0) {
        char data[4096];
        ssize_t n = client_read(daemon, data, sizeof data, err);

        if (n <= 0)
            return (int)n;
        strbuf_add(&text, data, (size_t)n);
        r = text.failed ? weft_oom(err) : show_lines(&text, fn, err);
    }
    return r;
}
