/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The "process" object of the OCI runtime specification (1.0.2, config.md). */

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"
#include "container/user.h"

struct process {
    char *const *entrypoint, *const *args; /* one after the other */
    char *const *env[2];  /* NAME=VALUE, later ones win; one without '=' takes the name away */
    const char *hostname; /* for HOSTNAME; NULL: none */
    const char *cwd;      /* NULL: "/" */
    const struct user *user;
    char *const *capabilities;
    bool tty;
};

int process_json(const struct process *p, json_t **ret, struct weft_error *err);
