/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the files that make up the runtime share. */

#include "base/cleanup.h"
#include "base/hash.h"
#include "container/runtime.h"

struct task;
struct exec;

struct runtime {
    uv_loop_t *loop;
    char *run_dir, *state_dir;
    char *name;   /* of the default OCI runtime, as configured */
    char *conmon; /* as configured */
    runtime_exit_fn *on_exit;
    void *arg;
    struct hash running; /* id → struct running */
    struct task *tasks;  /* starts and releases under way */
    struct exec *execs;
    uint64_t exec_count; /* for names of files */
};

/* RUN_DIR/containers/ID[/NAME] and its like, for the caller to free; NULL when memory ran out. name
 * NULL: the directory. */
char *bundle_path(const struct runtime *rt, const char *id, const char *name);
char *layer_path(const struct runtime *rt, const char *id, const char *name);
char *state_path(const struct runtime *rt, const char *id, const char *name);
char *exit_path(const struct runtime *rt, const char *id);

/* The absolute path of a program given by name or path: *ret is the caller's. -ENOENT. */
int program_find(const char *name, char **ret);
/* The same for an OCI runtime (NULL: the configured one). */
int runtime_find(const struct runtime *rt, const char *name, char **ret, struct weft_error *err);

/* RUNTIME --root RUN_DIR/runc --log-format json ARG… NULL when memory ran out. */
strv runtime_argv(const struct runtime *rt, const char *path, char *const *args);
/* What the runtime is told to end and forget a container, whatever its state. */
strv runtime_delete_argv(const struct runtime *rt, const char *path, const char *id);

/* Unmounts the root and removes the bundle and the recorded exit. */
int bundle_remove(const struct runtime *rt, const char *id, struct weft_error *err);

/* Tasks are cancelled, execs ended, when the runtime is freed. */
void task_free(struct task *t);
void exec_free(struct exec *x);
