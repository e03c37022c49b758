/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A container's root directory. */

#include "container/private.h"

/*
 * The directory that the configuration names, used as it is; or the host's own root under a private
 * writable layer, mounted at RUN_DIR/containers/ID/rootfs. overlayfs refuses a layer that lies
 * below another one's directory on the same file system, so the writable ones are on a tmpfs of
 * weft's, RUN_DIR/layers. What is mounted on the host's root (/proc, /run …) is not seen through
 * it. *ret is the path, the caller's. 0 or -errno.
 */
int rootfs_mount(const struct runtime *rt, const struct container *c, char **ret,
                 struct weft_error *err);
/* The path alone. NULL when memory ran out. */
char *rootfs_path(const struct runtime *rt, const struct container *c);
/* No error when nothing is mounted there. */
int rootfs_unmount(const struct runtime *rt, const char *id, struct weft_error *err);
