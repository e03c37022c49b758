/* SPDX-License-Identifier: Apache-2.0 */

/* The engine comes and goes: opening what it stands on, and reading the model back from the store.
 */

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "engine/change.h"
#include "engine/conntrack.h"
#include "engine/outside.h"

/* ---- from the store ---- */

static int load_network(void *arg, const json_t *doc, struct weft_error *err)
{
    struct engine *e = arg;
    _cleanup_network_ struct network *net = NULL;
    int r = network_from_json(doc, &net, err);

    if (r == 0)
        r = engine_add_network(e, net, err);
    if (r == 0)
        TAKE_PTR(net);
    return r;
}

static int load_sandbox(void *arg, const json_t *doc, struct weft_error *err)
{
    struct engine *e = arg;
    _cleanup_sandbox_ struct sandbox *sb = NULL;
    int r = sandbox_from_json(doc, &sb, err);

    if (r == 0)
        r = engine_add_sandbox(e, sb, err);
    if (r == 0)
        TAKE_PTR(sb);
    return r;
}

static int load_container(void *arg, const json_t *doc, struct weft_error *err)
{
    struct engine *e = arg;
    _cleanup_container_ struct container *c = NULL;
    int r = container_from_json(doc, &c, err);

    if (r == 0)
        r = engine_add_container(e, c, err);
    if (r == 0)
        TAKE_PTR(c);
    return r;
}

static int load_endpoint(void *arg, const char *network_id, const char *sandbox_id,
                         const json_t *doc, struct weft_error *err)
{
    struct engine *e = arg;
    struct net_slot *net = hash_get(&e->networks_by_id, network_id);
    struct sandbox_slot *sb = hash_get(&e->sandboxes_by_id, sandbox_id);
    _cleanup_endpoint_ struct endpoint *ep = NULL;
    int r;

    if (!net || !sb)
        return weft_fail(err, WEFT_INTERNAL,
                         "an endpoint in the store has no network or container");
    r = endpoint_from_json(doc, &ep, err);
    if (r < 0)
        return r;
    ep->network = net->net;
    ep->sandbox = sb->sandbox;
    r = engine_add_endpoint(e, ep, err);
    if (r == 0)
        TAKE_PTR(ep);
    return r;
}

static int load_publish(void *arg, const char *sandbox_id, const struct publish *p,
                        struct weft_error *err)
{
    struct engine *e = arg;
    struct sandbox_slot *slot = hash_get(&e->sandboxes_by_id, sandbox_id);
    struct publish_list *list = slot ? &slot->sandbox->publishes : NULL;

    if (!list)
        return weft_fail(err, WEFT_INTERNAL, "a published port in the store has no container");
    if (publish_list_add(list, &p->want) < 0)
        return weft_oom(err);
    list->items[list->count - 1] = *p;
    return 0;
}

static const struct endpoint *find_endpoint(const struct net_slot *slot, const char *id)
{
    for (size_t i = 0; i < slot->endpoint_count; i++)
        if (strcmp(slot->endpoints[i]->id, id) == 0)
            return slot->endpoints[i];
    return NULL;
}

static int load_lease(void *arg, const char *network_id, const struct addr *addr,
                      const char *endpoint_id, struct weft_error *err)
{
    struct engine *e = arg;
    struct net_slot *slot = hash_get(&e->networks_by_id, network_id);
    const struct endpoint *ep = slot ? find_endpoint(slot, endpoint_id) : NULL;

    if (!ep)
        return weft_fail(err, WEFT_INTERNAL, "lease %s in the store has no endpoint",
                         addr_text(addr));
    if (!slot->ipam) /* others gave it */
        return 0;
    return ipam_reserve(slot->ipam, addr, sandbox_owner_text(ep->sandbox), err);
}

static int load_cursor(struct engine *e, const struct network *net, int family,
                       struct weft_error *err)
{
    struct net_slot *slot = engine_net_slot(e, net);
    _cleanup_free_ char *text = NULL;
    char key[ID_TEXT_MAX + 16];
    struct addr last;
    int r;

    if (!slot->ipam)
        return 0;
    snprintf(key, sizeof key, "cursor/%s/%c", net->id, family == AF_INET ? '4' : '6');
    r = store_get_setting(e->store, key, &text, err);
    if (r == 0 && text && addr_parse(text, &last, NULL) == 0)
        ipam_set_cursor(slot->ipam, family, &last);
    return r;
}

