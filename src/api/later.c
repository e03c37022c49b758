/* SPDX-License-Identifier: Apache-2.0 */
#include "api/later.h"

#include <stdlib.h>

#include "api/reply.h"

struct later {
    struct request *rq;
    void (*on_forget)(void *arg); /* or NULL */
    void *arg;
    unsigned status;
    json_t *doc; /* NULL: an empty answer */
};

int later_new(struct request *rq, struct later **ret, struct weft_error *err)
{
    struct later *l = calloc(1, sizeof *l);

    if (!l)
        return weft_oom(err);
    l->rq = rq;
    l->status = MHD_HTTP_NO_CONTENT;
    rq->later = l;
    *ret = l;
    return 0;
}

void later_free(struct later *l)
{
    if (!l)
        return;
    if (l->rq)
        l->rq->later = NULL;
    json_decref(l->doc);
    free(l);
}

struct request *later_take(struct later *l)
{
    struct request *rq = l->rq;

    later_free(l);
    return rq;
}

void later_prepare(struct later *l, unsigned status, json_t *doc)
{
    l->status = status;
    l->doc = doc;
}

void later_done(void *arg, int result, const struct weft_error *err)
{
    struct later *l = arg;
    unsigned status = l->status;
    json_t *doc = TAKE_PTR(l->doc);
    struct request *rq = later_take(l);
    struct weft_error failure;

    if (!rq || result < 0) {
        json_decref(doc);
        if (!rq)
            return;
        reply_error(rq, err);
    } else if ((doc ? reply_json(rq, status, doc, &failure) : reply_empty(rq, status, &failure)) <
               0) {
        reply_error(rq, &failure);
    }
    request_resume(rq);
}

void later_on_forget(struct later *l, void (*fn)(void *arg), void *arg)
{
    l->on_forget = fn;
    l->arg = arg;
}

void later_forget(struct later *l)
{
    l->rq = NULL;
    if (l->on_forget)
        l->on_forget(l->arg);
}
