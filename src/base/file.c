/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "base/strbuf.h"

/* read(2) until the end, or one byte more than max. */
static int read_up_to(int fd, size_t max, struct strbuf *ret)
{
    char chunk[4096];

    while (ret->len <= max) {
        ssize_t n = read(fd, chunk, sizeof chunk);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        strbuf_add(ret, chunk, (size_t)n);
        if (ret->failed)
            return -ENOMEM;
    }
    return -EFBIG;
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len;
    char *data;
    int r;

    r = fd < 0 ? -errno : read_up_to(fd, max, &text);
    if (r < 0)
        return weft_fail_errno(err, r, "cannot read %s", path);
    len = text.len;
    data = strbuf_take(&text);
    if (!data)
        return weft_oom(err);
    *ret = data;
    if (ret_len)
        *ret_len = len;
    return 0;
}

/* Fills an empty open file. */
static int fill(int fd, const char *data, size_t len, mode_t mode)
{
    if (fchmod(fd, mode) < 0)
        return -errno;
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_write_atomic(const char *path, const char *data, size_t len, mode_t mode,
                      struct weft_error *err)
{
    _cleanup_free_ char *beside = str_printf("%s.XXXXXX", path);
    _cleanup_close_ int fd = -1;
    int r;

    if (!beside)
        return weft_oom(err);
    fd = mkostemp(beside, O_CLOEXEC);
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot write %s", path);
    r = fill(fd, data, len, mode);
    /* Synced, or else a crash could leave the new name with no contents. */
    if (r == 0 && (fdatasync(fd) < 0 || rename(beside, path) < 0))
        r = -errno;
    if (r < 0) {
        (void)unlink(beside);
        return weft_fail_errno(err, r, "cannot write %s", path);
    }
    return 0;
}

int file_write_in_place(const char *path, const char *data, size_t len, mode_t mode,
                        struct weft_error *err)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    int r;

    r = fd < 0 ? -errno : fill(fd, data, len, mode);
    if (r < 0)
        return weft_fail_errno(err, r, "cannot write %s", path);
    return 0;
}

static int make_dirs(char *path, mode_t mode)
{
    struct stat st;

    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, mode) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    if (mkdir(path, mode) == 0)
        return 0;
    if (errno != EEXIST || stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int dir_make(const char *path, mode_t mode, struct weft_error *err)
{
    _cleanup_free_ char *copy = strdup(path);
    int r;

    if (!copy)
        return weft_oom(err);
    r = *path ? make_dirs(copy, mode) : -ENOENT;
    if (r < 0)
        return weft_fail_errno(err, r, "cannot make directory %s", path);
    return 0;
}

static void closedir_p(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* NULL and errno on failure. openat2(2) has no wrapper in the C library. */
static DIR *open_dir(int parent, const char *name, uint64_t resolve)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = resolve,
    };
    _cleanup_close_ int fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof how);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (d)
        (void)TAKE_FD(fd);
    return d;
}

static int remove_at(int parent, const char *name, uint64_t resolve);

static int remove_children(DIR *d)
{
    struct dirent *entry;

    for (errno = 0; (entry = readdir(d)); errno = 0) {
        int r;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        /* RESOLVE_NO_XDEV refuses bind mounts too, which a device number does not give away. */
        r = remove_at(dirfd(d), entry->d_name, RESOLVE_NO_XDEV);
        if (r < 0)
            return r;
    }
    return -errno;
}

static int remove_at(int parent, const char *name, uint64_t resolve)
{
    _cleanup_(closedir_p) DIR *d = NULL;
    int r;

    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    d = open_dir(parent, name, resolve);
    r = d ? remove_children(d) : -errno;
    if (r == 0 && unlinkat(parent, name, AT_REMOVEDIR) < 0)
        r = -errno;
    return r == -ENOENT ? 0 : r;
}

int dir_remove(const char *path, struct weft_error *err)
{
    int r = remove_at(AT_FDCWD, path, 0);

    if (r < 0)
        return weft_fail_errno(err, r, "cannot remove %s", path);
    return 0;
}
