/* SPDX-License-Identifier: Apache-2.0 */
#include "container/rootfs.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/file.h"

#define LAYERS_OPTIONS "mode=0700"

static int mount_layers(const struct runtime *rt, struct weft_error *err)
{
    _cleanup_free_ char *dir = str_printf("%s/layers", rt->run_dir);
    struct stat above, here;
    int r;

    if (!dir)
        return weft_oom(err);
    r = dir_make(dir, 0700, err);
    if (r < 0)
        return r;
    if (stat(rt->run_dir, &above) < 0 || stat(dir, &here) < 0)
        return weft_fail_errno(err, errno, "cannot look at %s", dir);
    if (above.st_dev != here.st_dev)
        return 0; /* mounted by an earlier start */
    if (mount("weft", dir, "tmpfs", MS_NODEV, LAYERS_OPTIONS) < 0)
        return weft_fail_errno(err, errno, "cannot mount a tmpfs on %s", dir);
    return 0;
}

static int mount_overlay(const struct runtime *rt, const char *id, const char *path,
                         struct weft_error *err)
{
    _cleanup_free_ char *upper = layer_path(rt, id, "upper"), *work = layer_path(rt, id, "work");
    _cleanup_free_ char *options = NULL;
    int r;

    options = str_printf("lowerdir=/,upperdir=%s,workdir=%s", upper, work);
    if (!upper || !work || !options)
        return weft_oom(err);
    r = dir_make(upper, 0755, err);
    if (r == 0)
        r = dir_make(work, 0755, err);
    if (r == 0)
        r = dir_make(path, 0755, err);
    if (r < 0)
        return r;
    if (mount("overlay", path, "overlay", 0, options) < 0)
        return weft_fail_errno(err, errno, "cannot mount the root file system %s", path);
    return 0;
}

char *rootfs_path(const struct runtime *rt, const struct container *c)
{
    return c->config.rootfs ? strdup(c->config.rootfs) : bundle_path(rt, c->id, "rootfs");
}

int rootfs_mount(const struct runtime *rt, const struct container *c, char **ret,
                 struct weft_error *err)
{
    _cleanup_free_ char *path = rootfs_path(rt, c);
    int r = 0;

    if (!path)
        return weft_oom(err);
    if (!c->config.rootfs) {
        r = mount_layers(rt, err);
        if (r == 0)
            r = mount_overlay(rt, c->id, path, err);
    }
    if (r == 0)
        *ret = TAKE_PTR(path);
    return r;
}

int rootfs_unmount(const struct runtime *rt, const char *id, struct weft_error *err)
{
    _cleanup_free_ char *path = bundle_path(rt, id, "rootfs");

    if (!path)
        return weft_oom(err);
    /* Detached: a process that still looks at it must not keep the container from going. */
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
        return weft_fail_errno(err, errno, "cannot unmount %s", path);
    return 0;
}
