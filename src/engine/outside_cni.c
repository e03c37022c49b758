/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/outside.h"

static void not_yet(struct errand *er)
{
    errand_done(er, 0, NULL);
}

const struct outsider outsider_cni = {.name = "cni", .join = not_yet, .leave = not_yet};
