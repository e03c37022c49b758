/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stop.h"

#include <inttypes.h>
#include <stdio.h>

#include "client/url.h"

static struct {
    const char *signal;
    struct option_number timeout;
} args;

const struct cli_option stop_options[] = {
    OPT_STRING('s', "signal", &args.signal, "SIGNAL",
               "The signal that asks the container to end (default: the container's own, or TERM)"),
    OPT_NUMBER('t', "timeout", &args.timeout, "SECONDS",
               "How long to wait before it is killed; -1: for ever (default: the container's, "
               "or 10)"),
    OPT_NUMBER(0, "time", &args.timeout, "SECONDS", NULL),
    OPT_END,
};

static int request(struct client *daemon, const char *container, const char *verb,
                   struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    char seconds[24];
    int r;

    url_path(&url, "containers", container, verb);
    if (args.signal)
        url_query(&url, "signal", args.signal);
    if (args.timeout.is_set) {
        snprintf(seconds, sizeof seconds, "%" PRId64, args.timeout.value);
        url_query(&url, "t", seconds);
    }
    r = client_call(daemon, "POST", strbuf_text(&url), NULL, NULL, err);
    if (r == 0)
        puts(container);
    return r;
}

int stop_container(struct client *daemon, const char *container, struct weft_error *err)
{
    return request(daemon, container, "stop", err);
}

int restart_container(struct client *daemon, const char *container, struct weft_error *err)
{
    return request(daemon, container, "restart", err);
}
