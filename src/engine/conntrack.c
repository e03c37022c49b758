/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Published ports are elements of the ruleset, and whatever has a protocol and a port in its key is
 * one: where the key has no address, the port is published on all of the host's.
 *
 * The plan tells what becomes of elements, but not of all addresses: they fall with their links
 * without a word. So those are found by comparing the facts themselves.
 */

#include "engine/conntrack.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

void conntrack_list_clear(struct conntrack_list *list)
{
    free(list->items);
    *list = (struct conntrack_list){0};
}

static int list_match(struct conntrack_list *list, const struct conntrack_match *match)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 16;
        struct conntrack_match *items = reallocarray(list->items, capacity, sizeof *items);

        if (!items)
            return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = *match;
    return 0;
}

/* Reads what the key of an element says of a service. What it leaves open stays as it was. */
static void read_key(const struct fact_nft_elem *elem, struct conntrack_match *match)
{
    for (size_t i = 0; i < FACT_NFT_FIELDS; i++) {
        const struct nft_field *field = &elem->key[i];

        if (field->type == NFT_FIELD_ADDR)
            match->addr = field->addr;
        else if (field->type == NFT_FIELD_FAMILY)
            match->addr = (struct addr){.family = (uint8_t)field->number};
        else if (field->type == NFT_FIELD_PROTO)
            match->proto = (uint8_t)field->number;
        else if (field->type == NFT_FIELD_PORT)
            match->port = field->number;
    }
}

/* The service that an element stands for; false when it stands for something else. */
static bool read_service(const struct fact_nft_elem *elem, struct conntrack_match *ret)
{
    *ret = (struct conntrack_match){.kind = CONNTRACK_SERVICE};
    /* Published on every address, of the family that it leads to. */
    if (elem->data[0].type == NFT_FIELD_ADDR)
        ret->addr.family = elem->data[0].addr.family;
    read_key(elem, ret);
    /* What leads to another port of the same address is weft's own server, as new as the address.
     */
    if (elem->key[0].type == NFT_FIELD_ADDR && elem->data[0].type == NFT_FIELD_ADDR &&
        addr_equal(&elem->key[0].addr, &elem->data[0].addr))
        return false;
    return ret->proto && ret->port && addr_is_set(&ret->addr);
}

int conntrack_list_services(const struct plan *plan, bool mending, struct conntrack_list *list)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < plan->count; i++) {
        const struct op *op = &plan->ops[i];
        struct conntrack_match match;

        if (op->fact.kind != FACT_NFT_ELEM || !read_service(&op->fact.elem, &match))
            continue;
        /* Connections outlived the gap, and go on where they went; only a flow of datagrams may
         * have begun in it, and led nowhere since. */
        if (mending && op->verb == OP_ADD && match.proto != IPPROTO_UDP)
            continue;
        r = list_match(list, &match);
    }
    return r;
}

int conntrack_list_addresses(const struct fact_set *from, const struct fact_set *other,
                             struct conntrack_list *list)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < from->count; i++) {
        const struct fact *fact = &from->facts[i];
        struct conntrack_match match = {.kind = CONNTRACK_ADDRESS, .addr = fact->addr.prefix.addr};

        if (fact->kind == FACT_ADDR && fact->ns && !addr_is_link_local(&match.addr) &&
            !fact_set_find(other, fact))
            r = list_match(list, &match);
    }
    return r;
}
