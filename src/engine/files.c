/* SPDX-License-Identifier: Apache-2.0 */

/* A container's /etc/hosts, /etc/resolv.conf and hostname. */

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "engine/dns.h"

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

        for (size_t j = 0; endpoint_is_wired(sb->endpoints[i]) && j < ARRAY_SIZE(addrs); j++) {
            if (!addr_is_set(addrs[j]))
                continue;
            strbuf_printf(out, "%s\t", addr_text(addrs[j]));
            if (!str_is_empty(c->config.domainname))
                strbuf_printf(out, "%s.%s ", hostname, c->config.domainname);
            strbuf_printf(out, "%s\n", hostname);
        }
    }
}

/* ---- hosts ---- */

const struct endpoint *default_bridge_endpoint(const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->network->predefined && *sb->endpoints[i]->network->link)
            return sb->endpoints[i];
    return NULL;
}

struct container *linked_container(struct engine *e, const char *link, struct weft_error *err)
{
    _cleanup_free_ char *name = strndup(link, strcspn(link, ":"));
    struct weft_error ignored;

    if (!name) {
        weft_oom(err);
        return NULL;
    }
    return engine_container(e, name, err ? err : &ignored);
}

/* On the default bridge there is no server to ask: who is linked to stands here. */
static void add_links(struct engine *e, const struct container *c, const struct sandbox *sb,
                      struct strbuf *out)
{
    const struct endpoint *own = default_bridge_endpoint(sb);

