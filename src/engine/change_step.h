/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The steps of a transaction and their inverses: private to change.c, change_step.c and
 * change_model.c. */

#include "engine/change.h"

enum step_kind {
    STEP_ADD_NETWORK,
    STEP_ADD_SANDBOX,
    STEP_ADD_CONTAINER,
    STEP_ADD_ENDPOINT,
    STEP_REMOVE_NETWORK,
    STEP_REMOVE_SANDBOX,
    STEP_REMOVE_CONTAINER,
    STEP_REMOVE_ENDPOINT,
    STEP_RESERVE,  /* an address was taken from its network's ipam */
    STEP_RELEASE,  /* … was given back */
    STEP_ADDRESS,  /* an endpoint's addresses and MAC changed: the old ones are kept */
    STEP_ACTIVATE, /* a sandbox's `active` was flipped */
    STEP_CURSOR,   /* an allocation moved its pool's cursor: the old one is kept */
};

struct change_step {
    enum step_kind kind;
    union {
        struct network *net;
        struct sandbox *sb;
        struct container *c;
        struct endpoint *ep;
    };
    struct network *pool_of; /* STEP_RESERVE, STEP_RELEASE, STEP_CURSOR */
    struct addr addr;
    int family;                     /* STEP_CURSOR */
    struct addr old_ipv4, old_ipv6; /* STEP_ADDRESS */
    struct mac old_mac;
    char owner[128]; /* STEP_RELEASE: for taking it again */
};

/* Remembers a step. 0 or -ENOMEM; the change itself is then to be taken back by the caller. */
int change_record(struct change *ch, const struct change_step *step, struct weft_error *err);
