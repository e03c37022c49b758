/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A client of weftd's HTTP API: one connection over a Unix socket, opened by its first request and
 * kept for the next ones.
 *
 * One request is under way at a time. An answer that takes long (logs, wait) or takes the
 * connection over (attach, exec) keeps it busy: use client_another for what goes on beside it.
 */

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

#define CLIENT_DEFAULT_HOST "unix:///run/weft/weft.sock"

struct client;

/* host is "unix:///path". Does not connect. 0, -EINVAL, -ENOMEM. */
int client_new(const char *host, struct client **ret, struct weft_error *err);
/* A second connection to the same daemon, NULL when memory ran out. */
struct client *client_another(const struct client *c);
void client_free(struct client *c);
DEFINE_CLEANUP(struct client *, client_free)
#define _cleanup_client_ _cleanup_(client_free_p)

/* Connects now, to learn early whether the daemon is there. */
int client_connect(struct client *c, struct weft_error *err);

/*
 * One request and its whole answer. target is the path with its query; body may be NULL. An answer
 * of 400 or more is a failure with the daemon's own sentence and the code of its status (404:
 * WEFT_NOT_FOUND). ret may be NULL; the caller owns what it gets. *ret is NULL when there is no
 * body.
 */
int client_call(struct client *c, const char *method, const char *target, const json_t *body,
                json_t **ret, struct weft_error *err);
/* The same for answers that are text. */
int client_text(struct client *c, const char *method, const char *target, const json_t *body,
                char **ret, struct weft_error *err);

/*
 * An answer that comes in pieces: client_begin returns when its header has arrived, client_read
 * then takes up to size bytes of the body: how many, 0 at its end, -errno. client_finish takes the
 * whole rest as JSON, like client_call.
 */
int client_begin(struct client *c, const char *method, const char *target, const json_t *body,
                 struct weft_error *err);
ssize_t client_read(struct client *c, void *buf, size_t size, struct weft_error *err);
int client_finish(struct client *c, json_t **ret, struct weft_error *err);
/* Content-Type of the answer that client_begin began, "" when it had none. */
const char *client_content_type(const struct client *c);

/* A request whose answer is the connection itself (Docker's hijacking: 101 UPGRADED, or 200 with a
 * body that ends with the connection). The caller owns the descriptor; the next request opens a new
 * connection. */
int client_hijack(struct client *c, const char *method, const char *target, const json_t *body,
                  int *ret_fd, struct weft_error *err);
