/* SPDX-License-Identifier: Apache-2.0 */

/* From the model to facts: which drivers and policies speak for a network, and for a sandbox. */

#include <errno.h>
#include <string.h>

#include "driver/driver.h"
#include "engine/dns.h"
#include "engine/state.h"
#include "firewall/firewall.h"

bool sandbox_ns(const struct sandbox *sb, struct kstate_ns *ret)
{
    if (sb->kind == SANDBOX_HOST)
        return false;
    *ret = (struct kstate_ns){
        .id = sb->id,
        .name = sb->name,
        .path = sb->netns,
        .origin = sb->kind == SANDBOX_FOREIGN ? sb->origin : NULL,
    };
    return true;
}

int render_network(const struct network *net, struct fact_set *out)
{
    int r;

    if (net->stage != NETWORK_SETTLED)
        return 0;
    r = driver_find(net->driver)->render_network(net, out);
    return r < 0 ? r : firewall_render_network(net, out);
}

/* The namespace itself. A foreign one's loopback is its owner's affair. */
static int render_stack(const struct sandbox *sb, const struct kstate_ns *ns, struct fact_set *out)
{
    struct fact stack = {.kind = FACT_NETNS, .ns = ns};
    struct fact loopback = {
        .kind = FACT_LINK,
        .ns = ns,
        .link = {.name = "lo", .kind = LINK_LOOPBACK, .up = true},
    };
    int r = fact_set_add(out, &stack);

    if (r < 0 || sb->kind == SANDBOX_FOREIGN)
        return r;
    return fact_set_add(out, &loopback);
}

int render_sandbox(const struct engine *e, const struct sandbox *sb, const struct kstate_ns *ns,
                   struct fact_set *out)
{
    static const int families[] = {AF_INET, AF_INET6};
    int r;

    if (!sb->active || sb->kind == SANDBOX_HOST)
        return 0;
    r = render_stack(sb, ns, out);
    if (r == 0 && sandbox_has_resolver(sb))
        r = fact_set_add(out, &(struct fact){.kind = FACT_RESOLVER, .ns = ns});
    for (size_t i = 0; r == 0 && i < sb->endpoint_count; i++) {
        const struct endpoint *ep = sb->endpoints[i];

        if (!endpoint_is_wired(ep))
            continue;
        r = driver_find(ep->network->driver)->render_endpoint(ep, ns, out);
        if (r == 0 && *ep->network->link)
            r = firewall_render_endpoint(ep, out);
    }
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        const struct endpoint *ep = sandbox_gateway_endpoint(sb, families[i]);

        if (ep && !ep->given.makes_routes)
            r = driver_find(ep->network->driver)->render_gateway(ep, families[i], ns, out);
    }
    for (size_t i = 0; r == 0 && i < sb->publishes.count; i++)
        r = firewall_render_publish(&e->host, sb, &sb->publishes.items[i], out);
    return r;
}

static int explain_facts(struct fact_set *facts, struct strbuf *out, struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set nothing = {0};
    _cleanup_plan_ struct plan plan = {0};

    if (plan_diff(&nothing, facts, &plan) < 0)
        return weft_oom(err);
    plan_explain(&plan, out);
    return 0;
}

static int explain_network(struct network *net, struct strbuf *out, struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    int r = 0;

    if (net->link[0])
        r = firewall_render_base(&facts);
    if (r == 0)
        r = render_network(net, &facts);
    return r < 0 ? weft_oom(err) : explain_facts(&facts, out, err);
}

static int explain_sandbox(const struct engine *e, struct sandbox *sb, struct strbuf *out,
                           struct weft_error *err)
{
    _cleanup_fact_set_ struct fact_set facts = {0};
    struct kstate_ns ns;

    if (!sandbox_ns(sb, &ns))
        return 0;
    if (!sb->active)
        return weft_fail(err, WEFT_CONFLICT,
                         "container %s is not running: it has no network to explain", sb->name);
    if (render_sandbox(e, sb, &ns, &facts) < 0)
        return weft_oom(err);
    return explain_facts(&facts, out, err);
}

/* A name that is a network's own means it; one that only begins its id gives way to a container's.
 */
int engine_explain(struct engine *e, const char *ref, struct strbuf *out, struct weft_error *err)
{
    struct net_slot *slot = hash_get(&e->networks_by_name, ref);
    struct network *net = slot ? slot->net : NULL;
    struct weft_error ignored;
    struct container *c;
    struct sandbox *sb;

    if (net)
        return explain_network(net, out, err);
    c = engine_container(e, ref, &ignored);
    sb = c ? engine_container_sandbox(e, c) : engine_sandbox(e, ref, &ignored);
    if (sb)
        return explain_sandbox(e, sb, out, err);
    net = engine_network(e, ref, &ignored);
    if (!net)
        return weft_fail(err, WEFT_NOT_FOUND, "no network, container or namespace is called %s",
                         ref);
    return explain_network(net, out, err);
}
