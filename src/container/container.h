/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A container as weft sees it: what the user asked for (`config`), and how it stands (`state`).
 *
 * The JSON form is the Docker Engine API's: POST /containers/create takes {…Config, "HostConfig":
 * {…}} (API v1.41 to v1.48), and the store keeps the same shape with a "Weft" object beside it.
 * NetworkingConfig is not part of it: the engine makes endpoints of that.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"
#include "model/publish.h"

struct container_config {
    strv entrypoint, cmd;
    strv env;
    char *workdir;
    char *user; /* "uid[:gid]" or names of the container's own /etc/passwd and /etc/group */
    char *hostname, *domainname;
    char *image;   /* a label only, for now */
    char *rootfs;  /* HostConfig.Annotations["weft.rootfs"]; NULL: the host's own, read-only below a
                      private writable layer */
    char *runtime; /* NULL: the daemon's */
    bool tty, open_stdin;
    bool auto_remove;
    bool privileged;
    bool readonly_rootfs;
    char *stop_signal;    /* NULL: SIGTERM */
    int64_t stop_timeout; /* seconds; −1: 10 */
    strv binds;           /* SRC:DST[:ro] */
    strv dns, dns_search, dns_options, extra_hosts;
    strv links; /* "NAME:ALIAS" */
    strv cap_add, cap_drop;
    strv exposed;                      /* "80/tcp" */
    struct publish_list port_bindings; /* of a create body; the engine moves them to the sandbox */
    bool publish_all;                  /* every exposed port, at ephemeral host ports */
    struct strmap sysctls;
    struct strmap labels;
    char *network_mode; /* "default"/"bridge", "host", "none", "container:REF", or a network's name
                           or id */
};

enum container_status { CONTAINER_CREATED, CONTAINER_RUNNING, CONTAINER_EXITED };

struct container {
    char id[ID_TEXT_MAX];
    char *name;
    struct container_config config;
    char sandbox_id[ID_TEXT_MAX]; /* its own id, or that of the container whose stack it joined */
    int64_t created;              /* ns since the epoch */
    enum container_status status;
    pid_t pid;                 /* of its first process while running, else 0 */
    int64_t started, finished; /* ns; 0: never */
    int exit_code;
    char *error; /* why the last start failed, or NULL */
};

/* Parses a create body or a stored document (then with Id, Name, Created, State, Weft). Checks what
 * can be said of a container alone: a command is given, sysctl names are namespaced ones (net.*,
 * kernel.msg*, kernel.sem, kernel.shm*, fs.mqueue.*; net.* not with network host), binds and extra
 * hosts are well-formed and binds absolute, rootfs is an absolute existing directory, capability,
 * signal names. A stored document (it has an Id) is not checked again. HostConfig keys that weft
 * does not follow must be empty: else WEFT_UNSUPPORTED. 0 or -errno; *ret is the caller's. */
int container_from_json(const json_t *doc, struct container **ret, struct weft_error *err);
json_t *container_to_json(const struct container *c);
/* Docker's Config and HostConfig objects, for inspect. New references. */
json_t *container_config_json(const struct container *c);
json_t *container_host_config_json(const struct container *c);
void container_free(struct container *c);
DEFINE_CLEANUP(struct container *, container_free)
#define _cleanup_container_ _cleanup_(container_free_p)

/* "SIGTERM", "term", "15" → 15. -EINVAL (`"FOO" is not a signal`). */
int signal_parse(const char *text, int *ret, struct weft_error *err);
/* "created", "running", "exited" */
const char *container_status_text(enum container_status status);
