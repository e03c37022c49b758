/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A sandbox: a network stack that endpoints give interfaces to.
 *
 * A container's sandbox has the container's id and name, and is active while a process uses it: the
 * container's own or one that joined by --network container:NAME. A foreign namespace that was
 * attached is a sandbox too, active until it is detached; the namespace belongs to somebody else,
 * weft only pins it.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/str.h"
#include "model/endpoint.h"
#include "model/publish.h"

enum sandbox_kind {
    SANDBOX_CONTAINER, /* weft makes and removes the namespace */
    SANDBOX_FOREIGN, /* attached by path or pid: pinned, never disturbed beyond weft's own links */
    SANDBOX_HOST,    /* --network host: the host's own stack, no namespace */
};

struct sandbox {
    char id[ID_TEXT_MAX];
    char *name;
    enum sandbox_kind kind;
    bool active;
    char *origin;      /* foreign: the path it was attached by, for people; else NULL */
    pid_t pid;         /* foreign, attached by pid: leaves when that process ends; else 0 */
    int64_t pid_start; /* that process's start time (field 22 of proc_pid_stat(5)), so that a reused
                          pid is not taken for it */
    char *netns;       /* RUN_DIR/netns/ID; NULL for SANDBOX_HOST. Not stored: derived */
    struct endpoint **endpoints; /* in the order of joining; borrowed from the engine */
    size_t endpoint_count;
    struct publish_list publishes; /* its published ports, in the order they were asked for */
};

/* The stored document: {"Id","Name","Kind","Active","Origin","Pid","PidStart"}. */
json_t *sandbox_to_json(const struct sandbox *sb);
int sandbox_from_json(const json_t *doc, struct sandbox **ret, struct weft_error *err);
/* Frees the sandbox and its list, not the endpoints. */
void sandbox_free(struct sandbox *sb);
DEFINE_CLEANUP(struct sandbox *, sandbox_free)
#define _cleanup_sandbox_ _cleanup_(sandbox_free_p)

/* Adds ep to the list, or removes it. 0 or -ENOMEM. */
int sandbox_add_endpoint(struct sandbox *sb, struct endpoint *ep);
void sandbox_remove_endpoint(struct sandbox *sb, const struct endpoint *ep);
struct endpoint *sandbox_endpoint_on(const struct sandbox *sb, const struct network *net);

/* The order of a sandbox's networks, total: the highest gw_priority, then networks that are not
 * internal, then dual-stack ones, then the first name in byte order. */
bool endpoint_is_nearer(const struct endpoint *a, const struct endpoint *b);

/*
 * Which endpoint carries the default route of a family (AF_INET, AF_INET6): the nearest. Only
 * endpoints count that have an address of the family on a network with a gateway
 * of it that is not internal. NULL when none has. One whose default route others have made is
 * before all: that route is there.
 */
const struct endpoint *sandbox_gateway_endpoint(const struct sandbox *sb, int family);

/* The lowest ethN (or prefixN) that no endpoint of the sandbox has. */
void sandbox_free_ifname(const struct sandbox *sb, const char *prefix, char ret[static IFNAMSIZ]);
