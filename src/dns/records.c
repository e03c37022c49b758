/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/str.h"
#include "base/strbuf.h"
#include "dns/codec.h"
#include "dns/record.h"

/*
 * What the data of a type consists of, one letter a part: 4 and 6 an address, n a name, s a 16-bit
 * and l a 32-bit number, b an octet, t character strings up to the end, c one character string, q
 * the rest as a string. Data of a type without a format, or not of its format, is hexadecimal.
 */
static const struct record_type {
    uint16_t number;
    const char *name, *format;
} types[] = {
    {DNS_TYPE_A, "A", "4"},
    {DNS_TYPE_NS, "NS", "n"},
    {DNS_TYPE_CNAME, "CNAME", "n"},
    {DNS_TYPE_SOA, "SOA", "nnlllll"},
    {DNS_TYPE_PTR, "PTR", "n"},
    {13, "HINFO", "cc"},
    {DNS_TYPE_MX, "MX", "sn"},
    {DNS_TYPE_TXT, "TXT", "t"},
    {DNS_TYPE_AAAA, "AAAA", "6"},
    {DNS_TYPE_SRV, "SRV", "sssn"},
    {35, "NAPTR", "sscccn"},
    {39, "DNAME", "n"},
    {DNS_TYPE_OPT, "OPT", NULL},
    {43, "DS", NULL},
    {44, "SSHFP", NULL},
    {46, "RRSIG", NULL},
    {47, "NSEC", NULL},
    {48, "DNSKEY", NULL},
    {50, "NSEC3", NULL},
    {52, "TLSA", NULL},
    {64, "SVCB", NULL},
    {65, "HTTPS", NULL},
    {99, "SPF", "t"},
    {DNS_TYPE_IXFR, "IXFR", NULL},
    {DNS_TYPE_AXFR, "AXFR", NULL},
    {DNS_TYPE_ANY, "ANY", NULL},
    {256, "URI", "ssq"},
    {257, "CAA", "bcq"},
};

static const char generic_prefix[] = "TYPE";

static const struct record_type *find_type(uint16_t number)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].number == number)
            return &types[i];
    return NULL;
}

const char *dns_type_format(uint16_t type, char buf[static DNS_TYPE_TEXT_MAX])
{
    const struct record_type *known = find_type(type);

    if (known)
        (void)snprintf(buf, DNS_TYPE_TEXT_MAX, "%s", known->name);
    else
        (void)snprintf(buf, DNS_TYPE_TEXT_MAX, "%s%u", generic_prefix, type);
    return buf;
}

int dns_type_parse(const char *text, uint16_t *ret)
{
    size_t prefix = strlen(generic_prefix);
    int64_t number;

    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcasecmp(text, types[i].name) == 0) {
            *ret = types[i].number;
            return 0;
        }
    if (strncasecmp(text, generic_prefix, prefix) == 0)
        text += prefix;
    if (str_to_i64(text, 1, UINT16_MAX, &number) < 0)
        return -EINVAL;
    *ret = (uint16_t)number;
    return 0;
}

const char *dns_rcode_format(uint8_t rcode, char buf[static DNS_RCODE_TEXT_MAX])
{
    static const char *const names[] = {
        [DNS_NOERROR] = "NOERROR",   [DNS_FORMERR] = "FORMERR", [DNS_SERVFAIL] = "SERVFAIL",
        [DNS_NXDOMAIN] = "NXDOMAIN", [DNS_NOTIMP] = "NOTIMP",   [DNS_REFUSED] = "REFUSED",
        [DNS_BADVERS] = "BADVERS",
    };

    if (rcode < ARRAY_SIZE(names) && names[rcode])
        return names[rcode];
    (void)snprintf(buf, DNS_RCODE_TEXT_MAX, "RCODE%u", rcode);
    return buf;
}

/* ---- data ---- */

/* The data of a record that is being read. */
struct reader {
    const uint8_t *msg;
    size_t length;  /* of the message */
    size_t at, end; /* of the data in it */
};

static bool read_address(struct reader *in, uint8_t family, struct strbuf *out)
{
    struct addr addr = {.family = family};
    size_t size = addr_size(&addr);

    if (in->end - in->at < size)
        return false;
    memcpy(addr.bytes, in->msg + in->at, size);
    in->at += size;
    strbuf_puts(out, addr_text(&addr));
    return true;
}

