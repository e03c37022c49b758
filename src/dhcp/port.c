/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: the socket lies on the link in the host, below macvlans and bridge ports: it
 * is given every frame that comes in (ETH_P_ALL) before the link's receive handler takes it away.
 * Of these the filter lets through only what may be a DHCP server's reply on the link itself: a
 * frame of a VLAN above it, and what goes out, are not.
 *
 * Frames that were made on this machine (a veth's other end, a virtual machine) may lack their
 * checksum, which PACKET_AUXDATA tells: packet(7).
 */

#include "dhcp/port.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/str.h"
#include "dhcp/wire.h"

#define FRAMES_PER_EVENT 16

struct dhcp_port {
    struct dhcp_port *next;
    struct dhcp_lan *lan;
    char link[IFNAMSIZ];
    unsigned index; /* that the socket is bound to; 0: none */
    int fd;
    uv_poll_t poll;
    struct dhcp_listener *listeners;
    bool closed;
};

/* ---- the socket ---- */

static int attach_filter(int fd)
{
    enum { IP = ETHERNET_SIZE };
    static struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 12),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, IP + 9),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 10),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, IP + 6),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, IP_MF | IP_OFFMASK, 8, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, IP),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, IP + 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLIENT_PORT, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT16_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* Protocol 0: it gets nothing before it is bound. */
static int open_socket(struct weft_error *err)
{
    _cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0)
        return weft_fail_errno(err, errno, "cannot open a packet socket");
    if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0 || attach_filter(fd) < 0)
        return weft_fail_errno(err, errno, "cannot set up a packet socket");
    return TAKE_FD(fd);
}

static int bind_socket(int fd, unsigned index)
{
    struct sockaddr_ll ll = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)index};

    return bind(fd, (const struct sockaddr *)&ll, sizeof ll) < 0 ? -errno : 0;
}

/* The link of this name may be another than before. */
static int port_bind(struct dhcp_port *port, struct weft_error *err)
{
    unsigned index = if_nametoindex(port->link);
    int r;

    if (index == 0) {
        port->index = 0;
        return weft_fail_errno(err, errno, "link %s", port->link);
    }
    if (index == port->index)
        return 0;
    r = bind_socket(port->fd, index);
    port->index = r < 0 ? 0 : index;
    return r < 0 ? weft_fail_errno(err, -r, "cannot listen on %s", port->link) : 0;
}

/* ---- receiving ---- */

union control {
    struct cmsghdr align;
    char auxdata[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
};

static bool is_unsummed(struct msghdr *message)
{
    struct tpacket_auxdata aux = {0};

    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c))
        if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
            memcpy(&aux, CMSG_DATA(c), sizeof aux);
    return aux.tp_status & TP_STATUS_CSUMNOTREADY;
}

/* A frame into buf. Its length, 0 when it is not whole, -errno when there is none. */
static ssize_t receive(int fd, uint8_t *buf, size_t size, bool *ret_unsummed)
{
    union control control;
    struct iovec data = {buf, size};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(fd, &message, 0);

    if (length < 0)
        return -errno;
    *ret_unsummed = is_unsummed(&message);
    return message.msg_flags & MSG_TRUNC ? 0 : length;
}

static void deliver(struct dhcp_port *port, const struct dhcp_reply *reply)
{
    struct dhcp_listener *listener = port->listeners;

    while (listener) {
        struct dhcp_listener *next = listener->next;

        if (listener->take(listener, reply))
            return;
        listener = next;
    }
}

/* An error here is the link's (it went down): what is sent next tells it. */
static void port_readable(uv_poll_t *poll, int status _unused_, int events _unused_)
{
    struct dhcp_port *port = poll->data;
    uint8_t frame[DHCP_FRAME_MAX];
    struct dhcp_reply reply;

    for (int i = 0; i < FRAMES_PER_EVENT && !port->closed; i++) {
        bool unsummed = false;
        ssize_t length = receive(port->fd, frame, sizeof frame, &unsummed);

        if (length == -EAGAIN)
            return;
        if (length > 0 && dhcp_decode(frame, (size_t)length, unsummed, &reply) == 0)
            deliver(port, &reply);
    }
}

