/* SPDX-License-Identifier: Apache-2.0 */

/*
 * weftd was ended in the middle of an errand: the stages say of what.
 *
 * Nobody knows how far those outside had got, so whatever was not settled is let go of: an endpoint
 * or a network that was asking is leaving from now on, and what was leaving goes on to do so. A
 * sandbox that nobody uses any more leaves all its networks.
 */

#include <errno.h>

#include "base/log.h"
#include "engine/change.h"
#include "engine/errand.h"
#include "engine/half.h"

/* ---- networks ---- */

static int recover_network(struct engine *e, struct network *net, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    log_info("network %s was not %s when weftd ended: it goes", net->name,
             net->stage == NETWORK_ASKING ? "made" : "removed");
    if (r == 0)
        r = change_set_network_stage(&ch, net, NETWORK_LEAVING, err);
    if (r == 0)
        r = change_commit_model(&ch, err);
    return r < 0 ? r : outside_remove(e, net, NULL, NULL, err);
}

/* ---- sandboxes ---- */

static bool is_unsettled(const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->stage != ENDPOINT_SETTLED)
            return true;
    return false;
}

/* A container that runs goes on without the networks in question. */
static void recovered(void *arg, int result, const struct weft_error *err _unused_)
{
    struct half *half = arg;
    struct engine *e = half->engine;
    struct sandbox *sb = half->sb;
    struct weft_error failure = {0};

    if (result == 0 && (sb->kind == SANDBOX_FOREIGN || sandbox_in_use(e, sb, NULL)))
        finish_leaving(e, sb);
    else if (result == 0 && sandbox_rest(e, sb, &failure) < 0)
        log_error("cannot take down the network of %s: %s", sandbox_owner_text(sb), failure.text);
    half_end(half, 0, NULL);
}

static int recover_sandbox(struct engine *e, struct sandbox *sb, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    int r = change_begin(e, &ch, err);

    log_info("%s was joining or leaving a network when weftd ended: it leaves",
             sandbox_owner_text(sb));
    for (size_t i = 0; r == 0 && i < sb->endpoint_count; i++)
        if (sb->endpoints[i]->stage == ENDPOINT_ASKING)
            r = change_set_stage(&ch, sb->endpoints[i], ENDPOINT_LEAVING, err);
    if (r == 0)
        r = change_commit_model(&ch, err);
    if (r == 0)
        r = half_ask(outside_leave, recovered, &(struct half){.engine = e, .sb = sb}, err);
    return r;
}

void outside_recover(struct engine *e)
{
    struct weft_error err = {0};

    for (size_t i = 0; i < e->sandbox_count; i++)
        if (is_unsettled(e->sandboxes[i]) && !errand_of_sandbox(e, e->sandboxes[i]) &&
            recover_sandbox(e, e->sandboxes[i], &err) < 0)
            log_error("%s: %s", sandbox_owner_text(e->sandboxes[i]), err.text);
    for (size_t i = 0; i < e->network_count; i++)
        if (e->networks[i]->stage != NETWORK_SETTLED &&
            recover_network(e, e->networks[i], &err) < 0)
            log_error("network %s: %s", e->networks[i]->name, err.text);
}
