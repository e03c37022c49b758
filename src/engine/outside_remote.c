/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Network drivers that are plugins (Docker's remote driver protocol: libnetwork's docs/remote.md).
 *
 * create: GetCapabilities (once), CreateNetwork
 * join:   CreateEndpoint, Join, EndpointOperInfo; ProgramExternalConnectivity for the endpoint
 *         that carries its sandbox's default route, RevokeExternalConnectivity for the one that
 *         did before
 * leave:  RevokeExternalConnectivity, Leave, DeleteEndpoint
 * remove: DeleteNetwork
 *
 * The link that Join names is moved into the sandbox by weft when all have agreed, and given back
 * before Leave. What has been asked for is noted before it is: so letting go undoes what may have
 * been done, and nothing else. Where there is no note at all weftd was killed in mid-call, and
 * everything may have been done. DiscoverNew and DiscoverDelete tell of other hosts, of which weft
 * knows none.
 */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "driver/driver.h"
#include "engine/remote.h"

#define KEY "remote"
#define CREATED "Created"   /* CreateNetwork, CreateEndpoint */
#define JOINED "Joined"     /* Join */
#define EXTERNAL "External" /* ProgramExternalConnectivity */
#define INFO "Info"         /* what EndpointOperInfo said */

#define PORTS_KEY "com.docker.network.endpoint.exposedports"
#define PORT_MAP_KEY "com.docker.network.portmap"

/* ---- notes ---- */

static int note(json_t **holder, const char *key, bool value, struct weft_error *err)
{
    json_t *state = remote_state(holder, KEY);

    return json_object_set_new(state, key, json_boolean(value)) < 0 ? weft_oom(err) : 0;
}

/* Whether it was noted; unsure: what to think when nothing was noted at all. */
static bool is_noted(const json_t *holder, const char *key, bool unsure)
{
    const json_t *state = json_object_get(holder, KEY);

    return state ? json_is_true(json_object_get(state, key)) : unsure;
}

/* ---- options ---- */

static json_t *port_to_json(const struct publish *p)
{
    return json_pack("{s:i, s:i}", "Proto", (int)p->want.proto, "Port", (int)p->want.port);
}

static json_t *binding_to_json(const struct publish *p)
{
    return json_pack("{s:i, s:s, s:i, s:o, s:i, s:i}", "Proto", (int)p->want.proto, "IP", "",
                     "Port", (int)p->want.port, "HostIP", json_from_addr(&p->want.host), "HostPort",
                     (int)p->want.first, "HostPortEnd", (int)p->want.last);
}

static json_t *publishes_to_json(const struct publish_list *list,
                                 json_t *(*to_json)(const struct publish *p))
{
    _cleanup_json_ json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        if (json_array_append_new(array, to_json(&list->items[i])) < 0)
            return NULL;
    return TAKE_PTR(array);
}

/* The user's driver options as they are, beside the ports to publish: they are the driver's
 * affair, as weft has no link of the network to publish through. */
static json_t *endpoint_options(const struct errand *er)
{
    const struct publish_list *list = &er->sb->publishes;
    _cleanup_json_ json_t *options = json_from_strmap(&er->ep->want.driver_opts);

    if (json_object_set_new(options, PORTS_KEY, publishes_to_json(list, port_to_json)) < 0 ||
        json_object_set_new(options, PORT_MAP_KEY, publishes_to_json(list, binding_to_json)) < 0)
        return NULL;
    return TAKE_PTR(options);
}

/* {"NetworkID", "EndpointID", "Options"} */
static json_t *endpoint_body(const struct errand *er)
{
    _cleanup_json_ json_t *body = remote_endpoint_body(er->ep);

    if (json_object_set_new(body, "Options", endpoint_options(er)) < 0)
        return NULL;
    return TAKE_PTR(body);
}

/* ---- networks ---- */

static const char *space_of(const struct network *net)
{
    const json_t *ipam = json_object_get(net->outside, outsider_remote_ipam.name);
    const char *space = json_string_value(json_object_get(ipam, "Space"));

    return space ? space : "LocalDefault";
}

static int add_cidr(json_t *object, const char *key, const struct addr *addr, uint8_t len)
{
    struct prefix cidr = {*addr, len};

    return addr_is_set(addr) ? json_object_set_new(object, key, json_string(prefix_text(&cidr)))
                             : 0;
}

