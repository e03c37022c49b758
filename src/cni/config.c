/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"

#define PLUGINS_MAX 32 /* of a list: far more than make sense */

static const char *const versions[CNI_VERSIONS] = {"0.4.0", "1.0.0", "1.1.0"};

const char *cni_version_text(enum cni_version version)
{
    return versions[version];
}

enum cni_version cni_version_find(const char *text)
{
    unsigned i = 0;

    while (i < CNI_VERSIONS && !str_equal(text, versions[i]))
        i++;
    return i;
}

bool cni_type_is_valid(const char *type)
{
    return !str_is_empty(type) && !strpbrk(type, "/\\") && strcmp(type, ".") != 0 &&
           strcmp(type, "..") != 0;
}

bool cni_name_is_valid(const char *name)
{
    if (!name || !isalnum((unsigned char)*name))
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
            return false;
    return true;
}

/* ---- reading ---- */

static int add_version(struct cni_config *c, const char *text)
{
    enum cni_version version = cni_version_find(text);

    if (version == CNI_VERSIONS)
        return -1;
    c->versions |= 1U << version;
    return 0;
}

/* cniVersion is one that it is written for, cniVersions (since 1.1.0) are all of them; what weft
 * does not speak counts for nothing there. */
static int read_versions(struct cni_config *c, struct weft_error *err)
{
    const char *version = NULL;
    json_t *list = NULL;
    size_t i;
    json_t *item;
    int r = json_get_string(c->doc, "cniVersion", &version, err);

    if (r == 0)
        r = json_get_array(c->doc, "cniVersions", &list, err);
    if (r < 0)
        return r;
    if (!version && !list)
        return weft_fail(err, WEFT_INVALID, "cniVersion is missing");
    if (version)
        (void)add_version(c, version);
    json_array_foreach (list, i, item) {
        if (!json_is_string(item))
            return weft_fail(err, WEFT_INVALID, "cniVersions must be an array of strings");
        (void)add_version(c, json_string_value(item));
    }
    if (c->versions == 0)
        return weft_fail(err, WEFT_INVALID,
                         "it is written for CNI %s, and weft speaks 0.4.0, 1.0.0 and 1.1.0",
                         version ? version : "versions that are not named");
    for (unsigned v = 0; v < CNI_VERSIONS; v++)
        if (c->versions & (1U << v))
            c->version = v;
    return 0;
}

/* A boolean; in 0.4.0 a string. */
static int read_flag(const struct cni_config *c, const char *key, bool *ret, struct weft_error *err)
{
    const json_t *value = json_object_get(c->doc, key);

    if (json_is_string(value) && str_to_bool(json_string_value(value), ret) == 0)
        return 0;
    return json_get_bool(c->doc, key, ret, err);
}

static int check_plugin(const json_t *plugin, struct weft_error *err)
{
    const char *type = NULL, *ipam_type = NULL;
    json_t *ipam = NULL, *capabilities = NULL, *flag;
    const char *key;
    int r;

    if (!json_is_object(plugin))
        return weft_fail(err, WEFT_INVALID, "it is not an object");
    r = json_get_string(plugin, "type", &type, err);
    if (r == 0)
        r = json_get_object(plugin, "ipam", &ipam, err);
    if (r == 0)
        r = json_get_string(ipam, "type", &ipam_type, err);
    if (r == 0)
        r = json_get_object(plugin, "capabilities", &capabilities, err);
    if (r < 0)
        return r;
    if (!type)
        return weft_fail(err, WEFT_INVALID, "type is missing");
    if (!cni_type_is_valid(type))
        return weft_fail(err, WEFT_INVALID, "type \"%s\" is not the name of a program", type);
    if (!str_is_empty(ipam_type) && !cni_type_is_valid(ipam_type))
        return weft_fail(err, WEFT_INVALID, "ipam.type \"%s\" is not the name of a program",
                         ipam_type);
    json_object_foreach (capabilities, key, flag)
        if (!json_is_boolean(flag))
            return weft_fail(err, WEFT_INVALID, "capability %s must be a boolean", key);
    return 0;
}

static int read_plugins(struct cni_config *c, struct weft_error *err)
{
    size_t i;
    json_t *plugin;
    int r = json_get_array(c->doc, "plugins", &c->plugins, err);

    if (r < 0)
        return r;
    c->plugin_count = json_array_size(c->plugins);
    if (c->plugin_count == 0)
        return weft_fail(err, WEFT_INVALID, "plugins is empty");
    if (c->plugin_count > PLUGINS_MAX)
        return weft_fail(err, WEFT_INVALID,
                         "it has %zu plugins, and %d are the most that there can be",
                         c->plugin_count, PLUGINS_MAX);
    json_array_foreach (c->plugins, i, plugin) {
        r = check_plugin(plugin, err);
        if (r < 0) {
            weft_error_prefix(err, "plugin %zu", i + 1);
            return r;
        }
    }
    return 0;
}

static int read_name(struct cni_config *c, const char *fallback, struct weft_error *err)
{
    int r = json_get_string(c->doc, "name", &c->name, err);

    if (r < 0)
        return r;
    if (!c->name) {
        if (json_object_set_new(c->doc, "name", json_string(fallback)) < 0)
            return weft_oom(err);
        c->name = json_string_value(json_object_get(c->doc, "name"));
    }
    if (!cni_name_is_valid(c->name))
        return weft_fail(err, WEFT_INVALID,
                         "name \"%s\" is not made of letters, digits, '_', '.' and '-'", c->name);
    return 0;
}

