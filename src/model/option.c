/* SPDX-License-Identifier: Apache-2.0 */
#include "model/option.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "model/limit.h"
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

/* words end with NULL. */
static int check_word(const char *value, const char *const *words, struct weft_error *err)
{
    char list[64] = "";
    size_t length = 0;

    for (size_t i = 0; words[i]; i++) {
        const char *before = i == 0 ? "" : words[i + 1] ? ", " : " and ";

        if (str_equal(value, words[i]))
            return 0;
        length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", before, words[i]);
    }
    return weft_fail(err, WEFT_INVALID, "\"%s\" is none of %s", value, list);
}

static int check_gateway_mode(const char *value, struct weft_error *err)
{
    static const char *const modes[] = {"nat", "nat-unprotected", "routed", "isolated", NULL};

    return check_word(value, modes, err);
}

static int check_macvlan_mode(const char *value, struct weft_error *err)
{
    static const char *const modes[] = {"bridge", "private", "vepa", "passthru", NULL};

    return check_word(value, modes, err);
}

static int check_ipvlan_mode(const char *value, struct weft_error *err)
{
    static const char *const modes[] = {"l2", "l3", "l3s", NULL};

    return check_word(value, modes, err);
}

static int check_ipvlan_flag(const char *value, struct weft_error *err)
{
    static const char *const flags[] = {"bridge", "private", "vepa", NULL};

    return check_word(value, flags, err);
}

static int check_mac_from(const char *value, struct weft_error *err)
{
    static const char *const sources[] = {"address", "name", "random", NULL};

    return check_word(value, sources, err);
}

/* "": none. */
static int check_parent(const char *value, struct weft_error *err)
{
    return *value ? ifname_check(value, err) : 0;
}

static int check_vlan(const char *value, struct weft_error *err)
{
    int64_t parsed;

    if (str_to_i64(value, VLAN_MIN, VLAN_MAX, &parsed) < 0)
        return weft_fail(err, WEFT_INVALID, "\"%s\" is not a number from %d to %d", value, VLAN_MIN,
                         VLAN_MAX);
    return 0;
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

static int check_rate(const char *value, struct weft_error *err)
{
    uint64_t ignored;

    return rate_parse(value, &ignored, err);
}

static int check_burst(const char *value, struct weft_error *err)
{
    uint32_t ignored;

    return burst_parse(value, &ignored, err);
}

/* Which drivers an option belongs to. */
enum option_driver {
    OF_BRIDGE = 1 << 0,
    OF_MACVLAN = 1 << 1,
    OF_IPVLAN = 1 << 2,
    OF_CNI = 1 << 3,
    OF_OTHERS = 1 << 4,
    OF_PARENT = OF_MACVLAN | OF_IPVLAN, /* those whose networks lie on a link of the host's */
    OF_ALL = OF_BRIDGE | OF_PARENT | OF_CNI | OF_OTHERS,
};

#define NETWORK OPTION_SCOPE_NETWORK
#define ENDPOINT OPTION_SCOPE_ENDPOINT
static const struct option {
    const char *key;
    unsigned scopes;  /* of enum option_scope */
    unsigned drivers; /* of enum option_driver */
    int (*check)(const char *value, struct weft_error *err);
} known_options[] = {
    {OPTION_BRIDGE_DEFAULT, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_BRIDGE_GATEWAY_MODE_IPV4, NETWORK, OF_BRIDGE, check_gateway_mode},
    {OPTION_BRIDGE_GATEWAY_MODE_IPV6, NETWORK, OF_BRIDGE, check_gateway_mode},
    {OPTION_BRIDGE_HOST_BINDING_IPV4, NETWORK, OF_BRIDGE, check_ipv4},
    {OPTION_BRIDGE_ICC, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_BRIDGE_INHIBIT_IPV4, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_BRIDGE_MASQUERADE, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_BRIDGE_NAME, NETWORK, OF_BRIDGE, ifname_check},
    {OPTION_BRIDGE_TRUSTED_INTERFACES, NETWORK, OF_BRIDGE, check_interfaces},
    {OPTION_EGRESS_BURST, ENDPOINT, OF_ALL, check_burst},
    {OPTION_EGRESS_RATE, ENDPOINT, OF_ALL, check_rate},
    {OPTION_ENABLE_IPV4, NETWORK, OF_ALL, check_bool},
    {OPTION_ENABLE_IPV6, NETWORK, OF_ALL, check_bool},
    {OPTION_ENDPOINT_IFNAME, NETWORK | ENDPOINT, OF_ALL, ifname_check},
    {OPTION_ENDPOINT_SYSCTLS, NETWORK | ENDPOINT, OF_ALL, check_sysctls},
    {OPTION_ENDPOINT_VLAN, ENDPOINT, OF_BRIDGE, check_vlan},
    {OPTION_HAIRPIN, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_HOST_ACCESS, NETWORK, OF_PARENT, check_bool},
    {OPTION_HOST_DNS, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_HOST_IPV4, NETWORK, OF_BRIDGE, check_source_ipv4},
    {OPTION_HOST_IPV6, NETWORK, OF_BRIDGE, check_source_ipv6},
    {OPTION_IFACE_PREFIX, NETWORK, OF_ALL, check_iface_prefix},
    {OPTION_INGRESS_BURST, ENDPOINT, OF_ALL, check_burst},
    {OPTION_INGRESS_RATE, ENDPOINT, OF_ALL, check_rate},
    {OPTION_IPVLAN_FLAG, NETWORK, OF_IPVLAN, check_ipvlan_flag},
    {OPTION_IPVLAN_MODE, NETWORK, OF_IPVLAN, check_ipvlan_mode},
    {OPTION_MAC_FROM, NETWORK, OF_BRIDGE | OF_MACVLAN, check_mac_from},
    {OPTION_MACVLAN_MODE, NETWORK, OF_MACVLAN, check_macvlan_mode},
    {OPTION_MTU, NETWORK, OF_ALL, check_mtu},
    {OPTION_PARENT, NETWORK, OF_PARENT, check_parent},
    {OPTION_SOURCE_GUARD, NETWORK | ENDPOINT, OF_BRIDGE, check_bool},
    {OPTION_STP, NETWORK, OF_BRIDGE, check_bool},
    {OPTION_UPLINK, NETWORK, OF_BRIDGE, ifname_check},
    {OPTION_VLAN_AWARE, NETWORK, OF_BRIDGE, check_bool},
};
#undef NETWORK
#undef ENDPOINT

static const struct option *option_find(enum option_scope scope, const char *key)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_options); i++)
        if ((known_options[i].scopes & scope) && str_equal(known_options[i].key, key))
            return &known_options[i];
    return NULL;
}

