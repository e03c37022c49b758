/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whose rights a container's process has, as its own /etc/passwd and /etc/group say. */

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

struct user {
    uid_t uid;
    gid_t gid;
    gid_t *groups; /* supplementary */
    size_t group_count;
    char *home;
};

/*
 * Resolves "name", "uid", "name:group", "uid:gid" … (NULL or "": "0") against the files under
 * rootfs, the way Docker does: a number need not be in the files, a name must. Symbolic links are
 * followed within rootfs only. *ret is for user_clear.
 */
int user_resolve(const char *rootfs, const char *text, struct user *ret, struct weft_error *err);
void user_clear(struct user *u);
#define _cleanup_user_ _cleanup_(user_clear)
