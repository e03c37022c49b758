/* SPDX-License-Identifier: Apache-2.0 */

#include "floor.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "stats.h"

#define GROUP 0x666c6f72u  /* not weft's, or weftd would take the links away */
#define ROUTE_PROTOCOL 119 /* FACT_ROUTE_PROTOCOL */

/* Requests that go out together; only the last is acknowledged. */
struct batch {
    char data[4096];
    size_t len;
    uint32_t seq;
    struct nlmsghdr *last;
};

int floor_open(struct floor_socket *ret)
{
    struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

    if (!socket)
        return -errno;
    *ret = (struct floor_socket){.socket = socket};
    return 0;
}

void floor_close(struct floor_socket *s)
{
    (void)mnl_socket_close(s->socket);
}

int floor_link_index(const struct floor_socket *s, const char *name)
{
    struct ifreq request = {0};

    (void)strncpy(request.ifr_name, name, sizeof request.ifr_name - 1);
    if (ioctl(mnl_socket_get_fd(s->socket), SIOCGIFINDEX, &request) < 0)
        return -errno;
    return request.ifr_ifindex;
}

static struct nlmsghdr *begin(struct batch *b, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(b->data + b->len);

    nlh->nlmsg_type = type;
    nlh->nlmsg_flags = NLM_F_REQUEST | flags;
    nlh->nlmsg_seq = ++b->seq;
    return nlh;
}

static void end(struct batch *b, struct nlmsghdr *nlh)
{
    b->last = nlh;
    b->len += NLMSG_ALIGN(nlh->nlmsg_len);
}

static struct nlmsghdr *begin_link(struct batch *b, uint16_t type, uint16_t flags, const char *name)
{
    struct nlmsghdr *nlh = begin(b, type, flags);

    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
    return nlh;
}

/* No link-local IPv6 address, then up. */
static void put_up(struct batch *b, const char *name)
{
    struct nlmsghdr *nlh = begin_link(b, RTM_SETLINK, 0, name);
    struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);
    struct ifinfomsg *info;

    mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(nlh, inet6);
    mnl_attr_nest_end(nlh, spec);
    end(b, nlh);

    nlh = begin_link(b, RTM_SETLINK, 0, name);
    info = mnl_nlmsg_get_payload(nlh);
    info->ifi_change = info->ifi_flags = IFF_UP;
    end(b, nlh);
}

static void put_address(struct batch *b, int index, struct in_addr address, uint8_t prefix_len)
{
    struct nlmsghdr *nlh = begin(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof *ifa);

    ifa->ifa_family = AF_INET;
    ifa->ifa_prefixlen = prefix_len;
    ifa->ifa_index = (unsigned)index;
    mnl_attr_put_u32(nlh, IFA_LOCAL, address.s_addr);
    mnl_attr_put_u32(nlh, IFA_ADDRESS, address.s_addr);
    end(b, nlh);
}

static void put_default_route(struct batch *b, int index, struct in_addr gateway)
{
    struct nlmsghdr *nlh = begin(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof *rtm);

    rtm->rtm_family = AF_INET;
    rtm->rtm_table = RT_TABLE_MAIN;
    rtm->rtm_protocol = ROUTE_PROTOCOL;
    rtm->rtm_scope = RT_SCOPE_UNIVERSE;
    rtm->rtm_type = RTN_UNICAST;
    mnl_attr_put_u32(nlh, RTA_GATEWAY, gateway.s_addr);
    mnl_attr_put_u32(nlh, RTA_OIF, (uint32_t)index);
    end(b, nlh);
}

static void put_bridge(struct batch *b, const struct floor_bridge *bridge)
{
    struct nlmsghdr *nlh = begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, bridge->name);
    struct nlattr *info;

    mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
    mnl_attr_put(nlh, IFLA_ADDRESS, sizeof bridge->mac, bridge->mac);
    info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
    mnl_attr_nest_end(nlh, info);
    end(b, nlh);
}

