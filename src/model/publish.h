/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Published ports: a port of a sandbox, and where on the host it is reached.
 *
 * Like an endpoint it has two halves: what the user asked for (`want`), which holds as long as it
 * is published, and what it was given (`bindings`), which holds while the sandbox is active and has
 * a way to the world.
 */

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

struct publish_want {
    uint8_t proto;        /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_SCTP */
    uint16_t port;        /* the sandbox's */
    struct addr host;     /* none: what the network says, by default all addresses of the host */
    uint16_t first, last; /* host ports, of which the first that is free is taken; 0: any of the
                             ephemeral ones */
};

/* Of one address family. */
struct publish_binding {
    struct addr host;   /* 0.0.0.0 or ::: every address of the family */
    uint16_t host_port; /* 0: none, the port is reached at the sandbox's own address (gateway mode
                           routed); host is then 0.0.0.0 or :: */
};

/* 0.0.0.0 or ::? */
bool publish_host_is_any(const struct addr *host);

struct publish {
    uint32_t number; /* unique in its sandbox, never 0: names it in the store */
    struct publish_want want;
    /* IPv4 before IPv6. Both of one publish have the same host port, where they have one. */
    struct publish_binding bindings[2];
    uint8_t binding_count; /* 0: not reachable from the host (inactive, or no network publishes) */
};

/* "tcp", "udp", "sctp"; NULL for others. */
const char *publish_proto_text(uint8_t proto);
/* 0 or -EINVAL (`protocol "foo" is none of tcp, udp and sctp`). */
int publish_proto_parse(const char *text, uint8_t *ret, struct weft_error *err);
/* "80/tcp" ("80" means tcp), as keys of ExposedPorts and PortBindings are. 0 or -EINVAL. */
int publish_port_parse(const char *text, uint8_t *proto, uint16_t *port, struct weft_error *err);
#define PUBLISH_PORT_TEXT_MAX 16
const char *publish_port_format(uint8_t proto, uint16_t port,
                                char buf[static PUBLISH_PORT_TEXT_MAX]);

/* Host ports: "8080", "8080-8090", or "" (also "0", as Docker has it) for any. of is put behind
 * what the sentence complains of (" of 80/tcp", or ""). 0 or -EINVAL. */
int publish_range_parse(const char *text, const char *of, uint16_t *first, uint16_t *last,
                        struct weft_error *err);
const char *publish_range_format(uint16_t first, uint16_t last,
                                 char buf[static PUBLISH_PORT_TEXT_MAX]);

/* A growing list. Zero-initialise. */
struct publish_list {
    struct publish *items;
    size_t count, capacity;
};
/* Adds a port without bindings, numbered behind the last of the list. 0 or -ENOMEM. */
int publish_list_add(struct publish_list *list, const struct publish_want *want);
void publish_list_clear(struct publish_list *list);
#define _cleanup_publish_list_ _cleanup_(publish_list_clear)
/* <0, 0, >0: a total order by protocol, port, host address and host ports. */
int publish_want_compare(const struct publish_want *a, const struct publish_want *b);
/* Same protocol, ports and host address asked for? */
bool publish_want_equal(const struct publish_want *a, const struct publish_want *b);

/*
 * Docker's PortBindings (API v1.41 to v1.48): {"80/tcp": [{"HostIp": "", "HostPort":
 * "8080-8090"}]}. Null or an empty array is one binding of any ephemeral port. Refuses bad
 * literals, reversed ranges, ports out of range, unknown protocols and what is there twice, naming
 * the key. Appends to ret; on failure ret is as it was. 0 or -errno.
 */
int publish_from_port_bindings(const json_t *bindings, struct publish_list *ret,
                               struct weft_error *err);
/* The wants as PortBindings. New reference, or NULL. */
json_t *publish_to_port_bindings(const struct publish *items, size_t count);
