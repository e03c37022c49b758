/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Runs containers: an OCI runtime under conmon.
 *
 * weftd forks `conmon`, which forks `runc create` and then lives as long as the container: it is
 * the parent that gets the exit status and the reader of its output. It outlives weftd; what it
 * leaves in files is all that a restarted weftd needs:
 *
 *   RUN_DIR/containers/ID/config.json  the bundle
 *   RUN_DIR/containers/ID/pid          the container's first process (--container-pidfile)
 *   RUN_DIR/containers/ID/conmon.pid
 *   RUN_DIR/containers/ID/ctl          conmon's FIFO for the terminal's size
 *   RUN_DIR/containers/ID/rootfs       mount: overlay over the host's root (not with --rootfs DIR)
 *   RUN_DIR/layers/ID/                 its writable layer, on a tmpfs
 *   RUN_DIR/runc/                      the runtime's own state (--root)
 *   RUN_DIR/exits/ID                   the exit code, written by conmon (--exit-dir) as it ends
 *   STATE_DIR/containers/ID/log        k8s-file format
 *   STATE_DIR/containers/ID/{hosts,resolv.conf,hostname}   bind-mounted into the container
 *
 * All functions are called from the loop's thread; done callbacks are called from the loop, never
 * from within the call.
 */

#include <sys/types.h>
#include <uv.h>

#include "container/container.h"

struct runtime;

struct runtime_config {
    const char *run_dir, *state_dir;
    const char *runtime; /* path or name of the OCI runtime: "runc" */
    const char *conmon;  /* NULL: "conmon" */
};

/* Called once for each container that ends, whoever ended it. code: 0–255 (128 + signal).
 * finished: ns since the epoch. */
typedef void runtime_exit_fn(void *arg, const char *id, int code, int64_t finished);
typedef void runtime_done_fn(void *arg, int result, const struct weft_error *err);

int runtime_new(uv_loop_t *loop, const struct runtime_config *config, runtime_exit_fn *on_exit,
                void *arg, struct runtime **ret, struct weft_error *err);
/* Stops watching; containers go on, starts and releases under way are left to runtime_sweep, execs
 * end. The loop must run on until the handles are closed. */
void runtime_free(struct runtime *rt);

/* An unknown runtime (not on the PATH, not executable) is WEFT_INVALID: "runtime foo not found".
 * name NULL: the configured one. */
int runtime_check(struct runtime *rt, const char *name, struct weft_error *err);

/* The same before there is a struct runtime. */
int runtime_locate(const char *name, struct weft_error *err);

/* What the engine knows of the container's surroundings. Borrowed during the call. */
struct runtime_network {
    const char *netns; /* path; NULL: the host's stack */
    const char *hosts; /* contents of the three files */
    const char *resolv_conf;
    const char *hostname; /* the UTS name */
};

/* Makes root and bundle, starts conmon and the runtime's create, then its start. done(arg, pid or
 * -errno, err): on failure nothing of the container is left but its log and state directory. */
int runtime_start(struct runtime *rt, const struct container *c, const struct runtime_network *net,
                  runtime_done_fn *done, void *arg, struct weft_error *err);
/* Rewrites one of the files in place while the container lives. name: "hosts" or "resolv.conf". */
int runtime_update_file(struct runtime *rt, const char *id, const char *name, const char *contents,
                        struct weft_error *err);
/* What one of them holds now, for the caller to free. */
int runtime_read_file(struct runtime *rt, const char *id, const char *name, char **ret,
                      struct weft_error *err);
/* Sends a signal to the container's first process, by pidfd. -ESRCH when it has ended. */
int runtime_signal(struct runtime *rt, const struct container *c, int signo,
                   struct weft_error *err);
/* The size of a container's terminal, in characters; no-op without one. */
int runtime_resize(struct runtime *rt, const struct container *c, unsigned rows, unsigned columns,
                   struct weft_error *err);
/* After the exit: the runtime's delete, unmount, removal of the bundle. Keeps log and the writable
 * layer. done may be NULL. */
int runtime_release(struct runtime *rt, const struct container *c, runtime_done_fn *done, void *arg,
                    struct weft_error *err);
/* The caller has remembered the exit code: RUN_DIR/exits/ID, from which runtime_resume would tell
 * it again, is not needed any more. */
int runtime_forget_exit(const struct runtime *rt, const char *id, struct weft_error *err);
/* Removes the log, the files and the writable layer. The container is not running. */
int runtime_remove(struct runtime *rt, const char *id, struct weft_error *err);

/* After a restart of weftd: resumes watching a container that the store says is running. 1: it runs
 * (*pid is set). 0: it ended meanwhile: *code and *finished are set (137 and now, when no exit was
 * recorded: the machine or conmon died) and the caller releases it, which also ends what conmon
 * left running. Does not call on_exit for this one. */
int runtime_resume(struct runtime *rt, const struct container *c, pid_t *pid, int *code,
                   int64_t *finished);
/* Ends and removes what lies under RUN_DIR/containers and the runtime's own state that is none of
 * the ids (NULL-terminated): starts that weftd did not live to finish. */
int runtime_sweep(struct runtime *rt, char *const *ids, struct weft_error *err);
