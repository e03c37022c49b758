/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a message is a header (type, length of what follows) and its fields one
 * behind the other, unaligned and in the host's byte order: both ends run on one machine. Numbers
 * are as wide as their C types, strings and lists begin with their length in 32 bits, strings end
 * with a NUL, so that the reader can point into the datagram.
 *
 * One function for each type names its fields, for writing and for reading alike: what is written
 * is what is read. Reading goes on with zeros after the first error, which is looked at in the end.
 */

#include "dns/message.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct header {
    uint16_t type;
    uint16_t reserved;
    uint32_t length; /* of the fields */
};

struct wire {
    bool reading;
    int status; /* reading: 0, -EBADMSG, -ENOMEM */
    uint8_t *data;
    size_t size;   /* octets of data */
    size_t offset; /* writing: may lie beyond size: so much it would take */
};

/* ---- fields ---- */

static size_t left(const struct wire *w)
{
    return w->size - w->offset;
}

static void fail(struct wire *w, int status)
{
    if (w->status == 0)
        w->status = status;
}

static void wire_octets(struct wire *w, void *value, size_t size)
{
    if (!w->reading) {
        if (size > 0 && w->offset + size <= w->size)
            memcpy(w->data + w->offset, value, size);
        w->offset += size;
        return;
    }
    if (size > left(w))
        fail(w, -EBADMSG);
    if (w->status < 0) {
        memset(value, 0, size);
        return;
    }
    memcpy(value, w->data + w->offset, size);
    w->offset += size;
}

/* A field that is read and written as it lies in memory. */
#define wire_plain(w, field) wire_octets((w), &(field), sizeof(field))

static void wire_bool(struct wire *w, bool *value)
{
    uint8_t octet = *value;

    wire_plain(w, octet);
    *value = octet != 0;
}

/* Octets behind their length. Read, *data points into the datagram. */
static void wire_data(struct wire *w, const uint8_t **data, size_t *size)
{
    uint32_t length = (uint32_t)*size;

    wire_plain(w, length);
    if (!w->reading) {
        wire_octets(w, (void *)*data, length);
        return;
    }
    if (length > left(w))
        fail(w, -EBADMSG);
    if (w->status < 0)
        length = 0;
    *data = w->data + w->offset;
    *size = length;
    w->offset += length;
}

static void wire_string(struct wire *w, const char **text)
{
    const uint8_t *data = (const uint8_t *)*text;
    size_t size = w->reading ? 0 : strlen(*text) + 1;

    wire_data(w, &data, &size);
    if (!w->reading)
        return;
    if (size == 0 || memchr(data, '\0', size) != data + size - 1)
        fail(w, -EBADMSG);
    *text = w->status < 0 ? "" : (const char *)data;
}

static void wire_id(struct wire *w, const char **id)
{
    wire_string(w, id);
    if (w->reading && strlen(*id) >= ID_TEXT_MAX)
        fail(w, -EBADMSG);
}

static void wire_addr(struct wire *w, struct addr *addr)
{
    wire_plain(w, addr->family);
    if (addr->family != 0 && addr_size(addr) == 0)
        fail(w, -EBADMSG);
    wire_octets(w, addr->bytes, addr_size(addr));
}

static void wire_prefix(struct wire *w, struct prefix *prefix)
{
    wire_addr(w, &prefix->addr);
    wire_plain(w, prefix->len);
    if (prefix->len > addr_bits(&prefix->addr))
        fail(w, -EBADMSG);
}

/* The length of a list, whose items follow. Read, the list is allocated, with a zeroed item behind
 * the last one. Returns it; NULL when it is empty. */
static void *wire_list(struct wire *w, void *list, size_t *count, size_t item_size)
{
    uint32_t length = (uint32_t)*count;

    wire_plain(w, length);
    if (!w->reading)
        return list;
    *count = 0;
    /* No item is empty: so nobody makes us allocate much by saying little. */
    if (length > left(w))
        fail(w, -EBADMSG);
    if (w->status < 0 || length == 0)
        return NULL;
    list = calloc((size_t)length + 1, item_size);
    if (list)
        *count = length;
    else
        fail(w, -ENOMEM);
    return list;
}

