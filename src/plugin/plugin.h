/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A client of Docker's plugin protocol (docs.docker.com/engine/extend/plugin_api, protocol 1.2).
 *
 * A plugin is a program that listens for HTTP on a Unix socket or, as a file says, elsewhere, and
 * is found by its name. It is activated by the first call that needs it: it says which subsystems
 * it implements. After that a call is a POST of one JSON object to /SUBSYSTEM.METHOD, and its
 * answer is another.
 *
 * A plugin that cannot be reached may be about to start, or to start again: it is looked for again
 * and again, each pause twice as long as the one before, the first being a second, as long as the
 * caller has patience. One that was reached is not: it may have done already what it was asked for,
 * unless it broke off before it answered anything, which is how a plugin that dies looks.
 */

#include <jansson.h>
#include <stddef.h>
#include <uv.h>

#include "base/error.h"
#include "base/str.h"

/* ---- where a plugin is ---- */

struct plugin_address {
    char *socket; /* path of a Unix socket; NULL: as the URL says */
    char *url;    /* what its URLs begin with: "http://localhost", "https://192.0.2.1:8443" */
    bool insecure;
    char *ca, *cert, *key; /* files in PEM; NULL: none */
};
void plugin_address_clear(struct plugin_address *address);
#define _cleanup_plugin_address_ _cleanup_(plugin_address_clear)

/*
 * Looks for a plugin, in this order: NAME.sock and NAME/NAME.sock in /run/docker/plugins; then in
 * /etc/docker/plugins and after it in /usr/lib/docker/plugins NAME.spec, NAME/NAME.spec, NAME.json
 * and NAME/NAME.json. root is put before all of these ("" but in tests). A .spec holds an address:
 * unix://PATH, tcp://HOST:PORT, http://… or https://…; a .json {"Name", "Addr", "TLSConfig":
 * {"InsecureSkipVerify", "CAFile", "CertFile", "KeyFile"}}. As docker has it, who answers to
 * https:// is verified only if there is a TLSConfig with a CAFile.
 * 0; WEFT_NOT_FOUND: there is none; WEFT_INVALID: its file makes no sense.
 */
int plugin_find(const char *root, const char *name, struct plugin_address *ret,
                struct weft_error *err);

/* ---- what it says ---- */

#define PLUGIN_MIMETYPE "application/vnd.docker.plugins.v1.2+json"
/* Longer answers are refused. Bytes. */
#define PLUGIN_ANSWER_MAX (1 << 20)

/* What an HTTP answer amounts to: 0 with the object, a new reference; or the error that the plugin
 * reports ({"Err"} or {"Error"}, whatever the status), or that its answer is. A method that it does
 * not know (404) is -EOPNOTSUPP. An empty body stands for {}. The sentence does not name plugin and
 * method. */
int plugin_parse_answer(long status, const char *body, size_t length, json_t **ret,
                        struct weft_error *err);

/* ---- calls: SIGPIPE must be ignored ---- */

struct plugins;
/* root as above, borrowed. Costs next to nothing before the first call. 0 or -ENOMEM. */
int plugins_new(uv_loop_t *loop, const char *root, struct plugins **ret, struct weft_error *err);
/* What is under way is dropped: nobody is told. The loop has handles to close after. */
void plugins_free(struct plugins *p);

struct plugin_request {
    const char *plugin;    /* its name */
    const char *subsystem; /* "NetworkDriver" */
    const char *method;    /* "CreateNetwork" */
    const json_t *body;    /* NULL: no payload */
    unsigned patience;     /* ms to go on trying to reach it; 0: try once */
};
/* A plugin that was reached has so long to answer. ms. */
#define PLUGIN_ANSWER_MS 10000
/* The patience that the protocol asks for. ms. */
#define PLUGIN_PATIENCE_MS 30000

/* result: 0 with an object, borrowed; or -errno with err, which names plugin and method:
 * -EOPNOTSUPP if the plugin does not know the method, -ENOENT if there is no such plugin,
 * -EHOSTUNREACH if it could not be reached. */
typedef void plugin_done_fn(void *arg, int result, const json_t *answer,
                            const struct weft_error *err);
struct plugin_call;
/* All of the request is copied or done with when it returns. done is called once, later. 0 or
 * -errno, done is not called then. */
int plugin_call(struct plugins *p, const struct plugin_request *request, plugin_done_fn *done,
                void *arg, struct plugin_call **ret, struct weft_error *err);
/* done is not called any more. NULL is fine. */
void plugin_call_cancel(struct plugin_call *call);
