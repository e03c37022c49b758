/* SPDX-License-Identifier: Apache-2.0 */

#include "space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "base/cleanup.h"

#define CURRENT "/proc/thread-self/ns/net"

int space_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 ? fd : -errno;
}

int space_open_current(void)
{
    return space_open(CURRENT);
}

int space_enter(int fd)
{
    return setns(fd, CLONE_NEWNET) < 0 ? -errno : 0;
}

int space_make(const char *path)
{
    _cleanup_close_ int host = space_open_current();
    _cleanup_close_ int file = open(path, O_RDONLY | O_CLOEXEC | O_CREAT | O_EXCL, 0600);
    int r = 0;

    if (host < 0)
        return host;
    if (file < 0 || unshare(CLONE_NEWNET) < 0)
        return -errno;
    if (mount(CURRENT, path, NULL, MS_BIND, NULL) < 0)
        r = -errno;
    return r < 0 ? r : space_enter(host);
}