static void wire_strv(struct wire *w, strv *list)
{
    size_t count = strv_length(*list);

    *list = wire_list(w, *list, &count, sizeof **list);
    for (size_t i = 0; i < count; i++) {
        const char *text = (*list)[i];

        wire_string(w, &text);
        if (!w->reading)
            continue;
        if (w->status < 0)
            return;
        (*list)[i] = strdup(text);
        if (!(*list)[i])
            fail(w, -ENOMEM);
    }
}

static void wire_servers(struct wire *w, struct dns_server **servers, size_t *count)
{
    *servers = wire_list(w, *servers, count, sizeof **servers);
    for (size_t i = 0; i < *count; i++) {
        wire_addr(w, &(*servers)[i].addr);
        wire_plain(w, (*servers)[i].scope);
    }
}

/* ---- messages ---- */

/* The descriptors travel beside. */
static void wire_sockets(struct wire *w, struct dns_msg_sockets *m)
{
    uint8_t count = (uint8_t)m->count;

    wire_bool(w, &m->of_network);
    wire_id(w, &m->id);
    wire_plain(w, count);
    if (count > DNS_SOCKETS_MAX)
        fail(w, -EBADMSG);
    m->count = w->status < 0 ? 0 : count;
    wire_octets(w, m->roles, m->count);
}

static void wire_network(struct wire *w, struct dns_msg_network *m)
{
    wire_id(w, &m->id);
    wire_string(w, &m->name);
    wire_bool(w, &m->forwards);
    wire_addr(w, &m->ipv4);
    wire_addr(w, &m->ipv6);
    m->subnets = wire_list(w, m->subnets, &m->subnet_count, sizeof *m->subnets);
    for (size_t i = 0; i < m->subnet_count; i++)
        wire_prefix(w, &m->subnets[i]);
}

static void wire_sandbox(struct wire *w, struct dns_msg_sandbox *m)
{
    wire_id(w, &m->id);
    wire_string(w, &m->name);
    wire_bool(w, &m->forwards);
    wire_strv(w, &m->networks);
    m->links = wire_list(w, m->links, &m->link_count, sizeof *m->links);
    for (size_t i = 0; i < m->link_count; i++) {
        wire_id(w, &m->links[i].network);
        wire_string(w, &m->links[i].target);
        wire_string(w, &m->links[i].alias);
    }
    wire_servers(w, &m->servers, &m->server_count);
}

static void wire_endpoint(struct wire *w, struct dns_msg_endpoint *m)
{
    wire_id(w, &m->network);
    wire_id(w, &m->sandbox);
    wire_addr(w, &m->ipv4);
    wire_addr(w, &m->ipv6);
    wire_strv(w, &m->names);
    m->ports = wire_list(w, m->ports, &m->port_count, sizeof *m->ports);
    for (size_t i = 0; i < m->port_count; i++) {
        wire_plain(w, m->ports[i].proto);
        wire_plain(w, m->ports[i].port);
    }
}

static void wire_log(struct wire *w, struct dns_msg_log *m)
{
    wire_plain(w, m->number);
    wire_id(w, &m->sandbox);
    wire_bool(w, &m->follow);
}

static void wire_logged(struct wire *w, struct dns_msg_logged *m)
{
    wire_plain(w, m->number);
    wire_plain(w, m->time);
    wire_id(w, &m->sandbox);
    wire_string(w, &m->name);
    wire_plain(w, m->type);
    wire_plain(w, m->rcode);
    wire_plain(w, m->source);
    wire_bool(w, &m->tcp);
    wire_addr(w, &m->server);
    wire_plain(w, m->micros);
    wire_plain(w, m->answers);
}

static void wire_lookup(struct wire *w, struct dns_msg_lookup *m)
{
    wire_plain(w, m->number);
    wire_id(w, &m->sandbox);
    wire_data(w, &m->msg, &m->length);
}

static void wire_found(struct wire *w, struct dns_msg_found *m)
{
    wire_plain(w, m->number);
    wire_plain(w, m->source);
    wire_data(w, &m->msg, &m->length);
}

static void wire_gone(struct wire *w, struct dns_message *m)
{
    if (m->type != DNS_MSG_SANDBOX_GONE)
        wire_id(w, &m->gone.network);
    if (m->type != DNS_MSG_NETWORK_GONE)
        wire_id(w, &m->gone.sandbox);
}

