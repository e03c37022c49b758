/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/half.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "engine/change.h"

struct half *half_new(struct engine *e, engine_done_fn *done, void *arg)
{
    struct half *half = calloc(1, sizeof *half);

    if (half)
        *half = (struct half){.engine = e, .done = done, .arg = arg};
    return half;
}

void half_free(struct half *half)
{
    if (!half)
        return;
    free(half->name);
    free(half);
}

void half_end(struct half *half, int result, const struct weft_error *err)
{
    if (half->done)
        half->done(half->arg, result, err);
    else if (result < 0 && result != -ECANCELED)
        log_warning("%s", err->text);
    half_free(half);
}

int half_ask(half_errand_fn *errand, engine_done_fn *then, const struct half *half,
             struct weft_error *err)
{
    struct half *copy = half_new(half->engine, half->done, half->arg);
    int r;

    if (!copy)
        return weft_oom(err);
    *copy = *half;
    r = errand(half->engine, half->sb, then, copy, err);
    if (r < 0)
        half_free(copy);
    return r < 0 ? r : 1;
}

static int take_leaving(struct engine *e, struct sandbox *sb, bool *ret_last,
                        struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    for (size_t i = sb->endpoint_count; r == 0 && i-- > 0;)
        if (sb->endpoints[i]->stage == ENDPOINT_LEAVING)
            r = change_remove_endpoint(&ch, sb->endpoints[i], err);
    *ret_last = sb->kind == SANDBOX_FOREIGN && sb->endpoint_count == 0;
    if (r == 0 && *ret_last)
        r = change_remove_sandbox(&ch, sb, err);
    return r < 0 ? r : change_commit(&ch, NULL, err);
}

void finish_leaving(struct engine *e, struct sandbox *sb)
{
    _cleanup_free_ char *netns = sb->netns ? strdup(sb->netns) : NULL;
    struct weft_error err = {0};
    bool last = false;

    if (take_leaving(e, sb, &last, &err) < 0)
        log_error("%s", err.text);
    else if (last)
        netns_unlink_all(netns);
}
