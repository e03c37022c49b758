/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: a query is about an address (below in-addr.arpa or ip6.arpa), a service
 * (_SERVICE._PROTOCOL.NAME, RFC 2782), or a name. Whatever is known is answered with authority,
 * empty if it does not have what was asked for; what is not known but would be ours does not exist;
 * the rest depends on whom the asker may ask besides.
 */

#include "dns/local.h"

#include <netinet/in.h>
#include <string.h>

static const struct dns_name weft = {.length = 6, .wire = "\4weft"};
/* The host's side of a network. */
static const struct dns_name host_name = {.length = 22, .wire = "\4host\6docker\10internal"};

struct answer {
    const struct dns_scope *scope;
    const struct dns_services *services;
    const struct dns_query *query;
    struct dns_reply reply; /* begun, as one of ours */
};

static bool asks_for(const struct answer *a, enum dns_type type)
{
    return a->query->type == type || a->query->type == DNS_TYPE_ANY;
}

static size_t end(struct answer *a, enum dns_rcode rcode)
{
    return dns_reply_end(&a->reply, rcode);
}

/* For what is not ours. */
static size_t end_without_authority(struct answer *a, enum dns_rcode rcode)
{
    uint8_t *flags = a->reply.buf + 2;

    dns_put16(flags, (uint16_t)(dns_get16(flags) & ~DNS_FLAG_AA));
    return end(a, rcode);
}

/* Both families, as far as they are asked for. owner NULL: the question's. */
static void add_addrs(struct answer *a, const struct dns_name *owner, const struct addr *ipv4,
                      const struct addr *ipv6, bool both)
{
    if (both || asks_for(a, DNS_TYPE_A))
        dns_reply_addr(&a->reply, owner, DNS_LOCAL_TTL, ipv4);
    if (both || asks_for(a, DNS_TYPE_AAAA))
        dns_reply_addr(&a->reply, owner, DNS_LOCAL_TTL, ipv6);
}

/* Where this answer's order begins. */
static size_t take_turn(const struct answer *a, const struct dns_found *found)
{
    return found->count > 1 ? found->turns[a->query->type == DNS_TYPE_AAAA]++ % found->count : 0;
}

static const struct dns_endpoint *nth(const struct dns_found *found, size_t start, size_t n)
{
    size_t i = start + n;

    return found->endpoints[i < found->count ? i : i - found->count];
}

static size_t answer_name(struct answer *a, const struct dns_found *found)
{
    size_t start;

    if (found->host)
        add_addrs(a, NULL, &found->host->ipv4, &found->host->ipv6, false);
    if (!asks_for(a, DNS_TYPE_A) && !asks_for(a, DNS_TYPE_AAAA))
        return end(a, DNS_NOERROR);
    start = take_turn(a, found);
    for (size_t n = 0; n < found->count && !a->reply.truncated; n++) {
        const struct dns_endpoint *ep = nth(found, start, n);

        add_addrs(a, NULL, &ep->ipv4, &ep->ipv6, false);
    }
    return end(a, DNS_NOERROR);
}

/* In place of its root. There is room. */
static void append_name(struct dns_name *name, const struct dns_name *tail)
{
    memcpy(name->wire + name->length - 1, tail->wire, tail->length);
    name->length = (uint8_t)(name->length - 1 + tail->length);
}

/* NAME.NETWORK, and ".weft" if it is wanted; NAME alone where that cannot be said. False: it has no
 * name. */
static bool full_name(const struct dns_endpoint *ep, bool below_weft, struct dns_name *ret)
{
    const struct dns_name *suffix = &ep->network->suffix;
    size_t length;

    if (ep->name_count == 0)
        return false;
    length = strlen((const char *)ep->names[0]->wire) + 1;
    memcpy(ret->wire, ep->names[0]->wire, length);
    ret->length = (uint8_t)length;
    length += (size_t)suffix->length - 1 + (below_weft ? (size_t)weft.length - 1 : 0);
    if (suffix->length == 0 || length > DNS_NAME_MAX)
        return true;
    append_name(ret, suffix);
    if (below_weft)
        append_name(ret, &weft);
    return true;
}

/* 0: it is nobody's of ours. */
static size_t answer_address(struct answer *a, const struct addr *addr)
{
    struct dns_network *host;
    bool inside;
    const struct dns_endpoint *ep = dns_table_find_addr(a->scope, addr, &host, &inside);
    struct dns_name target;

    if (host)
        target = host_name;
    else if (!ep || !full_name(ep, false, &target))
        return inside || ep ? end(a, DNS_NXDOMAIN) : 0;
    if (asks_for(a, DNS_TYPE_PTR))
        dns_reply_ptr(&a->reply, DNS_LOCAL_TTL, &target);
    return end(a, DNS_NOERROR);
}

