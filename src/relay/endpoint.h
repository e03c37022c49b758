/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Socket addresses of both families, to and from struct addr. */

#include <netinet/in.h>

#include "base/addr.h"

union endpoint {
    struct sockaddr sa;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Returns the length of what it wrote. host is set; port in host order. */
socklen_t endpoint_make(union endpoint *ret, const struct addr *host, uint16_t port);
/* The address; an IPv4 one that is mapped into IPv6 is IPv4. */
struct addr endpoint_host(const union endpoint *e);
/* Whether a socket bound to a keeps another from binding to b, on the same port. none: all
 * addresses of both families. */
bool hosts_overlap(const struct addr *a, const struct addr *b);
