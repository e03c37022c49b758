/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/parents.h"

int parents_complete(struct engine *e, struct network *net, struct weft_error *err)
{
    (void)e, (void)net, (void)err;
    return 0;
}

int parents_touch(struct change *ch, struct network *net, struct weft_error *err)
{
    (void)ch, (void)net, (void)err;
    return 0;
}
