/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs a CNI plugin (CNI specification 1.1.0, section 2): its parameters in the environment, its
 * configuration on standard input. It gets no more of weftd's environment, no open descriptor but
 * those named here, no blocked signal, and a process group of its own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "base/error.h"

#define CNI_OUTPUT_MAX (1 << 20) /* bytes of standard output, and of standard error */

struct cni_exec;

struct cni_call {
    const char *program; /* its path */
    const char *command; /* "ADD" … */
    const char *path;    /* CNI_PATH */
    /* NULL: not set. */
    const char *container_id, *netns, *ifname;
    const char *input; /* what it reads; NUL-terminated */
    unsigned seconds;  /* after these, it and what it has started are killed */
    int lock;          /* a descriptor that it holds, too, as number 3; −1: none */
};

struct cni_outcome {
    int status;            /* 0: it was content */
    int signo;             /* that ended it; 0: none */
    bool overdue;          /* weft has killed it */
    bool too_long;         /* it printed more than CNI_OUTPUT_MAX */
    const char *out, *err; /* NUL-terminated */
    size_t out_length;
};

/* Called once, later, from the loop; the outcome is valid until it returns. */
typedef void cni_exec_fn(void *arg, const struct cni_outcome *outcome);

/* Nothing of call is kept. 0 or -errno: then fn is not called. */
int cni_exec_start(uv_loop_t *loop, const struct cni_call *call, cni_exec_fn *fn, void *arg,
                   struct cni_exec **ret, struct weft_error *err);
/* Kills it; fn is not called any more. The loop goes on to wait for its end. x may be NULL. */
void cni_exec_cancel(struct cni_exec *x);
/* The loop ends: the end of those that have been killed is awaited no more. */
void cni_exec_end(uv_loop_t *loop);
