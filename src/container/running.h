/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container that runs, as weftd holds on to it: two pidfds.
 *
 * That of the container's first process is for signals. That of conmon tells of the end: conmon
 * writes the log's last line, then the exit file, then ends. So when its pidfd becomes readable all
 * there is to know stands in files, and if it was killed that is noticed the same way.
 *
 * Process ids come from files that an earlier weftd may have left, and the kernel reuses ids. A
 * process is conmon only if its command line has this container's id, and the container's only if
 * it is conmon's child; both are looked at after the pidfd is open, so that they are about the
 * process that the pidfd refers to.
 */

#include "container/private.h"

struct running {
    struct runtime *rt;
    char id[ID_TEXT_MAX];
    pid_t pid;
    int pidfd;  /* -1: it has ended */
    int conmon; /* pidfd */
    uv_poll_t poll;
};

/* Finds conmon and the container's process by the bundle's pid files. -ESRCH when conmon does not
 * live. The caller's, until running_watch. */
int running_open(struct runtime *rt, const char *id, struct running **ret, struct weft_error *err);
/* Puts it into rt->running and calls rt->on_exit when it ends. r is rt's, also on failure. */
int running_watch(struct running *r, struct weft_error *err);
void running_free(struct running *r);

/* What conmon recorded; 137 and the current time when it did not. */
void exit_read(const struct runtime *rt, const char *id, int *ret_code, int64_t *ret_finished);
/* Kills conmon, if it lives, so that it records nothing any more, and waits for its end: a runtime
 * that it is running is killed with it. */
void conmon_kill(struct runtime *rt, const char *id);
