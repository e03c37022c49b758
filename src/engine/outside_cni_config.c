/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which plugins a network has. The options say it (a plugin, a file with its configuration or with
 * a list, folders to look in); the file is read once, when the network is made, and kept with it:
 * what was added has to be deleted with the same configuration.
 */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "engine/outside_cni.h"

#define DEFAULT_PATH "/opt/cni/bin:/usr/lib/cni"

/* ---- reading ---- */

static int check_path(const struct network *net, const char *path, struct weft_error *err)
{
    for (const char *dir = path;; dir++) {
        if (*dir != '/')
            return weft_fail(err, WEFT_INVALID,
                             "option " OPTION_CNI_PATH
                             " of network %s: \"%s\" is not a list of absolute folders with "
                             "colons between",
                             net->name, path);
        dir += strcspn(dir, ":");
        if (!*dir)
            return 0;
    }
}

/* Where plugins are looked for: at first beside the one that was named by its path. */
static int find_path(const struct network *net, char **ret, struct weft_error *err)
{
    const char *option = network_option(net, OPTION_CNI_PATH);
    const char *plugin = network_option(net, OPTION_CNI_PLUGIN);
    const char *path = option ? option : DEFAULT_PATH;
    const char *slash = plugin ? strrchr(plugin, '/') : NULL;
    int r = check_path(net, path, err);

    if (r < 0)
        return r;
    if (slash && (*plugin != '/' || strchr(plugin, ':')))
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_CNI_PLUGIN
                         " of network %s: \"%s\" is neither a name nor an absolute path",
                         net->name, plugin);
    if (slash)
        *ret = str_printf("%.*s:%s", (int)(slash == plugin ? 1 : slash - plugin), plugin, path);
    else
        *ret = strdup(path);
    return *ret ? 0 : weft_oom(err);
}

static const char *plugin_type(const struct network *net)
{
    const char *plugin = network_option(net, OPTION_CNI_PLUGIN);
    const char *slash = plugin ? strrchr(plugin, '/') : NULL;

    return slash ? slash + 1 : plugin;
}

/* A plugin and a configuration that are both given have to fit; a configuration may leave the
 * plugin's name to the option. */
static int fit_plugin(json_t *doc, const char *type, struct weft_error *err)
{
    const json_t *plugins = json_object_get(doc, "plugins");
    const char *own = json_string_value(json_object_get(doc, "type"));
    size_t i;
    json_t *plugin;

    if (!type || !json_is_object(doc))
        return 0;
    if (!plugins && !own)
        return json_object_set_new(doc, "type", json_string(type)) < 0 ? weft_oom(err) : 0;
    json_array_foreach (plugins, i, plugin)
        if (str_equal(json_string_value(json_object_get(plugin, "type")), type))
            return 0;
    if (!str_equal(own, type))
        return weft_fail(err, WEFT_INVALID, "it is not for plugin %s", type);
    return 0;
}

static int read_file(const struct network *net, const char *path, struct cni_config **ret,
                     struct weft_error *err)
{
    _cleanup_json_ json_t *doc = NULL;
    int r;

    if (*path != '/')
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_CNI_CONFIG
                         " of network %s: \"%s\" is not an absolute path",
                         net->name, path);
    r = json_parse_file(path, &doc, err);
    if (r < 0) {
        weft_error_prefix(err, "configuration of network %s", net->name);
        if (r != -ENOENT && r != -EINVAL)
            return r;
        err->code = WEFT_INVALID;
        return r;
    }
    r = fit_plugin(doc, plugin_type(net), err);
    if (r == 0)
        r = cni_config_parse(doc, net->name, ret, err);
    if (r < 0)
        weft_error_prefix(err, "configuration of network %s: %s", net->name, path);
    return r;
}

static int read_config(const struct network *net, struct cni_config **ret, struct weft_error *err)
{
    const char *path = network_option(net, OPTION_CNI_CONFIG);
    const char *type = plugin_type(net);

    if (!path && !type)
        return weft_fail(err, WEFT_INVALID,
                         "network %s needs option " OPTION_CNI_CONFIG
                         " with the path of a CNI configuration, or option " OPTION_CNI_PLUGIN,
                         net->name);
    if (type && !cni_type_is_valid(type))
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_CNI_PLUGIN
                         " of network %s: \"%s\" is not a program's name",
                         net->name, type);
    if (path)
        return read_file(net, path, ret, err);
    return cni_config_of_type(type, net->name, ret, err);
}

/* ---- checking ---- */

static int find_program(const struct network *net, const char *type, const char *path,
                        struct weft_error *err)
{
    _cleanup_free_ char *program = NULL;
    int r = type ? cni_find_program(type, path, &program, err) : 0;

    if (r < 0)
        weft_error_prefix(err, "network %s", net->name);
    return r;
}

static int find_programs(const struct network *net, const struct cni_config *config,
                         const char *path, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < config->plugin_count; i++) {
        r = find_program(net, cni_plugin_type(config, i), path, err);
        if (r == 0)
            r = find_program(net, cni_plugin_ipam_type(config, i), path, err);
    }
    return r;
}

static int keep(struct network *net, const struct cni_config *config, const char *path,
                struct weft_error *err)
{
    json_t *own = json_pack("{s:O, s:s, s:s}", CNI_KEY_CONFIG, config->doc, CNI_KEY_PATH, path,
                            CNI_KEY_VERSION, cni_version_text(config->version));

    if (own && !net->outside)
        net->outside = json_object();
    return json_object_set_new(net->outside, CNI_KEY, own) < 0 ? weft_oom(err) : 0;
}

int cni_check_network(struct engine *e _unused_, struct network *net, struct weft_error *err)
{
    _cleanup_cni_config_ struct cni_config *config = NULL;
    _cleanup_free_ char *path = NULL;
    int r = find_path(net, &path, err);

    if (r == 0)
        r = read_config(net, &config, err);
    if (!config)
        return r;
    r = find_programs(net, config, path, err);
    return r < 0 ? r : keep(net, config, path, err);
}

/* ---- from then on ---- */

int cni_load(const struct network *net, struct cni_config **ret, const char **ret_path,
             struct weft_error *err)
{
    const json_t *own = json_object_get(net->outside, CNI_KEY);
    const char *version = json_string_value(json_object_get(own, CNI_KEY_VERSION));
    const char *path = json_string_value(json_object_get(own, CNI_KEY_PATH));
    int r = cni_config_parse(json_object_get(own, CNI_KEY_CONFIG), net->name, ret, err);

    if (r < 0) {
        weft_error_prefix(err, "configuration of network %s", net->name);
        return r;
    }
    if (cni_version_find(version) < CNI_VERSIONS)
        (*ret)->version = cni_version_find(version);
    *ret_path = path ? path : DEFAULT_PATH;
    return 0;
}

int cni_keep_version(struct network *net, enum cni_version version, struct weft_error *err)
{
    json_t *own = json_object_get(net->outside, CNI_KEY);

    if (json_object_set_new(own, CNI_KEY_VERSION, json_string(cni_version_text(version))) < 0)
        return weft_oom(err);
    return 0;
}
