/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading frames. Anybody on the LAN may have sent them: every length is checked against what is
 * really there, and what makes no sense is refused as a whole or, where a lease is of use without
 * it, passed over.
 *
 * Options lie in up to three areas of a message: behind the cookie, and, where option 52 says so,
 * in the fields of a boot file's name and of the server's. An option that appears more than once is
 * one long option, cut into parts (RFC 3396); the areas count in this order.
 */

#include "dhcp/codec.h"

#include <ctype.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>

#include "dhcp/wire.h"

#define OVERLOAD_FILE 1
#define OVERLOAD_SNAME 2
#define AREAS_MAX 3
#define MTU_MIN 576 /* what every host takes: RFC 791, 3.1. Less is a server's mistake */

struct span {
    const uint8_t *data;
    size_t length;
};

struct areas {
    struct span items[AREAS_MAX];
    size_t count;
};

/* ---- headers ---- */

/* The packet in a frame, without the padding of short frames. */
static bool take_ipv4(struct span *at)
{
    const uint8_t *ip = at->data + ETHERNET_SIZE;
    size_t header, total;

    if (at->length < ETHERNET_SIZE + IPV4_SIZE || get16(at->data + 12) != ETHERTYPE_IP)
        return false;
    header = (size_t)(ip[0] & 0xf) * 4;
    total = get16(ip + 2);
    if (ip[0] >> 4 != 4 || header < IPV4_SIZE || total < header ||
        total > at->length - ETHERNET_SIZE || ip[9] != IPPROTO_UDP ||
        get16(ip + 6) & (IP_MF | IP_OFFMASK) || checksum_end(checksum_add(0, ip, header)) != 0)
        return false;
    *at = (struct span){ip, total};
    return true;
}

/* The message in a packet. */
static bool take_udp(struct span *at, bool unsummed)
{
    size_t header = (size_t)(at->data[0] & 0xf) * 4, length;
    const uint8_t *udp = at->data + header;
    bool has_sum;

    if (at->length - header < UDP_SIZE)
        return false;
    length = get16(udp + 4);
    if (get16(udp) != SERVER_PORT || get16(udp + 2) != CLIENT_PORT || length < UDP_SIZE ||
        length > at->length - header)
        return false;
    has_sum = get16(udp + 6) != 0 && !unsummed;
    if (has_sum && checksum_end(checksum_add(checksum_pseudo(at->data, length), udp, length)) != 0)
        return false;
    *at = (struct span){udp + UDP_SIZE, length - UDP_SIZE};
    return true;
}

static bool is_reply(const struct span *m)
{
    return m->length >= BOOTP_SIZE + COOKIE_SIZE && m->data[BOOTP_OP] == 2 &&
           m->data[BOOTP_HTYPE] == HARDWARE_ETHERNET && m->data[BOOTP_HLEN] == 6 &&
           get32(m->data + BOOTP_SIZE) == DHCP_COOKIE;
}

/* ---- options ---- */

/* The next option of an area, which gets shorter. False at its end, also where it is cut off. */
static bool next_option(struct span *area, uint8_t *code, struct span *ret)
{
    while (area->length > 0 && *area->data == OPTION_PAD) {
        area->data++;
        area->length--;
    }
    if (area->length < 2 || *area->data == OPTION_END || area->data[1] > area->length - 2)
        return false;
    *code = area->data[0];
    *ret = (struct span){area->data + 2, area->data[1]};
    area->data += 2 + ret->length;
    area->length -= 2 + ret->length;
    return true;
}

/* All parts of an option, one behind the other, in buf, as far as there is room. False: there is
 * none. */
static bool find_option(const struct areas *areas, uint8_t code, uint8_t *buf, size_t size,
                        struct span *ret)
{
    bool found = false;

    *ret = (struct span){buf, 0};
    for (size_t i = 0; i < areas->count; i++) {
        struct span area = areas->items[i], part;
        uint8_t here;

        while (next_option(&area, &here, &part)) {
            if (here != code)
                continue;
            found = true;
            if (part.length > size - ret->length)
                part.length = size - ret->length;
            memcpy(buf + ret->length, part.data, part.length);
            ret->length += part.length;
        }
    }
    return found;
}

static struct areas find_areas(const struct span *m)
{
    struct areas areas = {.count = 1};
    size_t fixed = BOOTP_SIZE + COOKIE_SIZE;
    struct span overload;
    uint8_t how;

    areas.items[0] = (struct span){m->data + fixed, m->length - fixed};
    if (!find_option(&areas, OPTION_OVERLOAD, &how, sizeof how, &overload) || overload.length < 1)
        return areas;
    if (how & OVERLOAD_FILE)
        areas.items[areas.count++] = (struct span){m->data + BOOTP_FILE, BOOTP_FILE_SIZE};
    if (how & OVERLOAD_SNAME)
        areas.items[areas.count++] = (struct span){m->data + BOOTP_SNAME, BOOTP_SNAME_SIZE};
    return areas;
}

