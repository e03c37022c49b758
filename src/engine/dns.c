/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Theory of operation: weft-dns follows the model.
 *
 * Whenever a transaction is done, the networks and sandboxes that it touched are looked at again:
 * the messages that they stand for are made, and those are sent that differ from what was sent
 * before. Of what was sent only a digest is kept. So what a change costs depends on what it touches
 * alone, not on how many names there are; and a change that alters no names sends nothing.
 *
 * What was sent is waited for, so that a verb answers when its names are there, or gone. The
 * sockets of a sandbox that is gone are closed here and there before that, and with them its
 * namespace goes.
 *
 * Without weft-dns all goes on but for names; the next one is told everything.
 */

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "engine/dns.h"

#define SYNC_MS 200
#define FIRST_SYNC_MS 2000

/* ---- owners ---- */

struct dns_owner *dns_owner_get(struct dns *d, const char *id, bool of_network)
{
    struct dns_owner *o = hash_get(&d->owners, id);

    if (o)
        return o;
    o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->of_network = of_network;
    o->sockets_told = true; /* there are none */
    if (str_copy(o->id, sizeof o->id, id) < 0 || hash_put(&d->owners, o->id, o) < 0) {
        free(o);
        return NULL;
    }
    return o;
}

void dns_owner_drop(struct dns *d, struct dns_owner *o)
{
    dns_sockets_close(o);
    hash_remove(&d->owners, o->id);
    free(o->endpoints);
    free(o);
}

/* ---- telling ---- */

static void say(struct dns *d, const struct dns_message *m)
{
    dns_link_send(d, m);
    d->unsettled = true;
}

uint64_t dns_digest(const void *data, size_t length)
{
    uint64_t digest = hash_bytes(HASH_START, data, length);

    return digest ? digest : 1;
}

static uint64_t digest_of(const struct dns_message *m)
{
    _cleanup_dns_batch_ struct dns_batch batch = {0};

    return dns_batch_add(&batch, m) < 0 ? 1 : dns_digest(batch.buf, batch.length);
}

static void tell(struct dns *d, const struct dns_message *m, uint64_t *digest)
{
    uint64_t now = digest_of(m);

    if (now == *digest)
        return;
    *digest = now;
    say(d, m);
}

static void tell_sockets(struct dns *d, struct dns_owner *o)
{
    struct dns_message m;

    if (o->sockets_told)
        return;
    dns_sockets_message(o, &m);
    say(d, &m);
    o->sockets_told = true;
}

static void tell_gone(struct dns *d, struct dns_owner *o)
{
    struct dns_message m = {.type = o->of_network ? DNS_MSG_NETWORK_GONE : DNS_MSG_SANDBOX_GONE};

    if (o->of_network)
        m.gone.network = o->id;
    else
        m.gone.sandbox = o->id;
    if (o->digest)
        say(d, &m);
    dns_owner_drop(d, o);
}

static void tell_upstreams(struct dns *d)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};
    struct dns_message m = {.type = DNS_MSG_UPSTREAMS};

    if (resolv_conf_read(&conf) < 0)
        return;
    m.upstreams.servers = conf.servers;
    m.upstreams.count = conf.count;
    dns_link_send(d, &m);
}

/* ---- networks ---- */

static struct network *wanted_network(const struct dns *d, const char *id)
{
    const struct net_slot *slot = hash_get(&d->engine->networks_by_id, id);

    return slot && network_has_names(slot->net) ? slot->net : NULL;
}

static void follow_network(struct dns *d, const struct network *net)
{
    struct dns_owner *o = dns_owner_get(d, net->id, true);
    _cleanup_dns_names_ struct dns_message m = {0};

    if (!o || dns_names_of_network(net, &m) < 0)
        return;
    tell(d, &m, &o->digest);
    dns_sockets_of_network(d, net, o);
    tell_sockets(d, o);
}

/* ---- sandboxes ---- */

static struct sandbox *wanted_sandbox(const struct dns *d, const char *id)
{
    const struct sandbox_slot *slot = hash_get(&d->engine->sandboxes_by_id, id);

    return slot && sandbox_has_names(slot->sandbox) ? slot->sandbox : NULL;
}

static const char *name_of_target(void *arg, const char *ref)
{
    struct weft_error ignored;
    const struct sandbox *sb = engine_sandbox(arg, ref, &ignored);

    return sb ? sb->name : NULL;
}

static struct dns_told *told_of(struct dns_owner *o, const char *network)
{
    for (size_t i = 0; i < o->endpoint_count; i++)
        if (strcmp(o->endpoints[i].network, network) == 0)
            return &o->endpoints[i];
    return NULL;
}

static struct dns_told *add_told(struct dns_owner *o, const char *network)
{
    struct dns_told *grown =
        reallocarray(o->endpoints, o->endpoint_count + 1, sizeof *o->endpoints);

    if (!grown)
        return NULL;
    o->endpoints = grown;
    grown[o->endpoint_count] = (struct dns_told){0};
    (void)str_copy(grown[o->endpoint_count].network, ID_TEXT_MAX, network);
    return &grown[o->endpoint_count++];
}

