/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who changed something, the kernel tells by the port id of the asking socket, in the header of its
 * notification (nlmsg_pid). Those of weftd's own sockets are dropped by a classic BPF filter on the
 * monitor's: they cost neither memory nor a wakeup. What nf_tables tells of a transaction comes as
 * messages in one or more packets, all with the same port id, so that the first message of a packet
 * speaks for all.
 *
 * rtnetlink is less exact. Port ids are on what was asked for, but on consequences (a link goes up
 * or gets a master, an address or a route falls with its link) and on what happened through sysctls
 * there is none, that is 0, which nobody has: these are heard whoever caused them.
 *
 * The filter also passes over what nobody here wants to hear: a router's hundred thousand routes
 * come and go without waking weftd.
 */

#include "kernel/monitor.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netconf.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/str.h"
#include "kernel/local_addrs.h"
#include "kernel/nft.h"
#include "kernel/private.h"

#define RECEIVE_SIZE 32768
/* Memory is only taken when it is filled. */
#define QUEUE_BYTES (8 << 20)

/* Where things are in a packet: struct nlmsghdr, followed by the header of the family. */
#define OFFSET_TYPE offsetof(struct nlmsghdr, nlmsg_type)
#define OFFSET_PORT offsetof(struct nlmsghdr, nlmsg_pid)
#define OFFSET_FAMILY NLMSG_HDRLEN /* of links: ifi_family */
#define OFFSET_PROTOCOL (NLMSG_HDRLEN + offsetof(struct rtmsg, rtm_protocol))

/* Every table's, chain's, rule's, set's … message begins with the name of the table. */
#define NFTA_ANY_TABLE 1
static_assert(NFTA_TABLE_NAME == NFTA_ANY_TABLE && NFTA_CHAIN_TABLE == NFTA_ANY_TABLE &&
                  NFTA_RULE_TABLE == NFTA_ANY_TABLE && NFTA_SET_TABLE == NFTA_ANY_TABLE &&
                  NFTA_SET_ELEM_LIST_TABLE == NFTA_ANY_TABLE && NFTA_OBJ_TABLE == NFTA_ANY_TABLE &&
                  NFTA_FLOWTABLE_TABLE == NFTA_ANY_TABLE,
              "the name of the table is the first attribute");

enum { NFT, RTNL, SOCKETS };

struct kernel_monitor {
    const struct kernel *k;
    struct mnl_socket *sockets[SOCKETS];
};

/* One kernel_monitor_read. */
struct hearing {
    struct kernel_monitor *m;
    kernel_event_fn *fn;
    void *arg;
    unsigned told; /* kinds without a name, which are told once: 1 << kind */
};

/* ---- opening ---- */

static int attach_filter(int fd, struct sock_filter *code, size_t len)
{
    struct sock_fprog program = {.len = (unsigned short)len, .filter = code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

/* Loads are from network order, but netlink speaks the host's. */
static int filter_nft(int fd, uint32_t own_port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET_PORT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };

    return attach_filter(fd, code, ARRAY_SIZE(code));
}

static int filter_rtnl(int fd, uint32_t own_port)
{
    enum { LINK = 8, ROUTE = 10, DROP = 12, KEEP = 13 };
/* Jumps are counted from the instruction behind. */
#define IF_TYPE(at, type, then)                                                                    \
    [at] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(type), (then) - (at)-1, 0)
    struct sock_filter code[] = {
        [0] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, OFFSET_PORT),
        [1] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port), DROP - 2, 0),
        [2] = BPF_STMT(BPF_LD | BPF_H | BPF_ABS, OFFSET_TYPE),
        IF_TYPE(3, RTM_NEWLINK, LINK),
        IF_TYPE(4, RTM_DELLINK, LINK),
        IF_TYPE(5, RTM_DELROUTE, ROUTE),
        IF_TYPE(6, RTM_DELADDR, KEEP),
        [7] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNETCONF), KEEP - 8, DROP - 8),
        /* What a bridge says of its port is not about the link. */
        [LINK] = BPF_STMT(BPF_LD | BPF_B | BPF_ABS, OFFSET_FAMILY),
        [9] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_BRIDGE, DROP - 10, KEEP - 10),
        [ROUTE] = BPF_STMT(BPF_LD | BPF_B | BPF_ABS, OFFSET_PROTOCOL),
        [11] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FACT_ROUTE_PROTOCOL, KEEP - 12, 0),
        [DROP] = BPF_STMT(BPF_RET | BPF_K, 0),
        [KEEP] = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
