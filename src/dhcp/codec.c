/* SPDX-License-Identifier: Apache-2.0 */

/* Writing frames, and what both directions have in common. */

#include "dhcp/codec.h"

#include <ctype.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

#include "dhcp/wire.h"

#define TTL 64
#define DSCP_CS6 0xc0      /* network control: RFC 2474, as DHCP clients do */
#define BOOTP_SIZE_MIN 300 /* what relays and old servers take for whole: RFC 1542, 2.1 */

static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* ---- checksums ---- */

uint32_t checksum_add(uint32_t sum, const uint8_t *data, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += get16(data + i);
    if (length % 2)
        sum += (uint32_t)data[length - 1] << 8;
    return sum;
}

uint16_t checksum_end(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint32_t checksum_pseudo(const uint8_t *ip, size_t length)
{
    return checksum_add(IPPROTO_UDP + (uint32_t)length, ip + 12, 8);
}

/* ---- options ---- */

static uint8_t *add_option(uint8_t *at, uint8_t code, const void *data, size_t length)
{
    *at++ = code;
    *at++ = (uint8_t)length;
    memcpy(at, data, length);
    return at + length;
}

static uint8_t *add_addr(uint8_t *at, uint8_t code, const struct addr *addr)
{
    return addr_is_set(addr) ? add_option(at, code, addr->bytes, 4) : at;
}

static uint8_t *add_text(uint8_t *at, uint8_t code, const char *text)
{
    size_t length = text ? strlen(text) : 0;

    return length > 0 ? add_option(at, code, text, length) : at;
}

/* What is asked for of a server: of no use when something is given back. */
static uint8_t *add_wishes(uint8_t *at, const struct dhcp_identity *who)
{
    /* Classless routes before the router: RFC 3442. */
    static const uint8_t parameters[] = {OPTION_MASK,     OPTION_ROUTES, OPTION_ROUTER,
                                         OPTION_LINK_MTU, OPTION_LEASE,  OPTION_SERVER,
                                         OPTION_RENEW,    OPTION_REBIND, OPTION_DNS_SERVERS,
                                         OPTION_DOMAIN};
    uint8_t size[2];

    put16(size, DHCP_FRAME_MAX - ETHERNET_SIZE);
    at = add_option(at, OPTION_MAX_SIZE, size, sizeof size);
    at = add_text(at, OPTION_HOSTNAME, who->hostname);
    return add_option(at, OPTION_PARAMETERS, parameters, sizeof parameters);
}

static uint8_t *add_options(uint8_t *at, const struct dhcp_identity *who,
                            const struct dhcp_request *request)
{
    uint8_t type = (uint8_t)request->type;

    at = add_option(at, OPTION_TYPE, &type, sizeof type);
    if (who->id_length > 0)
        at = add_option(at, OPTION_CLIENT_ID, who->id, who->id_length);
    at = add_addr(at, OPTION_REQUESTED, &request->requested);
    at = add_addr(at, OPTION_SERVER, &request->server);
    at = add_text(at, OPTION_MESSAGE, request->text);
    if (type == DHCP_DISCOVER || type == DHCP_REQUEST)
        at = add_wishes(at, who);
    *at++ = OPTION_END;
    return at;
}

/* ---- layers ---- */

/* Returns the length. The broadcast flag: nothing that is sent to the address alone would be
 * understood before there is somebody who has it. */
static size_t put_bootp(uint8_t *at, const struct dhcp_identity *who,
                        const struct dhcp_request *request)
{
    size_t length;

    at[BOOTP_OP] = 1;
    at[BOOTP_HTYPE] = HARDWARE_ETHERNET;
    at[BOOTP_HLEN] = sizeof who->mac.bytes;
    put32(at + BOOTP_XID, request->xid);
    put16(at + BOOTP_SECS, request->seconds);
    if (!addr_is_set(&request->own))
        put16(at + BOOTP_FLAGS, FLAG_BROADCAST);
    memcpy(at + BOOTP_CIADDR, request->own.bytes, 4);
    memcpy(at + BOOTP_CHADDR, who->mac.bytes, sizeof who->mac.bytes);
    put32(at + BOOTP_SIZE, DHCP_COOKIE);
    length = (size_t)(add_options(at + BOOTP_SIZE + COOKIE_SIZE, who, request) - at);
    return length < BOOTP_SIZE_MIN ? BOOTP_SIZE_MIN : length;
}

static void put_ipv4(uint8_t *at, const struct dhcp_request *request, size_t length)
{
    bool to_one = addr_is_set(&request->own) && addr_is_set(&request->server);

    at[0] = 4 << 4 | IPV4_SIZE / 4;
    at[1] = DSCP_CS6;
    put16(at + 2, (unsigned)length);
    at[8] = TTL;
    at[9] = IPPROTO_UDP;
    memcpy(at + 12, request->own.bytes, 4);
    if (to_one)
        memcpy(at + 16, request->server.bytes, 4);
    else
        put32(at + 16, INADDR_BROADCAST);
    put16(at + 10, checksum_end(checksum_add(0, at, IPV4_SIZE)));
}

static void put_udp(uint8_t *at, const uint8_t *ip, size_t length)
{
    uint16_t sum;

    put16(at, CLIENT_PORT);
    put16(at + 2, SERVER_PORT);
    put16(at + 4, (unsigned)length);
    sum = checksum_end(checksum_add(checksum_pseudo(ip, length), at, length));
    put16(at + 6, sum ? sum : 0xffff); /* 0 stands for none */
}

size_t dhcp_encode(const struct dhcp_identity *who, const struct dhcp_request *request,
                   uint8_t ret[static DHCP_FRAME_MAX])
{
    uint8_t *ip = ret + ETHERNET_SIZE, *udp = ip + IPV4_SIZE;
    size_t length;

    memset(ret, 0, DHCP_FRAME_MAX);
    length = put_bootp(udp + UDP_SIZE, who, request);
    memcpy(ret, mac_is_set(&request->server_mac) ? request->server_mac.bytes : broadcast_mac, 6);
    memcpy(ret + 6, who->mac.bytes, 6);
    put16(ret + 12, ETHERTYPE_IP);
    put_ipv4(ip, request, IPV4_SIZE + UDP_SIZE + length);
    put_udp(udp, ip, UDP_SIZE + length);
    return HEADERS_SIZE + length;
}

void dhcp_hostname(const char *name, char ret[static DHCP_HOSTNAME_MAX + 1])
{
    size_t length = 0;

    for (; *name && length < DHCP_HOSTNAME_MAX; name++) {
        bool good = isascii((unsigned char)*name) && isalnum((unsigned char)*name);

        if (good || length > 0)
            ret[length++] = good ? *name : '-';
    }
    while (length > 0 && ret[length - 1] == '-')
        length--;
    ret[length] = '\0';
}