static bool endpoint_has_names(const struct endpoint *ep)
{
    return endpoint_is_wired(ep) && network_has_names(ep->network) &&
           (addr_is_set(&ep->ipv4) || addr_is_set(&ep->ipv6));
}

static void follow_endpoint(struct dns *d, const struct endpoint *ep, const struct container *c,
                            struct dns_owner *o)
{
    _cleanup_dns_names_ struct dns_message m = {0};
    struct dns_told *told = told_of(o, ep->network->id);

    if (!told)
        told = add_told(o, ep->network->id);
    if (told && dns_names_of_endpoint(ep, c, &m) == 0)
        tell(d, &m, &told->digest);
}

static bool is_on(const struct sandbox *sb, const char *network)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (strcmp(sb->endpoints[i]->network->id, network) == 0)
            return endpoint_has_names(sb->endpoints[i]);
    return false;
}

static void drop_endpoints(struct dns *d, const struct sandbox *sb, struct dns_owner *o)
{
    for (size_t i = o->endpoint_count; i-- > 0;) {
        struct dns_message m = {.type = DNS_MSG_ENDPOINT_GONE};

        if (is_on(sb, o->endpoints[i].network))
            continue;
        m.gone.network = o->endpoints[i].network;
        m.gone.sandbox = o->id;
        say(d, &m);
        o->endpoints[i] = o->endpoints[--o->endpoint_count];
    }
}

static void follow_sandbox(struct dns *d, const struct sandbox *sb)
{
    const struct container *c = sandbox_container(d->engine, sb);
    struct dns_owner *o = dns_owner_get(d, sb->id, false);
    _cleanup_dns_names_ struct dns_message m = {0};
    uint64_t before;

    if (!o || dns_names_of_sandbox(sb, c, name_of_target, d->engine, &m) < 0)
        return;
    before = o->digest;
    tell(d, &m, &o->digest);
    /* Servers that have come with a network are asked through sockets of their families. */
    if (o->digest != before && m.sandbox.server_count > 0)
        o->sockets_sure = false;
    if (sandbox_has_resolver(sb)) {
        dns_sockets_of_sandbox(d, sb, c, o);
        tell_sockets(d, o);
    }
    drop_endpoints(d, sb, o);
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (endpoint_has_names(sb->endpoints[i]))
            follow_endpoint(d, sb->endpoints[i], c, o);
}

/* ---- everything ---- */

/* Of what is gone nobody needs to be told: what is not named between BEGIN and END goes. The rest
 * is as if it had never been told. */
static void forget_told(struct dns *d)
{
    struct hash_slot slot;
    size_t i = 0;

    while (hash_next(&d->owners, &i, &slot)) {
        struct dns_owner *o = slot.value;

        if (o->of_network ? !wanted_network(d, o->id) : !wanted_sandbox(d, o->id)) {
            dns_owner_drop(d, o);
            i = 0; /* the table has changed */
            continue;
        }
        o->digest = 0;
        o->endpoint_count = 0;
    }
}

void dns_send_all(struct dns *d)
{
    struct dns_message begin = {.type = DNS_MSG_BEGIN}, end = {.type = DNS_MSG_END};
    struct engine *e = d->engine;

    forget_told(d);
    dns_link_send(d, &begin);
    tell_upstreams(d);
    for (size_t i = 0; i < e->network_count; i++)
        if (network_has_names(e->networks[i]))
            follow_network(d, e->networks[i]);
    for (size_t i = 0; i < e->sandbox_count; i++)
        if (sandbox_has_names(e->sandboxes[i]))
            follow_sandbox(d, e->sandboxes[i]);
    dns_link_send(d, &end);
}

/* ---- for the engine ---- */

static bool is_following(struct engine *e)
{
    return e->dns && e->dns->following;
}

void dns_follow_network(struct engine *e, const char *id)
{
    const struct network *net = is_following(e) ? wanted_network(e->dns, id) : NULL;

    if (net && dns_link_is_up(e->dns))
        follow_network(e->dns, net);
}

void dns_follow_sandbox(struct engine *e, const char *id)
{
    const struct sandbox *sb = is_following(e) ? wanted_sandbox(e->dns, id) : NULL;
    struct dns_owner *o;

    if (!is_following(e))
        return;
    if (sb && dns_link_is_up(e->dns)) {
        follow_sandbox(e->dns, sb);
        return;
    }
    o = sb ? NULL : hash_get(&e->dns->owners, id);
    if (o)
        tell_gone(e->dns, o);
}

void dns_follow_end(struct engine *e, const char *network)
{
    struct dns_owner *o = is_following(e) ? hash_get(&e->dns->owners, network) : NULL;

    if (o && !wanted_network(e->dns, network))
        tell_gone(e->dns, o);
}

void dns_push(struct engine *e)
{
    if (is_following(e) && e->dns->unsettled)
        dns_link_push(e->dns);
}

void dns_settle(struct engine *e)
{
    if (is_following(e))
        dns_link_await(e->dns, SYNC_MS);
}

