/* SPDX-License-Identifier: Apache-2.0 */

/* A container's /etc/hosts, /etc/resolv.conf and hostname. */

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/state.h"

#define FILE_MAX (1 << 20)

static const char standard_hosts[] = "127.0.0.1\tlocalhost\n"
                                     "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                     "fe00::\tip6-localnet\n"
                                     "ff00::\tip6-mcastprefix\n"
                                     "ff02::1\tip6-allnodes\n"
                                     "ff02::2\tip6-allrouters\n";

/* The address behind "host-gateway": the default bridge's. */
static const char *host_gateway(struct engine *e, char buf[static ADDR_TEXT_MAX])
{
    struct net_slot *slot = hash_get(&e->networks_by_name, "bridge");
    const struct pool *pool = slot ? network_pool(slot->net, AF_INET) : NULL;

    return pool ? addr_format(&pool->gateway, buf) : "";
}

/* NAME:ADDRESS, as the container's configuration has checked it; IPv6 addresses may be in brackets.
 */
static void add_extra_host(struct engine *e, const char *entry, struct strbuf *out)
{
    char buf[ADDR_TEXT_MAX];
    const char *colon = strpbrk(entry, ":=");
    const char *addr = colon + 1;
    size_t length = strlen(addr);

    if (strcmp(addr, "host-gateway") == 0) {
        addr = host_gateway(e, buf);
        length = strlen(addr);
    }
    if (length > 1 && addr[0] == '[') {
        addr++;
        length -= 2;
    }
    strbuf_printf(out, "%.*s\t%.*s\n", (int)length, addr, (int)(colon - entry), entry);
}

static void add_own_addresses(const struct container *c, const struct sandbox *sb,
                              struct strbuf *out)
{
    const char *hostname = c->config.hostname;

    for (size_t i = 0; i < sb->endpoint_count; i++) {
        const struct addr *addrs[] = {&sb->endpoints[i]->ipv4, &sb->endpoints[i]->ipv6};

        for (size_t j = 0; j < ARRAY_SIZE(addrs); j++) {
            if (!addr_is_set(addrs[j]))
                continue;
            strbuf_printf(out, "%s\t", addr_text(addrs[j]));
            if (!str_is_empty(c->config.domainname))
                strbuf_printf(out, "%s.%s ", hostname, c->config.domainname);
            strbuf_printf(out, "%s\n", hostname);
        }
    }
}

char *file_hosts(struct engine *e, const struct container *c, const struct sandbox *sb)
{
    _cleanup_strbuf_ struct strbuf out = {0};
    _cleanup_free_ char *host = NULL;

    if (sb->kind == SANDBOX_HOST && file_read("/etc/hosts", FILE_MAX, &host, NULL, NULL) == 0)
        strbuf_puts(&out, host);
    else
        strbuf_puts(&out, standard_hosts);
    for (char **entry = c->config.extra_hosts; entry && *entry; entry++)
        add_extra_host(e, *entry, &out);
    add_own_addresses(c, sb, &out);
    return strbuf_take(&out);
}

/* A line "nameserver ADDRESS" whose address is the host's own: unreachable from another namespace.
 */
static bool is_loopback_server(const char *line, size_t length)
{
    char text[ADDR_TEXT_MAX + 16] = "", address[ADDR_TEXT_MAX];
    struct addr addr;

    if (length >= sizeof text)
        return false;
    memcpy(text, line, length);
    return sscanf(text, " nameserver %45s", address) == 1 &&
           addr_parse(address, &addr, NULL) == 0 && addr_is_loopback(&addr);
}

static void copy_host_servers(struct strbuf *out, bool keep_loopback)
{
    _cleanup_free_ char *host = NULL;

    if (file_read("/etc/resolv.conf", FILE_MAX, &host, NULL, NULL) < 0)
        return;
    for (const char *line = host; *line;) {
        size_t length = strcspn(line, "\n");

        if (keep_loopback || !is_loopback_server(line, length)) {
            strbuf_add(out, line, length);
            strbuf_puts(out, "\n");
        }
        line += length + (line[length] == '\n');
    }
}

static void add_words(struct strbuf *out, const char *keyword, char *const *words)
{
    if (strv_length(words) == 0)
        return;
    strbuf_puts(out, keyword);
    for (; *words; words++)
        strbuf_printf(out, " %s", *words);
    strbuf_puts(out, "\n");
}

/* resolv.conf(5): the last of several search lines counts, so what the user asked for comes behind
 * the host's. */
char *file_resolv_conf(const struct container *c)
{
    _cleanup_strbuf_ struct strbuf out = {0};

    if (strv_length(c->config.dns) == 0)
        copy_host_servers(&out, str_equal(c->config.network_mode, "host"));
    for (char **server = c->config.dns; server && *server; server++)
        strbuf_printf(&out, "nameserver %s\n", *server);
    add_words(&out, "search", c->config.dns_search);
    add_words(&out, "options", c->config.dns_options);
    return strbuf_take(&out);
}

void refresh_files(struct engine *e, const struct sandbox *sb)
{
    const struct container *owner = sandbox_container(e, sb);

    for (size_t i = 0; owner && sb->active && i < e->container_count; i++) {
        struct container *c = e->containers[i];
        _cleanup_free_ char *hosts = NULL;
        struct weft_error err = {0};

        if (c->status != CONTAINER_RUNNING || strcmp(c->sandbox_id, sb->id) != 0)
            continue;
        hosts = file_hosts(e, owner, sb);
        if (hosts && runtime_update_file(e->runtime, c->id, "hosts", hosts, &err) < 0)
            log_warning("cannot update /etc/hosts of container %s: %s", c->name, err.text);
    }
}
