/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* weft-dns's end of the link to weftd: see dns/message.h. */

#include "dns/server.h"

/* Listens on fd, which is taken. 0 or -errno. */
int dns_control_open(struct dns_daemon *d, int fd, struct weft_error *err);
void dns_control_close(struct dns_control *c);
/* A query was answered: tells those who follow the log. */
void dns_control_log(struct dns_control *c, const struct dns_log_entry *entry);
