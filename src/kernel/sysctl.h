/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Sysctls, by their path below /proc/sys. Those below net/ are the ones of the calling thread's
 * network namespace.
 */

#include <stddef.h>

#include "base/error.h"

/* Reads the value, without the newline, into buf. 0 or -errno. */
int sysctl_read(const char *path, char *buf, size_t size, struct weft_error *err);
/* 0 or -errno. */
int sysctl_write(const char *path, const char *value, struct weft_error *err);
