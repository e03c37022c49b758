/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What an OCI runtime or conmon said when it failed, as one sentence. */

#include "base/error.h"

/*
 * output: lines of runc's JSON log, or plain text. *err becomes "what: REASON", REASON without the
 * layers of "runc create failed: …" around it. A command that is not there or may not be executed
 * is WEFT_INVALID, anything else WEFT_INTERNAL. Returns the negative errno.
 */
int runtime_failure(const char *output, const char *what, struct weft_error *err);

/* The exit code that goes with such an output where Docker gives one: 127 when the command was not
 * found, else 126. */
int runtime_failure_code(const char *output);

/* Reads the line that conmon writes to its sync pipe, or what it said instead of writing one. 0
 * when the container was made, else as runtime_failure. */
int conmon_result(const char *output, const char *what, struct weft_error *err);
