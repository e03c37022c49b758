/* SPDX-License-Identifier: Apache-2.0 */
#include "firewall/elem.h"

#include "base/str.h"

struct nft_field field_ifname(const char *name)
{
    struct nft_field field = {.type = NFT_FIELD_IFNAME};

    (void)str_copy(field.ifname, sizeof field.ifname, name);
    return field;
}

struct nft_field field_addr(const struct addr *addr)
{
    return (struct nft_field){.type = NFT_FIELD_ADDR, .addr = *addr};
}

struct nft_field field_mac(const struct mac *mac)
{
    return (struct nft_field){.type = NFT_FIELD_MAC, .mac = *mac};
}

struct nft_field field_proto(uint8_t proto)
{
    return (struct nft_field){.type = NFT_FIELD_PROTO, .number = proto};
}

struct nft_field field_port(uint16_t port)
{
    return (struct nft_field){.type = NFT_FIELD_PORT, .number = port};
}

struct nft_field field_family(int family)
{
    return (struct nft_field){.type = NFT_FIELD_FAMILY, .number = (uint16_t)family};
}

int elem_add(struct fact_set *out, const char *set, const struct fact_nft_elem *elem)
{
    struct fact fact = {.kind = FACT_NFT_ELEM, .elem = *elem};

    (void)str_copy(fact.elem.set, sizeof fact.elem.set, set);
    return fact_set_add(out, &fact);
}
