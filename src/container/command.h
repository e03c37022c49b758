/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Runs a program to its end beside the event loop, and collects what it has to say. */

#include <uv.h>

#include "base/error.h"
#include "base/str.h"

struct command;

/* status: the exit code, 128 + signal when a signal ended it. output: the command's until return.
 */
typedef void command_done_fn(void *arg, int status, const char *output);

enum command_kind {
    /* A program that ends when it is done. Its output is its standard error. */
    COMMAND_PLAIN,
    /* One that leaves a process of its own behind, which keeps descriptor 3 (_OCI_SYNCPIPE) open
     * and writes one line, a JSON object, to it when it is ready: done then, or when the descriptor
     * is closed. What the program itself writes to standard error goes the same way. */
    COMMAND_DAEMON,
};

/*
 * argv[0] is a path. Standard input and output are /dev/null; nothing else is inherited. done is
 * called once, from the loop, and the command is gone after it. 0 or -errno (done is not called).
 */
int command_start(uv_loop_t *loop, enum command_kind kind, char *const *argv, command_done_fn *done,
                  void *arg, struct command **ret, struct weft_error *err);
/* Forgets the command: it goes on, but done will not be called. NULL is fine. */
void command_cancel(struct command *cmd);

/* Runs a COMMAND_PLAIN and waits for it. Returns its status or -errno. */
int command_run(char *const *argv, struct weft_error *err);
