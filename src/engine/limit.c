/* SPDX-License-Identifier: Apache-2.0 */

/* The verb about limits. They are an endpoint's options, so that what is kept, shown and rendered
 * is what it would be had they been given when the container joined. */

#include <errno.h>
#include <string.h>

#include "driver/cni.h"
#include "driver/shape.h"
#include "engine/change.h"
#include "engine/outside.h"
#include "model/limit.h"
#include "model/option.h"

/* The sandbox whose limits `who` may set: its own. */
static struct sandbox *find_limited(struct engine *e, const char *who, struct weft_error *err)
{
    struct weft_error ignored;
    struct container *c = engine_container(e, who, &ignored);
    struct sandbox *sb = c ? engine_container_sandbox(e, c) : engine_sandbox(e, who, err);

    if (c && strcmp(c->id, c->sandbox_id) != 0) {
        weft_fail(err, WEFT_INVALID,
                  "container %s shares the network of %s: its limits are set there", c->name,
                  sb ? sandbox_owner_text(sb) : "a container that was removed");
        return NULL;
    }
    return sb;
}

static struct endpoint *find_only_endpoint(const struct sandbox *sb, struct weft_error *err)
{
    if (sb->endpoint_count == 1)
        return sb->endpoints[0];
    if (sb->endpoint_count == 0)
        weft_fail(err, WEFT_INVALID, "%s is on no network", sandbox_owner_text(sb));
    else
        weft_fail(err, WEFT_INVALID, "%s is on %zu networks: say on which it is to be limited",
                  sandbox_owner_text(sb), sb->endpoint_count);
    return NULL;
}

static struct endpoint *find_endpoint(struct engine *e, const struct sandbox *sb,
                                      const char *network, struct weft_error *err)
{
    const struct network *net;
    struct endpoint *ep;

    if (!network)
        return find_only_endpoint(sb, err);
    net = engine_network(e, network, err);
    if (!net)
        return NULL;
    ep = sandbox_endpoint_on(sb, net);
    if (!ep)
        weft_fail(err, WEFT_NOT_FOUND, "%s is not on network %s", sandbox_owner_text(sb),
                  net->name);
    return ep;
}

/* What is to be an option, and was one: NULL for neither. */
static const char *merged(const struct strmap *options, const struct strmap *limits,
                          const char *key)
{
    const char *said = strmap_get(limits, key);

    if (said)
        return *said ? said : NULL;
    return strmap_get(options, key);
}

/* A burst that was not mentioned goes with its rate. */
static const char *merged_burst(const struct strmap *options, const struct strmap *limits,
                                const char *rate_key, const char *key)
{
    if (!merged(options, limits, rate_key) && !strmap_get(limits, key))
        return NULL;
    return merged(options, limits, key);
}

static bool is_limit(const char *key)
{
    return str_equal(key, OPTION_INGRESS_RATE) || str_equal(key, OPTION_INGRESS_BURST) ||
           str_equal(key, OPTION_EGRESS_RATE) || str_equal(key, OPTION_EGRESS_BURST);
}

static int set_if_any(struct strmap *m, const char *key, const char *value)
{
    return value ? strmap_set(m, key, value) : 0;
}

/* The endpoint's options with the limits as they are to be. 0 or -ENOMEM. */
static int merge(const struct strmap *options, const struct strmap *limits, struct strmap *ret)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < options->count; i++)
        if (!is_limit(options->entries[i].key))
            r = strmap_set(ret, options->entries[i].key, options->entries[i].value);
    if (r == 0)
        r = set_if_any(ret, OPTION_INGRESS_RATE, merged(options, limits, OPTION_INGRESS_RATE));
    if (r == 0)
        r = set_if_any(ret, OPTION_INGRESS_BURST,
                       merged_burst(options, limits, OPTION_INGRESS_RATE, OPTION_INGRESS_BURST));
    if (r == 0)
        r = set_if_any(ret, OPTION_EGRESS_RATE, merged(options, limits, OPTION_EGRESS_RATE));
    if (r == 0)
        r = set_if_any(ret, OPTION_EGRESS_BURST,
                       merged_burst(options, limits, OPTION_EGRESS_RATE, OPTION_EGRESS_BURST));
    return r;
}

/* A CNI plugin that keeps limits is told of them when the endpoint joins, and then no more. */
static int check_limits(const struct endpoint *ep, const struct strmap *options,
                        struct weft_error *err)
{
    struct limits limits;

    if (!cni_network_takes(ep->network, "bandwidth"))
        return shape_check(ep->network, options, err);
    if (ep->sandbox->active)
        return weft_fail(err, WEFT_CONFLICT,
                         "the limits of %s on network %s are kept by the network's plugins, which "
                         "are told of them when it joins: they cannot change while it is there",
                         sandbox_owner_text(ep->sandbox), ep->network->name);
    return limits_read(options, &limits, err);
}

static int set_options(struct engine *e, struct endpoint *ep, const struct strmap *options,
                       struct strbuf *dry, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = options_check(OPTION_SCOPE_ENDPOINT, NULL, "the endpoint", options, err);

    if (r == 0)
        r = check_limits(ep, options, err);
    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_set_options(&ch, ep, options, err);
    return r < 0 ? r : change_commit(&ch, dry, err);
}

int engine_limit(struct engine *e, const char *who, const char *network,
                 const struct strmap *limits, struct strbuf *dry, struct weft_error *err)
{
    struct sandbox *sb = find_limited(e, who, err);
    struct endpoint *ep = sb ? find_endpoint(e, sb, network, err) : NULL;
    struct strmap options = {0};
    int r;

    if (!ep)
        return -err->errnum;
    if (sandbox_is_busy(e, sb, err))
        return -err->errnum;
    r = merge(&ep->want.driver_opts, limits, &options) < 0 ? weft_oom(err) : 0;
    if (r == 0)
        r = set_options(e, ep, &options, dry, err);
    strmap_clear(&options);
    return r;
}