static unsigned driver_find(const char *name)
{
    static const struct {
        const char *name;
        unsigned driver;
    } drivers[] = {{"bridge", OF_BRIDGE},
                   {"macvlan", OF_MACVLAN},
                   {"ipvlan", OF_IPVLAN},
                   {"cni", OF_CNI}};

    for (size_t i = 0; name && i < ARRAY_SIZE(drivers); i++)
        if (str_equal(drivers[i].name, name))
            return drivers[i].driver;
    return name ? OF_OTHERS : 0;
}

/* Keys of which all are known: an unknown one is a mistake. */
static bool is_reserved(const char *key)
{
    return str_starts_with(key, "com.docker.network.") || str_starts_with(key, "weft.");
}

static int check_entry(enum option_scope scope, const char *driver, const char *owner,
                       const struct strmap_entry *entry, struct weft_error *err)
{
    const struct option *option = option_find(scope, entry->key);
    unsigned found = driver_find(driver);
    bool belongs = option && (option->drivers & found), is_strict = found & OF_PARENT;
    int r;

    if (!belongs && !is_strict && !is_reserved(entry->key))
        return 0;
    if (!option)
        return weft_fail(err, WEFT_INVALID, "option %s of %s is unknown", entry->key, owner);
    if (!belongs && is_strict)
        return weft_fail(err, WEFT_INVALID, "option %s of %s is none of %s networks", entry->key,
                         owner, driver);
    r = option->check(entry->value, err);
    if (r < 0)
        weft_error_prefix(err, "option %s of %s", entry->key, owner);
    return r;
}

int options_check(enum option_scope scope, const char *driver, const char *owner,
                  const struct strmap *options, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < options->count; i++)
        r = check_entry(scope, driver, owner, &options->entries[i], err);
    return r;
}