/* The list that stands for the configuration of one plugin. New reference. */
static json_t *list_of_one(const json_t *plugin)
{
    static const char *const moved[] = {"cniVersion", "cniVersions", "name", "disableCheck",
                                        "disableGC"};
    _cleanup_json_ json_t *copy = json_deep_copy(plugin);
    _cleanup_json_ json_t *list = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(moved); i++) {
        json_t *value = json_object_get(copy, moved[i]);

        if (value &&
            (json_object_set(list, moved[i], value) < 0 || json_object_del(copy, moved[i]) < 0))
            return NULL;
    }
    if (!copy || json_object_set_new(list, "plugins", json_pack("[O]", copy)) < 0)
        return NULL;
    return TAKE_PTR(list);
}

int cni_config_parse(const json_t *doc, const char *fallback_name, struct cni_config **ret,
                     struct weft_error *err)
{
    _cleanup_cni_config_ struct cni_config *c = NULL;
    bool is_list;
    int r;

    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "it is not a JSON object");
    is_list = json_object_get(doc, "plugins") != NULL;
    if (!is_list && !json_object_get(doc, "type"))
        return weft_fail(err, WEFT_INVALID,
                         "it has neither type, as a plugin's, nor plugins, as a list");
    c = calloc(1, sizeof *c);
    if (!c)
        return weft_oom(err);
    c->doc = is_list ? json_deep_copy(doc) : list_of_one(doc);
    if (!c->doc)
        return weft_oom(err);
    r = read_versions(c, err);
    if (r == 0)
        r = read_name(c, fallback_name, err);
    if (r == 0)
        r = read_flag(c, "disableCheck", &c->disable_check, err);
    if (r == 0)
        r = read_flag(c, "disableGC", &c->disable_gc, err);
    if (r == 0)
        r = read_plugins(c, err);
    if (r == 0)
        *ret = TAKE_PTR(c);
    return r;
}

int cni_config_of_type(const char *type, const char *name, struct cni_config **ret,
                       struct weft_error *err)
{
    _cleanup_json_ json_t *doc =
        json_pack("{s:[s,s,s], s:s, s:[{s:s}]}", "cniVersions", versions[0], versions[1],
                  versions[2], "name", name, "plugins", "type", type);

    return doc ? cni_config_parse(doc, name, ret, err) : weft_oom(err);
}

void cni_config_free(struct cni_config *config)
{
    if (!config)
        return;
    json_decref(config->doc);
    free(config);
}

/* ---- plugins ---- */

const char *cni_plugin_type(const struct cni_config *config, size_t plugin)
{
    return json_string_value(json_object_get(json_array_get(config->plugins, plugin), "type"));
}

const char *cni_plugin_ipam_type(const struct cni_config *config, size_t plugin)
{
    const json_t *ipam = json_object_get(json_array_get(config->plugins, plugin), "ipam");
    const char *type = json_string_value(json_object_get(ipam, "type"));

    return str_is_empty(type) ? NULL : type;
}

static bool takes(const json_t *plugin, const char *capability)
{
    return json_is_true(json_object_get(json_object_get(plugin, "capabilities"), capability));
}

bool cni_config_takes(const struct cni_config *config, const char *capability)
{
    size_t i;
    json_t *plugin;

    json_array_foreach (config->plugins, i, plugin)
        if (takes(plugin, capability))
            return true;
    return false;
}

/* ---- requests ---- */

static bool is_reserved(const char *key)
{
    return str_equal(key, "capabilities") || str_equal(key, "runtimeConfig") ||
           str_equal(key, "prevResult") || str_starts_with(key, "cni.dev/");
}

/* What the configuration says itself, without what weft says. */
static json_t *copy_plugin(const json_t *plugin)
{
    json_t *copy = json_object();
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)plugin, key, value)
        if (!is_reserved(key) && json_object_set(copy, key, value) < 0) {
            json_decref(copy);
            return NULL;
        }
    return copy;
}

/* What there is to say and the plugin takes; nothing: NULL. */
static int add_runtime_config(json_t *request, const json_t *plugin, const json_t *capabilities)
{
    _cleanup_json_ json_t *said = json_object();
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)capabilities, name, value)
        if (takes(plugin, name) && json_object_set(said, name, value) < 0)
            return -1;
    return json_object_size(said) == 0 ? 0 : json_object_set(request, "runtimeConfig", said);
}

static int add_value(json_t *request, const char *key, const json_t *value)
{
    return value ? json_object_set(request, key, (json_t *)value) : 0;
}

json_t *cni_config_request(const struct cni_config *config, size_t plugin,
                           const struct cni_request *request)
{
    const json_t *own = json_array_get(config->plugins, plugin);
    _cleanup_json_ json_t *doc = copy_plugin(own);

    if (!doc ||
        json_object_set_new(doc, "cniVersion", json_string(versions[config->version])) < 0 ||
        json_object_set_new(doc, "name", json_string(config->name)) < 0 ||
        add_runtime_config(doc, own, request->capabilities) < 0 ||
        add_value(doc, "prevResult", request->prev_result) < 0 ||
        add_value(doc, "cni.dev/valid-attachments", request->valid_attachments) < 0)
        return NULL;
    return TAKE_PTR(doc);
}
