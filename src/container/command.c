/* SPDX-License-Identifier: Apache-2.0 */
#include "container/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/strbuf.h"

#define OUTPUT_MAX (64 * 1024) /* what comes beyond is read and dropped */
#define SYNC_FD 3

struct command {
    uv_process_t process;
    uv_poll_t poll; /* on fd, where the output comes from */
    int fd;
    enum command_kind kind;
    bool exited, ended; /* the process; the output */
    int status;
    struct strbuf output;
    command_done_fn *done;
    void *arg;
    unsigned handles; /* that are not closed yet */
};

static void on_close(uv_handle_t *handle)
{
    struct command *cmd = handle->data;

    if (--cmd->handles > 0)
        return;
    if (cmd->fd >= 0)
        (void)close(cmd->fd);
    strbuf_free(&cmd->output);
    free(cmd);
}

void command_cancel(struct command *cmd)
{
    if (!cmd)
        return;
    uv_close((uv_handle_t *)&cmd->process, on_close);
    uv_close((uv_handle_t *)&cmd->poll, on_close);
}

/* A whole line that is a JSON object has come. */
static bool is_ready(const struct command *cmd)
{
    const char *line = strchr(strbuf_text(&cmd->output), '{');

    return cmd->kind == COMMAND_DAEMON && line && strchr(line, '\n');
}

static void finish_if_done(struct command *cmd)
{
    if (!cmd->exited || !(cmd->ended || is_ready(cmd)))
        return;
    cmd->done(cmd->arg, cmd->status, strbuf_text(&cmd->output));
    command_cancel(cmd);
}

static void on_process_exit(uv_process_t *process, int64_t status, int signo)
{
    struct command *cmd = process->data;

    cmd->exited = true;
    cmd->status = signo ? 128 + signo : (int)status;
    finish_if_done(cmd);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    struct command *cmd = poll->data;
    char chunk[4096];
    ssize_t n = read(cmd->fd, chunk, sizeof chunk);

    (void)status;
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0 && cmd->output.len < OUTPUT_MAX)
        strbuf_add(&cmd->output, chunk, (size_t)n);
    if (n <= 0) {
        cmd->ended = true;
        uv_poll_stop(poll);
    }
    finish_if_done(cmd);
}

/* The programs get no more of weftd's environment than they need. */
static int spawn(struct command *cmd, char *const *argv, int output)
{
    static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    static char sync_pipe[] = "_OCI_SYNCPIPE=3";
    bool daemon = cmd->kind == COMMAND_DAEMON;
    char *env[] = {path, daemon ? sync_pipe : NULL, NULL};
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_IGNORE},
        {.flags = UV_INHERIT_FD, .data.fd = output},
        [SYNC_FD] = {.flags = UV_INHERIT_FD, .data.fd = output},
    };
    uv_process_options_t options = {
        .file = argv[0],
        .args = (char **)argv,
        .env = env,
        .cwd = "/",
        .exit_cb = on_process_exit,
        .stdio = stdio,
        .stdio_count = daemon ? SYNC_FD + 1 : SYNC_FD,
    };

    return uv_spawn(cmd->poll.loop, &cmd->process, &options);
}

int command_start(uv_loop_t *loop, enum command_kind kind, char *const *argv, command_done_fn *done,
                  void *arg, struct command **ret, struct weft_error *err)
{
    _cleanup_free_ struct command *cmd = calloc(1, sizeof *cmd);
    _cleanup_close_ int ours = -1, theirs = -1;
    int fds[2], r;

    if (!cmd)
        return weft_oom(err);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return weft_fail_errno(err, errno, "cannot make a pipe");
    ours = fds[0];
    theirs = fds[1];
    *cmd = (struct command){.kind = kind, .done = done, .arg = arg, .fd = -1};
    cmd->process.data = cmd->poll.data = cmd;
    /* Makes the descriptor non-blocking. */
    r = uv_poll_init(loop, &cmd->poll, ours);
    if (r < 0)
        return weft_fail_errno(err, r, "cannot watch a pipe");
    cmd->fd = TAKE_FD(ours);
    cmd->handles = 2;
    r = spawn(cmd, argv, theirs);
    if (r == 0)
        r = uv_poll_start(&cmd->poll, UV_READABLE, on_output);
    if (r < 0) {
        command_cancel(TAKE_PTR(cmd));
        return weft_fail_errno(err, r, "cannot run %s", argv[0]);
    }
    *ret = TAKE_PTR(cmd);
    return 0;
}

static void note_status(void *arg, int status, const char *output)
{
    (void)output;
    *(int *)arg = status;
}

int command_run(char *const *argv, struct weft_error *err)
{
    struct command *cmd;
    uv_loop_t loop;
    int r, status = -EIO;

    r = uv_loop_init(&loop);
    if (r < 0)
        return weft_fail_errno(err, r, "cannot make an event loop");
    r = command_start(&loop, COMMAND_PLAIN, argv, note_status, &status, &cmd, err);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return r < 0 ? r : status;
}
