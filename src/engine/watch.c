/* SPDX-License-Identifier: Apache-2.0 */

/* A namespace that was attached by a process leaves its networks when that process ends: weft's pin
 * would otherwise keep it, and its addresses, for ever. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/outside.h"

int64_t process_start_time(pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char path[64];
    unsigned long long start;
    const char *p;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (file_read(path, 4096, &text, NULL, NULL) < 0)
        return -1;
    /* Field 2, the name, is in parentheses and may hold anything: the rest begins behind the last
     * one. */
    p = strrchr(text, ')');
    if (!p || sscanf(p + 1,
                     " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                     "%*s %llu",
                     &start) != 1)
        return -1;
    return (int64_t)start;
}

struct watch {
    uv_poll_t poll;
    struct engine *engine;
    char sandbox_id[ID_TEXT_MAX];
    int fd;
};

static void watch_closed(uv_handle_t *handle)
{
    struct watch *w = handle->data;

    (void)close(w->fd);
    free(w);
}

/* Again and again, should something else have been begun with it each time an errand was over. */
static void detach(struct engine *e, const char *id)
{
    const struct sandbox_slot *slot = hash_get(&e->sandboxes_by_id, id);
    struct weft_error err = {0};
    int r;

    if (!slot)
        return;
    if (sandbox_is_busy(e, slot->sandbox, &err))
        r = sandbox_when_idle(e, slot->sandbox, detach, id, &err);
    else
        r = engine_detach(e, id, NULL, NULL, NULL, NULL, &err);
    if (r < 0)
        log_error("cannot detach namespace %.12s: %s", id, err.text);
}

static void process_ended(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    struct watch *w = poll->data;

    log_info("the process of attached namespace %.12s has ended", w->sandbox_id);
    uv_poll_stop(poll);
    detach(w->engine, w->sandbox_id);
}

int watch_sandbox(struct engine *e, struct sandbox *sb, struct weft_error *err)
{
    struct sandbox_slot *slot = engine_sandbox_slot(e, sb);
    _cleanup_close_ int fd = -1;
    struct watch *w;

    if (sb->pid <= 0 || slot->watch)
        return 0;
    fd = (int)syscall(SYS_pidfd_open, sb->pid, 0);
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot watch process %d", (int)sb->pid);
    w = calloc(1, sizeof *w);
    if (!w)
        return weft_oom(err);
    w->engine = e;
    memcpy(w->sandbox_id, sb->id, sizeof w->sandbox_id);
    uv_poll_init(e->loop, &w->poll, fd);
    w->fd = TAKE_FD(fd);
    w->poll.data = w;
    uv_poll_start(&w->poll, UV_READABLE, process_ended);
    slot->watch = &w->poll;
    return 0;
}

void unwatch_sandbox(struct engine *e, struct sandbox *sb)
{
    struct sandbox_slot *slot = engine_sandbox_slot(e, sb);

    if (!slot || !slot->watch)
        return;
    uv_close((uv_handle_t *)TAKE_PTR(slot->watch), watch_closed);
}
