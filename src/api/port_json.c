/* SPDX-License-Identifier: Apache-2.0 */
#include "api/port_json.h"

#include <stdlib.h>

#include "base/json.h"
#include "engine/engine.h"
#include "model/publish.h"

static json_t *binding_json(const struct publish_binding *binding)
{
    char port[8] = "";

    if (binding->host_port != 0)
        snprintf(port, sizeof port, "%u", binding->host_port);
    return json_pack("{s:o, s:s}", "HostIp", json_from_addr(&binding->host), "HostPort", port);
}

/* What leads nowhere is there all the same, like what is exposed only. */
static int add_publish(json_t *map, const struct publish *publish)
{
    char key[PUBLISH_PORT_TEXT_MAX];

    publish_port_format(publish->want.proto, publish->want.port, key);
    if (!json_object_get(map, key) && json_object_set_new(map, key, json_null()) < 0)
        return -1;
    for (size_t i = 0; i < publish->binding_count; i++) {
        if (!json_is_array(json_object_get(map, key)) &&
            json_object_set_new(map, key, json_array()) < 0)
            return -1;
        if (json_array_append_new(json_object_get(map, key), binding_json(&publish->bindings[i])) <
            0)
            return -1;
    }
    return 0;
}

/* One that a CNI plugin publishes. */
static int add_mapping(json_t *map, const json_t *mapping)
{
    const char *proto = json_string_value(json_object_get(mapping, "protocol"));
    const char *host = json_string_value(json_object_get(mapping, "hostIP"));
    _cleanup_json_ json_t *key =
        json_sprintf("%lld/%s",
                     (long long)json_integer_value(json_object_get(mapping, "containerPort")),
                     proto);
    json_t *port =
        json_sprintf("%lld", (long long)json_integer_value(json_object_get(mapping, "hostPort")));
    json_t *binding = json_pack("{s:s, s:o}", "HostIp", host ? host : "0.0.0.0", "HostPort", port);
    const char *text = json_string_value(key);

    if (text && !json_is_array(json_object_get(map, text)))
        (void)json_object_set_new(map, text, json_array());
    return json_array_append_new(json_object_get(map, text), binding);
}

static int add_mappings(json_t *map, const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++) {
        const json_t *mapping;
        size_t k;

        json_array_foreach (engine_endpoint_ports(sb->endpoints[i]), k, mapping)
            if (add_mapping(map, mapping) < 0)
                return -1;
    }
    return 0;
}

json_t *port_map_json(const struct sandbox *sb, char *const *exposed)
{
    _cleanup_json_ json_t *map = json_object();

    if (!sb || !sb->active || sb->kind == SANDBOX_HOST)
        return TAKE_PTR(map);
    for (; exposed && *exposed; exposed++)
        if (json_object_set_new(map, *exposed, json_null()) < 0)
            return NULL;
    for (size_t i = 0; i < sb->publishes.count; i++)
        if (add_publish(map, &sb->publishes.items[i]) < 0)
            return NULL;
    return add_mappings(map, sb) < 0 ? NULL : TAKE_PTR(map);
}

static void print_binding(const struct publish_binding *binding, bool first, struct strbuf *out)
{
    char port[PUBLISH_PORT_TEXT_MAX];

    strbuf_puts(out, first ? "[{\"HostIp\":\"" : ",{\"HostIp\":\"");
    strbuf_puts(out, addr_text(&binding->host));
    strbuf_puts(out, "\",\"HostPort\":\"");
    strbuf_puts(out, publish_range_format(binding->host_port, binding->host_port, port));
    strbuf_puts(out, "\"}");
}

static bool same_port(const struct publish *a, const struct publish *b)
{
    return a->want.proto == b->want.proto && a->want.port == b->want.port;
}

/* Nothing in it is in need of escapes. */
void port_map_print(const struct publish *items, size_t count, struct strbuf *out)
{
    for (size_t i = 0, bindings = 0; i < count; i++) {
        char key[PUBLISH_PORT_TEXT_MAX];

        if (i == 0 || !same_port(&items[i - 1], &items[i])) {
            bindings = 0;
            strbuf_printf(out, "%s\"%s\":", i == 0 ? "{" : ",",
                          publish_port_format(items[i].want.proto, items[i].want.port, key));
        }
        for (size_t b = 0; b < items[i].binding_count; b++)
            print_binding(&items[i].bindings[b], bindings++ == 0, out);
        if (i + 1 == count || !same_port(&items[i], &items[i + 1]))
            strbuf_puts(out, bindings ? "]" : "null");
    }
    strbuf_puts(out, count ? "}" : "{}");
}

static json_t *entry_json(uint8_t proto, uint16_t port, const json_t *binding)
{
    json_t *entry = json_object();
    const char *public = json_string_value(json_object_get(binding, "HostPort"));

    if (binding)
        (void)json_object_set(entry, "IP", json_object_get(binding, "HostIp"));
    (void)json_object_set_new(entry, "PrivatePort", json_integer(port));
    if (!str_is_empty(public))
        (void)json_object_set_new(entry, "PublicPort", json_integer(atoi(public)));
    (void)json_object_set_new(entry, "Type", json_string(publish_proto_text(proto)));
    return entry;
}

json_t *port_list_json(const json_t *map)
{
    _cleanup_json_ json_t *list = json_array();
    json_t *bindings, *binding;
    const char *key;
    size_t i;

    json_object_foreach ((json_t *)map, key, bindings) {
        uint16_t port;
        uint8_t proto;

        if (publish_port_parse(key, &proto, &port, NULL) < 0)
            continue;
        if (json_is_null(bindings) &&
            json_array_append_new(list, entry_json(proto, port, NULL)) < 0)
            return NULL;
        json_array_foreach (bindings, i, binding)
            if (json_array_append_new(list, entry_json(proto, port, binding)) < 0)
                return NULL;
    }
    return TAKE_PTR(list);
}

json_t *port_bindings_json(const struct sandbox *sb)
{
    return sb ? publish_to_port_bindings(sb->publishes.items, sb->publishes.count) : json_object();
}

int port_expose(json_t *config, const struct sandbox *sb)
{
    json_t *exposed = json_object_get(config, "ExposedPorts");

    for (size_t i = 0; sb && i < sb->publishes.count; i++) {
        const struct publish_want *want = &sb->publishes.items[i].want;
        char key[PUBLISH_PORT_TEXT_MAX];

        publish_port_format(want->proto, want->port, key);
        if (json_object_set_new(exposed, key, json_object()) < 0)
            return -1;
    }
    return 0;
}