static bool read_number(struct reader *in, size_t size, struct strbuf *out)
{
    uint32_t number = 0;

    if (in->end - in->at < size)
        return false;
    for (size_t i = 0; i < size; i++)
        number = number << 8 | in->msg[in->at++];
    strbuf_printf(out, "%u", number);
    return true;
}

static bool read_name(struct reader *in, struct strbuf *out)
{
    struct dns_name name;

    if (dns_name_read(in->msg, in->length, &in->at, &name) < 0 || in->at > in->end)
        return false;
    strbuf_puts(out, dns_name_text(&name));
    return true;
}

/* Text in quotes (RFC 1035, 5.1). */
static bool read_text(struct reader *in, size_t size, struct strbuf *out)
{
    if (in->end - in->at < size)
        return false;
    strbuf_puts(out, "\"");
    for (const uint8_t *p = in->msg + in->at; p < in->msg + in->at + size; p++)
        if (*p < ' ' || *p > '~')
            strbuf_printf(out, "\\%03u", *p);
        else
            strbuf_printf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    strbuf_puts(out, "\"");
    in->at += size;
    return true;
}

/* With its length in front. */
static bool read_string(struct reader *in, struct strbuf *out)
{
    if (in->at == in->end)
        return false;
    in->at++;
    return read_text(in, in->msg[in->at - 1], out);
}

static bool read_strings(struct reader *in, struct strbuf *out)
{
    bool first = true;

    for (; in->at < in->end; first = false) {
        if (!first)
            strbuf_puts(out, " ");
        if (!read_string(in, out))
            return false;
    }
    return !first;
}

static bool read_part(struct reader *in, char part, struct strbuf *out)
{
    switch (part) {
    case '4':
        return read_address(in, AF_INET, out);
    case '6':
        return read_address(in, AF_INET6, out);
    case 'n':
        return read_name(in, out);
    case 'b':
        return read_number(in, 1, out);
    case 's':
        return read_number(in, 2, out);
    case 'l':
        return read_number(in, 4, out);
    case 'c':
        return read_string(in, out);
    case 't':
        return read_strings(in, out);
    default:
        return read_text(in, in->end - in->at, out);
    }
}

static bool read_data(struct reader *in, const char *format, struct strbuf *out)
{
    for (const char *part = format; *part; part++) {
        if (part > format)
            strbuf_puts(out, " ");
        if (!read_part(in, *part, out))
            return false;
    }
    return in->at == in->end;
}

/* RFC 3597, 5. */
static void read_anything(const struct reader *in, struct strbuf *out)
{
    strbuf_printf(out, "\\# %zu%s", in->end - in->at, in->end > in->at ? " " : "");
    for (size_t i = in->at; i < in->end; i++)
        strbuf_printf(out, "%02x", in->msg[i]);
}

static void print_data(const struct reader *in, uint16_t type, struct strbuf *out)
{
    const struct record_type *known = find_type(type);
    _cleanup_strbuf_ struct strbuf text = {0};
    struct reader attempt = *in;

    if (known && known->format && read_data(&attempt, known->format, &text))
        strbuf_puts(out, strbuf_text(&text));
    else
        read_anything(in, out);
    out->failed |= text.failed;
}

/* ---- records ---- */

static int tell(const uint8_t *msg, size_t length, const struct dns_record *record,
                dns_answer_fn *fn, void *arg)
{
    struct reader data = {.msg = msg,
                          .length = length,
                          .at = record->data,
                          .end = record->data + record->data_length};
    _cleanup_strbuf_ struct strbuf text = {0};
    size_t start = record->start;
    struct dns_name owner;
    int r = dns_name_read(msg, length, &start, &owner);

    if (r < 0)
        return r;
    print_data(&data, record->type, &text);
    if (text.failed)
        return -ENOMEM;
    return fn(arg, dns_name_text(&owner), record->type, record->ttl, strbuf_text(&text));
}

int dns_answers_each(const uint8_t *msg, size_t length, dns_answer_fn *fn, void *arg)
{
    struct dns_response response;
    struct dns_record record;
    size_t offset;
    int r = dns_response_parse(msg, length, &response);

    if (r < 0)
        return r;
    offset = response.question_end;
    for (uint16_t i = 0; r >= 0 && i < response.answers; i++) {
        r = dns_record_read(msg, length, &offset, &record);
        if (r >= 0)
            r = tell(msg, length, &record, fn, arg);
    }
    return r < 0 ? r : 0;
}
