/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * One packet socket for each link of the host that clients speak by, shared by them. Private to
 * src/dhcp.
 */

#include <net/if.h>

#include "dhcp/client.h"

/* Somebody who waits for replies. */
struct dhcp_listener {
    struct dhcp_listener *next;
    /* Whether the reply was for it; then it may be gone. */
    bool (*take)(struct dhcp_listener *listener, const struct dhcp_reply *reply);
};

/* Listens on the link's port, which is opened if there is none yet. A link that is not there now
 * may come. 0, -errno. */
int dhcp_port_join(struct dhcp_lan *lan, const char *link, struct dhcp_listener *listener,
                   struct dhcp_port **ret, struct weft_error *err);
/* The port goes with its last listener. */
void dhcp_port_leave(struct dhcp_port *port, struct dhcp_listener *listener);
/* Sends a whole frame. The link may have been made anew since. 0 or -errno. */
int dhcp_port_send(struct dhcp_port *port, const uint8_t *frame, size_t length,
                   struct weft_error *err);
