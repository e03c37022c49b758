/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Tables of names, told in words. The messages' memory is freed at once: whoever keeps a pointer to
 * it is seen by the sanitizers. To be included behind cmocka.h. */

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "dns/table.h"

#define FEED_MAX 16

/* "" and NULL: none. */
static inline struct addr feed_addr(const char *text)
{
    struct addr addr = {0};

    if (!str_is_empty(text))
        assert_int_equal(addr_parse(text, &addr, NULL), 0);
    return addr;
}

/* The words of a text. */
static inline strv feed_words(const char *text)
{
    _cleanup_free_ char *copy = strdup(text);
    strv words = NULL;
    char *save;

    assert_non_null(copy);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        assert_int_equal(strv_add(&words, word), 0);
    return words;
}

static inline int feed(struct dns_table *t, enum dns_message_type type)
{
    return dns_table_apply(t, &(struct dns_message){.type = type});
}

/* subnets: words. A name that begins with "!" is of an internal network. */
static inline int feed_network(struct dns_table *t, const char *id, const char *name,
                               const char *ipv4, const char *ipv6, const char *subnets)
{
    _cleanup_strv_ strv words = feed_words(subnets);
    _cleanup_free_ char *own_id = strdup(id), *own_name = strdup(name + (*name == '!'));
    _cleanup_free_ struct prefix *prefixes = calloc(FEED_MAX, sizeof *prefixes);
    struct dns_message m = {.type = DNS_MSG_NETWORK,
                            .network = {.id = own_id,
                                        .name = own_name,
                                        .forwards = *name != '!',
                                        .ipv4 = feed_addr(ipv4),
                                        .ipv6 = feed_addr(ipv6),
                                        .subnets = prefixes,
                                        .subnet_count = strv_length(words)}};

    for (size_t i = 0; i < m.network.subnet_count; i++)
        assert_int_equal(prefix_parse(words[i], &prefixes[i], NULL), 0);
    return dns_table_apply(t, &m);
}

/* networks: ids. links: words "NETWORK:TARGET:ALIAS". servers: addresses. */
static inline int feed_sandbox_with(struct dns_table *t, const char *id, bool forwards,
                                    const char *networks, const char *links, const char *servers)
{
    _cleanup_strv_ strv nets = feed_words(networks), parts = feed_words(links);
    _cleanup_strv_ strv addrs = feed_words(servers);
    _cleanup_free_ char *own_id = strdup(id);
    _cleanup_free_ struct dns_link *links_of = calloc(FEED_MAX, sizeof *links_of);
    _cleanup_free_ struct dns_server *servers_of = calloc(FEED_MAX, sizeof *servers_of);
    struct dns_message m = {.type = DNS_MSG_SANDBOX,
                            .sandbox = {.id = own_id,
                                        .name = own_id,
                                        .forwards = forwards,
                                        .networks = nets,
                                        .links = links_of,
                                        .link_count = strv_length(parts),
                                        .servers = servers_of,
                                        .server_count = strv_length(addrs)}};
    char *save;

    for (size_t i = 0; i < m.sandbox.link_count; i++) {
        links_of[i].network = strtok_r(parts[i], ":", &save);
        links_of[i].target = strtok_r(NULL, ":", &save);
        links_of[i].alias = strtok_r(NULL, ":", &save);
    }
    for (size_t i = 0; i < m.sandbox.server_count; i++)
        servers_of[i].addr = feed_addr(addrs[i]);
    return dns_table_apply(t, &m);
}

static inline int feed_sandbox(struct dns_table *t, const char *id, const char *networks)
{
    return feed_sandbox_with(t, id, true, networks, "", "");
}

/* names: words. ports: words "80/tcp". */
static inline int feed_endpoint(struct dns_table *t, const char *network, const char *sandbox,
                                const char *ipv4, const char *ipv6, const char *names,
                                const char *ports)
{
    _cleanup_strv_ strv words = feed_words(names), port_words = feed_words(ports);
    _cleanup_free_ struct dns_msg_port *ports_of = calloc(FEED_MAX, sizeof *ports_of);
    struct dns_message m = {.type = DNS_MSG_ENDPOINT,
                            .endpoint = {.network = network,
                                         .sandbox = sandbox,
                                         .ipv4 = feed_addr(ipv4),
                                         .ipv6 = feed_addr(ipv6),
                                         .names = words,
                                         .ports = ports_of,
                                         .port_count = strv_length(port_words)}};

    for (size_t i = 0; i < m.endpoint.port_count; i++) {
        ports_of[i].port = (uint16_t)atoi(port_words[i]);
        ports_of[i].proto = strstr(port_words[i], "udp")    ? IPPROTO_UDP
                            : strstr(port_words[i], "sctp") ? IPPROTO_SCTP
                                                            : IPPROTO_TCP;
    }
    return dns_table_apply(t, &m);
}

static inline int feed_gone(struct dns_table *t, enum dns_message_type type, const char *network,
                            const char *sandbox)
{
    struct dns_message m = {.type = type, .gone = {.network = network, .sandbox = sandbox}};

    return dns_table_apply(t, &m);
}
