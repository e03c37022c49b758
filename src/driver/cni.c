/* SPDX-License-Identifier: Apache-2.0 */

/* Endpoints that CNI plugins wire (engine/outside_cni.c): what is in the kernel is theirs, and weft
 * neither makes, mends nor removes it. What is left to say here is which wishes can be met: those
 * that a plugin's configuration declares as capabilities. */

#include "driver/cni.h"

#include <errno.h>

#include "base/json.h"
#include "driver/silent.h"
#include "model/limit.h"

unsigned cni_timeout(const struct network *net)
{
    const char *option = network_option(net, OPTION_CNI_TIMEOUT);
    int64_t seconds = CNI_TIMEOUT_DEFAULT;

    if (option)
        (void)str_to_i64(option, 1, CNI_TIMEOUT_MAX, &seconds);
    return (unsigned)seconds;
}

bool cni_network_takes(const struct network *net, const char *capability)
{
    const json_t *own = json_object_get(net->outside, CNI_KEY);
    const json_t *config = json_object_get(own, CNI_KEY_CONFIG);
    size_t i;
    json_t *plugin;

    json_array_foreach (json_object_get(config, "plugins"), i, plugin)
        if (json_is_true(json_object_get(json_object_get(plugin, "capabilities"), capability)))
            return true;
    return false;
}

const json_t *cni_endpoint_ports(const struct endpoint *ep)
{
    const json_t *own = json_object_get(ep->given.state, CNI_KEY);

    return json_object_get(json_object_get(own, CNI_KEY_CAPABILITIES), "portMappings");
}

int cni_endpoint_dns(const struct endpoint *ep, const char *key, strv *list)
{
    const json_t *own = json_object_get(ep->given.state, CNI_KEY);
    const json_t *dns = json_object_get(json_object_get(own, CNI_KEY_RESULT), "dns");

    return json_collect_texts(json_object_get(dns, key), list);
}

/* ---- networks ---- */

static int check_options(const struct network *net, struct weft_error *err)
{
    static const char *const known[] = {OPTION_CNI_PLUGIN, OPTION_CNI_CONFIG, OPTION_CNI_PATH,
                                        OPTION_CNI_TIMEOUT};
    const char *timeout = network_option(net, OPTION_CNI_TIMEOUT);
    int64_t ignored;

    if (timeout && str_to_i64(timeout, 1, CNI_TIMEOUT_MAX, &ignored) < 0)
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_CNI_TIMEOUT
                         " of network %s: \"%s\" is not a number of seconds from 1 to %d",
                         net->name, timeout, CNI_TIMEOUT_MAX);
    for (size_t i = 0; i < net->options.count; i++) {
        const char *key = net->options.entries[i].key;
        bool is_known =
            str_starts_with(key, "com.docker.network.") || str_starts_with(key, "weft.");

        for (size_t k = 0; !is_known && k < ARRAY_SIZE(known); k++)
            is_known = str_equal(key, known[k]);
        if (!is_known)
            return weft_fail(err, WEFT_INVALID, "option %s of network %s is none of cni networks",
                             key, net->name);
    }
    return 0;
}

/* What the plugins' configuration has to say, and nobody else. */
static int prepare_network(struct network *net, uint32_t default_mtu _unused_,
                           struct weft_error *err)
{
    if (net->pool_count > 0)
        return weft_fail(err, WEFT_INVALID,
                         "subnet %s of network %s: on cni networks the plugins give addresses, as "
                         "their configuration says",
                         prefix_text(&net->pools[0].subnet), net->name);
    if (net->ipam_driver)
        return weft_fail(err, WEFT_INVALID,
                         "IPAM driver %s of network %s: on cni networks the plugins give "
                         "addresses, as their configuration says",
                         net->ipam_driver, net->name);
    if (net->internal)
        return weft_fail(err, WEFT_INVALID,
                         "network %s cannot be internal: on cni networks it is the plugins' "
                         "configuration that says where packets may go",
                         net->name);
    if (network_option(net, OPTION_MTU))
        return weft_fail(err, WEFT_INVALID,
                         "option " OPTION_MTU
                         " of network %s: on cni networks it is the plugins' configuration that "
                         "says the MTU",
                         net->name);
    return check_options(net, err);
}

/* ---- endpoints ---- */

static int refuse(const struct network *net, const char *what, const char *capability,
                  struct weft_error *err)
{
    return weft_fail(err, WEFT_INVALID,
                     "%s cannot be asked for on network %s: none of its CNI plugins has the "
                     "capability %s",
                     what, net->name, capability);
}

static int check_endpoint(const struct network *net, const struct endpoint_want *want,
                          struct weft_error *err)
{
    const struct addr *addr = addr_is_set(&want->ipv4) ? &want->ipv4 : &want->ipv6;
    _cleanup_free_ char *address = NULL;
    struct limits limits;
    int r = limits_read(&want->driver_opts, &limits, err);

    if (r < 0)
        return r;
    if (want->link_local_count > 0)
        return weft_fail(err, WEFT_INVALID,
                         "link-local addresses cannot be asked for on network %s: CNI plugins have "
                         "no word for them",
                         net->name);
    if (addr_is_set(addr) && !cni_network_takes(net, "ips")) {
        address = str_printf("address %s", addr_text(addr));
        return address ? refuse(net, address, "ips", err) : weft_oom(err);
    }
    if (mac_is_set(&want->mac) && !cni_network_takes(net, "mac"))
        return refuse(net, "a MAC address", "mac", err);
    if (limits_are_set(&limits) && !cni_network_takes(net, "bandwidth"))
        return refuse(net, "a limit", "bandwidth", err);
    return 0;
}

const struct driver_ops driver_cni = {
    .name = "cni",
    .has_pools = false,
    .prepare_network = prepare_network,
    .check_endpoint = check_endpoint,
    .render_network = silent_render_network,
    .render_endpoint = silent_render_endpoint,
    .render_gateway = silent_render_gateway,
};
