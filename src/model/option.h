/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Driver options: which keys under com.docker.network. and weft. there are, where they may be
 * given, and what values they take. Keys outside of these are the user's or a driver's own: any
 * goes.
 */

#include "base/error.h"
#include "base/str.h"

enum option_scope {
    OPTION_SCOPE_NETWORK = 1 << 0,  /* network create --opt */
    OPTION_SCOPE_ENDPOINT = 1 << 1, /* network connect --driver-opt */
};

/* Checks keys and values. owner says whose they are ("network web"), for the sentence.
 * 0 or -EINVAL. */
int options_check(enum option_scope scope, const char *owner, const struct strmap *options,
                  struct weft_error *err);
