/* SPDX-License-Identifier: Apache-2.0 */
#include "model/option.h"

#include <ctype.h>
#include <string.h>

#include "base/addr.h"
#include "model/network.h"

static int check_bool(const char *value, struct weft_error *err)
{
    bool parsed;

    if (str_to_bool(value, &parsed) < 0)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is neither true nor false", value);
    return 0;
}

static int check_mtu(const char *value, struct weft_error *err)
{
    int64_t parsed;

    if (str_to_i64(value, NETWORK_MTU_MIN, NETWORK_MTU_MAX, &parsed) < 0)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a number from %d to %d", value,
                         NETWORK_MTU_MIN, NETWORK_MTU_MAX);
    return 0;
}

/* Room is left for a number of three digits within IFNAMSIZ. */
static int check_iface_prefix(const char *value, struct weft_error *err)
{
    if (strlen(value) > IFACE_PREFIX_MAX)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is longer than %d characters", value,
                         IFACE_PREFIX_MAX);
    return ifname_check(value, err);
}

static int check_interfaces(const char *value, struct weft_error *err)
{
    char name[IFNAMSIZ];

    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ":");

        if (len >= sizeof name)
            return weft_fail(err, WEFT_INVALID, "\"%.*s\" is too long for an interface name",
                             (int)len, at);
        memcpy(name, at, len);
        name[len] = '\0';
        int r = ifname_check(name, err);
        if (r < 0)
            return r;
        at += len;
        if (!*at)
            return 0;
    }
}

static int check_gateway_mode(const char *value, struct weft_error *err)
{
    static const char *const modes[] = {"nat", "nat-unprotected", "routed", "isolated"};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (str_equal(value, modes[i]))
            return 0;
    return weft_fail(err, WEFT_INVALID,
                     "\"%s\" is none of nat, nat-unprotected, routed and isolated", value);
}

static int check_family(const char *value, int family, struct weft_error *err)
{
    struct addr parsed;
    int r = addr_parse(value, &parsed, err);

    if (r < 0)
        return r;
    if (parsed.family != family)
        return weft_fail(err, WEFT_INVALID, "%s is not an %s address", value,
                         family == AF_INET ? "IPv4" : "IPv6");
    return 0;
}

/* What packets may carry as their source (RFC 1122, 3.2.1.3). */
static int check_source(const char *value, int family, struct weft_error *err)
{
    struct addr parsed, unspecified = {.family = (uint8_t)family};
    int r = check_family(value, family, err);

    if (r < 0)
        return r;
    (void)addr_parse(value, &parsed, NULL);
    if (addr_equal(&parsed, &unspecified) || addr_is_multicast(&parsed))
        return weft_fail(err, WEFT_INVALID, "%s is not an address that a host has", value);
    return 0;
}

static int check_source_ipv4(const char *value, struct weft_error *err)
{
    return check_source(value, AF_INET, err);
}

static int check_source_ipv6(const char *value, struct weft_error *err)
{
    return check_source(value, AF_INET6, err);
}

static int check_ipv4(const char *value, struct weft_error *err)
{
    return check_family(value, AF_INET, err);
}

/* One "net.X.Y.IFNAME.KEY=VALUE": five words before the sign, none of which can leave its folder
 * when the engine turns dots into slashes. */
static bool sysctl_is_valid(const char *text, size_t len)
{
    const char *equals = memchr(text, '=', len);
    const char *word = text;
    unsigned words = 0;

    if (!equals || equals + 1 == text + len)
        return false;
    for (const char *at = text; at <= equals; at++) {
        if (at < equals && *at != '.') {
            if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
                return false;
            continue;
        }
        if (at == word || (words == 0 && strncmp(word, "net.", 4) != 0) ||
            (words == 3 && strncmp(word, "IFNAME.", 7) != 0))
            return false;
        words++;
        word = at + 1;
    }
    return words == 5;
}

static int check_sysctls(const char *value, struct weft_error *err)
{
    for (const char *at = value;; at++) {
        size_t len = strcspn(at, ",");

        if (!sysctl_is_valid(at, len))
            return weft_fail(err, WEFT_INVALID,
                             "\"%.*s\" does not have the form net.X.Y.IFNAME.KEY=VALUE", (int)len,
                             at);
        at += len;
        if (!*at)
            return 0;
    }
}

static const struct option {
    const char *key;
    unsigned scopes; /* of enum option_scope */
    int (*check)(const char *value, struct weft_error *err);
} known_options[] = {
    {OPTION_BRIDGE_DEFAULT, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_BRIDGE_GATEWAY_MODE_IPV4, OPTION_SCOPE_NETWORK, check_gateway_mode},
    {OPTION_BRIDGE_GATEWAY_MODE_IPV6, OPTION_SCOPE_NETWORK, check_gateway_mode},
    {OPTION_BRIDGE_HOST_BINDING_IPV4, OPTION_SCOPE_NETWORK, check_ipv4},
    {OPTION_BRIDGE_ICC, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_BRIDGE_INHIBIT_IPV4, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_BRIDGE_MASQUERADE, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_BRIDGE_NAME, OPTION_SCOPE_NETWORK, ifname_check},
    {OPTION_BRIDGE_TRUSTED_INTERFACES, OPTION_SCOPE_NETWORK, check_interfaces},
    {OPTION_ENABLE_IPV4, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_ENABLE_IPV6, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_ENDPOINT_IFNAME, OPTION_SCOPE_NETWORK | OPTION_SCOPE_ENDPOINT, ifname_check},
    {OPTION_ENDPOINT_SYSCTLS, OPTION_SCOPE_NETWORK | OPTION_SCOPE_ENDPOINT, check_sysctls},
    {OPTION_HOST_DNS, OPTION_SCOPE_NETWORK, check_bool},
    {OPTION_HOST_IPV4, OPTION_SCOPE_NETWORK, check_source_ipv4},
    {OPTION_HOST_IPV6, OPTION_SCOPE_NETWORK, check_source_ipv6},
    {OPTION_IFACE_PREFIX, OPTION_SCOPE_NETWORK, check_iface_prefix},
    {OPTION_MTU, OPTION_SCOPE_NETWORK, check_mtu},
    {OPTION_SOURCE_GUARD, OPTION_SCOPE_NETWORK | OPTION_SCOPE_ENDPOINT, check_bool},
};

static const struct option *option_find(enum option_scope scope, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_options); i++)
        if ((known_options[i].scopes & scope) && str_equal(known_options[i].key, key))
            return &known_options[i];
    return NULL;
}

/* Keys of which all are known: an unknown one is a mistake. */
static bool is_reserved(const char *key)
{
    return str_starts_with(key, "com.docker.network.") || str_starts_with(key, "weft.");
}

int options_check(enum option_scope scope, const char *owner, const struct strmap *options,
                  struct weft_error *err)
{
    for (size_t i = 0; i < options->count; i++) {
        const struct strmap_entry *entry = &options->entries[i];

        if (!is_reserved(entry->key))
            continue;
        const struct option *option = option_find(scope, entry->key);
        if (!option)
            return weft_fail(err, WEFT_INVALID, "option %s of %s is unknown", entry->key, owner);
        int r = option->check(entry->value, err);
        if (r < 0) {
            weft_error_prefix(err, "option %s of %s", entry->key, owner);
            return r;
        }
    }
    return 0;
}
