/* SPDX-License-Identifier: Apache-2.0 */
#include "container/running.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/time.h"

#define PROC_FILE_MAX 65536
#define PID_MAX 4194304 /* PID_MAX_LIMIT of include/linux/threads.h */
#define KILL_TIMEOUT_MS 1000
#define EXIT_UNKNOWN 137 /* 128 + SIGKILL */

/* The number in a small file of RUN_DIR, -1 when there is none. */
static int64_t read_number(const char *path, int64_t max)
{
    _cleanup_free_ char *text = NULL;
    int64_t number;

    if (!path || file_read(path, 32, &text, NULL, NULL) < 0)
        return -1;
    text[strcspn(text, "\n")] = '\0';
    return str_to_i64(text, 0, max, &number) == 0 ? number : -1;
}

static pid_t read_pid(const struct runtime *rt, const char *id, const char *name)
{
    _cleanup_free_ char *path = bundle_path(rt, id, name);

    return (pid_t)read_number(path, PID_MAX);
}

/* conmon has "-c ID" on its command line. */
static bool is_conmon_of(pid_t pid, const char *id)
{
    _cleanup_free_ char *path = str_printf("/proc/%d/cmdline", pid), *line = NULL;
    const char *previous = "";
    size_t len;

    if (!path || file_read(path, PROC_FILE_MAX, &line, &len, NULL) < 0)
        return false;
    for (const char *arg = line; arg < line + len; arg += strlen(arg) + 1) {
        if (str_equal(previous, "-c") && str_equal(arg, id))
            return true;
        previous = arg;
    }
    return false;
}

static bool is_child_of(pid_t pid, pid_t parent)
{
    _cleanup_free_ char *path = str_printf("/proc/%d/stat", pid), *line = NULL;
    const char *after_name;
    int ppid;

    if (!path || file_read(path, PROC_FILE_MAX, &line, NULL, NULL) < 0)
        return false;
    /* "PID (NAME) STATE PPID …", and the name may have parentheses of its own. */
    after_name = strrchr(line, ')');
    return after_name && sscanf(after_name, ") %*c %d", &ppid) == 1 && ppid == parent;
}

/* A pidfd of the container's conmon, -1 when it does not live. */
static int conmon_open(const struct runtime *rt, const char *id, pid_t *ret_pid)
{
    pid_t pid = read_pid(rt, id, "conmon.pid");
    _cleanup_close_ int fd = pid > 0 ? pidfd_open(pid, 0) : -1;

    if (fd < 0 || !is_conmon_of(pid, id))
        return -1;
    *ret_pid = pid;
    return TAKE_FD(fd);
}

static void free_polled(uv_handle_t *handle)
{
    struct running *r = handle->data;

    close_p(&r->pidfd);
    close_p(&r->conmon);
    free(r);
}

void running_free(struct running *r)
{
    if (r)
        uv_close((uv_handle_t *)&r->poll, free_polled);
}
DEFINE_CLEANUP(struct running *, running_free)

int running_open(struct runtime *rt, const char *id, struct running **ret, struct weft_error *err)
{
    _cleanup_close_ int conmon = -1, pidfd = -1;
    struct running *r;
    pid_t conmon_pid, pid;
    int result;

    conmon = conmon_open(rt, id, &conmon_pid);
    if (conmon < 0) {
        weft_fail(err, WEFT_INTERNAL, "conmon of container %.*s has ended", ID_SHORT, id);
        return -ESRCH;
    }
    pid = read_pid(rt, id, "pid");
    pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd >= 0 && !is_child_of(pid, conmon_pid)) {
        (void)close(TAKE_FD(pidfd));
    }
    r = calloc(1, sizeof *r);
    if (!r)
        return weft_oom(err);
    *r = (struct running){.rt = rt, .pid = pid > 0 ? pid : 0};
    (void)str_copy(r->id, sizeof r->id, id);
    result = uv_poll_init(rt->loop, &r->poll, conmon);
    if (result < 0) {
        free(r);
        return weft_fail_errno(err, result, "cannot watch conmon");
    }
    r->poll.data = r;
    r->pidfd = TAKE_FD(pidfd);
    r->conmon = TAKE_FD(conmon);
    *ret = r;
    return 0;
}

static void on_conmon_end(uv_poll_t *poll, int status, int events)
{
    _cleanup_(running_free_p) struct running *r = poll->data;
    struct runtime *rt = r->rt;
    int64_t finished;
    int code;

    (void)status;
    (void)events;
    hash_remove(&rt->running, r->id);
    uv_poll_stop(poll);
    exit_read(rt, r->id, &code, &finished);
    rt->on_exit(rt->arg, r->id, code, finished);
}

int running_watch(struct running *r, struct weft_error *err)
{
    int result = hash_put(&r->rt->running, r->id, r);

    if (result == 0) {
        result = uv_poll_start(&r->poll, UV_READABLE, on_conmon_end);
        if (result < 0)
            hash_remove(&r->rt->running, r->id);
    }
    if (result < 0) {
        weft_fail_errno(err, result, "cannot watch container %.*s", ID_SHORT, r->id);
        running_free(r);
    }
    return result;
}

void exit_read(const struct runtime *rt, const char *id, int *ret_code, int64_t *ret_finished)
{
    _cleanup_free_ char *path = exit_path(rt, id);
    int64_t code = read_number(path, 255);
    struct stat st;

    *ret_code = code >= 0 ? (int)code : EXIT_UNKNOWN;
    *ret_finished = time_now();
    if (code >= 0 && stat(path, &st) == 0)
        *ret_finished = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

void conmon_kill(struct runtime *rt, const char *id)
{
    pid_t pid;
    _cleanup_close_ int fd = conmon_open(rt, id, &pid);

    if (fd >= 0 && pidfd_send_signal(fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
        log_warning("cannot kill conmon of container %.*s: %m", ID_SHORT, id);
    if (fd >= 0)
        (void)poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, KILL_TIMEOUT_MS);
}
