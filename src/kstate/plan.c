/* SPDX-License-Identifier: Apache-2.0 */
#include "kstate/plan.h"

#include <stdlib.h>

struct op op_inverse(const struct op *op)
{
    switch (op->verb) {
    case OP_ADD:
        return (struct op){.verb = OP_REMOVE, .fact = op->fact, .old = op->fact};
    case OP_REMOVE:
        return (struct op){.verb = OP_ADD, .fact = op->fact};
    case OP_CHANGE:
        break;
    }
    return (struct op){.verb = OP_CHANGE, .fact = op->old, .old = op->fact};
}

void plan_clear(struct plan *plan)
{
    free(plan->ops);
    *plan = (struct plan){0};
}
