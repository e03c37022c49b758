/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The input is a memfd, complete before the plugin starts, so that nobody has to write while it
 * reads. Output and errors come by pipes that the loop watches.
 *
 * A run is over when the process has ended and both pipes have, too. What the plugin has left
 * behind may keep them open, so after the process they get LINGER_MS more. One that is overdue is
 * killed with its process group: most plugins run others (IPAM, iptables).
 *
 * libuv waits for a process only as long as its handle is open. So the handle of one that is not
 * cared about any more stays open until the process has ended: otherwise it would be a zombie.
 */

#include "cni/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "base/strbuf.h"

#define LINGER_MS 500
#define LOCK_FD 3

struct stream {
    uv_poll_t poll;
    int fd;
    bool ended, too_long;
    struct strbuf text;
};

struct cni_exec {
    uv_process_t process;
    uv_timer_t timer;
    struct stream out, err;
    bool exited;
    bool dropped; /* nobody cares about it any more: only its end is awaited */
    struct cni_outcome outcome;
    cni_exec_fn *fn;
    void *arg;
    unsigned handles; /* that are not closed yet */
};

static void on_close(uv_handle_t *handle)
{
    struct cni_exec *x = handle->data;

    if (--x->handles > 0)
        return;
    strbuf_free(&x->out.text);
    strbuf_free(&x->err.text);
    free(x);
}

static void stream_close(struct stream *s)
{
    uv_close((uv_handle_t *)&s->poll, on_close);
    (void)close(s->fd);
}

/* The process must have gone, or go now: only its end is still seen. */
static void exec_close(struct cni_exec *x)
{
    x->dropped = true;
    if (x->exited)
        uv_close((uv_handle_t *)&x->process, on_close);
    uv_close((uv_handle_t *)&x->timer, on_close);
    stream_close(&x->out);
    stream_close(&x->err);
}

static void kill_group(const struct cni_exec *x)
{
    if (x->process.pid > 0)
        (void)kill(-x->process.pid, SIGKILL);
}

void cni_exec_cancel(struct cni_exec *x)
{
    if (!x)
        return;
    if (!x->exited)
        kill_group(x);
    exec_close(x);
}

static void finish(struct cni_exec *x)
{
    x->outcome.out = strbuf_text(&x->out.text);
    x->outcome.out_length = x->out.text.len;
    x->outcome.err = strbuf_text(&x->err.text);
    x->outcome.too_long = x->out.too_long;
    x->fn(x->arg, &x->outcome);
    exec_close(x);
}

static void finish_if_done(struct cni_exec *x)
{
    if (x->exited && x->out.ended && x->err.ended)
        finish(x);
}

/* What it left behind goes on, as the plugin wanted. Or it has been killed and does not end: it is
 * stuck in the kernel. */
static void on_lingering(uv_timer_t *timer)
{
    finish(timer->data);
}

static void on_overdue(uv_timer_t *timer)
{
    struct cni_exec *x = timer->data;

    x->outcome.overdue = true;
    kill_group(x);
    uv_timer_start(timer, on_lingering, LINGER_MS, 0);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signo)
{
    struct cni_exec *x = process->data;

    x->exited = true;
    if (x->dropped) {
        uv_close((uv_handle_t *)process, on_close);
        return;
    }
    x->outcome.status = (int)status;
    x->outcome.signo = signo;
    uv_timer_start(&x->timer, on_lingering, LINGER_MS, 0);
    finish_if_done(x);
}

static void close_dropped(uv_handle_t *handle, void *arg)
{
    struct cni_exec *x = handle->data;

    (void)arg;
    if (handle->type == UV_PROCESS && !uv_is_closing(handle) &&
        ((uv_process_t *)handle)->exit_cb == on_process_exit && x->dropped)
        uv_close(handle, on_close);
}

void cni_exec_end(uv_loop_t *loop)
{
    uv_walk(loop, close_dropped, NULL);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct cni_exec *x = poll->data;
    struct stream *s = poll == &x->out.poll ? &x->out : &x->err;
    char chunk[16384];
    ssize_t n = read(s->fd, chunk, sizeof chunk);

    (void)status;
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && s->text.len + (size_t)n <= CNI_OUTPUT_MAX)
        strbuf_add(&s->text, chunk, (size_t)n);
    else if (n > 0)
        s->too_long = true;
    if (n <= 0) {
        s->ended = true;
        uv_poll_stop(poll);
    }
    finish_if_done(x);
}

/* ---- starting ---- */

static int make_input(const char *text, int *ret, struct weft_error *err)
{
    _cleanup_close_ int fd = memfd_create("cni-input", MFD_CLOEXEC);
    size_t length = strlen(text);

    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot make a file in memory");
    for (size_t done = 0; done < length;) {
        ssize_t n = write(fd, text + done, length - done);

        if (n < 0)
            return weft_fail_errno(err, errno, "cannot write to a file in memory");
        done += (size_t)n;
    }
    if (lseek(fd, 0, SEEK_SET) < 0)
        return weft_fail_errno(err, errno, "cannot rewind a file in memory");
    *ret = TAKE_FD(fd);
    return 0;
}

