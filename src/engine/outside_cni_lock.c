/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A sandbox is the business of one plugin at a time (CNI specification, section 3). Within one
 * weftd the errands see to that. But when weftd is killed, the plugin that it ran goes on, and the
 * next weftd must not tell it to delete what it is still adding. So a plugin holds, by a descriptor
 * that it inherits and passes on to those it runs, a lock on a file (flock(2)) that is there while
 * anything is under way.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/outside_cni.h"

static char *lock_path(const struct engine *e, const char *sandbox_id)
{
    return str_printf("%s/cni/%s", e->config.run_dir, sandbox_id);
}

int cni_lock(const struct engine *e, const struct sandbox *sb, int *ret, struct weft_error *err)
{
    _cleanup_free_ char *path = lock_path(e, sb->id);
    _cleanup_free_ char *dir = str_printf("%s/cni", e->config.run_dir);
    _cleanup_close_ int fd = -1;
    int r;

    if (!path || !dir)
        return weft_oom(err);
    r = dir_make(dir, 0700, err);
    if (r < 0)
        return r;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        weft_fail(err, WEFT_CONFLICT, "a CNI plugin that an earlier weftd has run for %s goes on",
                  sandbox_owner_text(sb));
        return -EAGAIN;
    }
    *ret = TAKE_FD(fd);
    return 0;
}

/* What a plugin has left behind may have the descriptor still: that is no reason to wait. */
void cni_unlock(const struct engine *e, const char *sandbox_id, int fd)
{
    _cleanup_free_ char *path = fd < 0 ? NULL : lock_path(e, sandbox_id);

    if (fd < 0)
        return;
    if (path)
        (void)unlink(path);
    (void)close(fd);
}
