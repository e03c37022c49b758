/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names for iproute2: `ip netns` looks for namespaces in /run/netns, weft keeps its own apart (ip
 * netns delete must not take them away). A symbolic link there is enough for `ip netns exec`.
 */

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/state.h"

#define NETNS_RUN_DIR "/run/netns"

static char *link_path(const char *name)
{
    return str_printf(NETNS_RUN_DIR "/%s", name);
}

int engine_netns_link(struct engine *e, const char *who, const char *name, struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;
    struct sandbox *sb = engine_sandbox(e, who, err);
    int r;

    if (!sb)
        return -err->errnum;
    if (!sb->active || sb->kind == SANDBOX_HOST)
        return weft_fail(err, WEFT_CONFLICT, "%s has no namespace of its own now",
                         sandbox_owner_text(sb));
    if (str_is_empty(name))
        name = sb->name;
    r = name_check("namespace", name, err);
    if (r == 0)
        r = dir_make(NETNS_RUN_DIR, 0755, err);
    if (r < 0)
        return r;
    path = link_path(name);
    if (!path)
        return weft_oom(err);
    if (symlink(sb->netns, path) < 0)
        return errno == EEXIST ? weft_fail(err, WEFT_CONFLICT, "%s exists already", path)
                               : weft_fail_errno(err, errno, "cannot make %s", path);
    return 0;
}

/* Where the link leads; false when the path is no link. */
static bool link_target(const char *path, char *buf, size_t size)
{
    ssize_t n = readlink(path, buf, size - 1);

    if (n < 0)
        return false;
    buf[n] = '\0';
    return true;
}

int engine_netns_unlink(struct engine *e, const char *name, struct weft_error *err)
{
    _cleanup_free_ char *path = NULL;
    char target[4096];
    int r = name_check("namespace", name, err);

    if (r < 0)
        return r;
    path = link_path(name);
    if (!path)
        return weft_oom(err);
    if (!link_target(path, target, sizeof target) || !str_starts_with(target, e->netns_dir))
        return weft_fail(err, WEFT_NOT_FOUND, "%s is no link of weft's", path);
    if (unlink(path) < 0)
        return weft_fail_errno(err, errno, "cannot remove %s", path);
    return 0;
}

void netns_unlink_all(const char *netns)
{
    DIR *dir = netns ? opendir(NETNS_RUN_DIR) : NULL;
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        _cleanup_free_ char *path = link_path(entry->d_name);
        char target[4096];

        if (path && link_target(path, target, sizeof target) && strcmp(target, netns) == 0)
            (void)unlink(path);
    }
    closedir(dir);
}
