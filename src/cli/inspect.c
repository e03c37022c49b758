/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/strbuf.h"
#include "cli/report.h"
#include "cli/table.h"
#include "client/url.h"

/* Fetches one and prints it, or appends it to found. */
static int inspect_one(struct client *daemon, const char *ref, inspect_fetch *fetch,
                       const char *format, json_t *found, struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    int r;

    if (!*ref)
        return weft_fail(err, WEFT_INVALID, "a name must not be empty");
    r = fetch(daemon, ref, &doc, err);
    if (r < 0)
        return r;
    if (format)
        return format_print(format, doc, err);
    return json_array_append(found, doc) < 0 ? weft_oom(err) : 0;
}

int inspect_all(struct client *daemon, strv refs, inspect_fetch *fetch, const char *format,
                struct weft_error *err)
{
    _cleanup_json_ json_t *found = json_array();
    _cleanup_free_ char *text = NULL;
    int status = EXIT_SUCCESS, r;

    r = client_connect(daemon, err);
    if (r < 0)
        return r;
    for (; *refs; refs++) {
        struct weft_error failure = {0};

        if (inspect_one(daemon, *refs, fetch, format, found, &failure) < 0) {
            report_error(&failure);
            status = EXIT_FAILURE;
        }
    }
    if (format)
        return status;
    text = json_dumps(found, JSON_INDENT(4));
    if (!text)
        return weft_oom(err);
    puts(text);
    return status;
}

int inspect_get(struct client *daemon, const char *collection, const char *ref, const char *suffix,
                json_t **ret, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};

    url_path(&url, collection, ref);
    if (suffix)
        url_path(&url, suffix);
    return client_call(daemon, "GET", strbuf_text(&url), NULL, ret, err);
}
