/* SPDX-License-Identifier: Apache-2.0 */

/* What errands mean for the model: who is asked, and what is done with the answers. */

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "driver/driver.h"
#include "engine/change_step.h"
#include "engine/errand.h"
#include "engine/parents.h"
#include "model/network_check.h"

size_t network_outsiders(const struct network *net, const struct outsider *ret[OUTSIDERS_MAX])
{
    const struct driver_ops *driver = driver_find(net->driver);
    size_t count = 0;

    if (network_uses_dhcp(net))
        ret[count++] = &outsider_dhcp;
    else if (net->ipam_driver)
        ret[count++] = &outsider_remote_ipam;
    if (driver == &driver_cni)
        ret[count++] = &outsider_cni;
    else if (driver == &driver_remote)
        ret[count++] = &outsider_remote;
    return count;
}

bool network_is_asked(const struct network *net)
{
    const struct outsider *outsiders[OUTSIDERS_MAX];

    return network_outsiders(net, outsiders) > 0;
}

bool sandbox_is_asked(const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (network_is_asked(sb->endpoints[i]->network))
            return true;
    return false;
}

void outside_explain(const struct network *net, bool leaving, struct strbuf *out)
{
    const struct outsider *outsiders[OUTSIDERS_MAX];
    size_t count = network_outsiders(net, outsiders);
    const char *end = leaving ? "told afterwards" : "asked first";

    for (size_t i = 0; i < count; i++) {
        const struct outsider *who = outsiders[leaving ? count - 1 - i : i];

        if (who == &outsider_dhcp)
            strbuf_printf(out, "# a DHCP server is %s\n", end);
        else if (who == &outsider_cni)
            strbuf_printf(out, "# the CNI plugin of network %s is %s\n", net->name, end);
        else
            strbuf_printf(out, "# plugin %s is %s\n",
                          who == &outsider_remote ? net->driver : net->ipam_driver, end);
    }
}

/* ---- who is busy ---- */

bool network_is_busy(struct engine *e, const struct network *net, struct weft_error *err)
{
    const char *verb = net->stage == NETWORK_LEAVING ? "removed" : "created";

    if (net->stage == NETWORK_SETTLED && !errand_of_network(e, net))
        return false;
    weft_fail(err, WEFT_CONFLICT, "network %s is being %s", net->name, verb);
    return true;
}

bool sandbox_is_busy(struct engine *e, const struct sandbox *sb, struct weft_error *err)
{
    const struct errand_task *task = errand_of_sandbox(e, sb);

    if (!task)
        return false;
    weft_fail(err, WEFT_CONFLICT, "%s is %s: try again when that is done", sandbox_owner_text(sb),
              task->kind == ERRAND_JOIN ? "joining a network" : "leaving a network");
    return true;
}

/* ---- answers: endpoints ---- */

typedef void endpoint_fn(struct engine *e, struct endpoint *ep);

static void follow(struct engine *e, struct endpoint *ep)
{
    const struct outsider *outsiders[OUTSIDERS_MAX];
    size_t count = network_outsiders(ep->network, outsiders);

    for (size_t i = 0; i < count; i++)
        if (outsiders[i]->follow)
            outsiders[i]->follow(e, ep);
}

void outside_unfollow(struct engine *e, struct endpoint *ep)
{
    const struct outsider *outsiders[OUTSIDERS_MAX];
    size_t count = network_outsiders(ep->network, outsiders);

    while (count-- > 0)
        if (outsiders[count]->unfollow)
            outsiders[count]->unfollow(e, ep);
}

static int set_stages(struct change *ch, struct sandbox *sb, enum endpoint_stage from,
                      enum endpoint_stage to, struct weft_error *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->stage == from)
            r = change_set_stage(ch, sb->endpoints[i], to, err);
    return r;
}

