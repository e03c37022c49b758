/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Logging to standard error, one line a message, with sd-daemon(3) level prefixes ("<3>") when the
 * journal reads it (JOURNAL_STREAM is set), else with the level's name. */

#include "base/cleanup.h"
#include "base/error.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Messages above this level are dropped. The default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* "error", "warning", "info", "debug" → *ret. Returns 0 or -EINVAL. */
int log_level_parse(const char *text, enum log_level *ret);

void log_message(enum log_level level, const char *fmt, ...) _printf_(2, 3);

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)
