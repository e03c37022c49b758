/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: sockets outlive both processes.
 *
 * weftd makes them, gives weft-dns copies and keeps its own: whichever of the two dies, the kernel
 * goes on taking queries in. A socket holds on to its network namespace, and one that is bound to a
 * device to that very device: so a sandbox's are closed when it stops, and where a namespace or a
 * bridge was made anew behind weft's back, sockets from before are of no use. They are recognised
 * when they are not *sure*: after a restart of weftd, and after mending.
 *
 * Sockets come in groups that are had whole or not at all: a server on an address without TCP would
 * be half a server. Of a sandbox without one nothing works, so it does not matter there that its
 * groups could fail apart.
 */

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "dns/codec.h"
#include "engine/dns.h"
#include "relay/owner.h"

/* Some thousand queries, for when they come all at once. */
#define QUEUE_OCTETS (1 << 20)
#define ASK_UDP 16 /* of both families together */
#define ASK_TCP 4

struct group {
    uint8_t roles[DNS_SOCKETS_MAX];
    struct kernel_socket sockets[DNS_SOCKETS_MAX];
    size_t count;
};

static void group_add(struct group *g, uint8_t role, const struct kernel_socket *socket)
{
    g->roles[g->count] = role;
    g->sockets[g->count++] = *socket;
}

/* Both of UDP and TCP at an address; the roles of the two follow one another. */
static void group_add_pair(struct group *g, enum dns_socket_role udp, const struct addr *addr,
                           uint16_t port, const char *device)
{
    struct kernel_socket socket = {
        .family = addr->family,
        .type = SOCK_DGRAM,
        .addr = *addr,
        .port = port,
        .buffer = QUEUE_OCTETS,
        .device = device,
    };

    group_add(g, (uint8_t)udp, &socket);
    socket.type = SOCK_STREAM;
    socket.buffer = 0;
    group_add(g, (uint8_t)(udp + 1), &socket);
}

/* ---- what an owner has ---- */

static size_t count_of(const uint8_t *roles, size_t count, uint8_t role)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += roles[i] == role;
    return n;
}

static void close_at(struct dns_owner *o, size_t i)
{
    (void)close(o->fds[i]);
    o->socket_count--;
    o->fds[i] = o->fds[o->socket_count];
    o->roles[i] = o->roles[o->socket_count];
    o->families[i] = o->families[o->socket_count];
    o->sockets_told = false;
}

void dns_sockets_close(struct dns_owner *o)
{
    while (o->socket_count > 0)
        close_at(o, o->socket_count - 1);
    o->sockets_sure = false;
}

/* Whether the owner has all of a group. What it has of half a group is closed. */
static bool has_group(struct dns_owner *o, const struct group *g)
{
    int family = g->sockets[0].family;
    size_t found = 0;

    for (size_t i = 0; i < o->socket_count; i++)
        found += o->families[i] == family && count_of(g->roles, g->count, o->roles[i]) > 0;
    if (found == g->count)
        return true;
    for (size_t i = o->socket_count; i-- > 0;)
        if (o->families[i] == family && count_of(g->roles, g->count, o->roles[i]) > 0)
            close_at(o, i);
    return false;
}

static int make_group(struct dns *d, const struct kstate_ns *ns, const struct group *g,
                      struct dns_owner *o, struct weft_error *err)
{
    int fds[DNS_SOCKETS_MAX];
    int r;

    if (o->socket_count + g->count > DNS_SOCKETS_MAX)
        return weft_fail(err, WEFT_INTERNAL, "too many sockets");
    r = kernel_sockets(d->engine->kernel, ns, g->sockets, g->count, fds, err);
    for (size_t i = 0; r == 0 && i < g->count; i++) {
        o->fds[o->socket_count] = fds[i];
        o->roles[o->socket_count] = g->roles[i];
        o->families[o->socket_count++] = (uint8_t)g->sockets[i].family;
    }
    if (r == 0)
        o->sockets_told = false;
    return r;
}

void dns_sockets_take(struct dns *d, struct dns_msg_sockets *m)
{
    struct dns_owner *o = dns_owner_get(d, m->id, m->of_network);

    if (!o)
        return;
    dns_sockets_close(o);
    for (size_t i = 0; i < m->count; i++) {
        socklen_t size = sizeof(int);
        int family = AF_UNSPEC;

        (void)getsockopt(m->fds[i], SOL_SOCKET, SO_DOMAIN, &family, &size);
        o->roles[i] = m->roles[i];
        o->families[i] = (uint8_t)family;
        o->fds[i] = TAKE_FD(m->fds[i]);
    }
    o->socket_count = m->count;
    o->sockets_told = true;
}

void dns_sockets_message(const struct dns_owner *o, struct dns_message *ret)
{
    *ret = (struct dns_message){
        .type = DNS_MSG_SOCKETS,
        .sockets = {.of_network = o->of_network, .id = o->id, .count = o->socket_count},
    };
    memcpy(ret->sockets.roles, o->roles, sizeof o->roles);
    memcpy(ret->sockets.fds, o->fds, sizeof o->fds);
}

/* ---- networks ---- */

/*
 * The host's address on the network, port 53, leads to the port that is listened at: see
 * firewall_render_network.
 *
 * What the host itself sends to its address on a bridge counts as having come in by that bridge,
 * not by the loopback device (ip_route_output_key_hash_rcu() in net/ipv4/route.c, ip6_rcv_core() in
 * net/ipv6/ip6_input.c). So there is one listener for the network and the host, and it is by their
 * address that weft-dns tells those apart who ask.
 */