/* Whether the type is known. */
static bool wire_message(struct wire *w, struct dns_message *m)
{
    switch (m->type) {
    case DNS_MSG_HELLO:
        wire_string(w, &m->hello.version);
        return true;
    case DNS_MSG_SOCKETS:
        wire_sockets(w, &m->sockets);
        return true;
    case DNS_MSG_BEGIN:
    case DNS_MSG_END:
        return true;
    case DNS_MSG_NETWORK:
        wire_network(w, &m->network);
        return true;
    case DNS_MSG_SANDBOX:
        wire_sandbox(w, &m->sandbox);
        return true;
    case DNS_MSG_ENDPOINT:
        wire_endpoint(w, &m->endpoint);
        return true;
    case DNS_MSG_NETWORK_GONE:
    case DNS_MSG_SANDBOX_GONE:
    case DNS_MSG_ENDPOINT_GONE:
        wire_gone(w, m);
        return true;
    case DNS_MSG_UPSTREAMS:
        wire_servers(w, &m->upstreams.servers, &m->upstreams.count);
        return true;
    case DNS_MSG_SYNC:
    case DNS_MSG_SYNCED:
    case DNS_MSG_LOG_STOP:
    case DNS_MSG_LOG_END:
        wire_plain(w, m->number);
        return true;
    case DNS_MSG_LOG:
        wire_log(w, &m->log);
        return true;
    case DNS_MSG_LOGGED:
        wire_logged(w, &m->logged);
        return true;
    case DNS_MSG_LOOKUP:
        wire_lookup(w, &m->lookup);
        return true;
    case DNS_MSG_FOUND:
        wire_found(w, &m->found);
        return true;
    }
    return false;
}

static void close_all(int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
        fds[i] = -1;
    }
}

void dns_message_clear(struct dns_message *m)
{
    switch (m->type) {
    case DNS_MSG_SOCKETS:
        close_all(m->sockets.fds, m->sockets.count);
        break;
    case DNS_MSG_NETWORK:
        free(m->network.subnets);
        break;
    case DNS_MSG_SANDBOX:
        strv_free(m->sandbox.networks);
        free(m->sandbox.links);
        free(m->sandbox.servers);
        break;
    case DNS_MSG_ENDPOINT:
        strv_free(m->endpoint.names);
        free(m->endpoint.ports);
        break;
    case DNS_MSG_UPSTREAMS:
        free(m->upstreams.servers);
        break;
    default:
        break;
    }
    *m = (struct dns_message){0};
}

/* ---- sending ---- */

/* Whether the descriptors of m fit: 0, -ENOBUFS, -EMSGSIZE. */
static int room_for_fds(const struct dns_batch *b, const struct dns_message *m)
{
    if (m->type != DNS_MSG_SOCKETS)
        return 0;
    if (m->sockets.count > DNS_SOCKETS_MAX)
        return -EMSGSIZE;
    return b->fd_count + m->sockets.count > DNS_BATCH_FDS ? -ENOBUFS : 0;
}

int dns_batch_add(struct dns_batch *b, const struct dns_message *m)
{
    struct dns_message copy = *m; /* written, not changed; but wire_message() knows no const */
    struct header header = {.type = (uint16_t)m->type};
    struct wire w = {.size = DNS_BATCH_SIZE};
    int r = room_for_fds(b, m);

    if (r < 0)
        return r;
    if (!b->buf)
        b->buf = malloc(DNS_BATCH_SIZE);
    if (!b->buf)
        return -ENOMEM;
    w.data = b->buf;
    w.offset = b->length + sizeof header;
    if (!wire_message(&w, &copy))
        return -EMSGSIZE;
    if (w.status < 0)
        return w.status;
    if (w.offset > w.size)
        return w.offset - b->length > w.size ? -EMSGSIZE : -ENOBUFS;
    header.length = (uint32_t)(w.offset - b->length - sizeof header);
    memcpy(b->buf + b->length, &header, sizeof header);
    b->length = w.offset;
    if (m->type == DNS_MSG_SOCKETS) {
        memcpy(b->fds + b->fd_count, m->sockets.fds, m->sockets.count * sizeof b->fds[0]);
        b->fd_count += m->sockets.count;
    }
    return 0;
}

union control {
    struct cmsghdr align;
    char space[CMSG_SPACE(DNS_BATCH_FDS * sizeof(int))];
};