static uint8_t proto_of(const uint8_t *label)
{
    const uint8_t *text = label + 1;

    if (label[0] == 4 && memcmp(text, "_tcp", 4) == 0)
        return IPPROTO_TCP;
    if (label[0] == 4 && memcmp(text, "_udp", 4) == 0)
        return IPPROTO_UDP;
    return label[0] == 5 && memcmp(text, "_sctp", 5) == 0 ? IPPROTO_SCTP : 0;
}

/* A number, or a service's name. 0: neither. */
static uint16_t port_of(const struct answer *a, const char *text, size_t length, uint8_t proto)
{
    unsigned long port = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return dns_services_port(a->services, text, length, proto);
        port = port * 10 + (unsigned long)(text[i] - '0');
        if (port > UINT16_MAX)
            return 0;
    }
    return (uint16_t)port;
}

/* _SERVICE._PROTOCOL.NAME in its parts. */
struct service_name {
    uint8_t proto;
    uint16_t port;
    struct dns_name name;
};

static bool read_service(const struct answer *a, struct service_name *ret)
{
    const struct dns_name *name = &a->query->name;
    const uint8_t *second = name->wire + 1 + name->wire[0];
    size_t head;

    if (name->wire[0] < 2 || name->wire[1] != '_')
        return false;
    ret->proto = proto_of(second);
    if (ret->proto == 0)
        return false;
    head = (size_t)(second + 1 + second[0] - name->wire);
    ret->name.length = (uint8_t)(name->length - head);
    memcpy(ret->name.wire, name->wire + head, ret->name.length);
    ret->port = port_of(a, (const char *)name->wire + 2, (size_t)name->wire[0] - 1, ret->proto);
    return true;
}

static bool serves(const struct dns_endpoint *ep, const struct service_name *service)
{
    for (size_t i = 0; i < ep->port_count; i++)
        if (ep->ports[i].port == service->port && ep->ports[i].proto == service->proto)
            return true;
    return false;
}

/* Of those behind a name, the ones that serve: records about themselves (SRV), or about their
 * addresses. Returns how many they are. */
static size_t add_servers(struct answer *a, const struct dns_found *found, size_t start,
                          const struct service_name *service, bool addresses)
{
    size_t count = 0;
    struct dns_name target;

    for (size_t n = 0; n < found->count && !a->reply.truncated; n++) {
        const struct dns_endpoint *ep = nth(found, start, n);

        if (!serves(ep, service) || !full_name(ep, true, &target))
            continue;
        count++;
        if (addresses)
            add_addrs(a, &target, &ep->ipv4, &ep->ipv6, true);
        else if (asks_for(a, DNS_TYPE_SRV))
            dns_reply_srv(&a->reply, DNS_LOCAL_TTL, service->port, &target);
    }
    return count;
}

static size_t answer_service(struct answer *a, const struct service_name *service,
                             const struct dns_found *found)
{
    size_t start = take_turn(a, found);

    if (add_servers(a, found, start, service, false) == 0)
        return end(a, DNS_NXDOMAIN);
    dns_reply_additional(&a->reply);
    if (asks_for(a, DNS_TYPE_SRV))
        add_servers(a, found, start, service, true);
    return end(a, DNS_NOERROR);
}

static size_t answer_unknown(struct answer *a)
{
    const struct dns_name *name = &a->query->name;
    int head = dns_name_find_suffix(name, &weft);
    struct dns_name rest;

    if (head >= 0) {
        /* weft. and NETWORK.weft. have names below, and so exist themselves (RFC 8020). */
        memcpy(rest.wire, name->wire, (size_t)head);
        rest.wire[head] = 0;
        rest.length = (uint8_t)(head + 1);
        return end(a, head == 0 || dns_table_has_network(a->scope, &rest) ? DNS_NOERROR
                                                                          : DNS_NXDOMAIN);
    }
    if (a->scope->network)
        return end_without_authority(a, DNS_REFUSED);
    if (a->scope->sandbox && !a->scope->sandbox->forwards)
        return end_without_authority(a, DNS_NXDOMAIN);
    return 0;
}

size_t dns_local_answer(const struct dns_scope *scope, const struct dns_services *services,
                        const uint8_t *msg, const struct dns_query *query, uint8_t *buf,
                        size_t limit)
{
    struct answer a = {.scope = scope, .services = services, .query = query};
    struct service_name service;
    struct dns_found found;
    struct addr addr;
    size_t length = 0;

    dns_reply_begin(&a.reply, buf, limit, msg, query, true);
    if (dns_name_to_addr(&query->name, &addr))
        length = answer_address(&a, &addr);
    else if (dns_table_find(scope, &query->name, &found))
        length = answer_name(&a, &found);
    else if (read_service(&a, &service) && dns_table_find(scope, &service.name, &found))
        length = answer_service(&a, &service, &found);
    return length > 0 ? length : answer_unknown(&a);
}
