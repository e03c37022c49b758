/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* weftd as a service: its socket, made or inherited, and its word to the service manager. */

#include <stdbool.h>

#include "base/error.h"

/* A listening Unix stream socket: the first one passed by the service manager (sd_listen_fds(3):
 * LISTEN_PID, LISTEN_FDS), else made at path with mode 0660 and the group (NULL: 0600). A stale
 * socket is replaced, one that answers is not. Returns the fd or -errno. */
int service_listen(const char *path, const char *group, struct weft_error *err);

/* Sends a state such as "READY=1" as sd_notify(3) does; nothing without NOTIFY_SOCKET. */
void service_notify(const char *state);

/* Binds a name in the network namespace's abstract socket space, which the kernel keeps per
 * namespace and lets go with the process: two weftd that managed one namespace would remove each
 * other's links. Returns the fd to keep open, or -EBUSY. */
int service_claim_host(struct weft_error *err);
