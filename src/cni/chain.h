/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs the plugins of a CNI network, one after another (CNI specification 1.1.0, section 3):
 *
 *     VERSION  each; what all of them and the configuration have in common is what they agree on
 *     STATUS   each; the first that is not ready ends it (since 1.1.0)
 *     ADD      each with the result of the one before; the first failure ends it, and the caller
 *              has to DEL
 *     CHECK    each with the result of ADD; the first failure ends it
 *     DEL      each, the last first, with the result of ADD; all are told whatever one of them says
 *     GC       each, whatever one of them says (since 1.1.0)
 */

#include <uv.h>

#include "cni/config.h"
#include "cni/exec.h"
#include "cni/result.h"

enum cni_command { CNI_VERSION, CNI_STATUS, CNI_ADD, CNI_CHECK, CNI_DEL, CNI_GC };
const char *cni_command_text(enum cni_command command);

struct cni_job {
    enum cni_command command;
    const struct cni_config *config;
    const char *path; /* folders with the plugins, with colons between */
    unsigned seconds; /* for each plugin */
    int lock;         /* struct cni_call's; −1: none */
    /* Of an attachment: ADD, CHECK, DEL. */
    const char *container_id, *netns, *ifname;
    const json_t *capabilities;      /* what there is to say: name → value; NULL: nothing */
    const json_t *result;            /* what ADD brought; NULL: ADD itself, or it is not known */
    const json_t *valid_attachments; /* GC */
};

/* What came out. result of ADD and versions of VERSION (bits) are there if r is 0. */
struct cni_answer {
    int r; /* 0, or -errno with err: the first failure, which names the plugin and the command */
    struct weft_error err;
    const struct cni_result *result;
    unsigned versions;
};
/* Called once, later, from the loop; the answer is valid until it returns. */
typedef void cni_chain_fn(void *arg, const struct cni_answer *answer);

struct cni_chain;
/* Strings, JSON and configuration of the job are copied or kept by reference: they need not stay.
 * 0 or -errno: then fn is not called. */
int cni_chain_start(uv_loop_t *loop, const struct cni_job *job, cni_chain_fn *fn, void *arg,
                    struct cni_chain **ret, struct weft_error *err);
/* Kills the plugin that runs; fn is not called any more. chain may be NULL. */
void cni_chain_cancel(struct cni_chain *chain);

/* The program of that type: the first in the folders of path that can be run. 0 and *ret for the
 * caller to free, or -ENOENT. */
int cni_find_program(const char *type, const char *path, char **ret, struct weft_error *err);
