/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Answers from the table of names. */

#include "dns/codec.h"
#include "dns/table.h"

/* Names live as long as their containers, who come and go: nobody is to keep them (RFC 2181, 8). */
#define DNS_LOCAL_TTL 0

/* Names of services and their ports, for SRV: read from /etc/services once, at start, before the
 * process confines itself. */
struct dns_services;
int dns_services_load(struct dns_services **ret);
/* The same of another file. One that is not there has no services. 0 or -errno. */
int dns_services_load_from(const char *path, struct dns_services **ret);
void dns_services_free(struct dns_services *s);
/* The port of a service by its name, in lower case, or one of its aliases. 0: there is none. */
uint16_t dns_services_port(const struct dns_services *s, const char *name, size_t length,
                           uint8_t proto);

/*
 * Answers the query if it is about names of ours: A, AAAA, PTR, SRV and ANY; a name that exists
 * without what was asked gets an empty NOERROR. NXDOMAIN: a name below "weft." that does not exist,
 * a reverse name inside a subnet of a network in scope that nobody has, and whatever scope may not
 * ask others for. Writes into reply (begun by this function, ended too) and returns its length; 0:
 * the query is to be forwarded. limit: octets.
 */
size_t dns_local_answer(const struct dns_scope *scope, const struct dns_services *services,
                        const uint8_t *msg, const struct dns_query *query, uint8_t *buf,
                        size_t limit);