static int remember_endpoint(struct errand_task *task, struct weft_error *err)
{
    const struct errand *er = &task->errand;
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(er->engine, &ch, err);

    if (r == 0)
        r = change_give(&ch, er->ep, &er->ipv4, &er->ipv6, &er->mac, &er->given, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

/* What the one that refused has said all the same, for it may have to be told again. Addresses of
 * weft's own pools are as they are. */
static void keep_rest(struct errand_task *task)
{
    struct errand *er = &task->errand;
    struct endpoint *ep = er->ep;

    if (!ep || task->next == task->ask_count)
        return;
    endpoint_given_clear(&ep->given);
    ep->given = TAKE_GENERIC(er->given, (struct endpoint_given){0});
    if (engine_net_slot(er->engine, ep->network)->ipam)
        return;
    ep->ipv4 = er->ipv4;
    ep->ipv6 = er->ipv6;
    ep->mac = er->mac;
}

static int refuse_join(struct errand_task *task, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r;

    keep_rest(task);
    r = change_begin(task->errand.engine, &ch, err);
    if (r == 0)
        r = set_stages(&ch, task->sb, ENDPOINT_ASKING, ENDPOINT_LEAVING, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

static bool is_asked_by(const struct errand_task *task, const struct endpoint *ep)
{
    for (size_t i = 0; i < task->ask_count; i++)
        if (task->asks[i].ep == ep)
            return true;
    return false;
}

static int settle_join(struct errand_task *task, struct weft_error *err)
{
    struct engine *e = task->errand.engine;
    struct sandbox *sb = task->sb;
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = set_stages(&ch, sb, ENDPOINT_ASKING, ENDPOINT_SETTLED, err);
    if (r == 0)
        r = change_commit(&ch, NULL, err);
    for (size_t i = 0; r == 0 && i < sb->endpoint_count; i++)
        if (is_asked_by(task, sb->endpoints[i]))
            follow(e, sb->endpoints[i]);
    return r;
}

/* ---- answers: networks ---- */

/* What cannot be is not stored either: weftd would not start from it. */
static int remember_network(struct errand_task *task, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = network_check(task->net, err);

    if (r < 0)
        network_clear_pools(task->net);
    else
        r = change_begin(task->errand.engine, &ch, err);
    if (r == 0)
        r = change_write_network(ch.engine, task->net, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

static int refuse_create(struct errand_task *task, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(task->errand.engine, &ch, err);

    if (r == 0)
        r = change_set_network_stage(&ch, task->net, NETWORK_LEAVING, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

static int settle_create(struct errand_task *task, struct weft_error *err)
{
    struct engine *e = task->errand.engine;
    _cleanup_change_ struct change ch = {0};
    int r = check_pools(e, task->net, err);

    if (r == 0)
        r = change_begin(e, &ch, err);
    if (r == 0)
        r = parents_touch(&ch, task->net, err);
    if (r == 0)
        r = change_set_network_stage(&ch, task->net, NETWORK_SETTLED, err);
    return r < 0 ? r : change_commit(&ch, NULL, err);
}

static int take_away(struct engine *e, struct network *net, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = change_remove_network(&ch, net, err);
    return r < 0 ? r : change_commit(&ch, NULL, err);
}

/* ---- answers ---- */

int outside_agreed(struct errand_task *task, struct weft_error *err)
{
    return task->net ? remember_network(task, err) : remember_endpoint(task, err);
}

void outside_refused(struct errand_task *task)
{
    struct weft_error err = {0};

    if ((task->net ? refuse_create(task, &err) : refuse_join(task, &err)) < 0)
        log_error("%s", err.text);
}

int outside_settle(struct errand_task *task, struct weft_error *err)
{
    return task->net ? settle_create(task, err) : settle_join(task, err);
}

void outside_told(struct errand_task *task)
{
    struct weft_error err = {0};
    bool goes = task->net && (task->failed || task->kind == ERRAND_REMOVE);

    if (!goes || take_away(task->errand.engine, task->net, &err) == 0)
        return;
    log_error("network %s cannot be taken away: %s", task->net->name, err.text);
    if (!task->failed)
        task->reason = err;
    task->failed = true;
}

/* ---- errands ---- */

int outside_create(struct engine *e, struct network *net, engine_done_fn *done, void *arg,
                   struct weft_error *err)
{
    return errand_begin(e, ERRAND_CREATE, net, NULL, done, arg, err);
}

int outside_remove(struct engine *e, struct network *net, engine_done_fn *done, void *arg,
                   struct weft_error *err)
{
    return errand_begin(e, ERRAND_REMOVE, net, NULL, done, arg, err);
}

int outside_join(struct engine *e, struct sandbox *sb, engine_done_fn *done, void *arg,
                 struct weft_error *err)
{
    return errand_begin(e, ERRAND_JOIN, NULL, sb, done, arg, err);
}

int outside_leave(struct engine *e, struct sandbox *sb, engine_done_fn *done, void *arg,
                  struct weft_error *err)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->stage == ENDPOINT_LEAVING)
            outside_unfollow(e, sb->endpoints[i]);
    return errand_begin(e, ERRAND_LEAVE, NULL, sb, done, arg, err);
}

/* ---- while it is wired ---- */

int outside_readdress(struct engine *e, struct endpoint *ep, const struct addr *ipv4,
                      const struct addr *ipv6, const struct endpoint_given *given,
                      struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = change_give(&ch, ep, ipv4 ? ipv4 : &ep->ipv4, ipv6 ? ipv6 : &ep->ipv6, &ep->mac,
                        given ? given : &ep->given, err);
    if (r == 0)
        r = change_commit(&ch, NULL, err);
    if (r < 0)
        return r;
    refresh_files(e, ep->sandbox);
    refresh_resolver(e, ep->sandbox);
    return 0;
}

int outside_store(struct engine *e, struct endpoint *ep, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    if (r == 0)
        r = change_write_endpoint(e, ep, err);
    return r < 0 ? r : change_commit_model(&ch, err);
}

/* ---- weftd's start and end ---- */

static void each_wired(struct engine *e, endpoint_fn *fn)
{
    for (size_t i = 0; i < e->sandbox_count; i++)
        for (size_t j = 0; j < e->sandboxes[i]->endpoint_count; j++)
            if (endpoint_is_wired(e->sandboxes[i]->endpoints[j]))
                fn(e, e->sandboxes[i]->endpoints[j]);
}

void outside_start(struct engine *e)
{
    struct weft_error err = {0};

    if (errand_start(e, &err) < 0)
        log_error("%s", err.text);
    outside_recover(e);
    each_wired(e, follow);
}

void outside_stop(struct engine *e)
{
    static const struct outsider *const all[] = {&outsider_remote, &outsider_cni,
                                                 &outsider_remote_ipam, &outsider_dhcp};

    if (!e->outside)
        return;
    e->outside->stopping = true;
    each_wired(e, outside_unfollow);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (all[i]->stop)
            all[i]->stop(e);
    errand_stop(e);
}
