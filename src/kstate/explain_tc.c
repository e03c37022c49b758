/* SPDX-License-Identifier: Apache-2.0 */

/* Limits as commands of tc(8). */

#include <inttypes.h>

#include "base/str.h"
#include "kstate/explain_parts.h"

/* The numbers by which weft knows its own: see kernel/tc.c. */
#define SHAPE_HANDLE "7766:"
#define FILTER "protocol all pref 30566 handle 800::800 u32"

static void explain_tc(const struct op *op, const char *object, const char *verb, const char *link,
                       struct strbuf *out)
{
    explain_command("tc", &op->fact, out);
    strbuf_printf(out, " %s %s dev", object, verb);
    explain_word(out, link);
}

void explain_shape(const struct op *op, struct strbuf *out)
{
    const struct fact_shape *shape = &op->fact.shape;

    if (op->verb == OP_REMOVE) {
        explain_tc(op, "qdisc", "del", shape->link, out);
        strbuf_puts(out, " root\n");
        return;
    }
    explain_tc(op, "qdisc", "replace", shape->link, out);
    strbuf_printf(out,
                  " root handle " SHAPE_HANDLE " tbf rate %" PRIu64 "bit burst %" PRIu32
                  "b latency %dms\n",
                  shape->rate, shape->burst, FACT_SHAPE_LATENCY_MS);
}

void explain_redirect(const struct op *op, struct strbuf *out)
{
    const struct fact_redirect *redirect = &op->fact.redirect;

    if (op->verb == OP_REMOVE) {
        explain_tc(op, "qdisc", "del", redirect->link, out);
        strbuf_puts(out, " ingress\n");
        return;
    }
    if (op->verb == OP_ADD) {
        explain_tc(op, "qdisc", "replace", redirect->link, out);
        strbuf_puts(out, " ingress\n");
    }
    explain_tc(op, "filter", "replace", redirect->link, out);
    strbuf_puts(out, " parent ffff: " FILTER " match u32 0 0 action mirred egress redirect dev");
    explain_word(out, redirect->to);
    strbuf_puts(out, "\n");
}