static json_t *pool_to_json(const struct network *net, const struct pool *pool)
{
    _cleanup_json_ json_t *aux = json_object();
    _cleanup_json_ json_t *data =
        json_pack("{s:s, s:s, s:O}", "AddressSpace", space_of(net), "Pool",
                  prefix_text(&pool->subnet), "AuxAddresses", aux);

    if (!data || add_cidr(data, "Gateway", &pool->gateway, pool->subnet.len) < 0)
        return NULL;
    for (size_t i = 0; i < pool->aux_count; i++)
        if (add_cidr(aux, pool->aux[i].name, &pool->aux[i].addr, pool->subnet.len) < 0)
            return NULL;
    return TAKE_PTR(data);
}

static json_t *pools_to_json(const struct network *net, int family)
{
    _cleanup_json_ json_t *array = json_array();

    for (size_t i = 0; i < net->pool_count; i++)
        if (net->pools[i].subnet.addr.family == family &&
            json_array_append_new(array, pool_to_json(net, &net->pools[i])) < 0)
            return NULL;
    return TAKE_PTR(array);
}

static int ask_create_network(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    struct network *net = run->er->net;
    int r = note(&net->outside, CREATED, true, err);

    if (r < 0)
        return r;
    *ret = json_pack("{s:s, s:o, s:o, s:o}", "NetworkID", net->id, "IPv4Data",
                     pools_to_json(net, AF_INET), "IPv6Data", pools_to_json(net, AF_INET6),
                     "Options", remote_network_options(net));
    return *ret ? 1 : weft_oom(err);
}

static void remote_create(struct errand *er)
{
    static const struct remote_step steps[] = {
        {.method = "GetCapabilities",
         .ask = remote_ask_driver_capabilities,
         .heed = remote_heed_driver_capabilities},
        {.method = "CreateNetwork", .ask = ask_create_network},
    };
    static const struct remote_script script = {NETWORK_DRIVER, steps, ARRAY_SIZE(steps)};

    if (remote_state(&er->net->outside, KEY))
        remote_ask(er, &script);
    else
        errand_done(er, -ENOMEM, NULL);
}

static void remote_remove(struct errand *er)
{
    _cleanup_json_ json_t *letters = json_array();

    if (is_noted(er->net->outside, CREATED, true) &&
        remote_write(letters, "DeleteNetwork", json_pack("{s:s}", "NetworkID", er->net->id),
                     false) < 0)
        json_decref(TAKE_PTR(letters));
    remote_tell(er, NETWORK_DRIVER, TAKE_PTR(letters));
}

static int remote_check(struct engine *e _unused_, struct network *net, struct weft_error *err)
{
    _cleanup_plugin_address_ struct plugin_address ignored = {0};

    return plugin_find("", net->driver, &ignored, err);
}

/* ---- CreateEndpoint ---- */

static uint8_t length_of(const struct errand *er, const struct addr *addr)
{
    const struct pool *pool = network_pool_of(er->net, addr);
    uint8_t given = addr->family == AF_INET6 ? er->given.ipv6_len : er->given.ipv4_len;

    return given ? given : pool ? pool->subnet.len : (uint8_t)addr_bits(addr);
}

static json_t *interface_to_json(const struct errand *er)
{
    _cleanup_json_ json_t *interface =
        json_pack("{s:s, s:s, s:s}", "Address", "", "AddressIPv6", "", "MacAddress",
                  mac_is_set(&er->mac) ? mac_text(&er->mac) : "");

    if (!interface || add_cidr(interface, "Address", &er->ipv4, length_of(er, &er->ipv4)) < 0 ||
        add_cidr(interface, "AddressIPv6", &er->ipv6, length_of(er, &er->ipv6)) < 0)
        return NULL;
    return TAKE_PTR(interface);
}

static int ask_create_endpoint(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    struct errand *er = run->er;
    _cleanup_json_ json_t *body = endpoint_body(er);
    int r = note(&er->given.state, CREATED, true, err);

    if (r < 0)
        return r;
    if (json_object_set_new(body, "Interface", interface_to_json(er)) < 0)
        return weft_oom(err);
    *ret = TAKE_PTR(body);
    return 1;
}

/* ---- Join ---- */

static int ask_join(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    struct errand *er = run->er;
    _cleanup_json_ json_t *body = endpoint_body(er);
    int r = note(&er->given.state, JOINED, true, err);

    if (r < 0)
        return r;
    if (json_object_set_new(body, "SandboxKey", json_string(er->sb->netns ? er->sb->netns : "")) <
        0)
        return weft_oom(err);
    *ret = TAKE_PTR(body);
    return 1;
}

/* ---- EndpointOperInfo ---- */

static int ask_info(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    *ret = remote_endpoint_body(run->er->ep);
    return *ret ? 1 : weft_oom(err);
}

static int heed_info(struct remote_run *run, const json_t *answer, struct weft_error *err)
{
    json_t *value = NULL;
    int r = json_get_object(answer, "Value", &value, err);

    if (r < 0 || json_object_size(value) == 0)
        return r;
    return json_object_set(remote_state(&run->er->given.state, KEY), INFO, value) < 0
               ? weft_oom(err)
               : 0;
}

