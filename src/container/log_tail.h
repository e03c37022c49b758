/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

#include "container/log.h"

/* The offset in the log at which its last options->tail lines begin; only lines of the streams that
 * options names count. Reads backwards, no more than it must. -errno. */
int64_t log_tail_offset(int fd, const struct log_options *options);
