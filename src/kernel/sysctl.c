/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

static int open_sysctl(const char *path, int flags, struct weft_error *err)
{
    char full[PATH_MAX];
    int fd;

    (void)snprintf(full, sizeof full, "/proc/sys/%s", path);
    fd = open(full, flags | O_CLOEXEC);
    return fd >= 0 ? fd : weft_fail_errno(err, errno, "cannot open %s", full);
}

int sysctl_read(const char *path, char *buf, size_t size, struct weft_error *err)
{
    _cleanup_close_ int fd = open_sysctl(path, O_RDONLY, err);
    ssize_t n;

    if (fd < 0)
        return fd;
    n = read(fd, buf, size - 1);
    if (n < 0)
        return weft_fail_errno(err, errno, "cannot read sysctl %s", path);
    buf[n] = '\0';
    buf[strcspn(buf, "\n")] = '\0';
    return 0;
}

int sysctl_write(const char *path, const char *value, struct weft_error *err)
{
    _cleanup_close_ int fd = open_sysctl(path, O_WRONLY, err);

    if (fd < 0)
        return fd;
    if (write(fd, value, strlen(value)) < 0)
        return weft_fail_errno(err, errno, "cannot set sysctl %s to %s", path, value);
    return 0;
}