/* ---- the way to the world ---- */

/* Whether the endpoint, which is not wired yet, will carry a default route of its sandbox. */
static bool will_be_gateway(const struct errand *er)
{
    const struct addr *gateways[] = {&er->given.gateway4, &er->given.gateway6};
    static const int families[] = {AF_INET, AF_INET6};

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        const struct endpoint *now = sandbox_gateway_endpoint(er->sb, families[i]);

        if (addr_is_set(gateways[i]) && !er->net->internal &&
            (!now || endpoint_is_nearer(er->ep, now)))
            return true;
    }
    return false;
}

static int ask_external(struct remote_run *run, json_t **ret, struct weft_error *err)
{
    struct errand *er = run->er;
    int r;

    if (!will_be_gateway(er))
        return 0;
    r = note(&er->given.state, EXTERNAL, true, err);
    if (r < 0)
        return r;
    *ret = endpoint_body(er);
    return *ret ? 1 : weft_oom(err);
}

/* Tells the driver of a wired endpoint that it does, or does not any more, carry a default route.
 */
static void sync_external(struct engine *e, struct endpoint *ep)
{
    bool is = sandbox_gateway_endpoint(ep->sandbox, AF_INET) == ep ||
              sandbox_gateway_endpoint(ep->sandbox, AF_INET6) == ep;
    struct errand er = {.engine = e, .net = ep->network, .sb = ep->sandbox, .ep = ep};
    struct weft_error err = {0};

    if (is_noted(ep->given.state, EXTERNAL, false) == is)
        return;
    remote_notify(e, ep->network->driver, NETWORK_DRIVER,
                  is ? "ProgramExternalConnectivity" : "RevokeExternalConnectivity",
                  is ? endpoint_body(&er) : remote_endpoint_body(ep));
    if (note(&ep->given.state, EXTERNAL, is, &err) < 0 || outside_store(e, ep, &err) < 0)
        log_error("%s", err.text);
}

/* Of all of the sandbox's that are wired. */
static void sync_sandbox(struct engine *e, struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++) {
        struct endpoint *ep = sb->endpoints[i];

        if (driver_find(ep->network->driver) == &driver_remote && endpoint_is_wired(ep))
            sync_external(e, ep);
    }
}

/* ---- endpoints ---- */

static void remote_join(struct errand *er)
{
    static const struct remote_step steps[] = {
        {.method = "GetCapabilities",
         .ask = remote_ask_driver_capabilities,
         .heed = remote_heed_driver_capabilities},
        {.method = "CreateEndpoint",
         .ask = ask_create_endpoint,
         .heed = remote_heed_create_endpoint},
        {.method = "Join", .ask = ask_join, .heed = remote_heed_join},
        {.method = "EndpointOperInfo", .ask = ask_info, .heed = heed_info, .lenient = true},
        {.method = "ProgramExternalConnectivity", .ask = ask_external, .optional = true},
    };
    static const struct remote_script script = {NETWORK_DRIVER, steps, ARRAY_SIZE(steps)};

    if (remote_state(&er->given.state, KEY))
        remote_ask(er, &script);
    else
        errand_done(er, -ENOMEM, NULL);
}

static int write_leaving(json_t *letters, const struct endpoint *ep)
{
    const json_t *state = ep->given.state;

    if (is_noted(state, EXTERNAL, false) &&
        remote_write(letters, "RevokeExternalConnectivity", remote_endpoint_body(ep), true) < 0)
        return -ENOMEM;
    if (is_noted(state, JOINED, true) &&
        remote_write(letters, "Leave", remote_endpoint_body(ep), false) < 0)
        return -ENOMEM;
    if (is_noted(state, CREATED, true) &&
        remote_write(letters, "DeleteEndpoint", remote_endpoint_body(ep), false) < 0)
        return -ENOMEM;
    return 0;
}

static void remote_leave(struct errand *er)
{
    _cleanup_json_ json_t *letters = json_array();

    sync_sandbox(er->engine, er->sb);
    if (write_leaving(letters, er->ep) < 0)
        json_decref(TAKE_PTR(letters));
    remote_tell(er, NETWORK_DRIVER, TAKE_PTR(letters));
}

static void remote_follow(struct engine *e, struct endpoint *ep)
{
    sync_sandbox(e, ep->sandbox);
}

const struct outsider outsider_remote = {
    .name = KEY,
    .check = remote_check,
    .create = remote_create,
    .remove = remote_remove,
    .join = remote_join,
    .leave = remote_leave,
    .follow = remote_follow,
    .stop = remote_stop,
};