static void attach_fds(struct msghdr *message, union control *control, const struct dns_batch *b)
{
    struct cmsghdr *c = &control->align;

    if (b->fd_count == 0)
        return;
    memset(control, 0, sizeof *control);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(b->fd_count * sizeof b->fds[0]);
    memcpy(CMSG_DATA(c), b->fds, b->fd_count * sizeof b->fds[0]);
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(b->fd_count * sizeof b->fds[0]);
}

int dns_batch_send(struct dns_batch *b, int fd, int flags)
{
    union control control;
    struct iovec data = {b->buf, b->length};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    int r;

    if (b->length == 0)
        return 0;
    attach_fds(&message, &control, b);
    do
        r = sendmsg(fd, &message, flags | MSG_NOSIGNAL) < 0 ? -errno : 0;
    while (r == -EINTR);
    if (r != -EAGAIN)
        b->length = b->fd_count = 0;
    return r;
}

void dns_batch_free(struct dns_batch *b)
{
    free(b->buf);
    *b = (struct dns_batch){0};
}

/* ---- receiving ---- */

static void drop_fds(struct dns_inbox *in)
{
    close_all(in->fds + in->fd_taken, in->fd_count - in->fd_taken);
    in->fd_count = in->fd_taken = 0;
}

static void take_fds(struct dns_inbox *in, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        in->fd_count = (c->cmsg_len - CMSG_LEN(0)) / sizeof in->fds[0];
        memcpy(in->fds, CMSG_DATA(c), in->fd_count * sizeof in->fds[0]);
    }
}

int dns_inbox_receive(struct dns_inbox *in, int fd, int flags)
{
    union control control;
    struct iovec data = {.iov_len = DNS_BATCH_SIZE};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length;

    drop_fds(in);
    in->length = in->offset = 0;
    if (!in->buf)
        in->buf = malloc(DNS_BATCH_SIZE);
    data.iov_base = in->buf;
    if (!in->buf)
        return -ENOMEM;
    do
        length = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return -errno;
    take_fds(in, &message);
    if (message.msg_flags & MSG_CTRUNC)
        return -EMFILE;
    if (message.msg_flags & MSG_TRUNC)
        return -EBADMSG;
    in->length = (size_t)length;
    return length > 0;
}

/* 0 or -EBADMSG: fewer came than the message speaks of. */
static int give_fds(struct dns_inbox *in, struct dns_msg_sockets *m)
{
    if (m->count > in->fd_count - in->fd_taken)
        return -EBADMSG;
    memcpy(m->fds, in->fds + in->fd_taken, m->count * sizeof m->fds[0]);
    in->fd_taken += m->count;
    return 0;
}

/* The header of the next message and its fields: 1, 0: there is none, -EBADMSG. */
static int next_message(struct dns_inbox *in, struct header *ret, struct wire *ret_fields)
{
    if (in->offset == in->length)
        return 0;
    if (in->length - in->offset < sizeof *ret)
        return -EBADMSG;
    memcpy(ret, in->buf + in->offset, sizeof *ret);
    in->offset += sizeof *ret;
    if (ret->length > in->length - in->offset)
        return -EBADMSG;
    *ret_fields = (struct wire){true, 0, in->buf + in->offset, ret->length, 0};
    in->offset += ret->length;
    return 1;
}

int dns_inbox_next(struct dns_inbox *in, struct dns_message *ret)
{
    struct header header;
    struct wire w;
    int r;

    for (;;) {
        *ret = (struct dns_message){0};
        r = next_message(in, &header, &w);
        if (r <= 0)
            return r;
        ret->type = header.type;
        if (wire_message(&w, ret))
            break;
    }
    r = w.status < 0 ? w.status : left(&w) > 0 ? -EBADMSG : 0;
    /* Whatever fails, the descriptors are still the inbox's. */
    if (r == 0 && ret->type == DNS_MSG_SOCKETS)
        r = give_fds(in, &ret->sockets);
    if (r == 0)
        return 1;
    if (ret->type == DNS_MSG_SOCKETS)
        ret->sockets.count = 0;
    dns_message_clear(ret);
    return r;
}

void dns_inbox_free(struct dns_inbox *in)
{
    drop_fds(in);
    free(in->buf);
    *in = (struct dns_inbox){0};
}