void dns_follow_all(struct engine *e)
{
    if (!is_following(e) || !dns_link_is_up(e->dns))
        return;
    dns_send_all(e->dns);
    dns_link_push(e->dns);
    dns_settle(e);
}

void dns_flush(struct engine *e)
{
    if (!is_following(e) || !e->dns->unsettled)
        return;
    e->dns->unsettled = false;
    dns_link_flush(e->dns);
}

/* Whose sockets rest on this fact: a sandbox's on its namespace, a network's on its bridge. */
static const char *owner_of(const struct engine *e, const struct fact *fact)
{
    const struct link_slot *link;

    if (fact->kind == FACT_NETNS)
        return fact->ns->id;
    link = fact->kind == FACT_LINK && !fact->ns ? hash_get(&e->links, fact->link.name) : NULL;
    return link && link->net && !link->ep ? link->net->id : NULL;
}

void dns_follow_mending(struct engine *e, const struct plan *plan)
{
    if (!is_following(e))
        return;
    for (size_t i = 0; i < plan->count; i++) {
        const char *id = plan->ops[i].verb == OP_ADD ? owner_of(e, &plan->ops[i].fact) : NULL;
        struct dns_owner *o = id ? hash_get(&e->dns->owners, id) : NULL;

        if (!o)
            continue;
        o->sockets_sure = false;
        if (o->of_network)
            dns_follow_network(e, id);
        else
            dns_follow_sandbox(e, id);
    }
    dns_push(e);
    dns_settle(e);
}

static void servers_changed(struct engine *e)
{
    _cleanup_resolv_conf_ struct resolv_conf conf = {0};
    _cleanup_strbuf_ struct strbuf list = {0};

    if (resolv_conf_read(&conf) == 0)
        for (size_t i = 0; i < conf.count; i++)
            strbuf_printf(&list, "%s%s", i ? ", " : "", conf.texts[i]);
    log_info("the host's DNS servers are now: %s", list.len ? strbuf_text(&list) : "none");
    if (dns_link_is_up(e->dns)) {
        tell_upstreams(e->dns);
        dns_link_push(e->dns);
        dns_settle(e);
    }
    refresh_servers(e);
}

int dns_new(struct engine *e, struct weft_error *err)
{
    struct dns *d = calloc(1, sizeof *d);

    if (!d)
        return weft_oom(err);
    d->engine = e;
    e->dns = d;
    return dns_link_new(d, err);
}

void dns_start(struct engine *e)
{
    struct dns *d = e->dns;
    struct weft_error err = {0};

    if (dns_watch_start(e, servers_changed, &d->watch, &err) < 0)
        log_warning("changes to the host's DNS servers will go unnoticed: %s", err.text);
    d->following = true;
    dns_link_open(d);
    dns_link_await(d, FIRST_SYNC_MS);
}

void dns_stop(struct engine *e)
{
    struct dns *d = TAKE_PTR(e->dns);
    struct hash_slot slot;

    if (!d)
        return;
    dns_watch_stop(d->watch);
    dns_ask_clear(d);
    dns_link_close(d);
    for (size_t i = 0; hash_next(&d->owners, &i, &slot); i = 0)
        dns_owner_drop(d, slot.value);
    hash_clear(&d->owners);
    free(d);
}

void dns_end(struct engine *e)
{
    dns_link_end_process(e->dns);
}

/* ---- listing ---- */

static int each_of_endpoint(struct engine *e, const struct endpoint *ep, engine_name_fn *fn,
                            void *arg)
{
    const struct container *c = sandbox_container(e, ep->sandbox);
    _cleanup_dns_names_ struct dns_message m = {0};
    int r = dns_names_of_endpoint(ep, c, &m);

    for (char **name = m.endpoint.names; r >= 0 && name && *name; name++) {
        bool own = strcmp(*name, ep->sandbox->name) == 0 ||
                   (c && strncmp(*name, c->id, ID_SHORT) == 0 && strlen(*name) == ID_SHORT);

        r = fn(arg, ep, *name, !own);
    }
    return r;
}

int engine_each_name(struct engine *e, engine_name_fn *fn, void *arg)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < e->network_count; i++) {
        const struct net_slot *slot = engine_net_slot(e, e->networks[i]);

        if (!network_has_names(slot->net))
            continue;
        for (size_t j = 0; r >= 0 && j < slot->endpoint_count; j++)
            if (endpoint_has_names(slot->endpoints[j]))
                r = each_of_endpoint(e, slot->endpoints[j], fn, arg);
    }
    return r < 0 ? r : 0;
}

int engine_endpoint_names(struct engine *e, const struct endpoint *ep, strv *ret)
{
    _cleanup_dns_names_ struct dns_message m = {0};
    int r;

    *ret = NULL;
    if (!network_has_names(ep->network))
        return 0;
    r = dns_names_of_endpoint(ep, sandbox_container(e, ep->sandbox), &m);
    if (r == 0)
        *ret = TAKE_PTR(m.endpoint.names);
    return r;
}