static struct addr read_addr(const uint8_t *at)
{
    struct addr addr = {.family = AF_INET};

    memcpy(addr.bytes, at, 4);
    return addr;
}

/* 127.0.0.0/8, 0.0.0.0/8 and all from 224.0.0.0 on belong to no host (RFC 1122, 3.2.1.3). */
static bool is_hosts(const struct addr *addr)
{
    return addr->bytes[0] != 0 && addr->bytes[0] != 127 && addr->bytes[0] < 224;
}

/* The first address of an option, none where it has no host's. */
static struct addr get_addr(const struct areas *areas, uint8_t code)
{
    uint8_t buf[4];
    struct span option;
    struct addr addr = {0};

    if (find_option(areas, code, buf, sizeof buf, &option) && option.length == sizeof buf)
        addr = read_addr(buf);
    return is_hosts(&addr) ? addr : (struct addr){0};
}

static uint32_t get_seconds(const struct areas *areas, uint8_t code)
{
    uint8_t buf[4];
    struct span option;

    return find_option(areas, code, buf, sizeof buf, &option) && option.length == sizeof buf
               ? get32(buf)
               : 0;
}

/* ---- leases ---- */

static uint8_t class_len(const struct addr *addr)
{
    if (addr->bytes[0] < 128)
        return 8;
    return addr->bytes[0] < 192 ? 16 : 24;
}

/* False: a mask with holes, or of nothing. */
static bool read_mask(const struct areas *areas, struct dhcp_lease *lease)
{
    uint8_t buf[4];
    struct span option;
    uint32_t mask, rest;

    if (!find_option(areas, OPTION_MASK, buf, sizeof buf, &option)) {
        lease->len = class_len(&lease->addr);
        return true;
    }
    mask = get32(buf);
    rest = ~mask;
    if (option.length != sizeof buf || mask == 0 || rest & (rest + 1))
        return false;
    lease->len = (uint8_t)__builtin_popcount(mask);
    return true;
}

/* Whether a host can have it: neither the network's address nor the one for broadcasts. */
static bool is_usable(const struct dhcp_lease *lease)
{
    struct prefix own = {lease->addr, lease->len};
    struct addr first = prefix_first(&own), last = prefix_last(&own);

    return is_hosts(&lease->addr) && (lease->len >= 31 || (!addr_equal(&lease->addr, &first) &&
                                                           !addr_equal(&lease->addr, &last)));
}

/* T1 and T2 are half and seven eighths of the lease where the server says nothing sensible:
 * RFC 2131, 4.4.5. */
static bool read_times(const struct areas *areas, struct dhcp_lease *lease)
{
    uint32_t half, most;

    lease->seconds = get_seconds(areas, OPTION_LEASE);
    lease->renew = get_seconds(areas, OPTION_RENEW);
    lease->rebind = get_seconds(areas, OPTION_REBIND);
    if (lease->seconds < 4)
        return false; /* there would be no time to renew it */
    half = lease->seconds / 2;
    most = lease->seconds - lease->seconds / 8 - (lease->seconds < 8);
    if (lease->rebind < 2 || lease->rebind >= lease->seconds)
        lease->rebind = most;
    if (lease->renew == 0 || lease->renew >= lease->rebind)
        lease->renew = half < lease->rebind ? half : lease->rebind / 2;
    return true;
}

static void add_route(struct dhcp_lease *lease, const struct prefix *raw, const struct addr *via)
{
    struct prefix own = {lease->addr, lease->len}, destination = prefix_network(raw);

    own = prefix_network(&own);
    if (destination.len == 0) {
        if (addr_is_set(via))
            lease->gateway = *via;
        return;
    }
    /* The kernel makes the one to the subnet itself. */
    if (!addr_is_set(via) && prefix_equal(&own, &destination))
        return;
    if (is_hosts(&destination.addr) && lease->route_count < DHCP_ROUTES_MAX)
        lease->routes[lease->route_count++] = (struct dhcp_route){destination, *via};
}

/* RFC 3442: a length, as many octets of the destination as it takes, a router; 0.0.0.0 for one that
 * is none. Where there are such, routers of option 3 do not count. */
static bool read_routes(const struct areas *areas, struct dhcp_lease *lease)
{
    uint8_t buf[DHCP_FRAME_MAX];
    struct span option;

    if (!find_option(areas, OPTION_ROUTES, buf, sizeof buf, &option))
        return false;
    for (size_t at = 0; at < option.length;) {
        struct prefix destination = {.addr.family = AF_INET, .len = buf[at++]};
        size_t octets = (destination.len + 7U) / 8U;
        struct addr via;

        if (destination.len > 32 || octets + 4 > option.length - at)
            break;
        memcpy(destination.addr.bytes, buf + at, octets);
        via = read_addr(buf + at + octets);
        at += octets + 4;
        if (get32(via.bytes) == 0)
            via = (struct addr){0};
        else if (!is_hosts(&via))
            continue;
        add_route(lease, &destination, &via);
    }
    return true;
}