/* ---- life ---- */

static void port_closed(uv_handle_t *handle)
{
    struct dhcp_port *port = handle->data;

    (void)close(port->fd);
    free(port);
}

static int port_new(struct dhcp_lan *lan, const char *link, struct dhcp_port **ret,
                    struct weft_error *err)
{
    struct dhcp_port *port = calloc(1, sizeof *port);
    int r;

    if (!port)
        return weft_oom(err);
    *port = (struct dhcp_port){.next = lan->ports, .lan = lan};
    (void)str_copy(port->link, sizeof port->link, link);
    port->fd = r = open_socket(err);
    if (r >= 0) {
        r = uv_poll_init(lan->loop, &port->poll, port->fd);
        if (r < 0)
            (void)weft_fail_errno(err, -r, "cannot watch a packet socket");
    }
    if (r < 0) {
        close_p(&port->fd);
        free(port);
        return r;
    }
    port->poll.data = port;
    uv_poll_start(&port->poll, UV_READABLE, port_readable);
    lan->ports = port;
    *ret = port;
    return 0;
}

static void port_close(struct dhcp_port *port)
{
    struct dhcp_port **at = &port->lan->ports;

    while (*at != port)
        at = &(*at)->next;
    *at = port->next;
    port->closed = true;
    uv_close((uv_handle_t *)&port->poll, port_closed);
}

int dhcp_port_join(struct dhcp_lan *lan, const char *link, struct dhcp_listener *listener,
                   struct dhcp_port **ret, struct weft_error *err)
{
    struct dhcp_port *port = lan->ports;
    int r = 0;

    while (port && !str_equal(port->link, link))
        port = port->next;
    if (!port)
        r = port_new(lan, link, &port, err);
    if (r < 0)
        return r;
    listener->next = port->listeners;
    port->listeners = listener;
    *ret = port;
    return 0;
}

void dhcp_port_leave(struct dhcp_port *port, struct dhcp_listener *listener)
{
    struct dhcp_listener **at = &port->listeners;

    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    if (!port->listeners)
        port_close(port);
}

static int send_frame(int fd, const char *link, const uint8_t *frame, size_t length,
                      struct weft_error *err)
{
    if (send(fd, frame, length, MSG_NOSIGNAL) < 0)
        return weft_fail_errno(err, errno, "cannot send DHCP messages on %s", link);
    return 0;
}

int dhcp_port_send(struct dhcp_port *port, const uint8_t *frame, size_t length,
                   struct weft_error *err)
{
    int r = port_bind(port, err);

    return r < 0 ? r : send_frame(port->fd, port->link, frame, length, err);
}

int dhcp_release(const char *link, const struct dhcp_identity *who, const struct dhcp_lease *lease,
                 struct weft_error *err)
{
    struct dhcp_request request = {.type = DHCP_RELEASE,
                                   .own = lease->addr,
                                   .server = lease->server,
                                   .server_mac = lease->server_mac};
    struct dhcp_port port = {.fd = -1};
    uint8_t frame[DHCP_FRAME_MAX];
    size_t length = dhcp_encode(who, &request, frame);
    int r = port.fd = open_socket(err);

    (void)str_copy(port.link, sizeof port.link, link);
    if (r >= 0)
        r = dhcp_port_send(&port, frame, length, err);
    close_p(&port.fd);
    return r;
}

int dhcp_link_mac(const char *link, struct mac *ret, struct weft_error *err)
{
    _cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {0};

    (void)str_copy(request.ifr_name, sizeof request.ifr_name, link);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        return weft_fail_errno(err, errno, "link %s", link);
    if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        return weft_fail(err, WEFT_INVALID, "link %s is not Ethernet: DHCP needs it", link);
    memcpy(ret->bytes, request.ifr_hwaddr.sa_data, sizeof ret->bytes);
    return 0;
}
