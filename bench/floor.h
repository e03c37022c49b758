/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * The kernel's floor: what a program takes that does nothing but the netlink requests of a bridge
 * and its endpoints. Same requests, in the same batches, as weft's kernel layer sends
 * (src/kernel/rtnl_encode.c): change the two together.
 *
 * Functions return 0 or -errno: the first refusal of a batch.
 */

#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <stdint.h>

struct floor_socket {
    struct mnl_socket *socket;
    uint32_t seq;
};

/* A socket in the calling thread's namespace. */
int floor_open(struct floor_socket *ret);
void floor_close(struct floor_socket *s);

struct floor_bridge {
    const char *name;
    uint8_t mac[6];
    struct in_addr address;
    uint8_t prefix_len;
};
/* A bridge with its address, up. */
int floor_make_bridge(struct floor_socket *host, const struct floor_bridge *b);
/* Deletes a link. The kernel unlists it, and then, before the call returns, waits for its RCU
 * callbacks; *ret_gone is clock_ms() when the link could first no longer be found. */
int floor_remove_link(struct floor_socket *host, const char *name, double *ret_gone);
/* The index of a link of the socket's namespace. */
int floor_link_index(const struct floor_socket *s, const char *name);

struct floor_endpoint {
    int bridge_index;
    const char *host_link; /* the end that is a port of the bridge */
    const char *ifname;    /* the end in the endpoint's namespace */
    uint8_t mac[6];
    struct in_addr address, gateway;
    uint8_t prefix_len;
};
/* The veth pair, born in both namespaces, on the bridge and up; address and default route. ns_fd is
 * the endpoint's namespace, inside a socket in it. */
int floor_connect(struct floor_socket *host, int ns_fd, struct floor_socket *inside,
                  const struct floor_endpoint *ep);