static int add_variable(strv *env, const char *name, const char *value)
{
    _cleanup_free_ char *entry = value ? str_printf("%s=%s", name, value) : NULL;

    if (!value)
        return 0;
    return entry ? strv_add(env, entry) : -ENOMEM;
}

static strv make_env(const struct cni_call *call)
{
    const struct {
        const char *name, *value;
    } variables[] = {
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"CNI_COMMAND", call->command},
        {"CNI_PATH", call->path},
        {"CNI_CONTAINERID", call->container_id},
        {"CNI_NETNS", call->netns},
        {"CNI_IFNAME", call->ifname},
    };
    _cleanup_strv_ strv env = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        if (add_variable(&env, variables[i].name, variables[i].value) < 0)
            return NULL;
    return TAKE_PTR(env);
}

/* libuv gives the child an empty signal mask and default dispositions, and with DETACHED a session
 * and so a process group of its own. */
static int spawn(struct cni_exec *x, const struct cni_call *call, char **env, int input, int out,
                 int errors)
{
    char *argv[] = {(char *)call->program, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_INHERIT_FD, .data.fd = input},
        {.flags = UV_INHERIT_FD, .data.fd = out},
        {.flags = UV_INHERIT_FD, .data.fd = errors},
        [LOCK_FD] = {.flags = UV_INHERIT_FD, .data.fd = call->lock},
    };
    uv_process_options_t options = {
        .file = call->program,
        .args = argv,
        .env = env,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED,
        .exit_cb = on_process_exit,
        .stdio = stdio,
        .stdio_count = call->lock < 0 ? LOCK_FD : LOCK_FD + 1,
    };

    return uv_spawn(x->timer.loop, &x->process, &options);
}

/* A pipe of which ours is watched; *theirs is the other end. */
static int stream_open(struct cni_exec *x, struct stream *s, int *theirs, struct weft_error *err)
{
    int fds[2], r;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return weft_fail_errno(err, errno, "cannot make a pipe");
    s->poll.data = x;
    r = uv_poll_init(x->timer.loop, &s->poll, fds[0]);
    if (r < 0) {
        (void)close(fds[0]);
        (void)close(fds[1]);
        return weft_fail_errno(err, r, "cannot watch a pipe");
    }
    s->fd = fds[0];
    *theirs = fds[1];
    x->handles++;
    return 0;
}

/* Everything but the process. */
static int exec_new(uv_loop_t *loop, cni_exec_fn *fn, void *arg, int theirs[2],
                    struct cni_exec **ret, struct weft_error *err)
{
    struct cni_exec *x = calloc(1, sizeof *x);
    int r;

    if (!x)
        return weft_oom(err);
    *x = (struct cni_exec){.fn = fn, .arg = arg, .handles = 1};
    x->timer.data = x->process.data = x;
    uv_timer_init(loop, &x->timer);
    r = stream_open(x, &x->out, &theirs[0], err);
    if (r == 0) {
        r = stream_open(x, &x->err, &theirs[1], err);
        if (r < 0)
            stream_close(&x->out);
    }
    if (r < 0) {
        uv_close((uv_handle_t *)&x->timer, on_close);
        return r;
    }
    *ret = x;
    return 0;
}

int cni_exec_start(uv_loop_t *loop, const struct cni_call *call, cni_exec_fn *fn, void *arg,
                   struct cni_exec **ret, struct weft_error *err)
{
    _cleanup_close_ int input = -1, out = -1, errors = -1;
    _cleanup_strv_ strv env = make_env(call);
    struct cni_exec *x = NULL;
    int theirs[2] = {-1, -1}, r;

    if (!env)
        return weft_oom(err);
    r = make_input(call->input, &input, err);
    if (r == 0)
        r = exec_new(loop, fn, arg, theirs, &x, err);
    out = theirs[0];
    errors = theirs[1];
    if (!x)
        return r;
    r = spawn(x, call, env, input, out, errors);
    x->handles++; /* the process: it is a handle also when it could not be started */
    x->exited = r < 0;
    if (r == 0)
        r = uv_poll_start(&x->out.poll, UV_READABLE, on_readable);
    if (r == 0)
        r = uv_poll_start(&x->err.poll, UV_READABLE, on_readable);
    if (r < 0) {
        cni_exec_cancel(x);
        return weft_fail_errno(err, r, "cannot run %s", call->program);
    }
    uv_timer_start(&x->timer, on_overdue, (uint64_t)call->seconds * 1000, 0);
    *ret = x;
    return 0;
}
