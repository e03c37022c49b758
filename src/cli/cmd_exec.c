/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/commands.h"
#include "cli/session.h"
#include "client/url.h"

static struct {
    bool detach;
    strv env;
    bool interactive;
    bool privileged;
    bool tty;
    const char *user;
    const char *workdir;
} args;

static const struct cli_option options[] = {
    OPT_FLAG('d', "detach", &args.detach, "Run in the background"),
    OPT_LIST('e', "env", &args.env, "NAME=VALUE", "An environment variable"),
    OPT_FLAG('i', "interactive", &args.interactive, "Give our standard input to the command"),
    OPT_FLAG(0, "privileged", &args.privileged, "Give all privileges"),
    OPT_FLAG('t', "tty", &args.tty, "Give the command a terminal"),
    OPT_STRING('u', "user", &args.user, "USER[:GROUP]", "Who runs the command: name or number"),
    OPT_STRING('w', "workdir", &args.workdir, "DIRECTORY", "The working directory"),
    OPT_END,
};

static int create(struct client *daemon, const char *container, strv command, char **ret_id,
                  struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_object(), *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int r;

    body_list(&body, "Cmd", command);
    body_list(&body, "Env", args.env);
    body_string(&body, "User", args.user);
    body_string(&body, "WorkingDir", args.workdir);
    body_flag(&body, "Privileged", args.privileged);
    body_flag(&body, "Tty", args.tty);
    body_flag(&body, "Detach", args.detach);
    body_flag(&body, "AttachStdin", args.interactive && !args.detach);
    body_flag(&body, "AttachStdout", !args.detach);
    body_flag(&body, "AttachStderr", !args.detach);
    if (!body)
        return weft_oom(err);
    url_path(&url, "containers", container, "exec");
    r = client_call(daemon, "POST", strbuf_text(&url), body, &reply, err);
    if (r == 0)
        r = json_get_strdup(reply, "Id", ret_id, err);
    if (r == 0 && !*ret_id)
        return weft_fail(err, WEFT_INTERNAL, "weftd made an exec without an id");
    return r;
}

/* POST /exec/ID/start: with ret_fd the connection becomes the stream, else the command is left
 * alone. */
static int start(struct client *c, const char *id, int *ret_fd, struct weft_error *err)
{
    _cleanup_json_ json_t *body = json_pack("{s:b, s:b}", "Detach", args.detach, "Tty", args.tty);
    _cleanup_strbuf_ struct strbuf url = {0};

    if (!body)
        return weft_oom(err);
    url_path(&url, "exec", id, "start");
    if (!ret_fd)
        return client_call(c, "POST", strbuf_text(&url), body, NULL, err);
    return client_hijack(c, "POST", strbuf_text(&url), body, ret_fd, err);
}

static int exit_code(struct client *daemon, const char *id, struct weft_error *err)
{
    _cleanup_json_ json_t *reply = NULL;
    _cleanup_strbuf_ struct strbuf url = {0};
    int64_t code = 0;
    int r;

    url_path(&url, "exec", id, "json");
    r = client_call(daemon, "GET", strbuf_text(&url), NULL, &reply, err);
    if (r == 0)
        r = json_get_i64(reply, "ExitCode", &code, err);
    return r < 0 ? r : (int)(code & 0xff);
}

struct remote {
    struct client *daemon;
    const char *id;
};

/* Tells the command's terminal how large ours is. A command that has ended does not mind. */
static void resize(struct remote *remote)
{
    _cleanup_strbuf_ struct strbuf url = {0};
    struct winsize size;
    char height[8], width[8];

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0)
        return;
    snprintf(height, sizeof height, "%u", size.ws_row);
    snprintf(width, sizeof width, "%u", size.ws_col);
    url_path(&url, "exec", remote->id, "resize");
    url_query(&url, "h", height);
    url_query(&url, "w", width);
    (void)client_call(remote->daemon, "POST", strbuf_text(&url), NULL, NULL, NULL);
}

/* Signals that would kill us end the session instead, so that the terminal is put right. */
static int on_signal(void *arg, int signal, struct weft_error *err)
{
    if (signal != SIGWINCH)
        return weft_fail(err, WEFT_INTERNAL, "ended by %s", strsignal(signal));
    resize(arg);
    return 0;
}

static int run_on_terminal(struct session *s, struct remote *remote, struct weft_error *err)
{
    bool raw = s->input >= 0 && isatty(s->input);
    _cleanup_close_ int signals = -1;
    struct termios saved;
    sigset_t set;
    int r;

    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    r = signals_open(&set, &signals, err);
    if (r == 0 && raw)
        r = terminal_set_raw(s->input, &saved, err);
    if (r < 0)
        return r;
    s->signals = signals;
    s->on_signal = on_signal;
    s->arg = remote;
    resize(remote);
    r = session_run(s, err);
    if (raw)
        terminal_restore(STDIN_FILENO, &saved);
    return r;
}

static int run_attached(struct client *daemon, const char *id, struct weft_error *err)
{
    _cleanup_client_ struct client *output = client_another(daemon);
    _cleanup_close_ int fd = -1;
    struct remote remote = {.daemon = daemon, .id = id};
    struct session session = {
        .multiplexed = !args.tty,
        .input = args.interactive ? STDIN_FILENO : -1,
        .signals = -1,
    };
    int r;

    if (!output)
        return weft_oom(err);
    r = start(output, id, &fd, err);
    if (r < 0)
        return r;
    session.fd = fd;
    r = args.tty ? run_on_terminal(&session, &remote, err) : session_run(&session, err);
    return r < 0 ? r : exit_code(daemon, id, err);
}

static int run(struct client *daemon, strv operands, struct weft_error *err)
{
    _cleanup_free_ char *id = NULL;
    int r;

    if (args.tty && args.interactive && !args.detach && !isatty(STDIN_FILENO))
        return weft_fail(err, WEFT_INVALID, "--tty: standard input is not a terminal");
    r = create(daemon, operands[0], operands + 1, &id, err);
    if (r < 0)
        return r;
    return args.detach ? start(daemon, id, NULL, err) : run_attached(daemon, id, err);
}

const struct command cmd_exec = {
    .name = "exec",
    .summary = "Run a command in a running container.",
    .operands = "CONTAINER COMMAND [ARG...]",
    .example = "weft exec -it web sh",
    .options = {options},
    .stop_at_operand = true,
    .run = run,
};
