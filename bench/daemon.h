/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A weftd of the benchmark's own. */

#include <sys/types.h>

#include "client/client.h"

struct daemon {
    pid_t pid;
    struct client *client;
};

/* Starts weftd with everything it writes below run_dir and state_dir, and waits until it answers;
 * ends the program when it does not. */
void daemon_start(const char *weftd, const char *run_dir, const char *state_dir,
                  struct daemon *ret);
/* Ends it as a service manager does. */
void daemon_stop(struct daemon *d);

/* One request that must work. Takes body (may be NULL) over. */
void daemon_call(struct daemon *d, const char *method, const char *target, json_t *body);

/* Memory in kilobytes of 1024, as /proc has it. */
struct memory {
    long rss, anon, pss;
};
struct memory daemon_memory(const struct daemon *d);
