/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the OCI runtime's exec is a child of weftd for as long as the process lives,
 * carries its streams and ends with its exit code. Three files in the bundle go with it:
 *
 *   exec-N.json   the process, as the runtime specification has it
 *   exec-N.pid    is there once the process was made: without it the exit code is the runtime's own
 *   exec-N.log    why it was not made
 *
 * With a terminal, weftd makes one pair and the runtime another one in the container; the runtime
 * passes bytes between them, and the size on when it gets SIGWINCH.
 */

#include "container/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "container/capability.h"
#include "container/failure.h"
#include "container/private.h"
#include "container/process.h"
#include "container/rootfs.h"
#include "container/stream.h"

#define RUNTIME_LOG_MAX (64 * 1024)
#define HOSTNAME_FILE_MAX 256

enum { JSON, PID, LOG, FILES };

struct exec {
    struct runtime *rt;
    struct exec *next;
    char *files[FILES];
    int tty; /* our end of the terminal, −1: none */
    uv_process_t process;
    struct stream *stream; /* NULL: detached */
    int code;
    exec_exit_fn *on_exit;
    void *arg;
};

/* ---- the end ---- */

static void free_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Also of one that did not begin: then its handle is not the loop's yet. */
static void release(struct exec *x)
{
    struct exec **link;

    for (link = &x->rt->execs; *link && *link != x;)
        link = &(*link)->next;
    if (*link)
        *link = x->next;
    stream_free(x->stream);
    close_p(&x->tty);
    for (int i = 0; i < FILES; i++) {
        if (x->files[i])
            (void)unlink(x->files[i]);
        free(x->files[i]);
    }
    if (x->process.loop)
        uv_close((uv_handle_t *)&x->process, free_closed);
    else
        free(x);
}

/* Not once it has ended: its id may be another's by now. */
static void signal_process(struct exec *x, int signo)
{
    if (uv_is_active((uv_handle_t *)&x->process))
        (void)uv_process_kill(&x->process, signo);
}

void exec_free(struct exec *x)
{
    signal_process(x, SIGTERM);
    release(x);
}

static void on_stream_end(void *arg)
{
    struct exec *x = arg;

    x->on_exit(x->arg, x->code);
    release(x);
}

/* What the process exited with, or what Docker gives in its place when it never began. */
static int exit_code(const struct exec *x, int64_t status, int signo)
{
    _cleanup_free_ char *log = NULL;

    if (access(x->files[PID], F_OK) == 0)
        return signo ? 128 + signo : (int)status;
    if (file_read(x->files[LOG], RUNTIME_LOG_MAX, &log, NULL, NULL) < 0)
        return 126;
    return runtime_failure_code(log);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signo)
{
    struct exec *x = process->data;

    x->code = exit_code(x, status, signo);
    if (x->stream)
        stream_finish(x->stream);
    else
        on_stream_end(x);
}

/* ---- the process ---- */

/* The container's UTS name as its start wrote it, NULL when there is none. */
static char *read_hostname(const struct runtime *rt, const char *id)
{
    _cleanup_free_ char *path = state_path(rt, id, "hostname"), *name = NULL;

    if (!path || file_read(path, HOSTNAME_FILE_MAX, &name, NULL, NULL) < 0)
        return NULL;
    name[strcspn(name, "\n")] = '\0';
    return TAKE_PTR(name);
}

static int write_process(const struct exec *x, const struct container *c,
                         const struct exec_config *config, struct weft_error *err)
{
    const struct container_config *own = &c->config;
    _cleanup_free_ char *rootfs = rootfs_path(x->rt, c), *hostname = read_hostname(x->rt, c->id);
    _cleanup_free_ char *text = NULL;
    _cleanup_user_ struct user user = {0};
    _cleanup_strv_ strv capabilities = NULL;
    _cleanup_json_ json_t *process = NULL;
    struct process p = {
        .args = config->cmd,
        .env = {own->env, config->env},
        .hostname = hostname,
        .cwd = config->workdir ? config->workdir : own->workdir,
        .user = &user,
        .tty = config->tty,
    };
    int r;

    if (!rootfs || capability_set(own->privileged || config->privileged, own->cap_add,
                                  own->cap_drop, &capabilities) < 0)
        return weft_oom(err);
    p.capabilities = capabilities;
    r = user_resolve(rootfs, config->user ? config->user : own->user, &user, err);
    if (r == 0)
        r = process_json(&p, &process, err);
    if (r < 0)
        return r;
    text = json_text(process);
    return text ? file_write_in_place(x->files[JSON], text, strlen(text), 0600, err)
                : weft_oom(err);
}

