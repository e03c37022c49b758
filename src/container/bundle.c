/* SPDX-License-Identifier: Apache-2.0 */
#include "container/bundle.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "container/capability.h"
#include "container/cgroup.h"
#include "container/container_check.h"
#include "container/process.h"

/* ---- mounts ---- */

/* Docker's, less cgroup: it shows the container nothing but its own, and costs a mount for each
 * hierarchy of cgroup v1. */
static const struct mount {
    const char *target, *type, *source;
    const char *options[8];
} mounts[] = {
    {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
    {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
    {"/dev/pts",
     "devpts",
     "devpts",
     {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
    {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
    {"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
    {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev"}},
};

static json_t *mount_json(const struct mount *m, bool readonly)
{
    json_t *options = json_array();

    for (size_t i = 0; m->options[i]; i++)
        (void)json_array_append_new(options, json_string(m->options[i]));
    (void)json_array_append_new(options, json_string(readonly ? "ro" : "rw"));
    return json_pack("{s:s, s:s, s:s, s:o}", "destination", m->target, "type", m->type, "source",
                     m->source, "options", options);
}

static json_t *bind_json(const char *source, const char *target, bool readonly)
{
    const struct mount m = {target, "bind", source, {"rbind", "rprivate"}};

    return mount_json(&m, readonly);
}

static int add_file(json_t *list, const struct bundle *b, const char *name, const char *target)
{
    _cleanup_free_ char *source = str_printf("%s/%s", b->files_dir, name);

    return source ? json_array_append_new(list, bind_json(source, target, false)) : -1;
}

static int add_files(json_t *list, const struct bundle *b)
{
    if ((b->network->resolv_conf && add_file(list, b, "resolv.conf", "/etc/resolv.conf") < 0) ||
        (b->network->hostname && add_file(list, b, "hostname", "/etc/hostname") < 0) ||
        (b->network->hosts && add_file(list, b, "hosts", "/etc/hosts") < 0))
        return -1;
    return 0;
}

static int add_binds(json_t *list, char *const *binds, struct weft_error *err)
{
    for (; binds && *binds; binds++) {
        _cleanup_bind_ struct bind bind = {0};
        int r = bind_parse(*binds, &bind, err);

        if (r < 0)
            return r;
        if (json_array_append_new(list, bind_json(bind.source, bind.target, bind.readonly)) < 0)
            return weft_oom(err);
    }
    return 0;
}

static int mounts_json(const struct bundle *b, json_t **ret, struct weft_error *err)
{
    const struct container_config *config = &b->container->config;
    _cleanup_json_ json_t *list = json_array();
    int r;

    for (size_t i = 0; i < ARRAY_SIZE(mounts); i++) {
        bool readonly = str_equal(mounts[i].type, "sysfs") && !config->privileged;

        if (json_array_append_new(list, mount_json(&mounts[i], readonly)) < 0)
            return weft_oom(err);
    }
    if (add_files(list, b) < 0)
        return weft_oom(err);
    /* After weft's files, so that a user's own stand above them. */
    r = add_binds(list, config->binds, err);
    if (r == 0)
        *ret = TAKE_PTR(list);
    return r;
}

/* ---- linux ---- */

static json_t *masked_json(void)
{
    return json_pack("[s, s, s, s, s, s, s, s, s, s, s]", "/proc/asound", "/proc/acpi",
                     "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                     "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
                     "/sys/devices/virtual/powercap");
}

static json_t *readonly_json(void)
{
    return json_pack("[s, s, s, s, s]", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                     "/proc/sysrq-trigger");
}

static json_t *namespaces_json(const char *netns)
{
    json_t *list = json_pack("[{s:s}, {s:s}, {s:s}, {s:s}]", "type", "pid", "type", "ipc", "type",
                             "uts", "type", "mount");

    if (netns)
        (void)json_array_append_new(list,
                                    json_pack("{s:s, s:s}", "type", "network", "path", netns));
    return list;
}

/* As Docker: with a stack of its own anybody in the container may bind low ports and ping. */
static json_t *sysctls_json(const struct bundle *b)
{
    const struct container_config *config = &b->container->config;
    json_t *sysctls = json_object();

    if (b->network->netns) {
        (void)json_object_set_new(sysctls, "net.ipv4.ip_unprivileged_port_start", json_string("0"));
        (void)json_object_set_new(sysctls, "net.ipv4.ping_group_range",
                                  json_string("0 2147483647"));
    }
    if (config->domainname)
        (void)json_object_set_new(sysctls, "kernel.domainname", json_string(config->domainname));
    for (size_t i = 0; i < config->sysctls.count; i++)
        (void)json_object_set_new(sysctls, config->sysctls.entries[i].key,
                                  json_string(config->sysctls.entries[i].value));
    return sysctls;
}

static json_t *linux_json(const struct bundle *b)
{
    bool privileged = b->container->config.privileged;
    /* The runtime adds the usual devices (null, zero, tty …) to the list by itself. */
    json_t *devices = json_pack("[{s:b, s:s}]", "allow", privileged, "access", "rwm");

    return json_pack("{s:o, s:o, s:{s:o}, s:o, s:o, s:s+}", "namespaces",
                     namespaces_json(b->network->netns), "sysctl", sysctls_json(b), "resources",
                     "devices", devices, "maskedPaths", privileged ? json_array() : masked_json(),
                     "readonlyPaths", privileged ? json_array() : readonly_json(), "cgroupsPath",
                     CGROUP_PARENT "/", b->container->id);
}

/* ---- the whole ---- */

static int container_process(const struct bundle *b, json_t **ret, struct weft_error *err)
{
    const struct container_config *config = &b->container->config;
    _cleanup_user_ struct user user = {0};
    _cleanup_strv_ strv capabilities = NULL;
    struct process p = {
        .entrypoint = config->entrypoint,
        .args = config->cmd,
        .env = {config->env},
        .hostname = b->network->hostname,
        .cwd = config->workdir,
        .user = &user,
        .tty = config->tty,
    };
    int r = user_resolve(b->rootfs, config->user, &user, err);

    if (r < 0)
        return r;
    if (capability_set(config->privileged, config->cap_add, config->cap_drop, &capabilities) < 0)
        return weft_oom(err);
    p.capabilities = capabilities;
    return process_json(&p, ret, err);
}

int bundle_config(const struct bundle *b, json_t **ret, struct weft_error *err)
{
    const struct container_config *config = &b->container->config;
    _cleanup_json_ json_t *process = NULL, *mount_list = NULL;
    json_t *doc;
    int r;

    r = container_process(b, &process, err);
    if (r == 0)
        r = mounts_json(b, &mount_list, err);
    if (r < 0)
        return r;
    doc = json_pack("{s:s, s:O, s:{s:s, s:b}, s:s*, s:O, s:o}", "ociVersion", "1.0.2", "process",
                    process, "root", "path", b->rootfs, "readonly", config->readonly_rootfs,
                    "hostname", b->network->hostname, "mounts", mount_list, "linux", linux_json(b));
    if (!doc)
        return weft_oom(err);
    *ret = doc;
    return 0;
}