#undef IF_TYPE

    return attach_filter(fd, code, ARRAY_SIZE(code));
}

static int join(int fd, const unsigned *groups, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof groups[i]) < 0)
            return -1;
    return 0;
}

/* *ret is closed by kernel_monitor_close, whatever this returns. */
static int open_socket(struct mnl_socket **ret, int protocol, struct weft_error *err)
{
    struct mnl_socket *s = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (!s)
        return weft_fail_errno(err, errno, "cannot open a netlink socket");
    *ret = s;
    (void)setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &(int){QUEUE_BYTES},
                     sizeof(int));
    /* Without a port of its own it hears nothing of what has none either. */
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
        return weft_fail_errno(err, errno, "cannot bind a netlink socket");
    return 0;
}

static int open_nft(struct kernel_monitor *m, struct weft_error *err)
{
    static const unsigned groups[] = {NFNLGRP_NFTABLES};
    uint32_t port;
    int fd, r = netlink_port(&m->k->nft, &port, err);

    if (r >= 0)
        r = open_socket(&m->sockets[NFT], NETLINK_NETFILTER, err);
    if (r < 0)
        return r;
    fd = mnl_socket_get_fd(m->sockets[NFT]);
    if (filter_nft(fd, port) < 0 || join(fd, groups, ARRAY_SIZE(groups)) < 0)
        return weft_fail_errno(err, errno, "cannot listen to nf_tables");
    return 0;
}

static int open_rtnl(struct kernel_monitor *m, struct weft_error *err)
{
    static const unsigned groups[] = {
        RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR,  RTNLGRP_IPV6_IFADDR,  RTNLGRP_IPV4_ROUTE,
        RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
    };
    uint32_t port;
    int fd, r = netlink_port(&m->k->rtnl, &port, err);

    if (r >= 0)
        r = open_socket(&m->sockets[RTNL], NETLINK_ROUTE, err);
    if (r < 0)
        return r;
    fd = mnl_socket_get_fd(m->sockets[RTNL]);
    if (filter_rtnl(fd, port) < 0 || join(fd, groups, ARRAY_SIZE(groups)) < 0)
        return weft_fail_errno(err, errno, "cannot listen to rtnetlink");
    return 0;
}

DEFINE_CLEANUP(struct kernel_monitor *, kernel_monitor_close)

int kernel_monitor_open(struct kernel *k, struct kernel_monitor **ret, struct weft_error *err)
{
    _cleanup_(kernel_monitor_close_p) struct kernel_monitor *m = calloc(1, sizeof *m);
    int r;

    if (!m)
        return weft_oom(err);
    m->k = k;
    r = open_nft(m, err);
    if (r >= 0)
        r = open_rtnl(m, err);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(m);
    return 0;
}

void kernel_monitor_close(struct kernel_monitor *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < SOCKETS; i++)
        if (m->sockets[i])
            (void)mnl_socket_close(m->sockets[i]);
    free(m);
}

void kernel_monitor_fds(const struct kernel_monitor *m, int ret[static 2])
{
    for (size_t i = 0; i < SOCKETS; i++)
        ret[i] = mnl_socket_get_fd(m->sockets[i]);
}

/* ---- nf_tables ---- */

static void tell(struct hearing *h, enum kernel_event_kind kind)
{
    struct kernel_event event = {.kind = kind};

    if (!(h->told & 1u << kind))
        h->fn(h->arg, &event);
    h->told |= 1u << kind;
}

