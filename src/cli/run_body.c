/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/strbuf.h"
#include "cli/body.h"
#include "cli/port_spec.h"
#include "cli/run_args.h"

#define ENV_FILE_MAX (1024 * 1024)

/* "NAME=value"; NAME alone stands for weft's own variable, which stays out when there is none. */
static int add_env(strv *env, const char *text, struct weft_error *err)
{
    _cleanup_free_ char *inherited = NULL;
    const char *value;

    if (*text == '=' || !*text)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is no environment variable", text);
    if (!strchr(text, '=')) {
        value = getenv(text);
        if (!value)
            return 0;
        inherited = str_printf("%s=%s", text, value);
        if (!inherited)
            return weft_oom(err);
    }
    return strv_add(env, inherited ? inherited : text) < 0 ? weft_oom(err) : 0;
}

/* A variable a line; empty lines and those that begin with '#' are skipped. */
static int add_env_file(strv *env, const char *path, struct weft_error *err)
{
    _cleanup_free_ char *text = NULL;
    char *rest = NULL;
    int r;

    r = file_read(path, ENV_FILE_MAX, &text, NULL, err);
    if (r < 0)
        return r;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        line += strspn(line, " \t");
        if (!*line || *line == '#')
            continue;
        r = add_env(env, line, err);
        if (r < 0) {
            weft_error_prefix(err, "%s", path);
            return r;
        }
    }
    return 0;
}

/* Files first: options override them. */
static int add_environment(const struct run_args *args, json_t **config, struct weft_error *err)
{
    _cleanup_strv_ strv env = NULL;
    int r = 0;

    for (strv file = args->env_files; file && *file && r == 0; file++)
        r = add_env_file(&env, *file, err);
    for (strv variable = args->env; variable && *variable && r == 0; variable++)
        r = add_env(&env, *variable, err);
    if (r == 0)
        body_list(config, "Env", env);
    return r;
}

/* Docker's "name:address" of "name:address" or "name=address". */
static int add_hosts(const struct run_args *args, json_t **host, struct weft_error *err)
{
    _cleanup_strv_ strv hosts = NULL;

    if (strv_copy(args->hosts, &hosts) < 0)
        return weft_oom(err);
    for (strv entry = hosts; entry && *entry; entry++) {
        char *end = strpbrk(*entry, "=:");

        if (!end || end == *entry || !end[1])
            return weft_fail(err, WEFT_INVALID, "--add-host takes NAME:ADDRESS, not \"%s\"",
                             *entry);
        *end = ':';
    }
    body_list(host, "ExtraHosts", hosts);
    return 0;
}

/* The daemon's working directory is not ours: "./data:/data" gets our path. */
static int add_volumes(const struct run_args *args, json_t **host, struct weft_error *err)
{
    _cleanup_json_ json_t *binds = json_array();
    char cwd[PATH_MAX] = "";

    if (args->volumes && !getcwd(cwd, sizeof cwd))
        return weft_fail_errno(err, errno, "cannot tell the working directory");
    for (strv volume = args->volumes; volume && *volume; volume++) {
        bool relative = **volume == '.';
        json_t *bind = relative ? json_sprintf("%s/%s", cwd, *volume) : json_string(*volume);

        if (json_array_append_new(binds, bind) < 0)
            return weft_oom(err);
    }
    body_filled(host, "Binds", TAKE_PTR(binds));
    return 0;
}

/* The annotation that weftd takes instead of an image. */
static int add_rootfs(const struct run_args *args, json_t **host, struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;

    if (!args->rootfs)
        return 0;
    path = realpath(args->rootfs, NULL);
    if (!path)
        return weft_fail_errno(err, errno, "--rootfs %s", args->rootfs);
    body_add(host, "Annotations", json_pack("{s:s}", "weft.rootfs", path));
    return 0;
}

static int add_published(const struct run_args *args, json_t **host, struct weft_error *err)
{
    json_t *bindings = NULL;
    int r = port_specs_bindings(args->published, &bindings, err);

    if (r < 0)
        return r;
    body_filled(host, "PortBindings", bindings);
    body_flag(host, "PublishAllPorts", args->publish_all);
    return 0;
}

static int add_exposed(const struct run_args *args, json_t **config, struct weft_error *err)
{
    json_t *exposed = NULL;
    int r = port_specs_exposed(args->exposed, &exposed, err);

    if (r == 0)
        body_filled(config, "ExposedPorts", exposed);
    return r;
}

static int make_host_config(const struct run_args *args, const char *network_mode, json_t **ret,
                            struct weft_error *err)
{
    _cleanup_json_ json_t *host = json_object();
    int r;

    body_string(&host, "NetworkMode", network_mode);
    body_flag(&host, "AutoRemove", args->remove);
    body_list(&host, "Links", args->links);
    body_list(&host, "Dns", args->dns);
    body_list(&host, "DnsSearch", args->dns_searches);
    body_list(&host, "DnsOptions", args->dns_options);
    body_list(&host, "CapAdd", args->cap_adds);
    body_list(&host, "CapDrop", args->cap_drops);
    body_flag(&host, "Privileged", args->privileged);
    body_flag(&host, "ReadonlyRootfs", args->read_only);
    body_string(&host, "Runtime", args->runtime);
    r = add_hosts(args, &host, err);
    if (r == 0)
        r = add_volumes(args, &host, err);
    if (r == 0)
        r = add_rootfs(args, &host, err);
    if (r == 0)
        r = add_published(args, &host, err);
    if (r == 0)
        r = body_pairs(&host, "Sysctls", "sysctl", args->sysctls, true, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(host);
    return 0;
}

int run_body(const struct run_args *args, strv command, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *config = json_object(), *host = NULL, *endpoints = NULL;
    _cleanup_free_ char *mode = NULL;
    int r;

    body_list(&config, "Cmd", command);
    if (args->entrypoint)
        body_add(&config, "Entrypoint", json_pack("[s]", args->entrypoint));
    body_string(&config, "Hostname", args->hostname);
    body_string(&config, "WorkingDir", args->workdir);
    body_string(&config, "User", args->user);
    body_string(&config, "StopSignal", args->stop_signal);
    body_number(&config, "StopTimeout", &args->stop_timeout);
    body_flag(&config, "AttachStdout", !args->detach);
    body_flag(&config, "AttachStderr", !args->detach);
    r = add_environment(args, &config, err);
    if (r == 0)
        r = add_exposed(args, &config, err);
    if (r == 0)
        r = body_pairs(&config, "Labels", "label", args->labels, false, err);
    if (r == 0)
        r = run_networks(args->networks, &args->endpoint, &mode, &endpoints, err);
    if (r == 0)
        r = make_host_config(args, mode, &host, err);
    if (r < 0)
        return r;
    body_add(&config, "HostConfig", TAKE_PTR(host));
    body_add(&config, "NetworkingConfig",
             json_pack("{s:o}", "EndpointsConfig", TAKE_PTR(endpoints)));
    if (!config)
        return weft_oom(err);
    *ret = TAKE_PTR(config);
    return 0;
}
