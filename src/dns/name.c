/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POINTER 0xc0 /* the two upper bits of a length that is none: RFC 1035, 4.1.4 */

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One octet of a label, escaped or not. Returns behind it, NULL when the escape is none. */
static const char *read_octet(const char *text, uint8_t *ret)
{
    int value;

    if (*text != '\\') {
        *ret = lower((uint8_t)*text);
        return text + 1;
    }
    text++;
    if (!is_digit(*text)) {
        *ret = lower((uint8_t)*text);
        return *text ? text + 1 : NULL;
    }
    if (!is_digit(text[1]) || !is_digit(text[2]))
        return NULL;
    value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (value > UINT8_MAX)
        return NULL;
    *ret = lower((uint8_t)value);
    return text + 3;
}

/* Appends a label, and moves *text behind its dot, if it has one. */
static int read_label(const char **text, struct dns_name *name)
{
    uint8_t *label = name->wire + name->length;
    size_t length = 0;

    while (**text && **text != '.') {
        uint8_t octet;

        *text = read_octet(*text, &octet);
        /* The label, its length, and the root behind it. */
        if (!*text || length == DNS_LABEL_MAX || name->length + length + 3 > DNS_NAME_MAX)
            return -EINVAL;
        label[1 + length++] = octet;
    }
    if (length == 0)
        return -EINVAL;
    label[0] = (uint8_t)length;
    name->length = (uint8_t)(name->length + 1 + length);
    if (**text == '.')
        (*text)++;
    return 0;
}

int dns_name_from_text(const char *text, struct dns_name *ret)
{
    struct dns_name name;

    name.length = 0;
    if (strcmp(text, ".") == 0)
        text++;
    else if (!*text)
        return -EINVAL;
    while (*text)
        if (read_label(&text, &name) < 0)
            return -EINVAL;
    name.wire[name.length++] = 0;
    ret->length = name.length;
    memcpy(ret->wire, name.wire, name.length);
    return 0;
}

static char *format_octet(uint8_t octet, char *to)
{
    if (octet == '.' || octet == '\\') {
        *to++ = '\\';
    } else if (octet <= ' ' || octet > '~') {
        *to++ = '\\';
        *to++ = (char)('0' + octet / 100);
        *to++ = (char)('0' + octet / 10 % 10);
        octet = (uint8_t)('0' + octet % 10);
    }
    *to++ = (char)octet;
    return to;
}

const char *dns_name_format(const struct dns_name *name, char buf[static DNS_TEXT_MAX])
{
    char *to = buf;

    for (size_t at = 0; name->wire[at]; at += 1 + name->wire[at]) {
        if (at > 0)
            *to++ = '.';
        for (size_t i = 1; i <= name->wire[at]; i++)
            to = format_octet(name->wire[at + i], to);
    }
    if (to == buf)
        *to++ = '.';
    *to = '\0';
    return buf;
}

int dns_name_find_suffix(const struct dns_name *name, const struct dns_name *suffix)
{
    size_t at = 0, start = (size_t)(name->length - suffix->length);

    if (suffix->length == 0 || suffix->length > name->length ||
        memcmp(name->wire + start, suffix->wire, suffix->length) != 0)
        return -1;
    while (at < start)
        at += 1 + name->wire[at];
    return at == start ? (int)at : -1;
}

static const uint8_t in_addr_arpa[] = "\7in-addr\4arpa";
static const uint8_t ip6_arpa[] = "\3ip6\4arpa";
#define IP6_DIGITS 32

void dns_name_from_addr(const struct addr *addr, struct dns_name *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *to = ret->wire;
    char number[4];

    if (addr->family == AF_INET6) {
        for (size_t i = 16; i-- > 0;) {
            *to++ = 1;
            *to++ = (uint8_t)digits[addr->bytes[i] & 0xf];
            *to++ = 1;
            *to++ = (uint8_t)digits[addr->bytes[i] >> 4];
        }
        memcpy(to, ip6_arpa, sizeof ip6_arpa);
        to += sizeof ip6_arpa;
    } else {
        for (size_t i = 4; i-- > 0;) {
            *to = (uint8_t)snprintf(number, sizeof number, "%u", addr->bytes[i]);
            memcpy(to + 1, number, *to);
            to += 1 + *to;
        }
        memcpy(to, in_addr_arpa, sizeof in_addr_arpa);
        to += sizeof in_addr_arpa;
    }
    ret->length = (uint8_t)(to - ret->wire);
}

