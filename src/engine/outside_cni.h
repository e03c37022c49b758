/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Networks whose endpoints CNI plugins wire. Private to outside_cni*.c:
 *
 *   outside_cni_config.c  which plugins a network has: read once, and kept with it
 *   outside_cni_say.c     what they are told of an endpoint: capabilities
 *   outside_cni_lock.c    one command at a time for a sandbox, also across the end of a weftd
 *   outside_cni_watch.c   CHECK
 *   outside_cni.c         ADD, DEL and the others, as an outsider
 */

#include "cni/chain.h"
#include "driver/cni.h"
#include "engine/outside.h"

struct cni_errand;
struct outside_cni {
    struct cni_errand *errands; /* under way */
    struct cni_watch *watches;  /* CHECKs under way and to come */
    struct hash joined;         /* endpoints by id that have been joined and not been followed */
};
/* Made when it is first needed; NULL: no memory. */
struct outside_cni *cni_of_engine(struct engine *e);

/* ---- outside_cni_config.c ---- */

/* struct outsider's check: reads the options, and puts what they lead to into net->outside. */
int cni_check_network(struct engine *e, struct network *net, struct weft_error *err);
/* What net->outside has; *ret_path is the network's. 0 or -errno. */
int cni_load(const struct network *net, struct cni_config **ret, const char **ret_path,
             struct weft_error *err);
/* Keeps the version that was agreed on. 0 or -ENOMEM. */
int cni_keep_version(struct network *net, enum cni_version version, struct weft_error *err);

/* ---- outside_cni_say.c ---- */

/* All there is to say of an endpoint that is about to join: capability → value. New reference. 0 or
 * -errno: a port of the host cannot be had, for one. */
int cni_say(struct engine *e, const struct endpoint *ep, const struct cni_config *config,
            json_t **ret, struct weft_error *err);

/* ---- outside_cni_lock.c ---- */

/* Takes the sandbox's lock. 0 and *ret a descriptor for plugins to hold, -EAGAIN while a plugin
 * that an earlier weftd has run still holds it, or another -errno. */
int cni_lock(const struct engine *e, const struct sandbox *sb, int *ret, struct weft_error *err);
/* Lets go of it, whoever else has it. */
void cni_unlock(const struct engine *e, const char *sandbox_id, int fd);

/* ---- outside_cni_watch.c ---- */

void cni_follow(struct engine *e, struct endpoint *ep);
void cni_unfollow(struct engine *e, struct endpoint *ep);
/* No CHECK of the sandbox's endpoints is under way any more, nor to come. */
void cni_unwatch_sandbox(struct engine *e, const struct sandbox *sb);
void cni_stop_watching(struct engine *e);

/* ---- outside_cni.c ---- */

/* A job about an attachment, or (ep NULL) a network; the strings and JSON are borrowed. */
struct cni_job cni_make_job(enum cni_command command, const struct network *net,
                            const struct cni_config *config, const char *path,
                            const struct endpoint *ep);
