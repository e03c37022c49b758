/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

int engine_limit(struct engine *e, const char *who, const char *network,
                 const struct strmap *limits, struct strbuf *dry, struct weft_error *err)
{
    (void)e, (void)who, (void)network, (void)limits, (void)dry;
    return weft_fail(err, WEFT_UNSUPPORTED, "limits cannot be changed");
}