static const char *find_string(const struct nlmsghdr *nlh, size_t header, uint16_t type)
{
    const struct nlattr *attr;

    mnl_attr_for_each(attr, nlh, (unsigned)header)
    {
        if (mnl_attr_get_type(attr) == type)
            return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ? "" : mnl_attr_get_str(attr);
    }
    return "";
}

/* What happens to the administrator's chains is theirs to know, as long as the chains are there. */
static bool is_administrators(const struct nlmsghdr *nlh, int message)
{
    const char *chain;

    if (message == NFT_MSG_NEWRULE || message == NFT_MSG_DELRULE)
        chain = find_string(nlh, sizeof(struct nfgenmsg), NFTA_RULE_CHAIN);
    else if (message == NFT_MSG_NEWCHAIN)
        chain = find_string(nlh, sizeof(struct nfgenmsg), NFTA_CHAIN_NAME);
    else
        return false;
    return str_equal(chain, "before") || str_equal(chain, "after");
}

static void hear_nft(struct hearing *h, const struct nlmsghdr *nlh)
{
    const struct nfgenmsg *header = mnl_nlmsg_get_payload(nlh);
    int message = NFNL_MSG_TYPE(nlh->nlmsg_type);
    bool ours;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof *header ||
        (h->m->k->loader && nlh->nlmsg_pid == (uint32_t)h->m->k->loader))
        return;
    ours = (header->nfgen_family == NFPROTO_INET || header->nfgen_family == NFPROTO_BRIDGE) &&
           str_equal(find_string(nlh, sizeof *header, NFTA_ANY_TABLE), NFT_TABLE);
    switch (message) {
    case NFT_MSG_NEWTABLE:
    case NFT_MSG_DELTABLE:
    case NFT_MSG_NEWCHAIN:
    case NFT_MSG_DELCHAIN:
    case NFT_MSG_NEWRULE:
    case NFT_MSG_DELRULE:
        if (!ours)
            tell(h, KERNEL_EVENT_OTHERS);
        else if (!is_administrators(nlh, message))
            tell(h, KERNEL_EVENT_RULES);
        break;
    case NFT_MSG_NEWSETELEM:
    case NFT_MSG_DELSETELEM:
        if (ours)
            tell(h, KERNEL_EVENT_ELEMENTS);
        break;
    case NFT_MSG_NEWGEN: /* follows every transaction */
        break;
    default: /* sets, objects, flow tables */
        if (ours)
            tell(h, KERNEL_EVENT_RULES);
        break;
    }
}

/* ---- rtnetlink ---- */

/* "" when there is none of that index any more. */
static void find_link_name(const struct hearing *h, int index, char ret[static IFNAMSIZ])
{
    struct ifreq request = {.ifr_ifindex = index};

    if (ioctl(mnl_socket_get_fd(h->m->sockets[RTNL]), SIOCGIFNAME, &request) == 0)
        (void)str_copy(ret, IFNAMSIZ, request.ifr_name);
}

static void hear_link(struct hearing *h, const struct nlmsghdr *nlh)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
    struct kernel_event event = {.kind = nlh->nlmsg_type == RTM_DELLINK ? KERNEL_EVENT_LINK_GONE
                                                                        : KERNEL_EVENT_LINK};
    const struct nlattr *attr;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof *info)
        return;
    (void)str_copy(event.name, sizeof event.name, find_string(nlh, sizeof *info, IFLA_IFNAME));
    if (event.kind == KERNEL_EVENT_LINK) {
        event.link.up = info->ifi_flags & IFF_UP;
        mnl_attr_for_each(attr, nlh, sizeof *info)
        {
            if (mnl_attr_get_type(attr) == IFLA_GROUP)
                event.link.ours = mnl_attr_get_u32(attr) == FACT_LINK_GROUP;
            else if (mnl_attr_get_type(attr) == IFLA_MASTER)
                find_link_name(h, (int)mnl_attr_get_u32(attr), event.link.master);
            else if (mnl_attr_get_type(attr) == IFLA_MTU)
                event.link.mtu = mnl_attr_get_u32(attr);
            else if (mnl_attr_get_type(attr) == IFLA_ADDRESS &&
                     mnl_attr_get_payload_len(attr) == sizeof event.link.mac.bytes)
                memcpy(event.link.mac.bytes, mnl_attr_get_payload(attr),
                       sizeof event.link.mac.bytes);
        }
    }
    h->fn(h->arg, &event);
}

