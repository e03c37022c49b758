/* SPDX-License-Identifier: Apache-2.0 */
#include "kstate/nft_text.h"

#include <netinet/in.h>

static void print_protocol(uint16_t number, struct strbuf *out)
{
    switch (number) {
    case IPPROTO_TCP:
        strbuf_puts(out, "tcp");
        break;
    case IPPROTO_UDP:
        strbuf_puts(out, "udp");
        break;
    case IPPROTO_SCTP:
        strbuf_puts(out, "sctp");
        break;
    default:
        strbuf_printf(out, "%u", number);
    }
}

static void print_field(const struct nft_field *field, struct strbuf *out)
{
    switch (field->type) {
    case NFT_FIELD_NONE:
        break;
    case NFT_FIELD_IFNAME:
        strbuf_printf(out, "\"%s\"", field->ifname);
        break;
    case NFT_FIELD_ADDR:
        strbuf_puts(out, addr_text(&field->addr));
        break;
    case NFT_FIELD_PORT:
        strbuf_printf(out, "%u", field->number);
        break;
    case NFT_FIELD_PROTO:
        print_protocol(field->number, out);
        break;
    }
}

static void print_tuple(const struct nft_field *fields, struct strbuf *out)
{
    for (size_t i = 0; i < FACT_NFT_FIELDS && fields[i].type != NFT_FIELD_NONE; i++) {
        if (i > 0)
            strbuf_puts(out, " . ");
        print_field(&fields[i], out);
    }
}

void nft_elem_print(const struct fact_nft_elem *elem, struct strbuf *out)
{
    print_tuple(elem->key, out);
    if (elem->data[0].type != NFT_FIELD_NONE) {
        strbuf_puts(out, " : ");
        print_tuple(elem->data, out);
    }
}
