/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Endpoints in the tables of names and addresses of their networks. */

#include "dns/table.h"

/* A list of pointers grows by doubling: list, of count pointers, with room for one more; NULL when
 * memory ran out, the list being as it was. */
void *dns_list_grow(void *list, size_t count);

/* Puts the endpoint of a sandbox on a network into place, or renews it. 0 or -ENOMEM, nothing
 * having changed. */
int dns_endpoint_put(struct dns_network *net, struct dns_sandbox *sb,
                     const struct dns_msg_endpoint *m, uint64_t generation);
void dns_endpoint_remove(struct dns_endpoint *ep);
struct dns_endpoint *dns_endpoint_find(const struct dns_network *net, const struct dns_sandbox *sb);
