/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/session.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/stream.h"

/* Input on its way. More is read only when this is gone, and sending never blocks: the process may
 * itself be waiting for us to take its output. */
struct outgoing {
    char data[16384];
    size_t begin, end;
};

static int write_all(int fd, const char *data, size_t len, struct weft_error *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return weft_fail_errno(err, errno, "cannot write the output");
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

static int print_frame(void *arg, enum stream_id id, const char *data, size_t len,
                       struct weft_error *err)
{
    (void)arg;
    if (id == STREAM_ERROR)
        return weft_fail(err, WEFT_INTERNAL, "%.*s", (int)len, data);
    return write_all(id == STREAM_STDERR ? STDERR_FILENO : STDOUT_FILENO, data, len, err);
}

/* Takes what has arrived. 1, 0 at the end of the connection, -errno. */
static int receive_output(struct session *s, struct stream *stream, struct weft_error *err)
{
    char data[32768];
    ssize_t n = recv(s->fd, data, sizeof data, MSG_DONTWAIT);
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (n < 0)
        return weft_fail_errno(err, errno, "cannot receive from weftd");
    if (n == 0 && !stream_is_complete(stream))
        return weft_fail(err, WEFT_INTERNAL, "weftd closed the connection in the midst of output");
    if (n == 0)
        return 0;
    if (s->multiplexed)
        r = stream_feed(stream, data, (size_t)n, print_frame, NULL, err);
    else
        r = write_all(STDOUT_FILENO, data, (size_t)n, err);
    return r < 0 ? r : 1;
}

/* At the end of the input the connection is closed in one direction only: output goes on. */
static void read_input(struct session *s, struct outgoing *out)
{
    ssize_t n = read(s->input, out->data, sizeof out->data);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        (void)shutdown(s->fd, SHUT_WR);
        s->input = -1;
        return;
    }
    out->begin = 0;
    out->end = (size_t)n;
}

/* A process that has stopped reading is not our failure: its output is what counts. */
static void send_input(struct session *s, struct outgoing *out)
{
    ssize_t n =
        send(s->fd, out->data + out->begin, out->end - out->begin, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0)
        out->begin += (size_t)n;
    else if (errno != EAGAIN && errno != EINTR) {
        out->begin = out->end;
        s->input = -1;
    }
}

static int take_signal(struct session *s, struct weft_error *err)
{
    struct signalfd_siginfo info;

    if (read(s->signals, &info, sizeof info) != sizeof info)
        return 0;
    return s->on_signal(s->arg, (int)info.ssi_signo, err);
}

int session_run(struct session *s, struct weft_error *err)
{
    struct stream stream = {0};
    struct outgoing out = {.begin = 0};
    int r = 1;

    while (r > 0) {
        bool sending = out.begin < out.end;
        struct pollfd fds[] = {
            {.fd = s->fd, .events = (short)(POLLIN | (sending ? POLLOUT : 0))},
            {.fd = sending ? -1 : s->input, .events = POLLIN},
            {.fd = s->signals, .events = POLLIN},
        };

        if (poll(fds, 3, -1) < 0) {
            if (errno == EINTR)
                continue;
            return weft_fail_errno(err, errno, "cannot poll");
        }
        if (fds[2].revents) {
            r = take_signal(s, err);
            if (r != 0)
                return r;
        }
        if (fds[1].revents)
            read_input(s, &out);
        if (out.begin < out.end)
            send_input(s, &out);
        r = fds[0].revents & ~POLLOUT ? receive_output(s, &stream, err) : 1;
    }
    return r;
}

int signals_open(const sigset_t *set, int *ret_fd, struct weft_error *err)
{
    int fd;

    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return weft_fail_errno(err, errno, "cannot block signals");
    fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot receive signals");
    *ret_fd = fd;
    return 0;
}

int terminal_set_raw(int fd, struct termios *saved, struct weft_error *err)
{
    struct termios raw;

    if (tcgetattr(fd, saved) < 0)
        return weft_fail_errno(err, errno, "cannot read the terminal's settings");
    raw = *saved;
    cfmakeraw(&raw);
    if (tcsetattr(fd, TCSANOW, &raw) < 0)
        return weft_fail_errno(err, errno, "cannot change the terminal's settings");
    return 0;
}

void terminal_restore(int fd, const struct termios *saved)
{
    (void)tcsetattr(fd, TCSANOW, saved);
}
