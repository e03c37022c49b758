/* SPDX-License-Identifier: Apache-2.0 */
#include "api/hijack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "api/prepend.h"
#include "api/reply.h"
#include "base/log.h"

struct hijack {
    struct api *api;
    hijack_fn *taken;
    void (*drop)(void *arg);
    void *arg;
};

bool hijack_wanted(const struct request *rq)
{
    return request_header(rq, MHD_HTTP_HEADER_UPGRADE) != NULL;
}

void hijack_free(struct hijack *h)
{
    if (!h)
        return;
    if (h->drop)
        h->drop(h->arg);
    free(h);
}

/* The server keeps its descriptor to itself and closes it: we go on with a copy. */
static void on_upgrade(void *arg, struct MHD_Connection *connection _unused_, void *request,
                       const char *extra, size_t extra_len, int fd,
                       struct MHD_UpgradeResponseHandle *urh)
{
    struct hijack *h = arg;
    struct request *rq = request;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

    MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
    server_wake(h->api);
    /* What the client sent ahead of our answer was read with the request. */
    if (own >= 0 && extra_len > 0)
        own = prepend_new(h->api, own, extra, extra_len);
    if (own < 0) {
        log_warning("cannot take over a client's connection");
        return; /* freed with the request */
    }
    rq->hijack = NULL;
    h->taken(h->api, h->arg, own);
    free(h);
}

int hijack_reply(struct request *rq, const char *content_type, hijack_fn *taken,
                 void (*drop)(void *arg), void *arg, struct weft_error *err)
{
    struct hijack *h = calloc(1, sizeof *h);
    struct MHD_Response *response;

    if (!h) {
        if (drop)
            drop(arg);
        return weft_oom(err);
    }
    *h = (struct hijack){.api = rq->api, .taken = taken, .drop = drop, .arg = arg};
    rq->hijack = h;
    response = MHD_create_response_for_upgrade(on_upgrade, h);
    if (response && MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "tcp") == MHD_NO) {
        MHD_destroy_response(response);
        return weft_oom(err);
    }
    return reply_response(rq, MHD_HTTP_SWITCHING_PROTOCOLS, content_type, response, err);
}
