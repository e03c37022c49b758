/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/port_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

#define PORT_KEY_MAX 16 /* "65535/sctp" */

/* ---- reading ---- */

static int parse_proto(const char *text, const char **ret, struct weft_error *err)
{
    static const char *const known[] = {"tcp", "udp", "sctp"};

    if (!*text)
        return weft_fail(err, WEFT_INVALID, "there is no protocol after the /");
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcasecmp(text, known[i]) == 0) {
            *ret = known[i];
            return 0;
        }
    }
    return weft_fail(err, WEFT_INVALID, "protocol \"%s\" is none of tcp, udp and sctp", text);
}

static int parse_port(const char *text, uint16_t *ret, struct weft_error *err)
{
    int64_t port;

    if (text[strspn(text, "0123456789")])
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a port", text);
    if (str_to_i64(text, 1, UINT16_MAX, &port) < 0)
        return weft_fail(err, WEFT_INVALID, "port %s is not between 1 and %d", text, UINT16_MAX);
    *ret = (uint16_t)port;
    return 0;
}

/* "80" or "80-90"; not empty. */
static int parse_range(char *text, uint16_t *first, uint16_t *last, struct weft_error *err)
{
    char *end = strchr(text, '-');
    int r;

    if (end == text || (end && !end[1]))
        return weft_fail(err, WEFT_INVALID, "range \"%s\" lacks its %s", text,
                         end == text ? "beginning" : "end");
    if (end)
        *end++ = '\0';
    r = parse_port(text, first, err);
    if (r == 0)
        r = parse_port(end ? end : text, last, err);
    if (r == 0 && *first > *last)
        return weft_fail(err, WEFT_INVALID, "range %u-%u is reversed", *first, *last);
    return r;
}

static int parse_address(const char *text, struct addr *ret, struct weft_error *err)
{
    if (!*text)
        return weft_fail(err, WEFT_INVALID, "there is no address before the first colon");
    return addr_parse(text, ret, err);
}

/* Cuts what stands before the container's ports into an address, if there is one, and host ports.
 */
static int split_host(char *text, char **ret_address, char **ret_ports, struct weft_error *err)
{
    char *end = *text == '[' ? strchr(text, ']') : strrchr(text, ':');

    *ret_address = NULL;
    *ret_ports = text;
    if (*text == '[') {
        if (!end)
            return weft_fail(err, WEFT_INVALID, "the bracket before the address is not closed");
        if (end[1] != ':')
            return weft_fail(err, WEFT_INVALID,
                             "the address is to be followed by a colon, host ports or none, and "
                             "another colon");
        *end++ = '\0';
        text++;
    }
    if (!end)
        return 0;
    *end = '\0';
    if (text == *ret_ports && strchr(text, ':'))
        return weft_fail(err, WEFT_INVALID, "an IPv6 address needs brackets: [%s]", text);
    *ret_address = text;
    *ret_ports = end + 1;
    return 0;
}

static int parse_host(char *text, struct port_spec *spec, struct weft_error *err)
{
    char *address, *ports;
    int r = split_host(text, &address, &ports, err);

    if (r == 0 && address)
        r = parse_address(address, &spec->host, err);
    if (r == 0 && *ports)
        r = parse_range(ports, &spec->host_first, &spec->host_last, err);
    return r;
}

static int check_lengths(const struct port_spec *spec, struct weft_error *err)
{
    unsigned count = spec->last - spec->first, host_count = spec->host_last - spec->host_first;

    if (spec->host_first == 0 || count == host_count || count == 0)
        return 0;
    return weft_fail(err, WEFT_INVALID, "%u host ports cannot lead to %u ports of the container",
                     host_count + 1, count + 1);
}

static int parse(char *text, struct port_spec *spec, struct weft_error *err)
{
    char *proto = strrchr(text, '/'), *colon;
    int r = 0;

    spec->proto = "tcp";
    if (proto) {
        *proto++ = '\0';
        r = parse_proto(proto, &spec->proto, err);
    }
    if (r < 0)
        return r;
    colon = strrchr(text, ':');
    if (colon)
        *colon++ = '\0';
    if (!*(colon ? colon : text))
        return weft_fail(err, WEFT_INVALID, "there is no port of the container");
    r = parse_range(colon ? colon : text, &spec->first, &spec->last, err);
    if (r == 0 && colon)
        r = parse_host(text, spec, err);
    return r < 0 ? r : check_lengths(spec, err);
}

int port_spec_parse(const char *text, struct port_spec *ret, struct weft_error *err)
{
    _cleanup_free_ char *copy = strdup(text);
    struct port_spec spec = {0};
    int r;

    if (!copy)
        return weft_oom(err);
    r = parse(copy, &spec, err);
    if (r < 0) {
        weft_error_prefix(err, "\"%s\"", text);
        return r;
    }
    *ret = spec;
    return 0;
}

int port_spec_parse_inner(const char *text, struct port_spec *ret, struct weft_error *err)
{
    if (strchr(text, ':'))
        return weft_fail(err, WEFT_INVALID,
                         "\"%s\": this is for a port of the container alone: PORT[-END][/PROTOCOL]",
                         text);
    return port_spec_parse(text, ret, err);
}

/* ---- writing ---- */

static const char *port_key(const struct port_spec *spec, unsigned i, char buf[static PORT_KEY_MAX])
{
    snprintf(buf, PORT_KEY_MAX, "%u/%s", spec->first + i, spec->proto);
    return buf;
}

static json_t *binding_json(const struct port_spec *spec, unsigned i)
{
    char ports[PORT_KEY_MAX] = "";

    if (spec->host_first != 0 && spec->first == spec->last && spec->host_first != spec->host_last)
        snprintf(ports, sizeof ports, "%u-%u", spec->host_first, spec->host_last);
    else if (spec->host_first != 0)
        snprintf(ports, sizeof ports, "%u", spec->host_first + i);
    return json_pack("{s:o, s:s}", "HostIp", json_from_addr(&spec->host), "HostPort", ports);
}

static int add_bindings(json_t *bindings, const struct port_spec *spec)
{
    for (unsigned i = 0; i <= (unsigned)(spec->last - spec->first); i++) {
        char key[PORT_KEY_MAX];

        port_key(spec, i, key);
        if (!json_object_get(bindings, key) && json_object_set_new(bindings, key, json_array()) < 0)
            return -1;
        if (json_array_append_new(json_object_get(bindings, key), binding_json(spec, i)) < 0)
            return -1;
    }
    return 0;
}

int port_specs_bindings(strv specs, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *bindings = json_object();
    struct port_spec spec;

    for (; specs && *specs; specs++) {
        int r = port_spec_parse(*specs, &spec, err);

        if (r < 0)
            return r;
        if (add_bindings(bindings, &spec) < 0)
            return weft_oom(err);
    }
    *ret = TAKE_PTR(bindings);
    return 0;
}

int port_specs_exposed(strv specs, json_t **ret, struct weft_error *err)
{
    _cleanup_json_ json_t *exposed = json_object();
    char key[PORT_KEY_MAX];
    struct port_spec spec;

    for (; specs && *specs; specs++) {
        int r = port_spec_parse_inner(*specs, &spec, err);

        if (r < 0)
            return r;
        for (unsigned i = 0; i <= (unsigned)(spec.last - spec.first); i++)
            if (json_object_set_new(exposed, port_key(&spec, i, key), json_object()) < 0)
                return weft_oom(err);
    }
    *ret = TAKE_PTR(exposed);
    return 0;
}
