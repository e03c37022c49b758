/* SPDX-License-Identifier: Apache-2.0 */
#include "kstate/nft_text.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

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

/* A raw part of a packet: to nft, a number. */
static void print_raw(const struct addr *addr, struct strbuf *out)
{
    strbuf_puts(out, "0x");
    for (size_t i = 0; i < addr_size(addr); i++)
        strbuf_printf(out, "%02x", addr->bytes[i]);
}

static void print_field(const struct nft_field *field, bool raw_addr, struct strbuf *out)
{
    switch (field->type) {
    case NFT_FIELD_NONE:
        break;
    case NFT_FIELD_IFNAME:
        strbuf_printf(out, "\"%s\"", field->ifname);
        break;
    case NFT_FIELD_ADDR:
        if (raw_addr)
            print_raw(&field->addr, out);
        else
            strbuf_puts(out, addr_text(&field->addr));
        break;
    case NFT_FIELD_PORT:
        strbuf_printf(out, "%u", field->number);
        break;
    case NFT_FIELD_PROTO:
        print_protocol(field->number, out);
        break;
    case NFT_FIELD_FAMILY:
        strbuf_puts(out, field->number == AF_INET6 ? "ipv6" : "ipv4");
        break;
    case NFT_FIELD_MAC:
        strbuf_puts(out, mac_text(&field->mac));
        break;
    }
}

static void print_tuple(const struct nft_field *fields, bool raw_addr, struct strbuf *out)
{
    for (size_t i = 0; i < FACT_NFT_FIELDS && fields[i].type != NFT_FIELD_NONE; i++) {
        if (i > 0)
            strbuf_puts(out, " . ");
        print_field(&fields[i], raw_addr, out);
    }
}

/* nft has no name for the target of a neighbour advertisement. */
static bool has_raw_addr(const struct fact_nft_elem *elem)
{
    return elem->table == NFT_TABLE_BRIDGE && str_equal(elem->set, "target6");
}

void nft_elem_print(const struct fact_nft_elem *elem, struct strbuf *out)
{
    print_tuple(elem->key, has_raw_addr(elem), out);
    if (elem->data[0].type != NFT_FIELD_NONE) {
        strbuf_puts(out, " : ");
        print_tuple(elem->data, false, out);
    }
}

const char *nft_table_family(enum nft_table table)
{
    return table == NFT_TABLE_BRIDGE ? "bridge" : "inet";
}

bool nft_next_declaration(const char **text, struct nft_declaration *d)
{
    while (**text) {
        size_t len = strcspn(*text, "\n");
        char line[128];

        (void)snprintf(line, sizeof line, "%.*s", (int)len, *text);
        *text += len + ((*text)[len] == '\n');
        (void)sscanf(line, "table %7s %15s", d->family, d->table);
        if (sscanf(line, " %5s %31s {", d->kind, d->name) == 2 &&
            (str_equal(d->kind, "chain") || str_equal(d->kind, "set") || str_equal(d->kind, "map")))
            return true;
    }
    return false;
}

bool nft_chain_is_administrators(const char *name)
{
    return str_equal(name, "before") || str_equal(name, "after");
}

/* Where all is as it should be, this changes nothing. A chain or set that is missing is made by the
 * first reading, and can be spoken of by the flushing; the rules of those that are there then
 * stand twice, until they are flushed. */
void nft_print_reload(const char *text, struct strbuf *out)
{
    struct nft_declaration d = {0};

    strbuf_puts(out, text);
    for (const char *rest = text; nft_next_declaration(&rest, &d);)
        if (str_equal(d.kind, "chain") && !nft_chain_is_administrators(d.name))
            strbuf_printf(out, "flush chain %s %s %s\n", d.family, d.table, d.name);
    strbuf_puts(out, text);
}
