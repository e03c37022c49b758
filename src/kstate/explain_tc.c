/* SPDX-License-Identifier: Apache-2.0 */

/* Limits as commands of tc(8). */

#include "base/str.h"
#include "kstate/explain_parts.h"

void explain_shape(const struct op *op, struct strbuf *out)
{
    (void)op;
    (void)out;
}

void explain_redirect(const struct op *op, struct strbuf *out)
{
    (void)op;
    (void)out;
}