static strv exec_argv(const struct exec *x, const struct container *c, const char *runtime,
                      bool tty)
{
    _cleanup_free_ char *log = str_printf("--log=%s", x->files[LOG]);
    _cleanup_free_ char *process = str_printf("--process=%s", x->files[JSON]);
    _cleanup_free_ char *pid = str_printf("--pid-file=%s", x->files[PID]);
    _cleanup_free_ char *id = strdup(c->id);
    static char verb[] = "exec", terminal[] = "--tty";
    char *args[] = {log, verb, process, pid, tty ? terminal : id, tty ? id : NULL, NULL};

    return log && process && pid && id ? runtime_argv(x->rt, runtime, args) : NULL;
}

/* ---- its streams ---- */

/* Both ends of the process' standard streams. */
struct ends {
    int ours[3], theirs[3]; /* by descriptor number; −1: none, or /dev/null */
};

static void close_all(int fds[static 3])
{
    for (int i = 0; i < 3; i++) {
        close_p(&fds[i]);
        fds[i] = -1;
    }
}

static void ends_close(struct ends *ends)
{
    close_all(ends->ours);
    close_all(ends->theirs);
}

static int make_pipe(struct ends *ends, int fd)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    ends->ours[fd] = fds[fd == STDIN_FILENO];
    ends->theirs[fd] = fds[fd != STDIN_FILENO];
    return 0;
}

static int make_pipes(const struct exec_config *config, struct ends *ends)
{
    int r = 0;

    if (config->attach_stdin)
        r = make_pipe(ends, STDIN_FILENO);
    if (r == 0 && config->attach_stdout)
        r = make_pipe(ends, STDOUT_FILENO);
    if (r == 0 && config->attach_stderr)
        r = make_pipe(ends, STDERR_FILENO);
    return r;
}

static int dup_to(int fd, int *ret)
{
    *ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return *ret < 0 ? -errno : 0;
}

/* The runtime's end is raw: the terminal in the container does the echoing and editing. */
static int make_terminal(struct exec *x, struct ends *ends)
{
    struct termios raw;
    int slave, r = 0;

    if (openpty(&x->tty, &slave, NULL, NULL, NULL) < 0)
        return -errno;
    ends->theirs[STDIN_FILENO] = slave;
    (void)fcntl(x->tty, F_SETFD, FD_CLOEXEC);
    (void)fcntl(slave, F_SETFD, FD_CLOEXEC);
    if (tcgetattr(slave, &raw) == 0) {
        cfmakeraw(&raw);
        (void)tcsetattr(slave, TCSANOW, &raw);
    }
    r = dup_to(slave, &ends->theirs[STDOUT_FILENO]);
    if (r == 0)
        r = dup_to(slave, &ends->theirs[STDERR_FILENO]);
    if (r == 0)
        r = dup_to(x->tty, &ends->ours[STDIN_FILENO]);
    if (r == 0)
        r = dup_to(x->tty, &ends->ours[STDOUT_FILENO]);
    return r;
}

static int make_ends(struct exec *x, const struct exec_config *config, bool detached,
                     struct ends *ends, struct weft_error *err)
{
    int r = 0;

    if (config->tty)
        r = make_terminal(x, ends);
    else if (!detached)
        r = make_pipes(config, ends);
    if (r < 0)
        return weft_fail_errno(err, r, "cannot make the streams of a process");
    return 0;
}

/* ---- the beginning ---- */

