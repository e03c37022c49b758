/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* The steps of a transaction and their inverses: private to change*.c. */

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
    STEP_PUBLISH,  /* ports were added to the end of a sandbox's list: the old count is kept */
    STEP_PORTS,    /* a sandbox's list of ports was replaced: the old one is kept */
    STEP_HOLD,     /* a port of the host was taken */
    STEP_LET_GO, /* … is not needed any more. Released at the end: nobody shall take it before */
    STEP_UNHOLD, /* … was released at once, to be taken again at other addresses */
    STEP_STAGE,  /* an endpoint's stage changed: the old one is kept */
    STEP_NETWORK_STAGE, /* … a network's … */
    STEP_GIVEN,         /* what an endpoint was given by others was replaced: the old is kept */
    STEP_OPTIONS,       /* … its options: likewise */
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
    int family; /* STEP_CURSOR */
    union {
        struct { /* STEP_ADDRESS */
            struct addr old_ipv4, old_ipv6;
            struct mac old_mac;
        };
        char owner[128];               /* STEP_RELEASE: for taking it again */
        size_t old_count;              /* STEP_PUBLISH */
        struct publish_list old_ports; /* STEP_PORTS */
        struct relay_port port;        /* STEP_HOLD, STEP_LET_GO, STEP_UNHOLD */
        enum endpoint_stage old_stage;
        enum network_stage old_network_stage;
        struct endpoint_given old_given;
        struct strmap old_options;
    };
};

/* Remembers a step. 0 or -ENOMEM; the change itself is then to be taken back by the caller. */
int change_record(struct change *ch, const struct change_step *step, struct weft_error *err);

/* ---- change.c ---- */

bool change_is_touched(const struct change *ch, const char *id);
/* Makes the relay lead the ports of the touched sandboxes to the addresses these have now. */
void change_retarget(struct change *ch);

/* ---- change_model.c: into the store ---- */

int change_write_endpoint(struct engine *e, const struct endpoint *ep, struct weft_error *err);
int change_write_network(struct engine *e, const struct network *net, struct weft_error *err);

/* ---- change_address.c ---- */

/* Addresses that an endpoint wants by number are its own from its first day to its last, where they
 * come from weft's own pools. */
int change_reserve_wanted(struct change *ch, const struct endpoint *ep, struct weft_error *err);
int change_release_wanted(struct change *ch, const struct endpoint *ep, struct weft_error *err);
/* Gives an endpoint what weft itself gives: addresses from its own pools, a MAC. */
int change_give_addresses(struct change *ch, struct endpoint *ep, struct weft_error *err);
/* Takes back all that it was given, by whomever, but for what it wanted. */
int change_take_addresses(struct change *ch, struct endpoint *ep, struct weft_error *err);

/* ---- change_publish.c ---- */

/* Works out again where the ports of a touched sandbox are reached. */
int change_bind_ports(struct change *ch, struct sandbox *sb, struct weft_error *err);
/* The ports of a sandbox that is going are let go of. */
int change_let_go_ports(struct change *ch, struct sandbox *sb, struct weft_error *err);
