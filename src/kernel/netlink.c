/* SPDX-License-Identifier: Apache-2.0 */

#include "kernel/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/str.h"

/* The kernel fills dump messages up to this size when the reader offers it (af_netlink.c). */
#define RECEIVE_SIZE 32768
#define DUMP_ATTEMPTS 10

/* What a socket has by default (net.core.wmem_default, rmem_default), and what one refusal takes of
 * it. */
#define DEFAULT_SEND_BYTES 131072
#define DEFAULT_REFUSALS 128
#define REFUSAL_BYTES 2048

static void set_option(struct mnl_socket *socket, int option)
{
    /* Kernels that lack one of these (all are there since 5.0) are merely less strict or less
     * talkative. */
    (void)mnl_socket_setsockopt(socket, option, &(int){1}, sizeof(int));
}

int netlink_open(struct netlink *ret, int protocol, struct weft_error *err)
{
    struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);

    if (!socket)
        return weft_fail_errno(err, errno, "cannot open a netlink socket");
    set_option(socket, NETLINK_EXT_ACK);
    set_option(socket, NETLINK_CAP_ACK);
    set_option(socket, NETLINK_GET_STRICT_CHK);
    *ret = (struct netlink){.socket = socket};
    return 0;
}

void netlink_close(struct netlink *nl)
{
    if (nl->socket)
        (void)mnl_socket_close(nl->socket);
    nl->socket = NULL;
}

static void *close_socket(void *socket)
{
    (void)mnl_socket_close(socket);
    return NULL;
}

void netlink_close_aside(struct netlink *nl)
{
    pthread_t thread;

    if (nl->socket && pthread_create(&thread, NULL, close_socket, nl->socket) == 0) {
        (void)pthread_detach(thread);
        nl->socket = NULL;
    }
    netlink_close(nl);
}

int netlink_link_index(const struct netlink *nl, const char *name)
{
    struct ifreq request = {0};

    if (str_copy(request.ifr_name, sizeof request.ifr_name, name) < 0)
        return -ENODEV;
    /* Any socket takes it, and it costs a tenth of RTM_GETLINK. */
    if (ioctl(mnl_socket_get_fd(nl->socket), SIOCGIFINDEX, &request) < 0)
        return -errno;
    return request.ifr_ifindex;
}

int netlink_port(const struct netlink *nl, uint32_t *ret, struct weft_error *err)
{
    int fd = mnl_socket_get_fd(nl->socket);
    struct sockaddr_nl self = {.nl_family = AF_NETLINK};
    socklen_t len = sizeof self;
    int r = getsockname(fd, (struct sockaddr *)&self, &len);

    if (r == 0 && self.nl_pid == 0) { /* else the kernel gives it one when it first sends */
        r = bind(fd, (struct sockaddr *)&self, sizeof self);
        if (r == 0)
            r = getsockname(fd, (struct sockaddr *)&self, &len);
    }
    if (r < 0)
        return weft_fail_errno(err, errno, "cannot find the port of a netlink socket");
    *ret = self.nl_pid;
    return 0;
}

void netlink_batch_reset(struct netlink_batch *b, const struct netlink *nl)
{
    b->len = 0;
    b->count = 0;
    b->first_seq = nl->seq + 1;
    b->is_transaction = false;
}

void netlink_batch_free(struct netlink_batch *b)
{
    free(b->data);
    *b = (struct netlink_batch){0};
}

void *netlink_batch_begin(struct netlink_batch *b, uint32_t *ret_seq)
{
    if (b->capacity - b->len < NETLINK_MESSAGE_MAX) {
        size_t capacity = b->capacity ? 2 * b->capacity : 8 * NETLINK_MESSAGE_MAX;
        char *data = realloc(b->data, capacity);

        if (!data)
            return NULL;
        b->data = data;
        b->capacity = capacity;
    }
    *ret_seq = b->first_seq + b->count;
    return b->data + b->len;
}

void netlink_batch_end(struct netlink_batch *b, const struct nlmsghdr *nlh)
{
    b->before_last = b->last;
    b->last = b->len;
    b->len += NLMSG_ALIGN(nlh->nlmsg_len);
    b->count++;
}

void netlink_batch_rollback(struct netlink_batch *b, const struct netlink_batch *before)
{
    b->len = before->len;
    b->count = before->count;
    b->last = before->last;
    b->before_last = before->before_last;
}

struct nlmsghdr *netlink_batch_begin_request(struct netlink_batch *b, uint16_t type, uint16_t flags)
{
    uint32_t seq;
    void *room = netlink_batch_begin(b, &seq);
    struct nlmsghdr *nlh;

    if (!room)
        return NULL;
    nlh = mnl_nlmsg_put_header(room);
    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = seq;
    return nlh;
}

/* A large batch, and the refusal of all of it, must fit the socket's buffers. */
static void make_room(const struct netlink *nl, const struct netlink_batch *b)
{
    int fd = mnl_socket_get_fd(nl->socket);
    int send_bytes = (int)b->len + REFUSAL_BYTES, receive_bytes = (int)b->count * REFUSAL_BYTES;

    if (b->len > DEFAULT_SEND_BYTES)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof send_bytes);
    if (b->count > DEFAULT_REFUSALS)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes);
}

static int send_all(const struct netlink *nl, const void *data, size_t len, struct weft_error *err)
{
    if (mnl_socket_sendto(nl->socket, data, len) < 0)
        return weft_fail_errno(err, errno, "cannot send to netlink");
    return 0;
}

/* Bytes received (positive), or -errno. */
static int receive(const struct netlink *nl, char *buffer, size_t size, struct weft_error *err)
{
    ssize_t n;

    do
        n = mnl_socket_recvfrom(nl->socket, buffer, size);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return weft_fail_errno(err, n < 0 ? errno : EPIPE, "cannot receive from netlink");
    return (int)n;
}

