/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Network namespaces mounted on files, as `ip netns` makes them. Single-threaded programs only. */

/* Makes one at path. 0 or -errno. */
int space_make(const char *path);
/* Enters the one that is open. 0 or -errno. */
int space_enter(int fd);
/* The one the program is in, or the one at path: a descriptor or -errno. */
int space_open_current(void);
int space_open(const char *path);
