/* SPDX-License-Identifier: Apache-2.0 */
#include "container/container_check.h"

#include <string.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "container/capability.h"

#define HOSTNAME_LEN_MAX 64 /* the kernel's: __NEW_UTS_LEN */

void bind_clear(struct bind *b)
{
    free(b->source);
    free(b->target);
    *b = (struct bind){0};
}

int bind_parse(const char *text, struct bind *ret, struct weft_error *err)
{
    _cleanup_free_ char *copy = strdup(text);
    _cleanup_bind_ struct bind b = {0};
    char *rest = copy, *source, *target;
    const char *mode;

    if (!copy)
        return weft_oom(err);
    source = strsep(&rest, ":");
    target = strsep(&rest, ":");
    mode = rest ? rest : "rw";
    if (!target)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a bind mount: want SOURCE:TARGET[:ro]",
                         text);
    if (*source != '/' || *target != '/' || str_equal(target, "/"))
        return weft_fail(err, WEFT_INVALID,
                         "bind mount \"%s\": source and target must be absolute paths, the target "
                         "not the root",
                         text);
    if (!str_equal(mode, "ro") && !str_equal(mode, "rw"))
        return weft_fail(err, WEFT_INVALID, "bind mount \"%s\": unknown mode \"%s\"", text, mode);
    b = (struct bind){strdup(source), strdup(target), str_equal(mode, "ro")};
    if (!b.source || !b.target)
        return weft_oom(err);
    *ret = TAKE_GENERIC(b, (struct bind){0});
    return 0;
}

int link_parse(const char *text, char **ret, struct weft_error *err)
{
    _cleanup_free_ char *copy = strdup(text);
    char *rest = copy, *name, *alias, *slash;

    if (!copy)
        return weft_oom(err);
    name = strsep(&rest, ":");
    alias = rest ? strsep(&rest, ":") : name;
    if (*name == '/') {
        name++;
        slash = strrchr(alias, '/');
        alias = slash ? slash + 1 : alias;
    }
    if (rest || !*name || !*alias || strpbrk(alias, " \t\r\n"))
        return weft_fail(err, WEFT_INVALID, "bad format for links: \"%s\": want NAME:ALIAS", text);
    *ret = str_printf("%s:%s", name, alias);
    return *ret ? 0 : weft_oom(err);
}

/* A check of one string of a list. */
typedef int check_fn(const char *text, struct weft_error *err);

static int check_each(char *const *list, check_fn *check, struct weft_error *err)
{
    int r = 0;

    for (; r == 0 && list && *list; list++)
        r = check(*list, err);
    return r;
}

static int check_bind(const char *text, struct weft_error *err)
{
    _cleanup_bind_ struct bind b = {0};

    return bind_parse(text, &b, err);
}

static int check_env(const char *text, struct weft_error *err)
{
    if (*text == '\0' || *text == '=')
        return weft_fail(err, WEFT_INVALID, "invalid environment variable: %s", text);
    return 0;
}

static int check_dns(const char *text, struct weft_error *err)
{
    struct addr addr;
    int r = addr_parse(text, &addr, err);

    if (r < 0)
        weft_error_prefix(err, "DNS server");
    return r;
}

/* "name:address" or "name:host-gateway"; an IPv6 address has colons of its own. */
static int check_extra_host(const char *text, struct weft_error *err)
{
    const char *colon = strchr(text, ':');
    struct addr addr;
    int r;

    if (!colon || colon == text)
        return weft_fail(err, WEFT_INVALID, "bad format for extra host: \"%s\": want NAME:ADDRESS",
                         text);
    if (str_equal(colon + 1, "host-gateway"))
        return 0;
    r = addr_parse(colon + 1, &addr, err);
    if (r < 0)
        weft_error_prefix(err, "extra host \"%s\"", text);
    return r;
}

/* Those that the kernel keeps per namespace, so that a container sets them for itself only. */
static bool sysctl_is_namespaced(const char *name)
{
    static const char *const exact[] = {
        "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
        "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
    };

    for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
        if (str_equal(name, exact[i]))
            return true;
    return str_starts_with(name, "net.") || str_starts_with(name, "fs.mqueue.");
}

static int check_sysctls(const struct container_config *config, struct weft_error *err)
{
    bool host = str_equal(config->network_mode, "host");

    for (size_t i = 0; i < config->sysctls.count; i++) {
        const char *name = config->sysctls.entries[i].key;

        if (!sysctl_is_namespaced(name))
            return weft_fail(err, WEFT_INVALID, "sysctl \"%s\" is not in a namespace of its own",
                             name);
        if (host && str_starts_with(name, "net."))
            return weft_fail(err, WEFT_INVALID,
                             "sysctl \"%s\" cannot be set with the host's network", name);
    }
    return 0;
}

static int check_rootfs(const char *rootfs, struct weft_error *err)
{
    struct stat st;

    if (!rootfs)
        return 0;
    if (*rootfs != '/')
        return weft_fail(err, WEFT_INVALID, "root file system %s is not an absolute path", rootfs);
    if (stat(rootfs, &st) < 0 || !S_ISDIR(st.st_mode))
        return weft_fail(err, WEFT_INVALID, "root file system %s is not an existing directory",
                         rootfs);
    return 0;
}

static int check_scalars(const struct container_config *config, struct weft_error *err)
{
    int signo;

    if (!config->entrypoint && !config->cmd)
        return weft_fail(err, WEFT_INVALID, "no command specified");
    if (config->workdir && *config->workdir != '/')
        return weft_fail(err, WEFT_INVALID, "the working directory \"%s\" is not an absolute path",
                         config->workdir);
    if (config->hostname && strlen(config->hostname) > HOSTNAME_LEN_MAX)
        return weft_fail(err, WEFT_INVALID, "host name \"%s\" is longer than %d bytes",
                         config->hostname, HOSTNAME_LEN_MAX);
    if (config->stop_timeout < -1)
        return weft_fail(err, WEFT_INVALID, "stop timeout %lld is negative",
                         (long long)config->stop_timeout);
    if (str_equal(config->network_mode, "container:"))
        return weft_fail(err, WEFT_INVALID,
                         "network mode \"container:\" needs a container's name or id");
    return config->stop_signal ? signal_parse(config->stop_signal, &signo, err) : 0;
}

int container_config_check(const struct container_config *config, struct weft_error *err)
{
    int r = check_scalars(config, err);

    if (r == 0)
        r = check_rootfs(config->rootfs, err);
    if (r == 0)
        r = check_sysctls(config, err);
    if (r == 0)
        r = check_each(config->env, check_env, err);
    if (r == 0)
        r = check_each(config->binds, check_bind, err);
    if (r == 0)
        r = check_each(config->dns, check_dns, err);
    if (r == 0)
        r = check_each(config->extra_hosts, check_extra_host, err);
    if (r == 0)
        r = check_each(config->cap_add, capability_check, err);
    if (r == 0)
        r = check_each(config->cap_drop, capability_check, err);
    return r;
}
