/* SPDX-License-Identifier: Apache-2.0 */
#include "container/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER_LEN 8
#define PIECE_MAX 32768

enum { CLIENT, IN, OUT, ERR, CHANNELS };

struct channel {
    struct stream *stream;
    int fd; /* −1: none, or closed */
    uv_poll_t poll;
    int events; /* that are polled for */
};

struct buffer {
    char data[HEADER_LEN + PIECE_MAX];
    size_t start, end;
};

struct stream {
    struct channel channels[CHANNELS];
    struct buffer input, output;
    bool multiplexed;
    bool input_ended; /* the client has no more to say */
    bool finishing;   /* the process has ended */
    uv_timer_t timer; /* goes on from the loop when no descriptor will call */
    stream_end_fn *end;
    void *arg;
    unsigned handles; /* that are not closed yet */
};

static bool is_empty(const struct buffer *b)
{
    return b->start == b->end;
}

static bool would_block(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* ---- closing ---- */

static void on_close(uv_handle_t *handle)
{
    struct stream *s = handle->data;

    if (--s->handles == 0)
        free(s);
}

/* The descriptor closes at once; a poll handle may outlive its descriptor once it is stopped. */
static void channel_close(struct channel *ch)
{
    if (ch->fd < 0)
        return;
    ch->poll.data = ch->stream;
    uv_close((uv_handle_t *)&ch->poll, on_close);
    (void)close(TAKE_FD(ch->fd));
}

/* A Unix socket that is closed with input unread gives its peer an error in place of the end. */
static void discard_input(int fd)
{
    char chunk[4096];

    (void)shutdown(fd, SHUT_RDWR);
    while (recv(fd, chunk, sizeof chunk, MSG_DONTWAIT) > 0)
        ;
}

void stream_free(struct stream *s)
{
    if (!s)
        return;
    if (s->channels[CLIENT].fd >= 0)
        discard_input(s->channels[CLIENT].fd);
    for (int i = 0; i < CHANNELS; i++)
        channel_close(&s->channels[i]);
    uv_close((uv_handle_t *)&s->timer, on_close);
}

/* ---- output: out and err to the client ---- */

/* Docker's header before a piece. */
static void put_header(struct buffer *b, int channel, size_t len)
{
    uint32_t length = htonl((uint32_t)len);

    memset(b->data, 0, HEADER_LEN);
    b->data[0] = channel == OUT ? 1 : 2;
    memcpy(b->data + 4, &length, sizeof length);
}

/* Fills the empty output buffer from one of the process' streams. */
static void read_output(struct stream *s, int channel)
{
    struct channel *ch = &s->channels[channel];
    ssize_t n;

    if (ch->fd < 0 || !is_empty(&s->output))
        return;
    n = read(ch->fd, s->output.data + HEADER_LEN, PIECE_MAX);
    if (would_block(n) && !s->finishing)
        return;
    /* The end: of a finished process' output, when there is nothing more now. A terminal whose last
     * user has gone gives EIO. */
    if (n <= 0) {
        channel_close(ch);
        return;
    }
    if (s->multiplexed)
        put_header(&s->output, channel, (size_t)n);
    s->output.start = s->multiplexed ? 0 : HEADER_LEN;
    s->output.end = HEADER_LEN + (size_t)n;
}

static void write_output(struct stream *s)
{
    struct buffer *b = &s->output;
    struct channel *client = &s->channels[CLIENT];
    ssize_t n;

    if (is_empty(b))
        return;
    n = client->fd < 0 ? (ssize_t)(b->end - b->start)
                       : send(client->fd, b->data + b->start, b->end - b->start, MSG_NOSIGNAL);
    if (n >= 0)
        b->start += (size_t)n;
    else if (!would_block(n))
        channel_close(client); /* what comes is dropped from now on */
}

/* ---- input: the client to in ---- */

static void read_input(struct stream *s)
{
    struct channel *client = &s->channels[CLIENT];
    ssize_t n;

    if (client->fd < 0)
        s->input_ended = true;
    if (s->input_ended || !is_empty(&s->input))
        return;
    n = recv(client->fd, s->input.data, sizeof s->input.data, 0);
    if (n == 0 || (n < 0 && !would_block(n)))
        s->input_ended = true;
    s->input.start = 0;
    s->input.end = n > 0 ? (size_t)n : 0;
}

static void write_input(struct stream *s)
{
    struct buffer *b = &s->input;
    struct channel *in = &s->channels[IN];
    ssize_t n;

    if (!is_empty(b)) {
        n = in->fd < 0 ? (ssize_t)(b->end - b->start)
                       : write(in->fd, b->data + b->start, b->end - b->start);
        if (n >= 0)
            b->start += (size_t)n;
        else if (!would_block(n))
            channel_close(in);
    }
    if (s->input_ended && is_empty(b))
        channel_close(in);
}

/* ---- both ---- */

static void pump(struct stream *s);

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct channel *ch = poll->data;

    (void)status;
    (void)events;
    pump(ch->stream);
}

