/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the whole of src/api shares: one struct api, and the connections it must end with itself. */

#include <microhttpd.h>
#include <uv.h>

#include "api/api.h"

struct request;
struct event_hub;

struct api {
    uv_loop_t *loop;
    struct engine *engine;
    struct MHD_Daemon *daemon;
    char *state_dir;
    bool enable_faults;
    uv_poll_t poll;   /* of the daemon's epoll descriptor */
    uv_timer_t timer; /* when the daemon wants its turn anyway */
    bool woken;
    unsigned open_handles;
    unsigned connections;
    bool crowded; /* there were many */
    struct request *requests;
    struct session *sessions;
    struct event_hub *events;
};

/* Gives the HTTP server a turn soon: a connection was resumed. */
void api_wake(struct api *api);

/* Gives the daemon a turn soon: it does not see by itself that a connection was resumed. */
void server_wake(struct api *api);

/* A connection that no longer is the HTTP server's: hijacked by attach or exec. */
struct session {
    struct session *next, **link;
    void (*end)(struct session *s); /* removes and frees it */
};

void session_add(struct api *api, struct session *s);
void session_remove(struct session *s);
