/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What people write of ports, and Docker's PortBindings and ExposedPorts (API v1.48) of it.
 *
 * A spec is docker's [HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|udp|sctp], IPv6 addresses in
 * brackets. Host ports left empty are any that are free; several of them for one port of the
 * container are those to take the first free one of; else there must be as many of either.
 */

#include <jansson.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/str.h"

struct port_spec {
    struct addr host;               /* none: not said */
    uint16_t host_first, host_last; /* 0: not said */
    uint16_t first, last;           /* the container's */
    const char *proto;              /* "tcp", "udp", "sctp" */
};

/* 0, -EINVAL with a sentence that begins with the spec in quotes, -ENOMEM. */
int port_spec_parse(const char *text, struct port_spec *ret, struct weft_error *err);
/* The same of PORT[-END][/PROTO] alone. */
int port_spec_parse_inner(const char *text, struct port_spec *ret, struct weft_error *err);

/* {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]} of specs (NULL: none). New references.
 * 0, -EINVAL, -ENOMEM. */
int port_specs_bindings(strv specs, json_t **ret, struct weft_error *err);
/* {"80/tcp": {}} of inner specs. */
int port_specs_exposed(strv specs, json_t **ret, struct weft_error *err);