static int load(struct engine *e, struct weft_error *err)
{
    int r = store_each(e->store, STORE_NETWORK, load_network, e, err);

    if (r == 0)
        r = store_each(e->store, STORE_SANDBOX, load_sandbox, e, err);
    if (r == 0)
        r = store_each(e->store, STORE_CONTAINER, load_container, e, err);
    if (r == 0)
        r = store_each_endpoint(e->store, load_endpoint, e, err);
    if (r == 0)
        r = store_each_publish(e->store, load_publish, e, err);
    if (r == 0)
        r = store_each_lease(e->store, load_lease, e, err);
    for (size_t i = 0; r == 0 && i < e->network_count; i++) {
        r = load_cursor(e, e->networks[i], AF_INET, err);
        if (r == 0)
            r = load_cursor(e, e->networks[i], AF_INET6, err);
    }
    if (r < 0)
        weft_error_prefix(err, "cannot read the state in %s", e->config.state_dir);
    return r;
}

/* The host's part of its unique local addresses: drawn once, then kept (RFC 4193, 3.2.1). */
static int load_ula(struct engine *e, struct weft_error *err)
{
    uint8_t *id = e->ula_global_id;
    _cleanup_free_ char *text = NULL;
    char fresh[11];
    int r = store_get_setting(e->store, "ula_global_id", &text, err);

    if (r < 0)
        return r;
    if (text &&
        sscanf(text, "%2hhx%2hhx%2hhx%2hhx%2hhx", &id[0], &id[1], &id[2], &id[3], &id[4]) == 5)
        return 0;
    if (getrandom(id, 5, 0) != 5)
        return weft_fail_errno(err, errno, "cannot draw random numbers");
    snprintf(fresh, sizeof fresh, "%02x%02x%02x%02x%02x", id[0], id[1], id[2], id[3], id[4]);
    return store_put_setting(e->store, "ula_global_id", fresh, err);
}

/* ---- the engine ---- */

static void container_exited(void *arg, const char *id, int code, int64_t finished)
{
    struct engine *e = arg;
    struct container_slot *slot = engine_container_slot(e, id);

    if (slot)
        container_ended(slot, code, finished);
}

static int open_all(struct engine *e, struct weft_error *err)
{
    struct runtime_config runtime = {.run_dir = e->config.run_dir,
                                     .state_dir = e->config.state_dir,
                                     .runtime = e->config.runtime};
    int r;

    e->netns_dir = str_printf("%s/netns", e->config.run_dir);
    if (!e->netns_dir)
        return weft_oom(err);
    r = store_open(e->config.state_dir, &e->store, err);
    if (r == 0)
        r = kernel_open(&e->kernel, err);
    if (r == 0)
        r = forget_start(e, err);
    if (r == 0)
        r = runtime_new(e->loop, &runtime, container_exited, e, &e->runtime, err);
    if (r == 0)
        r = relay_new(e->loop, &e->relay, err);
    if (r == 0)
        r = dns_new(e, err);
    if (r == 0)
        r = load_ula(e, err);
    return r < 0 ? r : load(e, err);
}

int engine_new(uv_loop_t *loop, const struct engine_config *config, struct engine **ret,
               struct weft_error *err)
{
    struct engine *e = calloc(1, sizeof *e);
    int r;

    if (!e)
        return weft_oom(err);
    memory_start();
    e->loop = loop;
    e->config = *config;
    r = open_all(e, err);
    if (r < 0) {
        engine_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

void engine_free(struct engine *e)
{
    if (!e)
        return;
    outside_stop(e);
    drift_stop(e);
    dns_stop(e);
    exec_forget(e, NULL);
    wait_end(e);
    while (e->subscriptions)
        engine_unsubscribe(e->subscriptions);
    while (e->container_count > 0) {
        struct container *c = e->containers[e->container_count - 1];

        engine_drop_container(e, c);
        container_free(c);
    }
    while (e->sandbox_count > 0) {
        struct sandbox *sb = e->sandboxes[e->sandbox_count - 1];

        while (sb->endpoint_count > 0) {
            struct endpoint *ep = sb->endpoints[sb->endpoint_count - 1];

            engine_drop_endpoint(e, ep);
            endpoint_free(ep);
        }
        engine_drop_sandbox(e, sb);
        sandbox_free(sb);
    }
    while (e->network_count > 0) {
        struct network *net = e->networks[e->network_count - 1];

        engine_drop_network(e, net);
        network_free(net);
    }
    free(e->networks);
    free(e->sandboxes);
    free(e->containers);
    hash_clear(&e->networks_by_id);
    hash_clear(&e->networks_by_name);
    hash_clear(&e->sandboxes_by_id);
    hash_clear(&e->sandboxes_by_name);
    hash_clear(&e->containers_by_id);
    hash_clear(&e->containers_by_name);
    hash_clear(&e->links);
    hash_clear(&e->execs);
    runtime_free(e->runtime);
    relay_free(e->relay);
    forget_stop(e);
    memory_stop(e);
    kernel_close(e->kernel);
    store_close(e->store);
    free(e->netns_dir);
    free(e->log_path);
    free(e);
}
