/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Elements of weft's sets and maps: what the files of this folder build them with. */

#include "kstate/fact.h"

struct nft_field field_ifname(const char *name);
struct nft_field field_addr(const struct addr *addr);
struct nft_field field_mac(const struct mac *mac);
struct nft_field field_proto(uint8_t proto);
struct nft_field field_port(uint16_t port);
struct nft_field field_family(int family);

/* Adds elem, but for its name, as an element of set. 0 or -ENOMEM. */
int elem_add(struct fact_set *out, const char *set, const struct fact_nft_elem *elem);

/* The set or map of a family, of a pair called NAME4 and NAME6. */
#define elem_set(name, family) ((family) == AF_INET6 ? name "6" : name "4")
