/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/human.h"
#include "client/stream.h"
#include "client/url.h"

static struct {
    bool follow;
    const char *since;
    const char *until;
    const char *tail;
    bool timestamps;
} args;

static const struct cli_option options[] = {
    OPT_FLAG('f', "follow", &args.follow, "Go on with what is written from now on"),
    OPT_STRING(0, "since", &args.since, "TIME",
               "Only what was written after this, e.g. 2026-01-02T15:04:05Z or 10m (ago)"),
    OPT_STRING('n', "tail", &args.tail, "NUMBER", "Only the last lines (default: all)"),
    OPT_FLAG('t', "timestamps", &args.timestamps, "Begin each line with when it was written"),
    OPT_STRING(0, "until", &args.until, "TIME", "Only what was written before this"),
    OPT_END,
};

static int print(void *arg, enum stream_id id, const char *data, size_t len, struct weft_error *err)
{
    (void)arg;
    if (id == STREAM_ERROR)
        return weft_fail(err, WEFT_INTERNAL, "%.*s", (int)len, data);
    if (fwrite(data, 1, len, id == STREAM_STDERR ? stderr : stdout) < len)
        return weft_fail_errno(err, errno, "cannot write the output");
    return 0;
}

/* A container with a terminal has one raw stream, others have frames. */
static int copy(struct client *daemon, struct weft_error *err)
{
    bool raw = strcmp(client_content_type(daemon), "application/vnd.docker.raw-stream") == 0;
    struct stream stream = {0};

    for (;;) {
        char data[32768];
        ssize_t n = client_read(daemon, data, sizeof data, err);
        int r;

        if (n <= 0)
            return (int)n;
        if (raw)
            r = print(NULL, STREAM_STDOUT, data, (size_t)n, err);
        else
            r = stream_feed(&stream, data, (size_t)n, print, NULL, err);
        if (r < 0)
            return r;
        (void)fflush(stdout);
    }
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    url_path(&url, "containers", operands[0], "logs");
    url_query(&url, "stdout", "1");
    url_query(&url, "stderr", "1");
    if (args.follow)
        url_query(&url, "follow", "1");
    if (args.timestamps)
        url_query(&url, "timestamps", "1");
    if (args.tail)
        url_query(&url, "tail", args.tail);
    r = url_time(&url, "since", args.since, err);
    if (r == 0)
        r = url_time(&url, "until", args.until, err);
    if (r == 0)
        r = client_begin(daemon, "GET", strbuf_text(&url), NULL, err);
    return r < 0 ? r : copy(daemon, err);
}

const struct command cmd_logs = {
    .name = "logs",
    .summary = "Show what a container has written.",
    .operands = "CONTAINER",
    .example = "weft logs --follow --tail 20 web",
    .options = {options},
    .run = run,
};
