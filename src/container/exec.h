/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs a further process in a container: `runtime exec` as a child of weftd, its standard streams
 * carried over one descriptor to the client (Docker's hijacked connection). An exec ends with
 * weftd; the container does not.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "container/runtime.h"

struct exec_config {
    strv cmd, env;
    char *user, *workdir;
    bool tty, privileged;
    bool attach_stdin, attach_stdout, attach_stderr;
};

/* Docker's ExecConfig body. */
int exec_config_from_json(const json_t *doc, struct exec_config *ret, struct weft_error *err);
void exec_config_clear(struct exec_config *config);

struct exec; /* a running exec */

/* Called once, when the process has ended and its output is written out; the exec is gone after it.
 * code: 0–255; 127 or 126 when the command was not found or could not be run, which the runtime has
 * said on the standard error it was given. */
typedef void exec_exit_fn(void *arg, int code);

/*
 * Starts it. fd: the client's connected stream socket (taken over, closed at the end; −1:
 * detached), to which output is written: raw with a tty, else multiplexed with Docker's 8-byte
 * headers; input is read from it until its write side is shut down. 0 or -errno (the fd is then
 * still the caller's). SIGPIPE must be ignored. At the end the socket is shut down before it is
 * closed, so that copies of the descriptor do not keep the client waiting.
 */
int exec_start(struct runtime *rt, const struct container *c, const struct exec_config *config,
               int fd, exec_exit_fn *on_exit, void *arg, struct exec **ret, struct weft_error *err);
/* The terminal's size, in characters; no-op without a tty. */
int exec_resize(struct exec *x, unsigned rows, unsigned columns, struct weft_error *err);
/* The runtime process' pid, for inspect. */
pid_t exec_pid(const struct exec *x);
