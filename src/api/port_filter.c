/* SPDX-License-Identifier: Apache-2.0 */
#include "api/port_filter.h"

#include <string.h>

#include "model/publish.h"

/* Which member of a listed port each speaks of. */
static const struct {
    const char *key, *member;
} port_filters[] = {{"publish", "PublicPort"}, {"expose", "PrivatePort"}};

struct port_range {
    uint16_t first, last;
    uint8_t proto;
};

/* "80", "80/udp", "80-90/tcp". */
static int parse_range(const char *text, struct port_range *ret)
{
    const char *dash = strchr(text, '-');
    struct port_range range;
    char first[8] = "";
    uint8_t ignored;

    if (publish_port_parse(dash ? dash + 1 : text, &range.proto, &range.last, NULL) < 0)
        return -1;
    range.first = range.last;
    if (dash) {
        if ((size_t)(dash - text) >= sizeof first)
            return -1;
        memcpy(first, text, (size_t)(dash - text));
        if (strchr(first, '/') || publish_port_parse(first, &ignored, &range.first, NULL) < 0 ||
            range.first > range.last)
            return -1;
    }
    *ret = range;
    return 0;
}

int port_filters_check(const struct filters *f, struct weft_error *err)
{
    struct port_range ignored;

    for (size_t i = 0; i < ARRAY_SIZE(port_filters); i++)
        for (char *const *v = filters_values(f, port_filters[i].key); v && *v; v++)
            if (parse_range(*v, &ignored) < 0)
                return weft_fail(err, WEFT_INVALID, "invalid filter '%s=%s'", port_filters[i].key,
                                 *v);
    return 0;
}

bool port_filters_given(const struct filters *f)
{
    return filters_values(f, "publish") || filters_values(f, "expose");
}

static bool is_in(const char *value, const json_t *port, const char *member)
{
    json_int_t number = json_integer_value(json_object_get(port, member));
    const char *type = json_string_value(json_object_get(port, "Type"));
    struct port_range range;

    return parse_range(value, &range) == 0 && number >= range.first && number <= range.last &&
           str_equal(type, publish_proto_text(range.proto));
}

bool port_filters_match(const struct filters *f, const json_t *ports)
{
    const json_t *port;
    size_t i;

    for (size_t n = 0; n < ARRAY_SIZE(port_filters); n++)
        for (char *const *v = filters_values(f, port_filters[n].key); v && *v; v++)
            json_array_foreach (ports, i, port)
                if (is_in(*v, port, port_filters[n].member))
                    return true;
    return false;
}
