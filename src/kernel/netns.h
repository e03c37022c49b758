/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Network namespaces: opening, entering, and those that weft keeps mounted.
 *
 * A namespace that weft made, or pinned for somebody else, is a bind mount of its nsfs file, as
 * `ip netns` does it: it lives on without any process in it. The directory of these mounts is a
 * shared mount of its own. Were it private, every mount namespace that is copied from ours would
 * keep a copy of each mount which our umount does not reach, and the namespaces would never die.
 */

#include "base/error.h"
#include "kstate/fact.h"

/* The calling thread's own network namespace. The descriptor, or -errno. */
int netns_open_current(struct weft_error *err);

/* The namespace at path. The descriptor; -ENOENT when nothing is there, -EINVAL when it is
 * something else than a network namespace. */
int netns_open(const char *path, struct weft_error *err);

/* Moves the calling thread into a namespace until netns_leave. 0 or -errno. */
int netns_enter(int fd, struct weft_error *err);

/* Moves the thread back to the host's namespace. Does not return if that fails: a daemon that stays
 * in a container's namespace would do all that follows to the wrong network. */
void netns_leave(int host_fd);

/* Mounts a new namespace, or ns->origin's, at ns->path. -EEXIST when one is there. */
int netns_add(int host_fd, const struct kstate_ns *ns, struct weft_error *err);

/* Unmounts and unlinks. -ENOENT when there is no such file. */
int netns_remove(const char *path, struct weft_error *err);