static void hear_addr(struct hearing *h, const struct nlmsghdr *nlh)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    struct kernel_event event = {.kind = KERNEL_EVENT_ADDR_GONE};

    if (local_addrs_parse(nlh, &event.prefix) < 0)
        return;
    find_link_name(h, (int)ifa->ifa_index, event.name);
    h->fn(h->arg, &event);
}

static void hear_route(struct hearing *h, const struct nlmsghdr *nlh)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    struct kernel_event event = {.kind = KERNEL_EVENT_ROUTE_GONE};
    const struct nlattr *attr;

    if (mnl_nlmsg_get_payload_len(nlh) < sizeof *rtm || rtm->rtm_protocol != FACT_ROUTE_PROTOCOL)
        return;
    mnl_attr_for_each(attr, nlh, sizeof *rtm)
    {
        if (mnl_attr_get_type(attr) == RTA_OIF)
            find_link_name(h, (int)mnl_attr_get_u32(attr), event.name);
    }
    h->fn(h->arg, &event);
}

/* Of a switched setting the kernel tells that one, but of a new link all of them. */
static void hear_netconf(struct hearing *h, const struct nlmsghdr *nlh)
{
    const struct nlattr *attr;
    bool forwarding = false, others = false;

    mnl_attr_for_each(attr, nlh, sizeof(struct netconfmsg))
    {
        if (mnl_attr_get_type(attr) == NETCONFA_FORWARDING)
            forwarding = true;
        else if (mnl_attr_get_type(attr) != NETCONFA_IFINDEX)
            others = true;
    }
    if (forwarding && !others)
        tell(h, KERNEL_EVENT_FORWARDING);
}

static void hear_rtnl(struct hearing *h, const struct nlmsghdr *nlh)
{
    switch (nlh->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        hear_link(h, nlh);
        break;
    case RTM_DELADDR:
        hear_addr(h, nlh);
        break;
    case RTM_DELROUTE:
        hear_route(h, nlh);
        break;
    case RTM_NEWNETCONF:
        hear_netconf(h, nlh);
        break;
    default:
        break;
    }
}

/* ---- reading ---- */

static int read_socket(struct hearing *h, int which, struct weft_error *err)
{
    char buffer[RECEIVE_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));

    for (;;) {
        const struct nlmsghdr *nlh = (const void *)buffer;
        /* MSG_TRUNC: the length of what was sent, even if it did not fit. */
        ssize_t got = recv(mnl_socket_get_fd(h->m->sockets[which]), buffer, sizeof buffer,
                           MSG_DONTWAIT | MSG_TRUNC);
        int n = (int)got;

        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno != ENOBUFS)
            return weft_fail_errno(err, errno, "cannot hear of changes");
        if (got < 0 || (size_t)got > sizeof buffer) {
            tell(h, KERNEL_EVENT_LOST);
            continue;
        }
        for (; mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n))
            (which == NFT ? hear_nft : hear_rtnl)(h, nlh);
    }
}

int kernel_monitor_read(struct kernel_monitor *m, kernel_event_fn *fn, void *arg,
                        struct weft_error *err)
{
    struct hearing h = {.m = m, .fn = fn, .arg = arg};
    int r = read_socket(&h, NFT, err);

    return r < 0 ? r : read_socket(&h, RTNL, err);
}