static void put_pair(struct batch *b, int ns_fd, const struct floor_endpoint *ep)
{
    struct nlmsghdr *nlh = begin_link(b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ep->host_link);
    struct nlattr *info, *data, *peer;

    mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
    mnl_attr_put_u32(nlh, IFLA_MASTER, (uint32_t)ep->bridge_index);
    info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
    mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
    data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
    peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(nlh, IFLA_IFNAME, ep->ifname);
    mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
    mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (uint32_t)ns_fd);
    mnl_attr_put(nlh, IFLA_ADDRESS, sizeof ep->mac, ep->mac);
    mnl_attr_nest_end(nlh, peer);
    mnl_attr_nest_end(nlh, data);
    mnl_attr_nest_end(nlh, info);
    end(b, nlh);
}

/* Sends the batch and hears the answers: refusals, and the acknowledgement of the last request. */
static int run(struct floor_socket *s, struct batch *b)
{
    char buffer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
    int refusal = 0;
    uint32_t heard = s->seq;

    b->last->nlmsg_flags |= NLM_F_ACK;
    s->seq = b->seq;
    if (mnl_socket_sendto(s->socket, b->data, b->len) < 0)
        return -errno;
    while (heard != s->seq) {
        int n = (int)mnl_socket_recvfrom(s->socket, buffer, sizeof buffer);
        const struct nlmsghdr *nlh = (const void *)buffer;

        if (n < 0)
            return -errno;
        for (; mnl_nlmsg_ok(nlh, n); nlh = mnl_nlmsg_next(nlh, &n)) {
            const struct nlmsgerr *answer = mnl_nlmsg_get_payload(nlh);

            heard = nlh->nlmsg_seq;
            if (refusal == 0)
                refusal = answer->error;
        }
    }
    return refusal;
}

int floor_make_bridge(struct floor_socket *host, const struct floor_bridge *bridge)
{
    struct batch link = {.seq = host->seq}, address;
    int r;

    put_bridge(&link, bridge);
    put_up(&link, bridge->name);
    r = run(host, &link);
    if (r == 0)
        r = floor_link_index(host, bridge->name);
    if (r < 0)
        return r;
    address = (struct batch){.seq = host->seq};
    put_address(&address, r, bridge->address, bridge->prefix_len);
    return run(host, &address);
}

struct removal {
    struct floor_socket *host;
    struct batch batch;
    int result;
    atomic_bool ended;
};

static void *remove_link(void *arg)
{
    struct removal *r = arg;

    r->result = run(r->host, &r->batch);
    atomic_store(&r->ended, true);
    return NULL;
}

int floor_remove_link(struct floor_socket *host, const char *name, double *ret_gone)
{
    const struct timespec pause = {.tv_nsec = 20000};
    struct removal r = {.host = host, .batch.seq = host->seq};
    pthread_t thread;
    int errnum;

    end(&r.batch, begin_link(&r.batch, RTM_DELLINK, 0, name));
    errnum = pthread_create(&thread, NULL, remove_link, &r);
    if (errnum)
        return -errnum;
    /* Sleeping between looks: on a machine with few CPUs a busy loop holds up the removal. */
    while (!atomic_load(&r.ended) && floor_link_index(host, name) > 0)
        (void)nanosleep(&pause, NULL);
    *ret_gone = clock_ms();
    (void)pthread_join(thread, NULL);
    return r.result;
}

int floor_connect(struct floor_socket *host, int ns_fd, struct floor_socket *inside,
                  const struct floor_endpoint *ep)
{
    struct batch outer = {.seq = host->seq}, inner = {.seq = inside->seq};
    int r;

    put_pair(&outer, ns_fd, ep);
    put_up(&outer, ep->host_link);
    r = run(host, &outer);
    if (r == 0)
        r = floor_link_index(inside, ep->ifname);
    if (r < 0)
        return r;
    put_up(&inner, ep->ifname);
    put_address(&inner, r, ep->address, ep->prefix_len);
    put_default_route(&inner, r, ep->gateway);
    return run(inside, &inner);
}
