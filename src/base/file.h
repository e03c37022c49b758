/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whole small files and directories. Paths are absolute. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* Reads at most max bytes of the file into a NUL-terminated string for the caller to free.
 * 0, -errno, -EFBIG when it is longer. ret_len may be NULL. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct weft_error *err);
/* Makes or replaces the file: written beside, then renamed, so that readers see the old or the new.
 */
int file_write_atomic(const char *path, const char *data, size_t len, mode_t mode,
                      struct weft_error *err);
/* Truncates and rewrites in place: for files that are bind-mounted, whose inode must stay. */
int file_write_in_place(const char *path, const char *data, size_t len, mode_t mode,
                        struct weft_error *err);
/* mkdir -p. An existing directory is fine. */
int dir_make(const char *path, mode_t mode, struct weft_error *err);
/* rm -rf, not crossing into other file systems; a missing path is fine. */
int dir_remove(const char *path, struct weft_error *err);
