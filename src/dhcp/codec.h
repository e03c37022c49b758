/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * DHCP messages, as frames: writing what a client says, reading what servers say. No I/O, no
 * allocation.
 *
 * RFC 2131 (protocol), 2132 (options), 3396 (long options), 3442 (classless routes), 4361 and 6842
 * (client identifiers). A client that has no address yet cannot use the host's IP, so a message
 * here is a whole frame: Ethernet, IPv4 (RFC 791), UDP (RFC 768) and BOOTP.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define DHCP_FRAME_MAX 1514 /* octets, of either direction: an Ethernet frame, headers included */
#define DHCP_ID_MAX 32      /* octets of a client identifier that we make */
#define DHCP_HOSTNAME_MAX 63
#define DHCP_TEXT_MAX 128       /* of a server's message to people, the NUL included */
#define DHCP_ROUTES_MAX 32      /* classless static routes that are kept of a lease */
#define DHCP_DNS_MAX 4          /* name servers likewise */
#define DHCP_DOMAIN_MAX 254     /* of a domain's name, the NUL included (RFC 1035, 2.3.4) */
#define DHCP_FOREVER UINT32_MAX /* of a lease's seconds */

enum dhcp_type {
    DHCP_DISCOVER = 1,
    DHCP_OFFER,
    DHCP_REQUEST,
    DHCP_DECLINE,
    DHCP_ACK,
    DHCP_NAK,
    DHCP_RELEASE,
};

/* Who asks. */
struct dhcp_identity {
    struct mac mac;          /* chaddr, and where the frames come from */
    uint8_t id[DHCP_ID_MAX]; /* option 61, its type octet included */
    uint8_t id_length;
    char hostname[DHCP_HOSTNAME_MAX + 1]; /* option 12; "": none */
};

/* What a client says. Addresses are IPv4 or none; an address that is none is left out. */
struct dhcp_request {
    enum dhcp_type type;
    uint32_t xid;
    uint16_t seconds;      /* since it began to ask */
    struct addr requested; /* option 50 */
    struct addr server;    /* option 54; where a RELEASE goes */
    struct addr own;       /* ciaddr, and the source of the packet: of a RELEASE */
    struct mac server_mac; /* where a RELEASE goes; zero: broadcast */
    const char *text;      /* option 56, of a DECLINE or RELEASE; NULL: none, else short */
};

struct dhcp_route {
    struct prefix destination; /* no host bits */
    struct addr via;           /* none: on the link itself */
};

/* What a server grants. */
struct dhcp_lease {
    struct addr addr;
    uint8_t len;         /* prefix length; without option 1 that of the address's class (RFC 950) */
    struct addr gateway; /* none: no default route; of option 121, or else the first of option 3 */
    struct addr server;  /* option 54 */
    struct mac server_mac;  /* of the server, or of the router that leads to it */
    uint16_t mtu;           /* bytes, 0: it says nothing, or nonsense */
    uint32_t seconds;       /* how long it lasts; DHCP_FOREVER */
    uint32_t renew, rebind; /* T1 and T2, in seconds; always sensible: renew < rebind < seconds */
    struct dhcp_route routes[DHCP_ROUTES_MAX]; /* beside the default route */
    size_t route_count;
    struct addr dns[DHCP_DNS_MAX]; /* option 6 */
    size_t dns_count;
    char domain[DHCP_DOMAIN_MAX]; /* option 15: letters, digits, hyphens and dots; "": none */
};

/* What a server says. */
struct dhcp_reply {
    enum dhcp_type type; /* DHCP_OFFER, DHCP_ACK or DHCP_NAK */
    uint32_t xid;
    struct mac mac;    /* chaddr */
    bool has_id;       /* it echoes a client identifier (RFC 6842): */
    const uint8_t *id; /* in the frame */
    size_t id_length;
    struct dhcp_lease lease;  /* of a NAK only server and server_mac, if it tells */
    char text[DHCP_TEXT_MAX]; /* option 56, printable ASCII; "": none */
};

/* Writes the frame. Returns its length. */
size_t dhcp_encode(const struct dhcp_identity *who, const struct dhcp_request *request,
                   uint8_t ret[static DHCP_FRAME_MAX]);

/* Reads a frame that came from anybody on the LAN. unsummed: the frame has not left the machine
 * that made it, and its UDP checksum is still to be filled in (TP_STATUS_CSUMNOTREADY of
 * packet(7)). 0, or -EBADMSG for what is no well-formed OFFER, ACK or NAK to a client on Ethernet:
 * an OFFER or ACK has an address that a host can have, a server and a duration. */
int dhcp_decode(const uint8_t *frame, size_t length, bool unsummed, struct dhcp_reply *ret);

/* Whether the reply's client identifier is this client's, or it has none. */
bool dhcp_reply_is_for(const struct dhcp_reply *reply, const struct dhcp_identity *who);

/* A name as a DNS label in ret: letters, digits and hyphens, others become hyphens; "" when nothing
 * is left. */
void dhcp_hostname(const char *name, char ret[static DHCP_HOSTNAME_MAX + 1]);
