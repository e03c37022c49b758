/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Numbers of the formats, for both directions of the codec. Private to src/dhcp. */

#include <stddef.h>
#include <stdint.h>

#define ETHERNET_SIZE 14
#define IPV4_SIZE 20
#define UDP_SIZE 8
#define BOOTP_SIZE 236 /* up to the magic cookie */
#define COOKIE_SIZE 4
#define HEADERS_SIZE (ETHERNET_SIZE + IPV4_SIZE + UDP_SIZE)

#define SERVER_PORT 67
#define CLIENT_PORT 68
#define DHCP_COOKIE 0x63825363
#define HARDWARE_ETHERNET 1
#define FLAG_BROADCAST 0x8000

/* Offsets in a BOOTP message: RFC 2131, 2. */
enum {
    BOOTP_OP = 0,
    BOOTP_HTYPE = 1,
    BOOTP_HLEN = 2,
    BOOTP_XID = 4,
    BOOTP_SECS = 8,
    BOOTP_FLAGS = 10,
    BOOTP_CIADDR = 12,
    BOOTP_YIADDR = 16,
    BOOTP_CHADDR = 28,
    BOOTP_SNAME = 44,
    BOOTP_SNAME_SIZE = 64,
    BOOTP_FILE = 108,
    BOOTP_FILE_SIZE = 128,
};

enum {
    OPTION_PAD = 0,
    OPTION_MASK = 1,
    OPTION_ROUTER = 3,
    OPTION_DNS_SERVERS = 6,
    OPTION_HOSTNAME = 12,
    OPTION_DOMAIN = 15,
    OPTION_LINK_MTU = 26,
    OPTION_REQUESTED = 50,
    OPTION_LEASE = 51,
    OPTION_OVERLOAD = 52,
    OPTION_TYPE = 53,
    OPTION_SERVER = 54,
    OPTION_PARAMETERS = 55,
    OPTION_MESSAGE = 56,
    OPTION_MAX_SIZE = 57,
    OPTION_RENEW = 58,
    OPTION_REBIND = 59,
    OPTION_CLIENT_ID = 61,
    OPTION_ROUTES = 121,
    OPTION_END = 255,
};

static inline uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

/* The sum of 16-bit words behind what was summed before (RFC 1071). Begin with 0. Only the last
 * part may have an odd length. */
uint32_t checksum_add(uint32_t sum, const uint8_t *data, size_t length);
/* Its complement: the checksum; of data that holds its own, 0. */
uint16_t checksum_end(uint32_t sum);
/* The sum of UDP's pseudo-header; ip is the IPv4 header, length that of the UDP header and data. */
uint32_t checksum_pseudo(const uint8_t *ip, size_t length);
