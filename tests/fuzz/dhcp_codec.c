/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What comes from a LAN is read: nothing is read beyond its end, and what is taken for a lease
 * makes sense. The first octet says whether the rest is a frame as it is, or one whose headers are
 * made right first: no fuzzer finds checksums.
 */

#include <stdlib.h>
#include <string.h>

#include "dhcp/codec.h"
#include "dhcp/wire.h"

#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend_headers(uint8_t *frame, size_t length)
{
    static const uint8_t ip[] = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17};
    static const uint8_t bootp[] = {2, 1, 6};
    uint8_t *at = frame + ETHERNET_SIZE;

    if (length < HEADERS_SIZE + BOOTP_SIZE + COOKIE_SIZE)
        return;
    put16(frame + 12, 0x0800);
    memcpy(at, ip, sizeof ip);
    put16(at + 2, (unsigned)(length - ETHERNET_SIZE));
    put16(at + 10, 0);
    put16(at + 10, checksum_end(checksum_add(0, at, IPV4_SIZE)));
    at += IPV4_SIZE;
    put16(at, SERVER_PORT);
    put16(at + 2, CLIENT_PORT);
    put16(at + 4, (unsigned)(length - ETHERNET_SIZE - IPV4_SIZE));
    at += UDP_SIZE;
    memcpy(at, bootp, sizeof bootp);
    put32(at + BOOTP_SIZE, DHCP_COOKIE);
}

static void check_lease(const struct dhcp_lease *lease)
{
    struct prefix own = {lease->addr, lease->len};
    struct addr first = prefix_first(&own);

    check(lease->addr.family == AF_INET && addr_is_set(&lease->server));
    check(lease->len >= 1 && lease->len <= 32);
    check(lease->len >= 31 || !addr_equal(&first, &lease->addr));
    check(!addr_is_loopback(&lease->addr) && !addr_is_multicast(&lease->addr));
    check(0 < lease->renew && lease->renew < lease->rebind && lease->rebind < lease->seconds);
    check(lease->route_count <= DHCP_ROUTES_MAX);
    for (size_t i = 0; i < lease->route_count; i++) {
        check(!prefix_has_host_bits(&lease->routes[i].destination));
        check(lease->routes[i].destination.len > 0 && lease->routes[i].destination.len <= 32);
    }
}

static void check_reply(const uint8_t *frame, size_t length, const struct dhcp_reply *reply)
{
    static const struct dhcp_identity who = {.id = {1}, .id_length = 1};
    size_t text = strnlen(reply->text, sizeof reply->text);

    check(text < sizeof reply->text);
    for (size_t i = 0; i < text; i++)
        check(reply->text[i] >= ' ' && reply->text[i] <= '~');
    if (reply->has_id)
        check(reply->id >= frame && reply->id + reply->id_length <= frame + length);
    (void)dhcp_reply_is_for(reply, &who);
    if (reply->type == DHCP_NAK)
        return;
    check(reply->type == DHCP_OFFER || reply->type == DHCP_ACK);
    check_lease(&reply->lease);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dhcp_reply reply;
    size_t length;
    uint8_t *frame;

    if (size == 0 || size > 2048)
        return 0;
    length = size - 1;
    frame = malloc(length ? length : 1); /* so that reading beyond is seen */
    check(frame);
    memcpy(frame, data + 1, length);
    if (data[0] & 1)
        mend_headers(frame, length);
    if (dhcp_decode(frame, length, data[0] & 1, &reply) == 0)
        check_reply(frame, length, &reply);
    free(frame);
    return 0;
}