/* A label that is a decimal number up to 255, without leading zeros. */
static bool read_number(const uint8_t *label, uint8_t *ret)
{
    unsigned value = 0;

    if (label[0] == 0 || label[0] > 3 || (label[0] > 1 && label[1] == '0'))
        return false;
    for (size_t i = 1; i <= label[0]; i++) {
        if (!is_digit((char)label[i]))
            return false;
        value = value * 10 + (unsigned)(label[i] - '0');
    }
    *ret = (uint8_t)value;
    return value <= UINT8_MAX;
}

static bool read_ipv4(const struct dns_name *name, struct addr *ret)
{
    struct addr addr = {.family = AF_INET};
    size_t at = 0;

    for (size_t i = 4; i-- > 0; at += 1 + name->wire[at])
        if (!read_number(name->wire + at, &addr.bytes[i]))
            return false;
    if (name->length - at != sizeof in_addr_arpa ||
        memcmp(name->wire + at, in_addr_arpa, sizeof in_addr_arpa) != 0)
        return false;
    *ret = addr;
    return true;
}

static bool read_ipv6(const struct dns_name *name, struct addr *ret)
{
    struct addr addr = {.family = AF_INET6};

    if (name->length != 2 * IP6_DIGITS + sizeof ip6_arpa ||
        memcmp(name->wire + (size_t)2 * IP6_DIGITS, ip6_arpa, sizeof ip6_arpa) != 0)
        return false;
    for (size_t i = 0; i < IP6_DIGITS; i++) {
        uint8_t length = name->wire[2 * i], c = name->wire[2 * i + 1];
        uint8_t *byte = &addr.bytes[(IP6_DIGITS - 1 - i) / 2];

        if (length != 1 || !(is_digit((char)c) || (c >= 'a' && c <= 'f')))
            return false;
        c = (uint8_t)(is_digit((char)c) ? c - '0' : c - 'a' + 10);
        *byte = (uint8_t)(i % 2 ? *byte | c << 4 : c);
    }
    *ret = addr;
    return true;
}

bool dns_name_to_addr(const struct dns_name *name, struct addr *ret)
{
    static const uint8_t arpa[] = "\4arpa";

    if (name->length < sizeof ip6_arpa ||
        memcmp(name->wire + name->length - sizeof arpa, arpa, sizeof arpa) != 0)
        return false;
    return read_ipv4(name, ret) || read_ipv6(name, ret);
}

/* Lengths are below 'A', so that a label and its length can be lowered as one. */
static void copy_label(uint8_t *to, const uint8_t *label)
{
    for (size_t i = 0; i <= label[0]; i++)
        to[i] = lower(label[i]);
}

int dns_name_read(const uint8_t *msg, size_t length, size_t *offset, struct dns_name *ret)
{
    /* Every pointer leads to before where the last one led. */
    size_t at = *offset, bound = at, behind = 0, used = 0;

    for (;;) {
        uint8_t label = at < length ? msg[at] : UINT8_MAX;

        if (label >= POINTER) {
            size_t target = length - at >= 2 && at < length ? dns_get16(msg + at) & 0x3fff : bound;

            /* The header is no name, and changes on the way. */
            if (target >= bound || target < DNS_HEADER_SIZE)
                return -EBADMSG;
            if (behind == 0)
                behind = at + 2;
            at = bound = target;
            continue;
        }
        if (label > DNS_LABEL_MAX || label >= length - at || used + 1 + label > DNS_NAME_MAX)
            return -EBADMSG;
        copy_label(ret->wire + used, msg + at);
        used += (size_t)1 + label;
        at += (size_t)1 + label;
        if (label == 0)
            break;
    }
    ret->length = (uint8_t)used;
    *offset = behind ? behind : at;
    return 0;
}