    for (char **link = c->config.links; own && link && *link; link++) {
        const struct container *target = linked_container(e, *link, NULL);
        const struct sandbox *other = target ? engine_container_sandbox(e, target) : NULL;
        const struct endpoint *ep = other ? sandbox_endpoint_on(other, own->network) : NULL;
        const struct addr *addrs[] = {ep ? &ep->ipv4 : NULL, ep ? &ep->ipv6 : NULL};

        for (size_t i = 0; ep && i < ARRAY_SIZE(addrs); i++)
            if (addr_is_set(addrs[i]))
                strbuf_printf(out, "%s\t%s %s %s\n", addr_text(addrs[i]), strchr(*link, ':') + 1,
                              target->config.hostname, target->name);
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
    add_links(e, c, sb, &out);
    add_own_addresses(c, sb, &out);
    return strbuf_take(&out);
}

/* ---- resolv.conf ---- */

/* Says that weft wrote the file, and what: so it can tell whether somebody else has changed it. */
#define HEADER                                                                                     \
    "# Written by weft (%016llx). Whoever edits this file keeps it: weft leaves it alone.\n"
#define HEADER_START "# Written by weft ("

static char *with_header(struct strbuf *text)
{
    unsigned long long digest = dns_digest(strbuf_text(text), text->len);

    return text->failed ? NULL : str_printf(HEADER "%s", digest, strbuf_text(text));
}

static bool is_as_written(const char *file)
{
    const char *text = strchr(file, '\n');
    unsigned long long digest;

    return text && sscanf(file, HEADER_START "%llx", &digest) == 1 &&
           digest == dns_digest(text + 1, strlen(text + 1));
}

static void add_words(struct strbuf *out, const char *keyword, char *const *words,
                      const char *another)
{
    if (strv_length(words) == 0 && !another)
        return;
    strbuf_puts(out, keyword);
    for (; words && *words; words++)
        strbuf_printf(out, " %s", *words);
    if (another)
        strbuf_printf(out, " %s", another);
    strbuf_puts(out, "\n");
}

/* What is the host's own cannot be reached from another namespace: loopback addresses, and those
 * that are good on one link only. */
static void add_host_servers(const struct resolv_conf *host, struct strbuf *out)
{
    size_t start = out->len;

    for (size_t i = 0; i < host->count; i++)
        if (!addr_is_loopback(&host->servers[i].addr) &&
            !addr_is_link_local(&host->servers[i].addr))
            strbuf_printf(out, "nameserver %s\n", host->texts[i]);
    if (out->len == start)
        strbuf_puts(out, "# The host has no server that can be reached from here.\n");
}

static bool sets_ndots(char *const *options)
{
    for (; options && *options; options++)
        if (str_starts_with(*options, "ndots:"))
            return true;
    return false;
}

/* "." stands for none, as docker has it. Names on weft's networks have one label: they are to be
 * asked for as they are first. */
static void write_conf(const struct container_config *config, bool resolver,
                       const struct resolv_conf *host, char *const *given, struct strbuf *out)
{
    char *const *general = strv_length(given) ? given : host->search;
    char *const *search = strv_length(config->dns_search) ? config->dns_search : general;
    char *const *options = strv_length(config->dns_options) ? config->dns_options : host->options;

    if (resolver)
        strbuf_puts(out, "nameserver " FACT_RESOLVER_ADDR "\n");
    else if (strv_length(config->dns) == 0)
        add_host_servers(host, out);
    for (char **server = config->dns; !resolver && server && *server; server++)
        strbuf_printf(out, "nameserver %s\n", *server);
    if (!strv_contains(search, "."))
        add_words(out, "search", search, NULL);
    add_words(out, "options", options, resolver && !sets_ndots(options) ? "ndots:0" : NULL);
}

/* The host's file, and behind it what the user asked for: of several search lines the last counts
 * (resolv.conf(5)). */
static void copy_host_conf(const struct container_config *config, struct strbuf *out)
{
    _cleanup_free_ char *host = NULL;

    if (strv_length(config->dns) == 0 &&
        file_read("/etc/resolv.conf", FILE_MAX, &host, NULL, NULL) == 0)
        strbuf_printf(out, "%s%s", host, *host && host[strlen(host) - 1] != '\n' ? "\n" : "");
    for (char **server = config->dns; server && *server; server++)
        strbuf_printf(out, "nameserver %s\n", *server);
    add_words(out, "search", config->dns_search, NULL);
    add_words(out, "options", config->dns_options, NULL);
}

char *file_resolv_conf(const struct container *c, const struct sandbox *sb)
{
    _cleanup_resolv_conf_ struct resolv_conf host = {0};
    _cleanup_strbuf_ struct strbuf out = {0};
    _cleanup_strv_ strv search = NULL;

    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (endpoint_dns_given(sb->endpoints[i], "search", &search) < 0)
            return NULL;
    if (sb->kind == SANDBOX_HOST)
        copy_host_conf(&c->config, &out);
    else if (resolv_conf_read(&host) == 0)
        write_conf(&c->config, sandbox_has_resolver(sb), &host, search, &out);
    else
        return NULL;
    return with_header(&out);
}

/* ---- while they run ---- */

static void refresh_hosts(struct engine *e, const struct container *c,
                          const struct container *owner, const struct sandbox *sb)
{
    _cleanup_free_ char *hosts = file_hosts(e, owner, sb);
    struct weft_error err = {0};

    if (hosts && runtime_update_file(e->runtime, c->id, "hosts", hosts, &err) < 0)
        log_warning("cannot update /etc/hosts of container %s: %s", c->name, err.text);
}

static void refresh_resolv_conf(struct engine *e, const struct container *c,
                                const struct container *owner, const struct sandbox *sb)
{
    _cleanup_free_ char *now = NULL, *wanted = file_resolv_conf(owner, sb);
    struct weft_error err = {0};
    int r = runtime_read_file(e->runtime, c->id, "resolv.conf", &now, &err);

    if (r == 0 && wanted && is_as_written(now) && strcmp(now, wanted) != 0)
        r = runtime_update_file(e->runtime, c->id, "resolv.conf", wanted, &err);
    if (r < 0)
        log_warning("cannot update /etc/resolv.conf of container %s: %s", c->name, err.text);
}

typedef void refresh_fn(struct engine *e, const struct container *c, const struct container *owner,
                        const struct sandbox *sb);

/* Those that run in the sandbox. Who shares a stack shares what is said of it. */
static void refresh_all(struct engine *e, const struct sandbox *sb, refresh_fn *refresh)
{
    const struct container *owner = sandbox_container(e, sb);

    for (size_t i = 0; owner && sb->active && i < e->container_count; i++) {
        const struct container *c = e->containers[i];

        if (c->status == CONTAINER_RUNNING && strcmp(c->sandbox_id, sb->id) == 0)
            refresh(e, c, owner, sb);
    }
}

void refresh_files(struct engine *e, const struct sandbox *sb)
{
    refresh_all(e, sb, refresh_hosts);
}

void refresh_resolver(struct engine *e, const struct sandbox *sb)
{
    refresh_all(e, sb, refresh_resolv_conf);
}

void refresh_servers(struct engine *e)
{
    for (size_t i = 0; i < e->container_count; i++) {
        const struct container *c = e->containers[i];
        const struct sandbox *sb = engine_container_sandbox(e, c);
        const struct container *owner = sb ? sandbox_container(e, sb) : NULL;

        if (owner && c->status == CONTAINER_RUNNING)
            refresh_resolv_conf(e, c, owner, sb);
    }
}

static bool is_linked_to(struct engine *e, const struct container *c, const struct sandbox *sb)
{
    for (char **link = c->config.links; link && *link; link++) {
        const struct container *target = linked_container(e, *link, NULL);

        if (target && strcmp(target->sandbox_id, sb->id) == 0)
            return true;
    }
    return false;
}

void refresh_links(struct engine *e, const struct sandbox *sb)
{
    for (size_t i = 0; i < e->container_count; i++) {
        const struct container *c = e->containers[i];
        const struct sandbox *own = engine_container_sandbox(e, c);

        if (own && c->status == CONTAINER_RUNNING && is_linked_to(e, c, sb))
            refresh_files(e, own);
    }
}