/* Those that listen on a bridge that is not there any more. A device's name is looked up by the
 * number that the socket has. */
static void close_stale_listeners(const struct network *net, struct dns_owner *o)
{
    for (size_t i = o->socket_count; i-- > 0;) {
        char device[IFNAMSIZ] = "";
        socklen_t size = sizeof device;

        if (getsockopt(o->fds[i], SOL_SOCKET, SO_BINDTODEVICE, device, &size) < 0 ||
            strncmp(device, net->link, sizeof device) != 0)
            close_at(o, i);
    }
}

static void complain(const struct network *net, const struct addr *addr, int r,
                     const struct weft_error *err)
{
    struct relay_port port = {.proto = IPPROTO_UDP, .host = *addr, .port = FACT_RESOLVER_PORT};
    char who[OWNER_TEXT_MAX] = "";

    if (strstr(err->text, "TCP"))
        port.proto = IPPROTO_TCP;
    if (r == -EADDRINUSE)
        owner_find(&port, who);
    log_warning("network %s: names cannot be asked for at %s: %s%s%s", net->name, addr_text(addr),
                err->text, *who ? ", by " : "", who);
}

static void ensure_listeners(struct dns *d, const struct network *net, const struct addr *addr,
                             struct dns_owner *o)
{
    bool host_dns = network_option_bool(net, OPTION_HOST_DNS, false);
    struct weft_error err = {0};
    struct group g = {0};
    int r;

    if (!addr_is_set(addr))
        return;
    group_add_pair(&g, host_dns ? DNS_SOCKET_HOST_UDP : DNS_SOCKET_UDP, addr, FACT_RESOLVER_PORT,
                   net->link);
    if (has_group(o, &g))
        return;
    r = make_group(d, NULL, &g, o, &err);
    if (r < 0)
        complain(net, addr, r, &err);
}

void dns_sockets_of_network(struct dns *d, const struct network *net, struct dns_owner *o)
{
    const struct addr addrs[] = {network_host_addr(net, AF_INET), network_host_addr(net, AF_INET6)};

    if (o->sockets_sure)
        return;
    close_stale_listeners(net, o);
    for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
        ensure_listeners(d, net, &addrs[i], o);
    o->sockets_sure = true;
}

/* ---- sandboxes ---- */

static bool is_in_namespace(int fd, const struct netns_identity *identity)
{
    _cleanup_close_ int ns = ioctl(fd, SIOCGSKNS);
    struct stat st;

    return ns >= 0 && fstat(ns, &st) == 0 && st.st_ino == identity->ino &&
           st.st_dev == identity->dev;
}

static void close_strangers(const struct sandbox *sb, struct dns_owner *o)
{
    struct netns_identity identity = {0};

    if (o->socket_count == 0)
        return;
    (void)kernel_netns_identify(sb->netns, &identity, NULL);
    for (size_t i = o->socket_count; i-- > 0;)
        if (!is_in_namespace(o->fds[i], &identity))
            close_at(o, i);
}

static void add_asking(struct group *g, int family, bool both)
{
    struct kernel_socket socket = {.family = family, .type = SOCK_DGRAM};
    uint8_t udp = family == AF_INET6 ? DNS_SOCKET_ASK_UDP6 : DNS_SOCKET_ASK_UDP4;
    uint8_t tcp = family == AF_INET6 ? DNS_SOCKET_ASK_TCP6 : DNS_SOCKET_ASK_TCP4;

    for (int i = 0; i < (both ? ASK_UDP / 2 : ASK_UDP); i++)
        group_add(g, udp, &socket);
    socket.type = SOCK_STREAM;
    for (int i = 0; i < (both ? ASK_TCP / 2 : ASK_TCP); i++)
        group_add(g, tcp, &socket);
}

static void ensure_group(struct dns *d, const struct sandbox *sb, const struct group *g,
                         struct dns_owner *o)
{
    struct weft_error err = {0};
    struct kstate_ns ns;

    if (g->count == 0 || has_group(o, g))
        return;
    if (sandbox_ns(sb, &ns) && make_group(d, &ns, g, o, &err) < 0)
        log_error("%s cannot ask for names: %s", sandbox_owner_text(sb), err.text);
}

void dns_sockets_of_sandbox(struct dns *d, const struct sandbox *sb, const struct container *c,
                            struct dns_owner *o)
{
    struct group listen = {0}, ask[2] = {0};
    _cleanup_strv_ strv servers = NULL;
    bool has[2] = {false, false};
    struct addr addr;

    if (o->sockets_sure || (c && sandbox_servers(sb, c, &servers) < 0))
        return;
    close_strangers(sb, o);
    (void)addr_parse(FACT_RESOLVER_ADDR, &addr, NULL);
    group_add_pair(&listen, DNS_SOCKET_UDP, &addr, FACT_RESOLVER_PORT, NULL);
    ensure_group(d, sb, &listen, o);
    for (char **text = servers; text && *text; text++)
        if (addr_parse(*text, &addr, NULL) == 0)
            has[addr.family == AF_INET6] = true;
    for (int i = 0; i < 2; i++) {
        if (has[i])
            add_asking(&ask[i], i ? AF_INET6 : AF_INET, has[0] && has[1]);
        ensure_group(d, sb, &ask[i], o);
    }
    o->sockets_sure = true;
}
