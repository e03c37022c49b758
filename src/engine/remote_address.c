/* SPDX-License-Identifier: Apache-2.0 */

/* Asking an IPAM driver, and what is thought of its answers. */

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "engine/remote_ipam.h"

/* ---- requests ---- */

json_t *remote_pool_request(const struct network *net, const struct pool *pool, bool ipv6)
{
    const char *space = json_string_value(json_object_get(remote_ipam_notes(net), "Space"));

    return json_pack("{s:s, s:s, s:s, s:o, s:b}", "AddressSpace", space ? space : "", "Pool",
                     pool ? prefix_text(&pool->subnet) : "", "SubPool",
                     pool && prefix_is_set(&pool->range) ? prefix_text(&pool->range) : "",
                     "Options", json_from_strmap(&net->ipam_options), "V6", ipv6);
}

json_t *remote_address_request(const char *pool, const struct addr *addr, json_t *options)
{
    return json_pack("{s:s, s:s, s:o}", "PoolID", pool ? pool : "", "Address",
                     addr_is_set(addr) ? addr_text(addr) : "", "Options", options);
}

/* The address that was given, which is to be the one that was wanted if there was one, and inside
 * the pool. */
int remote_heed_address(const json_t *answer, const struct pool *pool, const struct addr *wanted,
                        struct prefix *ret, struct weft_error *err)
{
    struct prefix found = {0};
    int r = remote_parse_cidr(answer, "Address", pool->subnet.addr.family, &found, err);

    if (r < 0)
        return r;
    if (!prefix_is_set(&found))
        return weft_fail(err, WEFT_INTERNAL, "the answer has no Address");
    if (!prefix_contains(&pool->subnet, &found.addr))
        return weft_fail(err, WEFT_INTERNAL, "address %s lies outside pool %s",
                         addr_text(&found.addr), prefix_text(&pool->subnet));
    if (addr_is_set(wanted) && !addr_equal(wanted, &found.addr))
        return weft_fail(err, WEFT_INTERNAL, "address %s was asked for, but the answer says %s",
                         addr_text(wanted), addr_text(&found.addr));
    *ret = found;
    return 0;
}

/* ---- capabilities ---- */

int remote_ask_ipam_capabilities(struct remote_run *run, json_t **ret _unused_,
                                 struct weft_error *err)
{
    const struct remote_plugin *p = remote_plugin(run->er->engine, run->er->net->ipam_driver);

    if (!p)
        return weft_oom(err);
    return !p->ipam_known;
}

static int add_request(json_t *letters, const char *pool, const struct addr *addr)
{
    return addr_is_set(addr)
               ? remote_write(letters, "RequestAddress",
                              json_pack("{s:s, s:s, s:{}}", "PoolID", pool ? pool : "", "Address",
                                        addr_text(addr), "Options"),
                              false)
               : 0;
}

static int write_replay(struct engine *e, const struct network *net, json_t *letters)
{
    size_t count;
    struct endpoint *const *endpoints = engine_network_endpoints(e, net, &count);
    int r = 0;

    for (size_t i = 0; r == 0 && i < net->pool_count; i++) {
        const struct pool *pool = &net->pools[i];

        r = remote_write(letters, "RequestPool",
                         remote_pool_request(net, pool, pool->subnet.addr.family == AF_INET6),
                         false);
        if (r == 0)
            r = add_request(letters, remote_pool_id(net, i), &pool->gateway);
        for (size_t j = 0; r == 0 && j < pool->aux_count; j++)
            if (prefix_contains(pool_area(pool), &pool->aux[j].addr))
                r = add_request(letters, remote_pool_id(net, i), &pool->aux[j].addr);
        for (size_t j = 0; r == 0 && j < count; j++) {
            if (prefix_contains(&pool->subnet, &endpoints[j]->ipv4))
                r = add_request(letters, remote_pool_id(net, i), &endpoints[j]->ipv4);
            if (r == 0 && prefix_contains(&pool->subnet, &endpoints[j]->ipv6))
                r = add_request(letters, remote_pool_id(net, i), &endpoints[j]->ipv6);
        }
    }
    return r;
}

/* A plugin that keeps nothing is told of all that it gave, once after each start of weftd. Until
 * all of that has been delivered it is not known: whoever comes next begins anew. */
int remote_heed_ipam_capabilities(struct remote_run *run, const json_t *answer,
                                  struct weft_error *err)
{
    struct errand *er = run->er;
    struct engine *e = er->engine;
    struct remote_plugin *p = remote_plugin(e, er->net->ipam_driver);
    int r;

    if (!p)
        return weft_oom(err);
    r = json_get_bool(answer, "RequiresMACAddress", &p->requires_mac, err);
    if (r == 0)
        r = json_get_bool(answer, "RequiresRequestReplay", &p->requires_replay, err);
    if (r < 0)
        return r;
    run->letters = json_array();
    for (size_t i = 0; p->requires_replay && r == 0 && i < e->network_count; i++)
        if (e->networks[i]->stage == NETWORK_SETTLED &&
            str_equal(e->networks[i]->ipam_driver, p->name))
            r = write_replay(e, e->networks[i], run->letters);
    p->ipam_known = r == 0 && json_array_size(run->letters) == 0;
    return r < 0 ? weft_oom(err) : 0;
}

int remote_ask_replay(struct remote_run *run, json_t **ret, struct weft_error *err _unused_)
{
    json_t *letter = json_array_get(run->letters, 0);

    if (!letter)
        return 0;
    *ret = json_incref(json_object_get(letter, "Body"));
    return 1;
}

int remote_heed_replay(struct remote_run *run, const json_t *answer _unused_,
                       struct weft_error *err)
{
    struct remote_plugin *p = remote_plugin(run->er->engine, run->er->net->ipam_driver);

    if (!p)
        return weft_oom(err);
    (void)json_array_remove(run->letters, 0);
    if (json_array_size(run->letters) == 0)
        p->ipam_known = true;
    return 0;
}
