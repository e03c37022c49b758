/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of services: services(5). The C library's own reader may load plugins (nsswitch.conf),
 * which is more than a confined process wants.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "dns/local.h"

#define SERVICES_PATH "/etc/services"
#define FILE_MAX ((size_t)4 << 20)

struct service {
    uint16_t port;
    char key[]; /* name/protocol */
};

struct dns_services {
    struct hash by_key;
};

static const char *proto_text(uint8_t proto)
{
    switch (proto) {
    case IPPROTO_TCP:
        return "tcp";
    case IPPROTO_UDP:
        return "udp";
    case IPPROTO_SCTP:
        return "sctp";
    default:
        return NULL;
    }
}

static void lower(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text |= 0x20;
}

/* The first entry of a name counts, as in getservbyname(3). */
static int add(struct dns_services *s, const char *name, const char *proto, uint16_t port)
{
    size_t size = strlen(name) + strlen(proto) + 2;
    _cleanup_free_ struct service *service = malloc(sizeof *service + size);
    int r;

    if (!service)
        return -ENOMEM;
    service->port = port;
    stpcpy(stpcpy(stpcpy(service->key, name), "/"), proto);
    lower(service->key);
    r = hash_put(&s->by_key, service->key, service);
    if (r == 0)
        service = NULL;
    return r == -EEXIST ? 0 : r;
}

/* "domain 53/udp nameserver # comment". What is not of this form is passed over. */
static int read_line(struct dns_services *s, char *line)
{
    static const char blank[] = " \t\r";
    char *save, *name, *number, *proto;
    int64_t port;
    int r = 0;

    line[strcspn(line, "#")] = '\0';
    name = strtok_r(line, blank, &save);
    number = name ? strtok_r(NULL, blank, &save) : NULL;
    proto = number ? strchr(number, '/') : NULL;
    if (!proto)
        return 0;
    *proto++ = '\0';
    if (str_to_i64(number, 1, UINT16_MAX, &port) < 0)
        return 0;
    for (; r == 0 && name; name = strtok_r(NULL, blank, &save))
        r = add(s, name, proto, (uint16_t)port);
    return r;
}

int dns_services_load_from(const char *path, struct dns_services **ret)
{
    _cleanup_free_ char *text = NULL;
    struct dns_services *s;
    char *save;
    int r = file_read(path, FILE_MAX, &text, NULL, NULL);

    if (r < 0 && r != -ENOENT)
        return r;
    s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    r = 0;
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; r == 0 && line;
         line = strtok_r(NULL, "\n", &save))
        r = read_line(s, line);
    if (r < 0) {
        dns_services_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int dns_services_load(struct dns_services **ret)
{
    return dns_services_load_from(SERVICES_PATH, ret);
}

void dns_services_free(struct dns_services *s)
{
    struct hash_slot slot;

    if (!s)
        return;
    for (size_t i = 0; hash_next(&s->by_key, &i, &slot);)
        free(slot.value);
    hash_clear(&s->by_key);
    free(s);
}

uint16_t dns_services_port(const struct dns_services *s, const char *name, size_t length,
                           uint8_t proto)
{
    const char *suffix = proto_text(proto);
    char key[DNS_LABEL_MAX + sizeof "/sctp"];
    const struct service *service;

    if (!s || !suffix || length > DNS_LABEL_MAX)
        return 0;
    memcpy(key, name, length);
    key[length] = '/';
    strcpy(key + length + 1, suffix);
    service = hash_get(&s->by_key, key);
    return service ? service->port : 0;
}
