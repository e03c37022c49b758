/* SPDX-License-Identifier: Apache-2.0 */
#include "model/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const struct {
    uint8_t number;
    const char *name;
} protocols[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}, {IPPROTO_SCTP, "sctp"}};

const char *publish_proto_text(uint8_t proto)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].number == proto)
            return protocols[i].name;
    return NULL;
}

int publish_proto_parse(const char *text, uint8_t *ret, struct weft_error *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (str_equal(protocols[i].name, text)) {
            *ret = protocols[i].number;
            return 0;
        }
    }
    return weft_fail(err, WEFT_INVALID, "protocol \"%s\" is none of tcp, udp and sctp", text);
}

/* One of len bytes; of says whose it is (" of 80/tcp"), for the sentence. */
static int parse_number(const char *text, size_t len, const char *of, uint16_t *ret,
                        struct weft_error *err)
{
    char digits[8] = "";
    int64_t port;

    if (len == 0 || strspn(text, "0123456789") < len)
        return weft_fail(err, WEFT_INVALID, "\"%.*s\"%s is not a port", (int)len, text, of);
    if (len < sizeof digits)
        memcpy(digits, text, len);
    if (str_to_i64(digits, 1, UINT16_MAX, &port) < 0)
        return weft_fail(err, WEFT_INVALID, "port %.*s%s is not between 1 and %d", (int)len, text,
                         of, UINT16_MAX);
    *ret = (uint16_t)port;
    return 0;
}

int publish_port_parse(const char *text, uint8_t *proto, uint16_t *port, struct weft_error *err)
{
    size_t len = strcspn(text, "/");
    uint8_t parsed_proto = IPPROTO_TCP;
    uint16_t parsed_port;
    int r = parse_number(text, len, "", &parsed_port, err);

    if (r == 0 && text[len])
        r = publish_proto_parse(text + len + 1, &parsed_proto, err);
    if (r < 0)
        return r;
    *proto = parsed_proto;
    *port = parsed_port;
    return 0;
}

const char *publish_port_format(uint8_t proto, uint16_t port,
                                char buf[static PUBLISH_PORT_TEXT_MAX])
{
    (void)snprintf(buf, PUBLISH_PORT_TEXT_MAX, "%u/%s", port, publish_proto_text(proto));
    return buf;
}

int publish_range_parse(const char *text, const char *of, uint16_t *first, uint16_t *last,
                        struct weft_error *err)
{
    size_t len = strcspn(text, "-");
    uint16_t parsed[2] = {0};
    int r;

    if (!*text || str_equal(text, "0")) {
        *first = *last = 0;
        return 0;
    }
    r = parse_number(text, len, of, &parsed[0], err);
    parsed[1] = parsed[0];
    if (r == 0 && text[len])
        r = parse_number(text + len + 1, strlen(text + len + 1), of, &parsed[1], err);
    if (r < 0)
        return r;
    if (parsed[0] > parsed[1])
        return weft_fail(err, WEFT_INVALID, "range %s%s is reversed", text, of);
    *first = parsed[0];
    *last = parsed[1];
    return 0;
}

const char *publish_range_format(uint16_t first, uint16_t last,
                                 char buf[static PUBLISH_PORT_TEXT_MAX])
{
    if (first == 0)
        buf[0] = '\0';
    else if (first == last)
        (void)snprintf(buf, PUBLISH_PORT_TEXT_MAX, "%u", first);
    else
        (void)snprintf(buf, PUBLISH_PORT_TEXT_MAX, "%u-%u", first, last);
    return buf;
}

bool publish_host_is_any(const struct addr *host)
{
    struct addr any = {.family = host->family};

    return addr_is_set(host) && addr_equal(host, &any);
}

int publish_list_add(struct publish_list *list, const struct publish_want *want)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity + list->capacity / 2 + 1;
        struct publish *grown = reallocarray(list->items, capacity, sizeof *grown);

        if (!grown)
            return -ENOMEM;
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->count] = (struct publish){
        .number = list->count ? list->items[list->count - 1].number + 1 : 1,
        .want = *want,
    };
    list->count++;
    return 0;
}

void publish_list_clear(struct publish_list *list)
{
    free(list->items);
    *list = (struct publish_list){0};
}

int publish_want_compare(const struct publish_want *a, const struct publish_want *b)
{
    int c = (int)a->proto - b->proto;

    if (c == 0)
        c = (int)a->port - b->port;
    if (c == 0)
        c = addr_compare(&a->host, &b->host);
    if (c == 0)
        c = (int)a->first - b->first;
    return c ? c : (int)a->last - b->last;
}

bool publish_want_equal(const struct publish_want *a, const struct publish_want *b)
{
    return publish_want_compare(a, b) == 0;
}
