/* SPDX-License-Identifier: Apache-2.0 */
#include "driver/shape.h"

int shape_render(const struct endpoint *ep _unused_, struct fact_set *out _unused_)
{
    return 0;
}
