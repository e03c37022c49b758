/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "model/publish.h"

#define port_text(p) publish_port_format((p)->proto, (p)->port, (char[PUBLISH_PORT_TEXT_MAX]){0})
#define range_text(w) publish_range_format((w)->first, (w)->last, (char[PUBLISH_PORT_TEXT_MAX]){0})

/* ---- reading ---- */

/* IPv4 in IPv6's clothes would be held in one family and looked up in the other. */
static int check_host(const struct addr *host, struct weft_error *err)
{
    static const struct prefix mapped = {{AF_INET6, {[10] = 0xff, [11] = 0xff}}, 96};

    if (addr_is_multicast(host) || prefix_contains(&mapped, host))
        return weft_fail(err, WEFT_INVALID, "HostIp %s is not an address that a host has",
                         addr_text(host));
    return 0;
}

static int read_range(const char *range, struct publish_want *want, struct weft_error *err)
{
    char of[PUBLISH_PORT_TEXT_MAX + sizeof " of "];

    if (publish_range_parse(range, "", &want->first, &want->last, NULL) == 0)
        return 0;
    (void)snprintf(of, sizeof of, " of %s", port_text(want)); /* again, for the sentence */
    return publish_range_parse(range, of, &want->first, &want->last, err);
}

/* {"HostIp", "HostPort"}, or null: everything left open. The port is want's already. */
static int read_want(const json_t *doc, struct publish_want *want, struct weft_error *err)
{
    const char *range = "";
    int r;

    if (json_is_null(doc))
        return 0;
    if (!json_is_object(doc))
        return weft_fail(err, WEFT_INVALID, "a binding of %s must be an object", port_text(want));
    r = json_get_addr(doc, "HostIp", &want->host, err);
    if (r == 0)
        r = check_host(&want->host, err);
    if (r < 0) {
        weft_error_prefix(err, "port %s", port_text(want));
        return r;
    }
    r = json_get_string(doc, "HostPort", &range, err);
    if (r < 0)
        return r;
    return read_range(range, want, err);
}

static int add_binding(const json_t *doc, struct publish_want want, struct publish_list *ret,
                       struct weft_error *err)
{
    int r = read_want(doc, &want, err);

    if (r == 0 && publish_list_add(ret, &want) < 0)
        r = weft_oom(err);
    return r;
}

/* All bindings of one port. */
static int add_port(const char *key, const json_t *bindings, struct publish_list *ret,
                    struct weft_error *err)
{
    struct publish_want want = {0};
    const json_t *binding;
    size_t i;
    int r = publish_port_parse(key, &want.proto, &want.port, err);

    if (r < 0) {
        weft_error_prefix(err, "PortBindings");
        return r;
    }
    if (!json_is_null(bindings) && !json_is_array(bindings))
        return weft_fail(err, WEFT_INVALID, "the bindings of %s must be an array", key);
    if (json_array_size(bindings) == 0)
        return add_binding(json_null(), want, ret, err);
    json_array_foreach (bindings, i, binding) {
        r = add_binding(binding, want, ret, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int compare_wants(const void *a, const void *b)
{
    const struct publish *const *x = a, *const *y = b;

    return publish_want_compare(&(*x)->want, &(*y)->want);
}

static int check_distinct(const struct publish *items, size_t count, struct weft_error *err)
{
    _cleanup_free_ const struct publish **sorted = calloc(count + 1, sizeof(struct publish *));

    if (!sorted)
        return weft_oom(err);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &items[i];
    qsort(sorted, count, sizeof(struct publish *), compare_wants);
    for (size_t i = 1; i < count; i++) {
        const struct publish_want *want = &sorted[i]->want;

        if (publish_want_equal(&sorted[i - 1]->want, want))
            return weft_fail(err, WEFT_INVALID, "port %s is asked for twice, at %s%s and %s%s",
                             port_text(want),
                             addr_is_set(&want->host) ? "host address " : "any host address",
                             addr_text(&want->host), want->first ? "port " : "any port",
                             range_text(want));
    }
    return 0;
}

int publish_from_port_bindings(const json_t *bindings, struct publish_list *ret,
                               struct weft_error *err)
{
    size_t before = ret->count;
    const json_t *value;
    const char *key;
    int r = 0;

    if (!bindings || json_is_null(bindings))
        return 0;
    if (!json_is_object(bindings))
        return weft_fail(err, WEFT_INVALID, "PortBindings must be an object");
    json_object_foreach ((json_t *)bindings, key, value) {
        r = add_port(key, value, ret, err);
        if (r < 0)
            break;
    }
    if (r == 0 && ret->count > before)
        r = check_distinct(ret->items + before, ret->count - before, err);
    if (r < 0)
        ret->count = before;
    return r;
}

/* ---- writing ---- */

static json_t *binding_to_json(const struct addr *host, const char *port)
{
    return json_pack("{s:o, s:s}", "HostIp", json_from_addr(host), "HostPort", port);
}

json_t *publish_to_port_bindings(const struct publish *items, size_t count)
{
    _cleanup_json_ json_t *doc = json_object();

    for (size_t i = 0; i < count; i++) {
        const struct publish_want *want = &items[i].want;
        json_t *list = json_object_get(doc, port_text(want));

        if (!list) {
            list = json_array();
            if (json_object_set_new(doc, port_text(want), list) < 0)
                return NULL;
        }
        if (json_array_append_new(list, binding_to_json(&want->host, range_text(want))) < 0)
            return NULL;
    }
    return TAKE_PTR(doc);
}
