/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* How commands speak to people: failures, warnings, questions, and going through operands. */

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"
#include "client/client.h"

/* Prints "weft: sentence" on standard error. */
void report_error(const struct weft_error *err);
/* Prints each string of reply[key], if there is any, as "WARNING: sentence". */
void report_warnings(const json_t *reply, const char *key);
/* Asks on standard error; true when the line read from standard input says y or yes. */
bool ask(const char *question);

/* Calls act for each operand, reports what fails and goes on, as docker does. Returns the exit
 * status, or -errno when the daemon is not there. */
int each_operand(struct client *daemon, strv operands,
                 int (*act)(struct client *daemon, const char *operand, struct weft_error *err),
                 struct weft_error *err);