static int find_message(const struct nlattr *attr, void *ctx)
{
    const char **why = ctx;

    if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
        mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
        *why = mnl_attr_get_str(attr);
    return MNL_CB_OK;
}

/* The positive errno of an NLMSG_ERROR (0: granted) and the kernel's explanation. */
static int read_answer(const struct nlmsghdr *nlh, const char **why)
{
    const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);
    size_t skip = sizeof *answer;

    *why = "";
    if (mnl_nlmsg_get_payload_len(nlh) < sizeof *answer)
        return EBADMSG;
    if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
        skip += mnl_nlmsg_get_payload_len(&answer->msg);
    if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
        (void)mnl_attr_parse(nlh, (unsigned)skip, find_message, why);
    return -answer->error;
}

/* Asks for the acknowledgement. Returns the message's number. */
static unsigned ask_for_ack(struct netlink_batch *b)
{
    size_t offset = b->is_transaction ? b->before_last : b->last;

    ((struct nlmsghdr *)(void *)(b->data + offset))->nlmsg_flags |= NLM_F_ACK;
    return b->count - (b->is_transaction ? 2 : 1);
}

int netlink_batch_run(struct netlink *nl, struct netlink_batch *b, netlink_refused_fn *refused,
                      void *ctx, struct weft_error *err)
{
    char buffer[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    unsigned acknowledged = ask_for_ack(b);
    bool finished = false;
    int r;

    make_room(nl, b);
    nl->seq = b->first_seq + b->count - 1;
    r = send_all(nl, b->data, b->len, err);
    while (r >= 0 && !finished) {
        const struct nlmsghdr *nlh = (const void *)buffer;
        int n = r = receive(nl, buffer, sizeof buffer, err);

        for (; n > 0 && mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n)) {
            unsigned message = nlh->nlmsg_seq - b->first_seq;
            const char *why;
            int errnum;

            if (nlh->nlmsg_type != NLMSG_ERROR || message >= b->count)
                continue; /* the rest of an earlier conversation */
            errnum = read_answer(nlh, &why);
            if (errnum)
                refused(ctx, message, errnum, why);
            finished |= message == acknowledged || (b->is_transaction && message == 0);
        }
    }
    return r < 0 ? r : 0;
}

static int fail_answer(struct weft_error *err, int errnum, const char *why)
{
    if (!*why)
        return weft_fail_errno(err, errnum, "netlink request refused");
    weft_fail(err, WEFT_KERNEL, "%s", why);
    if (err)
        err->errnum = errnum;
    return -errnum;
}

int netlink_request(struct netlink *nl, struct nlmsghdr *nlh, netlink_message_fn *cb, void *ctx,
                    struct weft_error *err)
{
    char buffer[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *answer = (const void *)buffer;
    const char *why;
    int r;

    nlh->nlmsg_seq = ++nl->seq;
    r = send_all(nl, nlh, nlh->nlmsg_len, err);
    if (r < 0)
        return r;
    do {
        r = receive(nl, buffer, sizeof buffer, err);
        if (r < 0)
            return r;
    } while (!mnl_nlmsg_ok(answer, r) || answer->nlmsg_seq != nl->seq);
    if (answer->nlmsg_type != NLMSG_ERROR)
        return cb(ctx, answer);
    r = read_answer(answer, &why);
    return r ? fail_answer(err, r, why) : 0;
}

struct dump {
    netlink_message_fn *cb;
    void *ctx;
    bool interrupted;
    int result; /* the first negative return of cb, or error */
};

/* Returns whether this was the last message. Past a failure the rest is read all the same: else the
 * next request on the socket would meet it. */
static bool take_dump_message(struct dump *d, const struct nlmsghdr *nlh, struct weft_error *err)
{
    const char *why;
    int errnum;

    if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
        d->interrupted = true;
    switch (nlh->nlmsg_type) {
    case NLMSG_NOOP:
        return false;
    case NLMSG_ERROR:
        errnum = read_answer(nlh, &why);
        d->result = errnum ? fail_answer(err, errnum, why) : 0;
        return true;
    case NLMSG_DONE:
        if (mnl_nlmsg_get_payload_len(nlh) < sizeof(int))
            return true;
        errnum = -*(const int *)mnl_nlmsg_get_payload(nlh);
        if (errnum > 0 && d->result == 0)
            d->result = fail_answer(err, errnum, "");
        return true;
    default:
        if (d->result == 0 && !d->interrupted)
            d->result = d->cb(d->ctx, nlh) < 0 ? weft_oom(err) : 0;
        return false;
    }
}

static int dump_once(struct netlink *nl, struct nlmsghdr *request, struct dump *d,
                     struct weft_error *err)
{
    char buffer[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
    bool finished = false;
    int r;

    request->nlmsg_seq = ++nl->seq;
    r = send_all(nl, request, request->nlmsg_len, err);
    while (r >= 0 && !finished) {
        const struct nlmsghdr *nlh = (const void *)buffer;
        int n = r = receive(nl, buffer, sizeof buffer, err);

        for (; n > 0 && !finished && mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n))
            if (nlh->nlmsg_seq == nl->seq)
                finished = take_dump_message(d, nlh, err);
    }
    return r < 0 ? r : d->result;
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *nlh, netlink_message_fn *cb,
                 netlink_reset_fn *reset, void *ctx, struct weft_error *err)
{
    nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
    for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        struct dump d = {.cb = cb, .ctx = ctx};
        int r = dump_once(nl, nlh, &d, err);

        if (r < 0 || !d.interrupted)
            return r;
        reset(ctx);
    }
    return weft_fail_errno(err, EINTR, "cannot dump: the kernel's tables keep changing");
}
