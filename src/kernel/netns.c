/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/netns.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "kernel/kernel.h"
#include "kernel/private.h"

#define CURRENT_NETNS "/proc/thread-self/ns/net"

static inline void closedir_p(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

int netns_open_current(struct weft_error *err)
{
    int fd = open(CURRENT_NETNS, O_RDONLY | O_CLOEXEC);

    return fd >= 0 ? fd : weft_fail_errno(err, errno, "cannot open %s", CURRENT_NETNS);
}

static bool is_netns(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC &&
           ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

int netns_open(const char *path, struct weft_error *err)
{
    /* O_NONBLOCK: the path may be a user's, and a FIFO. */
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        weft_fail(err, WEFT_NOT_FOUND, "network namespace %s not found", path);
        return -ENOENT;
    }
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot open network namespace %s", path);
    if (!is_netns(fd))
        return weft_fail(err, WEFT_INVALID, "%s is not a network namespace", path);
    return TAKE_FD(fd);
}

int netns_enter(int fd, struct weft_error *err)
{
    if (setns(fd, CLONE_NEWNET) < 0)
        return weft_fail_errno(err, errno, "cannot enter network namespace");
    return 0;
}

void netns_leave(int host_fd)
{
    if (setns(host_fd, CLONE_NEWNET) == 0)
        return;
    log_error("cannot return to the host's network namespace: %s", strerror(errno));
    abort();
}

/* Makes dir, and makes it a shared mount. */
static int prepare_directory(const char *dir, struct weft_error *err)
{
    struct statx stx;
    int r = dir_make(dir, 0755, err);

    if (r < 0)
        return r;
    if (statx(AT_FDCWD, dir, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &stx) < 0)
        return weft_fail_errno(err, errno, "cannot stat %s", dir);
    if (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return 0;
    if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) < 0)
        return weft_fail_errno(err, errno, "cannot make %s a mount", dir);
    if (mount(NULL, dir, NULL, MS_SHARED | MS_REC, NULL) < 0)
        return weft_fail_errno(err, errno, "cannot make the mount %s shared", dir);
    return 0;
}

/* Makes the file to mount on. One that a crash left without a mount will do. */
static int make_file(const char *path, struct weft_error *err)
{
    _cleanup_free_ char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    _cleanup_close_ int fd = -1;
    int r;

    if (!dir)
        return weft_oom(err);
    if (!slash || slash == dir)
        return weft_fail(err, WEFT_INVALID, "%s cannot be the path of a network namespace", path);
    *slash = '\0';
    r = prepare_directory(dir, err);
    if (r < 0)
        return r;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_CREAT | O_NOFOLLOW, 0);
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot make %s", path);
    if (is_netns(fd))
        return weft_fail_errno(err, EEXIST, "network namespace %s", path);
    return 0;
}

static int mount_new(int host_fd, const char *path, struct weft_error *err)
{
    int r = 0;

    if (unshare(CLONE_NEWNET) < 0)
        return weft_fail_errno(err, errno, "cannot make a network namespace");
    if (mount(CURRENT_NETNS, path, NULL, MS_BIND, NULL) < 0)
        r = weft_fail_errno(err, errno, "cannot mount a network namespace at %s", path);
    netns_leave(host_fd);
    return r;
}

static int mount_origin(const char *origin, const char *path, struct weft_error *err)
{
    char source[sizeof "/proc/self/fd/" + 11];
    _cleanup_close_ int fd = netns_open(origin, err);

    if (fd < 0)
        return fd;
    /* By descriptor: what was checked is what gets mounted. */
    (void)snprintf(source, sizeof source, "/proc/self/fd/%d", fd);
    if (mount(source, path, NULL, MS_BIND, NULL) < 0)
        return weft_fail_errno(err, errno, "cannot mount network namespace %s at %s", origin, path);
    return 0;
}

int netns_add(int host_fd, const struct kstate_ns *ns, struct weft_error *err)
{
    int r = make_file(ns->path, err);

    if (r < 0)
        return r;
    r = ns->origin ? mount_origin(ns->origin, ns->path, err) : mount_new(host_fd, ns->path, err);
    if (r < 0)
        (void)unlink(ns->path);
    return r;
}

int netns_remove(const char *path, struct weft_error *err)
{
    while (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        ; /* several mounts may lie on each other */
    if (errno != EINVAL && errno != ENOENT)
        return weft_fail_errno(err, errno, "cannot unmount %s", path);
    if (unlink(path) < 0)
        return weft_fail_errno(err, errno, "cannot remove %s", path);
    return 0;
}

static int identify(int fd, const char *name, struct netns_identity *ret, struct weft_error *err)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return weft_fail_errno(err, errno, "cannot stat network namespace %s", name);
    *ret = (struct netns_identity){.dev = st.st_dev, .ino = st.st_ino};
    return 0;
}

int kernel_netns_identify(const char *path, struct netns_identity *ret, struct weft_error *err)
{
    _cleanup_close_ int fd = netns_open(path, err);

    return fd < 0 ? fd : identify(fd, path, ret, err);
}

int kernel_netns_identify_host(struct kernel *k, struct netns_identity *ret, struct weft_error *err)
{
    return identify(k->host_ns, "of the host", ret, err);
}

static bool is_kept(const char *path, const struct kstate_ns *const *keep, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(keep[i]->path, path))
            return true;
    return false;
}

int kernel_netns_sweep(const char *dir, const struct kstate_ns *const *keep, size_t count,
                       struct weft_error *err)
{
    _cleanup_(closedir_p) DIR *d = opendir(dir);
    struct dirent *entry;
    int first_error = 0;

    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return weft_fail_errno(err, errno, "cannot read %s", dir);
    while ((entry = readdir(d))) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (str_equal(entry->d_name, ".") || str_equal(entry->d_name, ".."))
            continue;
        path = str_printf("%s/%s", dir, entry->d_name);
        if (!path)
            return weft_oom(err);
        if (is_kept(path, keep, count))
            continue;
        r = netns_remove(path, first_error ? NULL : err);
        if (r < 0 && !first_error)
            first_error = r;
    }
    return first_error;
}
