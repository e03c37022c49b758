/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/endpoint.h"

#include <string.h>

socklen_t endpoint_make(union endpoint *ret, const struct addr *host, uint16_t port)
{
    memset(ret, 0, sizeof *ret);
    ret->sa.sa_family = host->family;
    if (host->family == AF_INET) {
        ret->v4.sin_port = htons(port);
        memcpy(&ret->v4.sin_addr, host->bytes, sizeof ret->v4.sin_addr);
        return sizeof ret->v4;
    }
    ret->v6.sin6_port = htons(port);
    memcpy(&ret->v6.sin6_addr, host->bytes, sizeof ret->v6.sin6_addr);
    return sizeof ret->v6;
}

struct addr endpoint_host(const union endpoint *e)
{
    struct addr a = {.family = AF_INET};

    if (e->sa.sa_family == AF_INET) {
        memcpy(a.bytes, &e->v4.sin_addr, sizeof e->v4.sin_addr);
    } else if (IN6_IS_ADDR_V4MAPPED(&e->v6.sin6_addr)) {
        memcpy(a.bytes, e->v6.sin6_addr.s6_addr + 12, 4);
    } else {
        a.family = AF_INET6;
        memcpy(a.bytes, &e->v6.sin6_addr, sizeof e->v6.sin6_addr);
    }
    return a;
}

static bool is_wildcard(const struct addr *a)
{
    struct addr any = {.family = a->family};

    return addr_equal(a, &any);
}

bool hosts_overlap(const struct addr *a, const struct addr *b)
{
    if (!addr_is_set(a) || !addr_is_set(b))
        return true;
    return a->family == b->family && (is_wildcard(a) || is_wildcard(b) || addr_equal(a, b));
}
