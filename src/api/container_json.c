/* SPDX-License-Identifier: Apache-2.0 */
#include "api/container_json.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/endpoint_json.h"
#include "api/port_json.h"
#include "base/json.h"
#include "base/time.h"

#define SECOND INT64_C(1000000000) /* ns */

/* ---- networks ---- */

const struct sandbox *container_own_sandbox(struct engine *e, const struct container *c)
{
    return strcmp(c->id, c->sandbox_id) == 0 ? engine_container_sandbox(e, c) : NULL;
}

static json_t *networks_json(struct engine *e, const struct sandbox *sb)
{
    _cleanup_json_ json_t *networks = json_object();

    for (size_t i = 0; sb && i < sb->endpoint_count; i++)
        if (json_object_set_new(networks, sb->endpoints[i]->network->name,
                                endpoint_settings_json(e, sb->endpoints[i])) < 0)
            return NULL;
    return TAKE_PTR(networks);
}

/* Docker repeats the default bridge's settings beside Networks, for clients older than those. */
static json_t *default_bridge_json(const json_t *networks)
{
    static const char *const keys[] = {"EndpointID",          "Gateway",   "GlobalIPv6Address",
                                       "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen",
                                       "IPv6Gateway",         "MacAddress"};
    const json_t *bridge = json_object_get(networks, "bridge");
    json_t *settings =
        json_pack("{s:s, s:s, s:s, s:i, s:s, s:i, s:s, s:s}", keys[0], "", keys[1], "", keys[2], "",
                  keys[3], 0, keys[4], "", keys[5], 0, keys[6], "", keys[7], "");

    for (size_t i = 0; bridge && i < ARRAY_SIZE(keys); i++)
        (void)json_object_set(settings, keys[i], json_object_get(bridge, keys[i]));
    return settings;
}

static json_t *network_settings_json(struct engine *e, const struct container *c)
{
    const struct sandbox *own = container_own_sandbox(e, c), *sb = engine_container_sandbox(e, c);
    bool active = c->status == CONTAINER_RUNNING && sb;
    json_t *networks = networks_json(e, own);
    _cleanup_json_ json_t *settings =
        json_pack("{s:s, s:s, s:s, s:o, s:b, s:s, s:i, s:n, s:n, s:o}", "Bridge", "", "SandboxID",
                  active ? sb->id : "", "SandboxKey", active && sb->netns ? sb->netns : "", "Ports",
                  port_map_json(own, c->config.exposed), "HairpinMode", false,
                  "LinkLocalIPv6Address", "", "LinkLocalIPv6PrefixLen", 0, "SecondaryIPAddresses",
                  "SecondaryIPv6Addresses", "Networks", networks);

    _cleanup_json_ json_t *bridge = default_bridge_json(networks);

    if (!settings || json_object_update(settings, bridge) < 0)
        return NULL;
    return TAKE_PTR(settings);
}

/* ---- what it runs ---- */

/* Entrypoint and command, as one list. */
static int command(const struct container *c, strv *ret)
{
    char *const *parts[] = {c->config.entrypoint, c->config.cmd};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        for (char *const *word = parts[i]; word && *word; word++)
            if (strv_add(ret, *word) < 0)
                return -1;
    return 0;
}

/* Of SOURCE:TARGET[:ro], which was checked when the container was made. */
static json_t *mount_json(const char *bind)
{
    size_t source = strcspn(bind, ":"), target = strcspn(bind + source + 1, ":");
    bool readonly = strcmp(bind + source + 1 + target, ":ro") == 0;

    return json_pack("{s:s, s:s%, s:s%, s:s, s:b, s:s}", "Type", "bind", "Source", bind, source,
                     "Destination", bind + source + 1, target, "Mode", readonly ? "ro" : "", "RW",
                     !readonly, "Propagation", "rprivate");
}

static json_t *mounts_json(const struct container *c)
{
    _cleanup_json_ json_t *mounts = json_array();

    for (char *const *bind = c->config.binds; bind && *bind; bind++)
        if (json_array_append_new(mounts, mount_json(*bind)) < 0)
            return NULL;
    return TAKE_PTR(mounts);
}

/* ---- inspect ---- */

static json_t *state_json(const struct container *c)
{
    bool running = c->status == CONTAINER_RUNNING;

    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:i, s:s, s:s, s:s}", "Status",
                     container_status_text(c->status), "Running", running, "Paused", false,
                     "Restarting", false, "OOMKilled", false, "Dead", false, "Pid", (int)c->pid,
                     "ExitCode", c->exit_code, "Error", c->error ? c->error : "", "StartedAt",
                     time_text(c->started), "FinishedAt", time_text(c->finished));
}

static int add_files(json_t *doc, struct engine *e, const struct container *c)
{
    static const char *const files[][2] = {{"ResolvConfPath", "resolv.conf"},
                                           {"HostnamePath", "hostname"},
                                           {"HostsPath", "hosts"}};
    _cleanup_free_ char *log = strdup(engine_container_log(e, c));
    char *slash = log ? strrchr(log, '/') : NULL;

    if (!slash || json_object_set_new(doc, "LogPath", json_string(log)) < 0)
        return -1;
    *slash = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (json_object_set_new(doc, files[i][0], json_sprintf("%s/%s", log, files[i][1])) < 0)
            return -1;
    return 0;
}

