/* SPDX-License-Identifier: Apache-2.0 */

/* The verbs about published ports. */

#include <errno.h>
#include <string.h>

#include "driver/cni.h"
#include "engine/change.h"
#include "engine/outside.h"

/* The sandbox whose ports `ref` may publish: its own. */
static struct sandbox *find_publisher(struct engine *e, const char *ref, struct weft_error *err)
{
    struct weft_error ignored;
    struct container *c = engine_container(e, ref, &ignored);
    struct sandbox *sb = c ? engine_container_sandbox(e, c) : engine_sandbox(e, ref, err);

    if (c && strcmp(c->id, c->sandbox_id) != 0) {
        weft_fail(err, WEFT_INVALID,
                  "container %s shares the network of %s: its ports are published there", c->name,
                  sb ? sandbox_owner_text(sb) : "a container that was removed");
        return NULL;
    }
    if (sb && sb->kind == SANDBOX_HOST) {
        weft_fail(err, WEFT_INVALID,
                  "%s uses the host's network: its ports are the host's, with nothing to publish",
                  sandbox_owner_text(sb));
        return NULL;
    }
    return sb && sandbox_is_busy(e, sb, err) ? NULL : sb;
}

/* ---- what cannot be reached ---- */

/* The network whose CNI plugins publish ports, which they do for those who join; NULL: none. */
static const struct network *publishes_at_join(const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (cni_network_takes(sb->endpoints[i]->network, "portMappings"))
            return sb->endpoints[i]->network;
    return NULL;
}

static bool has_way_out(const struct sandbox *sb)
{
    for (size_t i = 0; i < sb->endpoint_count; i++)
        if (network_publishes(sb->endpoints[i]->network))
            return true;
    return publishes_at_join(sb);
}

static void explain_why(const struct sandbox *sb, struct strbuf *out)
{
    const struct network *net = sb->endpoint_count ? sb->endpoints[0]->network : NULL;
    const struct network *joined = publishes_at_join(sb);

    if (!net)
        strbuf_printf(out, "%s is on no network", sandbox_owner_text(sb));
    else if (joined)
        strbuf_printf(out, "the CNI plugins of network %s publish ports when %s joins it",
                      joined->name, sandbox_owner_text(sb));
    else if (has_way_out(sb))
        strbuf_printf(out, "%s has no address that could be reached there", sandbox_owner_text(sb));
    else if (net->internal)
        strbuf_printf(out, "network %s of %s is internal", net->name, sandbox_owner_text(sb));
    else
        strbuf_printf(out, "network %s of %s has no way to the host", net->name,
                      sandbox_owner_text(sb));
}

int warn_unpublished(const struct sandbox *sb, size_t first, strv *warnings, struct weft_error *err)
{
    _cleanup_strbuf_ struct strbuf text = {0};
    const struct publish_want *example = NULL;
    char port[PUBLISH_PORT_TEXT_MAX];
    bool hopeless = !has_way_out(sb);
    size_t count = 0;

    for (size_t i = first; i < sb->publishes.count; i++) {
        const struct publish *p = &sb->publishes.items[i];

        if (p->binding_count > 0 || !(sb->active || hopeless))
            continue;
        example = count++ ? example : &p->want;
    }
    if (!warnings || count == 0)
        return 0;
    strbuf_printf(&text, "port %s", publish_port_format(example->proto, example->port, port));
    if (count > 1)
        strbuf_printf(&text, " and %zu more are", count - 1);
    strbuf_printf(&text, "%s not published: ", count > 1 ? "" : " is");
    explain_why(sb, &text);
    return strv_add(warnings, strbuf_text(&text)) < 0 ? weft_oom(err) : 0;
}

/* ---- the verbs ---- */

int engine_publish(struct engine *e, const char *ref, const struct publish_want *wants,
                   size_t count, struct strbuf *dry, strv *warnings, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    struct sandbox *sb = find_publisher(e, ref, err);
    size_t first;
    int r;

    if (!sb)
        return -err->errnum;
    first = sb->publishes.count;
    r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_publish(&ch, sb, wants, count, err);
    if (r == 0)
        r = warn_unpublished(sb, first, warnings, err);
    return r < 0 ? r : change_commit(&ch, dry, err);
}

int engine_unpublish(struct engine *e, const char *ref, const struct publish_want *wants,
                     size_t count, struct strbuf *dry, struct weft_error *err)
{
    _cleanup_change_ struct change ch = {0};
    struct sandbox *sb = find_publisher(e, ref, err);
    int r;

    if (!sb)
        return -err->errnum;
    r = change_begin(e, &ch, err);
    if (r == 0)
        r = change_unpublish(&ch, sb, wants, count, err);
    return r < 0 ? r : change_commit(&ch, dry, err);
}