static void on_timer(uv_timer_t *timer)
{
    struct stream *s = timer->data;

    if (s->channels[OUT].fd < 0 && s->channels[ERR].fd < 0 && is_empty(&s->output))
        s->end(s->arg);
    else
        pump(s);
}

static void poll_for(struct channel *ch, int events)
{
    if (ch->fd < 0 || ch->events == events)
        return;
    ch->events = events;
    if (events)
        uv_poll_start(&ch->poll, events, on_event);
    else
        uv_poll_stop(&ch->poll);
}

/* One step of everything that can move; the loop calls again while there is more. */
static void pump(struct stream *s)
{
    bool output_free, input_free;

    read_output(s, OUT);
    write_output(s);
    read_output(s, ERR);
    write_output(s);
    read_input(s);
    write_input(s);

    output_free = is_empty(&s->output);
    input_free = is_empty(&s->input);
    poll_for(&s->channels[OUT], output_free ? UV_READABLE : 0);
    poll_for(&s->channels[ERR], output_free ? UV_READABLE : 0);
    poll_for(&s->channels[IN], input_free ? 0 : UV_WRITABLE);
    poll_for(&s->channels[CLIENT],
             (output_free ? 0 : UV_WRITABLE) | (input_free && !s->input_ended ? UV_READABLE : 0));
    if (s->finishing && output_free)
        uv_timer_start(&s->timer, on_timer, 0, 0);
}

void stream_finish(struct stream *s)
{
    s->finishing = true;
    pump(s);
}

/* ---- making ---- */

/* Takes the descriptor only if it can be polled. */
static int channel_open(struct stream *s, int channel, int fd)
{
    struct channel *ch = &s->channels[channel];
    int r;

    *ch = (struct channel){.stream = s, .fd = -1};
    if (fd < 0)
        return 0;
    /* Makes the descriptor non-blocking. */
    r = uv_poll_init(s->timer.loop, &ch->poll, fd);
    if (r < 0)
        return r;
    ch->poll.data = ch;
    ch->fd = fd;
    s->handles++;
    return 0;
}

/* Closes handles, not descriptors: these are still the caller's. */
static void abandon(struct stream *s)
{
    for (int i = 0; i < CHANNELS; i++) {
        struct channel *ch = &s->channels[i];

        if (ch->fd < 0)
            continue;
        ch->poll.data = s;
        uv_close((uv_handle_t *)&ch->poll, on_close);
    }
    uv_close((uv_handle_t *)&s->timer, on_close);
}

int stream_new(uv_loop_t *loop, const struct stream_fds *fds, bool multiplexed, stream_end_fn *end,
               void *arg, struct stream **ret, struct weft_error *err)
{
    struct stream *s = calloc(1, sizeof *s);
    const int by_channel[CHANNELS] = {fds->client, fds->in, fds->out, fds->err};
    int r = 0;

    if (!s)
        return weft_oom(err);
    s->multiplexed = multiplexed;
    s->end = end;
    s->arg = arg;
    uv_timer_init(loop, &s->timer);
    s->timer.data = s;
    s->handles = 1;
    for (int i = 0; i < CHANNELS; i++) {
        int opened = channel_open(s, i, by_channel[i]);

        r = r < 0 ? r : opened;
    }
    if (r < 0) {
        abandon(s);
        return weft_fail_errno(err, r, "cannot watch the streams of a process");
    }
    pump(s);
    *ret = s;
    return 0;
}