static void read_servers(const struct areas *areas, struct dhcp_lease *lease)
{
    uint8_t buf[4 * DHCP_DNS_MAX];
    struct span option;

    (void)find_option(areas, OPTION_DNS_SERVERS, buf, sizeof buf, &option);
    for (size_t at = 0; at + 4 <= option.length; at += 4) {
        struct addr addr = read_addr(buf + at);

        if (is_hosts(&addr))
            lease->dns[lease->dns_count++] = addr;
    }
}

/* Some servers count a NUL at its end. */
static void read_domain(const struct areas *areas, struct dhcp_lease *lease)
{
    uint8_t buf[DHCP_DOMAIN_MAX];
    struct span option;

    (void)find_option(areas, OPTION_DOMAIN, buf, sizeof buf, &option);
    while (option.length > 0 && buf[option.length - 1] == '\0')
        option.length--;
    if (option.length >= sizeof lease->domain)
        return;
    for (size_t i = 0; i < option.length; i++)
        if (!isascii(buf[i]) || !(isalnum(buf[i]) || buf[i] == '-' || buf[i] == '.'))
            return;
    memcpy(lease->domain, buf, option.length);
}

static bool read_lease(const struct span *m, const struct areas *areas, struct dhcp_lease *lease)
{
    uint8_t mtu[2];
    struct span option;

    lease->addr = read_addr(m->data + BOOTP_YIADDR);
    if (!addr_is_set(&lease->server) || !read_mask(areas, lease) || !is_usable(lease) ||
        !read_times(areas, lease))
        return false;
    if (find_option(areas, OPTION_LINK_MTU, mtu, sizeof mtu, &option) &&
        option.length == sizeof mtu && get16(mtu) >= MTU_MIN)
        lease->mtu = get16(mtu);
    if (!read_routes(areas, lease))
        lease->gateway = get_addr(areas, OPTION_ROUTER);
    read_servers(areas, lease);
    read_domain(areas, lease);
    return true;
}

/* ---- replies ---- */

static void read_text(const struct areas *areas, struct dhcp_reply *ret)
{
    uint8_t buf[DHCP_TEXT_MAX - 1];
    struct span option;
    size_t length = 0;

    (void)find_option(areas, OPTION_MESSAGE, buf, sizeof buf, &option);
    for (size_t i = 0; i < option.length; i++)
        if (isascii(buf[i]) && isprint(buf[i]))
            ret->text[length++] = (char)buf[i];
    ret->text[length] = '\0';
}

/* Identifiers of clients are never cut into parts: what is echoed is one option, or not ours. */
static void read_id(const struct areas *areas, struct dhcp_reply *ret)
{
    for (size_t i = 0; i < areas->count; i++) {
        struct span area = areas->items[i], part;
        uint8_t code;

        while (!ret->has_id && next_option(&area, &code, &part)) {
            if (code != OPTION_CLIENT_ID)
                continue;
            ret->has_id = true;
            ret->id = part.data;
            ret->id_length = part.length;
        }
    }
}

int dhcp_decode(const uint8_t *frame, size_t length, bool unsummed, struct dhcp_reply *ret)
{
    struct span m = {frame, length}, option;
    struct areas areas;
    uint8_t type;

    memset(ret, 0, sizeof *ret);
    if (!take_ipv4(&m) || !take_udp(&m, unsummed) || !is_reply(&m))
        return -EBADMSG;
    areas = find_areas(&m);
    if (!find_option(&areas, OPTION_TYPE, &type, sizeof type, &option) || option.length != 1 ||
        (type != DHCP_OFFER && type != DHCP_ACK && type != DHCP_NAK))
        return -EBADMSG;
    ret->type = (enum dhcp_type)type;
    ret->xid = get32(m.data + BOOTP_XID);
    memcpy(ret->mac.bytes, m.data + BOOTP_CHADDR, sizeof ret->mac.bytes);
    memcpy(ret->lease.server_mac.bytes, frame + 6, sizeof ret->lease.server_mac.bytes);
    ret->lease.server = get_addr(&areas, OPTION_SERVER);
    read_text(&areas, ret);
    read_id(&areas, ret);
    return type == DHCP_NAK || read_lease(&m, &areas, &ret->lease) ? 0 : -EBADMSG;
}

bool dhcp_reply_is_for(const struct dhcp_reply *reply, const struct dhcp_identity *who)
{
    return !reply->has_id ||
           (reply->id_length == who->id_length && memcmp(reply->id, who->id, who->id_length) == 0);
}
