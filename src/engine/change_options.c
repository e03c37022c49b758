/* SPDX-License-Identifier: Apache-2.0 */

/* An endpoint's options changed while it stays where it is. */

#include "engine/change_step.h"

int change_set_options(struct change *ch, struct endpoint *ep, const struct strmap *options,
                       struct weft_error *err)
{
    struct change_step step = {.kind = STEP_OPTIONS, .ep = ep};
    struct strmap copy = {0};
    int r = change_touch_sandbox(ch, ep->sandbox, err);

    if (r < 0)
        return r;
    if (strmap_copy(options, &copy) < 0)
        return weft_oom(err);
    step.old_options = ep->want.driver_opts;
    r = change_record(ch, &step, err);
    if (r < 0) {
        strmap_clear(&copy);
        return r;
    }
    ep->want.driver_opts = copy;
    return change_write_endpoint(ch->engine, ep, err);
}
