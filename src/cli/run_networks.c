/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/body.h"
#include "cli/run_args.h"

struct attachment {
    strv fields; /* of the long form: what the rest points into */
    const char *name;
    struct endpoint_args endpoint;
};

static void attachment_done(struct attachment *a)
{
    strv_free(a->fields);
    strv_free(a->endpoint.aliases);
    strv_free(a->endpoint.driver_opts);
    strv_free(a->endpoint.link_local_ips);
}

/* The long form's keys are options like any other. */
static int parse_field(struct attachment *a, const char *field, struct weft_error *err)
{
    const struct cli_option keys[] = {
        OPT_LIST(0, "alias", &a->endpoint.aliases, NULL, NULL),
        OPT_LIST(0, "driver-opt", &a->endpoint.driver_opts, NULL, NULL),
        OPT_NUMBER(0, "gw-priority", &a->endpoint.gw_priority, NULL, NULL),
        OPT_STRING(0, "ip", &a->endpoint.ip, NULL, NULL),
        OPT_STRING(0, "ip6", &a->endpoint.ip6, NULL, NULL),
        OPT_LIST(0, "link-local-ip", &a->endpoint.link_local_ips, NULL, NULL),
        OPT_STRING(0, "mac-address", &a->endpoint.mac_address, NULL, NULL),
        OPT_STRING(0, "name", &a->name, NULL, NULL),
        OPT_END,
    };
    const char *equals = strchr(field, '=');

    for (const struct cli_option *o = keys; o->kind != OPTION_NONE && equals; o++) {
        size_t len = (size_t)(equals - field);

        if (strlen(o->name) == len && memcmp(o->name, field, len) == 0)
            return option_set(o, equals + 1, err);
    }
    return weft_fail(err, WEFT_INVALID, "--network does not know \"%s\"", field);
}

static int parse_attachment(struct attachment *a, const char *text, struct weft_error *err)
{
    int r;

    a->name = text;
    if (!strchr(text, '='))
        return 0;
    a->name = NULL;
    r = csv_split(text, &a->fields, err);
    for (strv field = a->fields; r == 0 && *field; field++)
        r = parse_field(a, *field, err);
    if (r == 0 && str_is_empty(a->name))
        return weft_fail(err, WEFT_INVALID, "--network %s names no network", text);
    return r;
}

static int merge_string(const char *option, const char **own, const char *other,
                        struct weft_error *err)
{
    if (*own && other)
        return weft_fail(err, WEFT_INVALID, "--%s says again what --network says", option);
    if (other)
        *own = other;
    return 0;
}

static int merge_list(const char *option, strv *own, strv other, struct weft_error *err)
{
    if (*own && other)
        return weft_fail(err, WEFT_INVALID, "--%s says again what --network says", option);
    return other && strv_copy(other, own) < 0 ? weft_oom(err) : 0;
}

/* The long form has no keys for them. */
static void merge_limits(struct endpoint_args *own, const struct endpoint_args *first)
{
    own->ingress_rate = first->ingress_rate;
    own->ingress_burst = first->ingress_burst;
    own->egress_rate = first->egress_rate;
    own->egress_burst = first->egress_burst;
}

/* Adds what --ip and its like say; docker too refuses to hear both. */
static int merge(struct endpoint_args *own, const struct endpoint_args *first,
                 struct weft_error *err)
{
    int r;

    r = merge_string("ip", &own->ip, first->ip, err);
    if (r == 0)
        r = merge_string("ip6", &own->ip6, first->ip6, err);
    if (r == 0)
        r = merge_string("mac-address", &own->mac_address, first->mac_address, err);
    if (r == 0)
        r = merge_list("network-alias", &own->aliases, first->aliases, err);
    if (r == 0)
        r = merge_list("link-local-ip", &own->link_local_ips, first->link_local_ips, err);
    if (r == 0)
        r = merge_list("driver-opt", &own->driver_opts, first->driver_opts, err);
    if (r == 0)
        merge_limits(own, first);
    return r;
}

/* Adds one network, the first of them with what first says. */
static int add_network(json_t *endpoints, const char *text, const struct endpoint_args *first,
                       char **mode, struct weft_error *err)
{
    _cleanup_(attachment_done) struct attachment a = {0};
    _cleanup_json_ json_t *settings = NULL;
    int r;

    r = parse_attachment(&a, text, err);
    if (r == 0 && !*mode) {
        *mode = a.name ? strdup(a.name) : NULL;
        r = *mode ? merge(&a.endpoint, first, err) : weft_oom(err);
    }
    if (r == 0)
        r = endpoint_settings(&a.endpoint, &settings, err);
    if (r < 0)
        return r;
    if (json_object_get(endpoints, a.name))
        return weft_fail(err, WEFT_INVALID, "--network %s is there twice", a.name);
    if (json_object_set(endpoints, a.name, settings) < 0)
        return weft_oom(err);
    return 0;
}

int run_networks(strv networks, const struct endpoint_args *first, char **ret_mode,
                 json_t **ret_endpoints, struct weft_error *err)
{
    _cleanup_json_ json_t *endpoints = json_object();
    _cleanup_free_ char *mode = NULL;
    char standard[] = "default", *only_standard[] = {standard, NULL};
    int r;

    for (strv network = networks ? networks : only_standard; *network; network++) {
        r = add_network(endpoints, *network, first, &mode, err);
        if (r < 0)
            return r;
    }
    /* A lone network without settings is said by the mode alone, which also fits "host" and
     * "container:NAME". */
    if (json_object_size(endpoints) == 1 && json_object_size(json_object_get(endpoints, mode)) == 0)
        json_object_clear(endpoints);
    *ret_mode = TAKE_PTR(mode);
    *ret_endpoints = TAKE_PTR(endpoints);
    return 0;
}