static int spawn(struct exec *x, char *const *argv, const struct ends *ends)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    char *env[] = {path, NULL};
    uv_stdio_container_t stdio[3];
    uv_process_options_t options = {
        .file = argv[0],
        .args = (char **)argv,
        .env = env,
        .cwd = "/",
        .exit_cb = on_process_exit,
        .stdio = stdio,
        .stdio_count = 3,
    };

    for (int i = 0; i < 3; i++) {
        stdio[i].flags = ends->theirs[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
        stdio[i].data.fd = ends->theirs[i];
    }
    return uv_spawn(x->rt->loop, &x->process, &options);
}

static struct exec *exec_new(struct runtime *rt, const struct container *c, exec_exit_fn *on_exit,
                             void *arg)
{
    static const char *const suffixes[FILES] = {"json", "pid", "log"};
    struct exec *x = calloc(1, sizeof *x);
    bool complete = true;

    if (!x)
        return NULL;
    *x = (struct exec){.rt = rt, .on_exit = on_exit, .arg = arg, .tty = -1};
    rt->exec_count++;
    for (int i = 0; i < FILES; i++) {
        _cleanup_free_ char *name =
            str_printf("exec-%llu.%s", (unsigned long long)rt->exec_count, suffixes[i]);

        x->files[i] = name ? bundle_path(rt, c->id, name) : NULL;
        complete = complete && x->files[i];
    }
    x->process.data = x;
    if (complete)
        return x;
    release(x);
    return NULL;
}

/* Runs the runtime, and then the stream that takes over our ends and the client. */
static int begin(struct exec *x, const struct container *c, const struct exec_config *config,
                 int client, struct ends *ends, struct weft_error *err)
{
    _cleanup_free_ char *runtime = NULL;
    _cleanup_strv_ strv argv = NULL;
    struct stream_fds fds;
    int r = runtime_find(x->rt, c->config.runtime, &runtime, err);

    if (r < 0)
        return r;
    argv = exec_argv(x, c, runtime, config->tty);
    if (!argv)
        return weft_oom(err);
    r = spawn(x, argv, ends);
    close_all(ends->theirs);
    if (r < 0)
        return weft_fail_errno(err, r, "cannot run %s", argv[0]);
    if (client < 0 && !config->tty)
        return 0;
    fds = (struct stream_fds){client, ends->ours[0], ends->ours[1], ends->ours[2]};
    r = stream_new(x->rt->loop, &fds, !config->tty, on_stream_end, x, &x->stream, err);
    if (r < 0) {
        signal_process(x, SIGKILL);
        return r;
    }
    memset(ends->ours, -1, sizeof ends->ours);
    return 0;
}

int exec_start(struct runtime *rt, const struct container *c, const struct exec_config *config,
               int fd, exec_exit_fn *on_exit, void *arg, struct exec **ret, struct weft_error *err)
{
    _cleanup_(ends_close) struct ends ends = {{-1, -1, -1}, {-1, -1, -1}};
    struct exec *x = exec_new(rt, c, on_exit, arg);
    int r;

    if (!x)
        return weft_oom(err);
    r = write_process(x, c, config, err);
    if (r == 0)
        r = make_ends(x, config, fd < 0, &ends, err);
    if (r == 0)
        r = begin(x, c, config, fd, &ends, err);
    if (r < 0) {
        release(x);
        return r;
    }
    x->next = rt->execs;
    rt->execs = x;
    *ret = x;
    return 0;
}

int exec_resize(struct exec *x, unsigned rows, unsigned columns, struct weft_error *err)
{
    const struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

    if (x->tty < 0)
        return 0;
    if (ioctl(x->tty, TIOCSWINSZ, &size) < 0)
        return weft_fail_errno(err, errno, "cannot resize the terminal");
    /* The terminal is not the runtime's controlling one, so the kernel does not tell it. */
    signal_process(x, SIGWINCH);
    return 0;
}

pid_t exec_pid(const struct exec *x)
{
    return uv_process_get_pid(&x->process);
}
