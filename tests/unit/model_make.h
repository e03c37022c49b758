/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Model objects from JSON, which is written with ' for " so that it stays readable in C. To be
 * included behind cmocka.h. */

#include <string.h>

#include "base/json.h"
#include "model/endpoint.h"
#include "model/network.h"

#define TEST_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static inline json_t *make_json(const char *text)
{
    _cleanup_free_ char *copy = strdup(text);
    struct weft_error err = {0};
    json_t *doc = NULL;

    for (char *c = copy; *c; c++)
        if (*c == '\'')
            *c = '"';
    if (json_parse(copy, strlen(copy), &doc, &err) < 0)
        fail_msg("%s in %s", err.text, text);
    return doc;
}

static inline struct network *make_network(const char *text)
{
    _cleanup_json_ json_t *doc = make_json(text);
    struct network *net = NULL;
    struct weft_error err = {0};

    if (network_from_json(doc, &net, &err) < 0)
        fail_msg("%s", err.text);
    return net;
}

/* On net, in no sandbox yet. */
static inline struct endpoint *make_endpoint(const char *text, struct network *net)
{
    _cleanup_json_ json_t *doc = make_json(text);
    struct endpoint *ep = NULL;
    struct weft_error err = {0};

    if (endpoint_from_json(doc, &ep, &err) < 0)
        fail_msg("%s", err.text);
    ep->network = net;
    return ep;
}

static inline struct addr make_addr(const char *text)
{
    struct addr addr;

    assert_int_equal(addr_parse(text, &addr, NULL), 0);
    return addr;
}
#define A(text) ((struct addr[]){make_addr(text)})

static inline struct prefix make_prefix(const char *text)
{
    struct prefix prefix;

    assert_int_equal(prefix_parse(text, &prefix, NULL), 0);
    return prefix;
}
#define P(text) ((struct prefix[]){make_prefix(text)})
