/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Explaining, one kind of fact a function: private to explain*.c. Each appends whole lines. */

#include "kstate/plan.h"

/* " WORD", quoted for the shell if it must be. */
void explain_word(struct strbuf *out, const char *text);
/* A command of iproute2 ("ip", "bridge", "tc"), in the fact's namespace. */
void explain_command(const char *command, const struct fact *fact, struct strbuf *out);

void explain_link(const struct op *op, struct strbuf *out);
void explain_shape(const struct op *op, struct strbuf *out);
void explain_redirect(const struct op *op, struct strbuf *out);
