/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Transactions: how model, store and kernel change together.
 *
 * A verb opens a transaction, *touches* the networks and sandboxes it is going to change (their
 * facts as of now are put aside), makes its changes with the functions below, each of which changes
 * the model and the store at once and remembers its inverse, and ends with change_commit:
 *
 *     facts of the touched before ─┐
 *                                  ├─ plan_diff ─▶ kernel_apply ─▶ store_commit
 *     facts of the touched after ──┘
 *
 * No dump is needed: before and after are both rendered from the model. If anything fails, or the
 * verb returns early, change_abort (through _cleanup_change_) takes the changes back in reverse
 * order. A dry run is a transaction that is explained and then aborted.
 *
 * Published ports of a sandbox may be many. So to publish and to unpublish do not touch it: only
 * the facts of the ports concerned are rendered. Where a sandbox is touched, its ports follow at
 * the end, when it is known which endpoints they lead through.
 *
 * Objects that were added belong to the engine once the transaction is committed; those that were
 * removed are freed then.
 */

#include "engine/state.h"

struct change_step;
struct change_scope;

struct change {
    struct engine *engine;
    struct change_step *steps;
    size_t step_count, step_capacity;
    struct change_scope **scopes;
    size_t scope_count;
    struct fact_set before;
    struct fact_set added; /* after, beside those of the touched */
    bool settled;
    bool open;
    bool dry; /* nobody is going to be asked: endpoints need not wait for them. Set by the verb */
};

int change_begin(struct engine *e, struct change *ch, struct weft_error *err);
int change_touch_network(struct change *ch, struct network *net, struct weft_error *err);
int change_touch_sandbox(struct change *ch, struct sandbox *sb, struct weft_error *err);

/* Each consumes the object, also on failure. */
int change_add_network(struct change *ch, struct network *net, struct weft_error *err);
int change_add_sandbox(struct change *ch, struct sandbox *sb, struct weft_error *err);
int change_add_container(struct change *ch, struct container *c, struct weft_error *err);
/* Adds an endpoint to a sandbox; addresses that it wants by number are reserved, and all are given
 * if the sandbox is active. */
int change_add_endpoint(struct change *ch, struct sandbox *sb, struct network *net,
                        const struct endpoint_want *want, struct weft_error *err);

int change_remove_network(struct change *ch, struct network *net, struct weft_error *err);
/* With its endpoints. */
int change_remove_sandbox(struct change *ch, struct sandbox *sb, struct weft_error *err);
int change_remove_endpoint(struct change *ch, struct endpoint *ep, struct weft_error *err);
int change_remove_container(struct change *ch, struct container *c, struct weft_error *err);

/* Gives its endpoints addresses, or takes back those that were not asked for by number. No-op if it
 * is so already. */
int change_activate(struct change *ch, struct sandbox *sb, bool active, struct weft_error *err);

/* The sandbox's namespace has gone, and all that was in it. Its endpoints keep what they have until
 * those outside have been told. */
int change_abandon(struct change *ch, struct sandbox *sb, struct weft_error *err);

/* Takes an endpoint off its network, as far as the kernel is concerned. Where others are to be told
 * it goes to stage LEAVING, and *ret_asked is true; else it is removed. */
int change_leave(struct change *ch, struct endpoint *ep, bool *ret_asked, struct weft_error *err);
/* Where an endpoint or a network stands with those outside (engine/outside.h). */
int change_set_stage(struct change *ch, struct endpoint *ep, enum endpoint_stage stage,
                     struct weft_error *err);
int change_set_network_stage(struct change *ch, struct network *net, enum network_stage stage,
                             struct weft_error *err);
/* What those outside gave an endpoint takes the place of what it has; given is copied. An address
 * that another endpoint has already is WEFT_CONFLICT. */
int change_give(struct change *ch, struct endpoint *ep, const struct addr *ipv4,
                const struct addr *ipv6, const struct mac *mac, const struct endpoint_given *given,
                struct weft_error *err);

/* Replaces an endpoint's driver options. They are copied, and known to be good. */
int change_set_options(struct change *ch, struct endpoint *ep, const struct strmap *options,
                       struct weft_error *err);

/* Adds published ports to a sandbox; if it is active they get their bindings, and what these need
 * of the host is held. All or, for the transaction is then to be aborted, none. WEFT_CONFLICT when
 * one is published already. */
int change_publish(struct change *ch, struct sandbox *sb, const struct publish_want *wants,
                   size_t count, struct weft_error *err);
/* Takes away those that match. WEFT_NOT_FOUND when there is none for one of the wants. */
int change_unpublish(struct change *ch, struct sandbox *sb, const struct publish_want *wants,
                     size_t count, struct weft_error *err);

/* Gives the ports of the touched sandboxes their bindings: what commits does so first. */
int change_settle(struct change *ch, struct weft_error *err);
/* Applies and commits; with dry, explains and aborts. */
int change_commit(struct change *ch, struct strbuf *dry, struct weft_error *err);
/* Commits model and store without the kernel: for start, which mends all at once. */
int change_commit_model(struct change *ch, struct weft_error *err);
void change_abort(struct change *ch);
#define _cleanup_change_ _cleanup_(change_abort)
