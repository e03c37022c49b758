/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * A CNI network configuration (CNI specification 0.4.0, 1.0.0 and 1.1.0, section 1): the plugins of
 * a network, in the order in which they are run, and what each is told. Pure: no I/O.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

/* Versions of the specification that weft speaks. */
enum cni_version { CNI_0_4_0, CNI_1_0_0, CNI_1_1_0, CNI_VERSIONS };
const char *cni_version_text(enum cni_version version);
/* CNI_VERSIONS when it is none of them. */
enum cni_version cni_version_find(const char *text);

struct cni_config {
    json_t *doc;              /* a list, whatever was read */
    const char *name;         /* of the network, as its plugins know it; doc's */
    unsigned versions;        /* bits: those that the configuration is written for */
    enum cni_version version; /* the highest of them, until plugins are asked */
    bool disable_check, disable_gc;
    json_t *plugins;     /* doc's array of objects */
    size_t plugin_count; /* at least 1 */
};

/*
 * Reads the configuration of one plugin (it has "type") or a list ("plugins"), of which the former
 * is made a list of one. fallback_name is for one without a name. Unknown keys stay. 0 or -errno
 * with a sentence that names the key; *ret is the caller's, doc stays its own.
 */
int cni_config_parse(const json_t *doc, const char *fallback_name, struct cni_config **ret,
                     struct weft_error *err);
/* The configuration of a plugin about which nothing is said but its type: of every version. */
int cni_config_of_type(const char *type, const char *name, struct cni_config **ret,
                       struct weft_error *err);
void cni_config_free(struct cni_config *config);
DEFINE_CLEANUP(struct cni_config *, cni_config_free)
#define _cleanup_cni_config_ _cleanup_(cni_config_free_p)

/* The plugin's program, and that of the one it leaves addresses to (NULL: none). Borrowed. */
const char *cni_plugin_type(const struct cni_config *config, size_t plugin);
const char *cni_plugin_ipam_type(const struct cni_config *config, size_t plugin);
/* Whether any of the plugins takes such values: "portMappings", "ips" … (CONVENTIONS.md). */
bool cni_config_takes(const struct cni_config *config, const char *capability);

/* Whether it is a file name and nothing more: what a type may be. */
bool cni_type_is_valid(const char *type);
/* Whether it is an alphanumeric character and then those, '_', '.' and '-': names of networks and
 * ids of containers. */
bool cni_name_is_valid(const char *name);

/* What changes from one call of a plugin to another. */
struct cni_request {
    const json_t *capabilities;      /* name → value: what there is to say; NULL: nothing */
    const json_t *prev_result;       /* NULL: none */
    const json_t *valid_attachments; /* GC's array; NULL in other commands */
};
/* What the plugin reads (section 3, "deriving request configuration"). New reference, NULL when
 * memory ran out. */
json_t *cni_config_request(const struct cni_config *config, size_t plugin,
                           const struct cni_request *request);
