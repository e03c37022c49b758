/* SPDX-License-Identifier: Apache-2.0 */
#include "api/later.h"

#include <stdlib.h>

#include "api/reply.h"

struct later {
    struct request *rq;
    void (*on_forget)(void *arg); /* or NULL */
    void *arg;
};

int later_new(struct request *rq, struct later **ret, struct weft_error *err)
{
    struct later *l = calloc(1, sizeof *l);

    if (!l)
        return weft_oom(err);
    l->rq = rq;
    rq->later = l;
    *ret = l;
    return 0;
}

void later_free(struct later *l)
{
    if (l && l->rq)
        l->rq->later = NULL;
    free(l);
}

struct request *later_take(struct later *l)
{
    struct request *rq = l->rq;

    later_free(l);
    return rq;
}

void later_done(void *arg, int result, const struct weft_error *err)
{
    struct request *rq = later_take(arg);

    if (!rq)
        return;
    if (result < 0)
        reply_error(rq, err);
    else
        (void)reply_empty(rq, MHD_HTTP_NO_CONTENT, NULL);
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
