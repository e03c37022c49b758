/* SPDX-License-Identifier: Apache-2.0 */

/*
 * IPAM drivers that are plugins (Docker's remote IPAM protocol: libnetwork's docs/ipam.md).
 *
 * create: GetCapabilities (once; what it wants replayed is), GetDefaultAddressSpaces; for each pool
 *         RequestPool, RequestAddress of its gateway, RequestAddress of its auxiliary addresses
 * join:   RequestAddress, one a family
 * leave:  ReleaseAddress of each
 * remove: ReleaseAddress of gateways and auxiliary addresses, ReleasePool
 *
 * What was got is remembered as soon as it has been: with the network in `outside`, with an
 * endpoint in its state, both in the store. So what weftd asked for is released whatever comes in
 * between, but for the one answer that a killed weftd was waiting for.
 */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/json.h"
#include "engine/remote_ipam.h"

#define MAC_KEY "com.docker.network.endpoint.macaddress"

/* An endpoint's state is {"Addresses": [{"PoolID", "Address"}]}: as they are released. */

static const int families[] = {AF_INET, AF_INET6};

static struct addr *address_of(struct errand *er, size_t round)
{
    return families[round] == AF_INET6 ? &er->ipv6 : &er->ipv4;
}

/* The number of the pool that an address of the family comes from; pool_count: there is none. */
static size_t find_pool(const struct network *net, int family, const struct addr *wanted)
{
    size_t i = 0;

    while (i < net->pool_count &&
           (net->pools[i].subnet.addr.family != family ||
            (addr_is_set(wanted) && !prefix_contains(&net->pools[i].subnet, wanted))))
        i++;
    return i;
}

static struct mac random_mac(void)
{
    struct mac mac = {0};

    if (getrandom(mac.bytes, sizeof mac.bytes, 0) == sizeof mac.bytes)
        mac.bytes[0] = (uint8_t)((mac.bytes[0] & 0xfc) | 0x02); /* local, unicast */
    return mac;
}

static json_t *address_options(struct errand *er)
{
    const struct remote_plugin *p = remote_plugin(er->engine, er->net->ipam_driver);

    if (!p || !p->requires_mac)
        return json_object();
    if (!mac_is_set(&er->mac))
        er->mac = random_mac();
    return json_pack("{s:s}", MAC_KEY, mac_text(&er->mac));
}

static int fail_wanted(const struct errand *er, const struct addr *wanted, struct weft_error *err)
{
    return weft_fail(err, WEFT_INVALID, "address %s lies in no pool of network %s",
                     addr_text(wanted), er->net->name);
}

static int ask_address(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    struct errand *er = run->er;

    for (; run->round < ARRAY_SIZE(families); run->round++) {
        const struct addr *wanted = address_of(er, run->round);
        size_t i = find_pool(er->net, families[run->round], wanted);

        if (i < er->net->pool_count) {
            *ret = remote_address_request(remote_pool_id(er->net, i), wanted, address_options(er));
            return *ret ? 1 : weft_oom(err);
        }
        if (addr_is_set(wanted))
            return fail_wanted(er, wanted, err);
    }
    return 0;
}

static int note_address(struct errand *er, const char *pool, const char *address,
                        struct weft_error *err)
{
    json_t *state = remote_state(&er->given.state, REMOTE_IPAM_KEY);
    json_t *list = json_object_get(state, "Addresses");

    if (!list && json_object_set_new(state, "Addresses", json_array()) == 0)
        list = json_object_get(state, "Addresses");
    return json_array_append_new(list, json_pack("{s:s, s:s}", "PoolID", pool ? pool : "",
                                                 "Address", address)) < 0
               ? weft_oom(err)
               : 0;
}

/* Before the other family is asked for. */
static int remember_address(struct errand *er, struct weft_error *err)
{
    json_decref(er->ep->given.state);
    er->ep->given.state = json_deep_copy(er->given.state);
    return outside_store(er->engine, er->ep, err);
}

static int heed_endpoint_address(struct remote_run *run, const json_t *answer,
                                 struct weft_error *err)
{
    struct errand *er = run->er;
    struct addr *addr = address_of(er, run->round);
    size_t i = find_pool(er->net, families[run->round], addr);
    uint8_t *len = families[run->round] == AF_INET6 ? &er->given.ipv6_len : &er->given.ipv4_len;
    const struct pool *pool = &er->net->pools[i];
    const char *text = json_string_value(json_object_get(answer, "Address"));
    struct prefix any, found = {0};
    int r = 0;

    if (text && prefix_parse(text, &any, NULL) == 0)
        r = note_address(er, remote_pool_id(er->net, i), addr_text(&any.addr), err);
    if (r == 0)
        r = remote_heed_address(answer, pool, addr, &found, err);
    if (r < 0)
        return r;
    *addr = found.addr;
    *len = found.len == pool->subnet.len ? 0 : found.len;
    run->round++;
    return remember_address(er, err);
}

static void ipam_join(struct errand *er)
{
    static const struct remote_step steps[] = {
        REMOTE_IPAM_GREETING,
        {.method = "RequestAddress",
         .ask = ask_address,
         .heed = heed_endpoint_address,
         .again = true},
    };
    static const struct remote_script script = {IPAM_DRIVER, steps, ARRAY_SIZE(steps)};

    remote_ask(er, &script);
}

/* A plugin may have given an address that it had given already: it stays that other one's. */
static bool is_others(const struct errand *er, const json_t *item)
{
    const char *text = json_string_value(json_object_get(item, "Address"));
    const struct pool *pool;
    struct addr addr;
    size_t count;
    struct endpoint *const *endpoints = engine_network_endpoints(er->engine, er->net, &count);

    if (!text || addr_parse(text, &addr, NULL) < 0)
        return false;
    for (size_t i = 0; i < count; i++)
        if (endpoints[i] != er->ep &&
            (addr_equal(&endpoints[i]->ipv4, &addr) || addr_equal(&endpoints[i]->ipv6, &addr)))
            return true;
    pool = network_pool_of(er->net, &addr);
    return pool && addr_equal(&pool->gateway, &addr);
}

static void ipam_leave(struct errand *er)
{
    const json_t *list =
        json_object_get(json_object_get(er->ep->given.state, REMOTE_IPAM_KEY), "Addresses");
    _cleanup_json_ json_t *letters = json_array();
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        if (is_others(er, item))
            continue;
        if (remote_write(letters, "ReleaseAddress", json_deep_copy(item), false) < 0) {
            errand_done(er, -ENOMEM, NULL);
            return;
        }
    }
    remote_tell(er, IPAM_DRIVER, TAKE_PTR(letters));
}

static int ipam_check(struct engine *e _unused_, struct network *net, struct weft_error *err)
{
    _cleanup_plugin_address_ struct plugin_address ignored = {0};

    return plugin_find("", net->ipam_driver, &ignored, err);
}

const struct outsider outsider_remote_ipam = {
    .name = REMOTE_IPAM_KEY,
    .check = ipam_check,
    .create = remote_ipam_create,
    .remove = remote_ipam_remove,
    .join = ipam_join,
    .leave = ipam_leave,
    .stop = remote_stop,
};