static json_t *args_json(char *const *words)
{
    return json_from_strv(words && *words ? words + 1 : NULL);
}

static json_t *config_json(struct engine *e, const struct container *c)
{
    _cleanup_json_ json_t *config = container_config_json(c);

    return port_expose(config, container_own_sandbox(e, c)) < 0 ? NULL : TAKE_PTR(config);
}

static json_t *host_config_json(struct engine *e, const struct container *c)
{
    _cleanup_json_ json_t *host = container_host_config_json(c);

    if (json_object_set_new(host, "PortBindings", port_bindings_json(container_own_sandbox(e, c))) <
        0)
        return NULL;
    return TAKE_PTR(host);
}

json_t *container_inspect_json(struct engine *e, const struct container *c)
{
    _cleanup_strv_ strv words = NULL;
    _cleanup_json_ json_t *doc = NULL;

    if (command(c, &words) < 0)
        return NULL;
    doc = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:s, s:s+, s:i, s:s, s:s, s:s, s:s, s:s, s:n, s:o, s:{s:n, s:s}, "
        "s:o, s:o, s:o}",
        "Id", c->id, "Created", time_text(c->created), "Path", words ? words[0] : "", "Args",
        args_json(words), "State", state_json(c), "Image", "", "Name", "/", c->name, "RestartCount",
        0, "Driver", "overlay2", "Platform", "linux", "MountLabel", "", "ProcessLabel", "",
        "AppArmorProfile", "", "ExecIDs", "HostConfig", host_config_json(e, c), "GraphDriver",
        "Data", "Name", "overlay2", "Mounts", mounts_json(c), "Config", config_json(e, c),
        "NetworkSettings", network_settings_json(e, c));
    if (!doc || add_files(doc, e, c) < 0)
        return NULL;
    return TAKE_PTR(doc);
}

/* ---- list ---- */

const char *duration_format(int64_t ns, char buf[static DURATION_TEXT_MAX])
{
    static const struct {
        int64_t limit, unit; /* s: up to limit, counted in units */
        const char *one, *many;
    } steps[] = {
        {1, 1, NULL, "Less than a second"},
        {60, 1, "1 second", "seconds"},
        {3600, 60, "About a minute", "minutes"},
        {48 * 3600, 3600, "About an hour", "hours"},
        {14 * 86400, 86400, "1 day", "days"},
        {60 * 86400, 7 * 86400, "1 week", "weeks"},
        {2 * 365 * 86400, 30 * 86400, "1 month", "months"},
        {INT64_MAX, 365 * 86400, "1 year", "years"},
    };
    int64_t seconds = ns / SECOND, count;
    size_t i = 0;

    while (seconds >= steps[i].limit)
        i++;
    count = seconds / steps[i].unit;
    if (!steps[i].one)
        snprintf(buf, DURATION_TEXT_MAX, "%s", steps[i].many);
    else if (count == 1)
        snprintf(buf, DURATION_TEXT_MAX, "%s", steps[i].one);
    else
        snprintf(buf, DURATION_TEXT_MAX, "%lld %s", (long long)count, steps[i].many);
    return buf;
}

static json_t *status_json(const struct container *c)
{
    char text[DURATION_TEXT_MAX];
    int64_t now = time_now();

    switch (c->status) {
    case CONTAINER_RUNNING:
        return json_sprintf("Up %s", duration_format(now - c->started, text));
    case CONTAINER_EXITED:
        return json_sprintf("Exited (%d) %s ago", c->exit_code,
                            duration_format(now - c->finished, text));
    default:
        return json_string("Created");
    }
}

/* Docker's way: words are joined by spaces, those with a space in them are quoted. */
static json_t *command_json(const struct container *c)
{
    _cleanup_strv_ strv words = NULL;
    _cleanup_strbuf_ struct strbuf line = {0};

    if (command(c, &words) < 0)
        return NULL;
    for (char *const *word = words; word && *word; word++)
        strbuf_printf(&line, strchr(*word, ' ') ? "%s'%s'" : "%s%s", word == words ? "" : " ",
                      *word);
    return json_string(strbuf_text(&line));
}

json_t *container_ports_json(struct engine *e, const struct container *c)
{
    _cleanup_json_ json_t *map = port_map_json(container_own_sandbox(e, c), c->config.exposed);

    return map ? port_list_json(map) : NULL;
}

json_t *container_summary_json(struct engine *e, const struct container *c)
{
    const char *mode = str_is_empty(c->config.network_mode) ? "default" : c->config.network_mode;

    return json_pack("{s:s, s:[s+], s:s, s:s, s:o, s:I, s:o, s:o, s:s, s:o, s:{s:s}, s:{s:o}, "
                     "s:o}",
                     "Id", c->id, "Names", "/", c->name, "Image",
                     c->config.image ? c->config.image : "", "ImageID", "", "Command",
                     command_json(c), "Created", (json_int_t)(c->created / SECOND), "Ports",
                     container_ports_json(e, c), "Labels", json_from_strmap(&c->config.labels),
                     "State", container_status_text(c->status), "Status", status_json(c),
                     "HostConfig", "NetworkMode", mode, "NetworkSettings", "Networks",
                     networks_json(e, container_own_sandbox(e, c)), "Mounts", mounts_json(c));
}
